"""Tables: a row is one vector, made of each column's numbers and choices; after CTGAN, Xu et al. 2019, section 4."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from pydantic import Field
from torch import Tensor

from sparring.errors import DataError, RequestError, TrainingError, choices
from sparring.files import write_atomic
from sparring.modalities import Modality
from sparring.modalities.asking import Asking, Drawn, Nothing
from sparring.modalities.columns import Asked, Coded, Column, fit_column
from sparring.modalities.columns.identifier import Identifier
from sparring.modalities.columns.number import Number
from sparring.modalities.frames import Frame, TableItems, as_text, exactly, pandas, restored
from sparring.modalities.rules import Rule, parse
from sparring.randomness import by_content, by_position, derive
from sparring.types import DataSpec, Span

_CELL = (150, 90)
_ACROSS = 5
_BARS = 20
_JUDGED = 8
"""Columns whose own value a row is judged with, one at a time."""


class Place(NamedTuple):
    """Where a column stands: its first number in a row's vector, its first among all choices, and its spans."""

    column: Column
    start: int
    choice: int
    spans: tuple[Span, ...]


class Table(Modality):
    """Rows of a table, in its columns' order and types."""

    at_once: ClassVar[int] = 4096
    plural: ClassVar[str] = "tables"
    recipe: ClassVar[str] = "table"
    previewed: ClassVar[int] = 1000
    legend: ClassVar[str] = "how often each column holds each of its words or ranges: these rows blue, the data grey"
    columns: tuple[Column, ...] = Field(min_length=1, description="the columns in the table's order")
    rules: tuple[Rule, ...] = Field(default=(), description="what holds in every row")
    forms: dict[str, str] = Field(
        default={}, description="how dates, true and false are written in text, and ',' for decimal commas, by column"
    )
    rows: int = Field(default=0, ge=0, description="rows learned from, counted with noise; 0 where it was not private")

    @classmethod
    def fit(cls, items: Any) -> Self:
        """From :class:`~sparring.modalities.frames.TableItems`, or from a frame.

        Raises:
            DataError: there is nothing to learn, or a column cannot be learned.
            RequestError: a kind or rule speaks of a column that is not there.
        """
        items = items if isinstance(items, TableItems) else TableItems(items)
        titles = [str(name) for name in items.frame.columns]
        for name in items.kinds:
            if name not in titles:
                raise RequestError(f"data.kinds: {choices(name, 'column', titles)}")
        columns = tuple(fit_column(items.frame[name], items.kinds.get(str(name))) for name in items.frame.columns)
        if not any(column.spans() for column in columns):
            raise DataError("no column holds anything to learn: all are constant, empty or identifiers")
        rules = tuple(parse(text, titles).learned(items.frame) for text in items.rules)
        return cls(columns=columns, rules=rules, forms=items.frame.attrs.get("forms", {}))

    def places(self) -> list[Place]:
        """Where each column stands in a row's vector."""
        found, start, choice = [], 0, 0
        for column in self.columns:
            spans = column.spans()
            found.append(Place(column, start, choice, spans))
            start += sum(span.width for span in spans)
            choice += sum(span.width for span in spans if span.activation == "softmax")
        return found

    def spec(self) -> DataSpec:
        spans = tuple(span for column in self.columns for span in column.spans())
        choices_there = sum(span.width for span in spans if span.activation == "softmax")
        return DataSpec((sum(span.width for span in spans),), choices_there, spans=spans)

    def askable(self) -> tuple[str, ...]:
        return tuple(column.title for column in self.columns if column.spans())

    def described(self) -> dict[str, str]:
        """What each column is, in words."""
        return {column.title: column.said() for column in self.columns}

    def counted(self) -> int:
        return self.rows

    def asking(self, titles: tuple[str, ...]) -> Asking:
        if self.rows:
            return Nothing("learned privately, which leaves conditions out; sample more rows and keep those that fit")
        return Columns(self, titles) if titles else Nothing()

    def compact(self, items: Frame) -> Float[np.ndarray, "n k"]:
        """Rows as one number a span, float32: the scalar, or which choice; :meth:`expand` makes vectors of them.

        Raises:
            RequestError: a column is missing, or a value is not one that the data have.
        """
        parts = []
        for column in self.columns:
            if column.title not in items.columns:
                raise RequestError(f"the table has no column '{column.title}'; it has {', '.join(map(str, items))}")
            coded = column.code(items[column.title])
            parts += [coded.scalars, coded.codes]
        return np.concatenate(parts, 1).astype(np.float32)

    def expand(self, compact: Float[np.ndarray, "n k"]) -> Float[Tensor, "n d"]:
        """Compact rows as vectors: scalars as they are, choices as ones among zeros."""
        spec = self.spec()
        starts = np.cumsum([0, *(span.width for span in spec.spans)])[:-1]
        scalar = np.array([span.activation == "tanh" for span in spec.spans])
        rows = np.zeros((len(compact), spec.shape[0]), np.float32)
        rows[:, starts[scalar]] = compact[:, scalar]
        chosen = starts[~scalar] + compact[:, ~scalar].astype(np.int64)
        np.put_along_axis(rows, chosen, 1.0, axis=1)
        return torch.from_numpy(rows)

    def encode(self, items: Frame | np.ndarray) -> Float[Tensor, "n d"]:
        return self.expand(self.compact(self.framed(items)))

    def decode(self, encoded: Float[Tensor, "n d"]) -> Frame:
        """Rows as a frame with the types, order, ranges, decimals and rules of the data.

        Raises:
            TrainingError: a number is not finite.
        """
        return self.finished(encoded, {})

    def finished(self, encoded: Float[Tensor, "n d"], requests: Mapping[str, Any]) -> Frame:
        """Decoded rows whose numbers lie in the intervals that are asked for; what lies beyond an end is mirrored."""
        vectors = encoded.detach().float().cpu().numpy()
        if not np.isfinite(vectors).all():
            raise TrainingError("the generator made rows that are not finite; its weights have diverged")
        asked, draws = self.requested(requests), by_content(vectors)
        series = {}
        for place in self.places():
            coded, column = _coded(place, vectors), place.column
            found = asked.get(column.title)
            if isinstance(column, Number) and found is not None and found.low is not None:
                values = column.rounded(_folded(column.values(coded), found))
            else:
                values = column.decode(coded, draws)
            series[column.title] = restored(values, column.dtype)
        frame = pandas().DataFrame(series)
        columns = {column.title: column for column in self.columns}
        # What one rule changes may break another: each round settles one more column of a chain of rules.
        for _ in range(2 * len(self.rules)):
            if all(rule.holds(frame).all() for rule in self.rules):
                break
            for rule in self.rules:
                frame = rule.mended(frame, draws, asked, columns)
        return frame

    def joined(self, parts: list[Frame], beside: Frame | None = None) -> Frame:
        frame = parts[0] if len(parts) == 1 else pandas().concat(parts, ignore_index=True)
        for column in self.columns:
            if isinstance(column, Identifier):
                there = None if beside is None else beside[column.title]
                frame[column.title] = restored(column.fresh(0, len(frame), there), column.dtype)
        return frame

    def requested(self, requests: Mapping[str, Any] | None) -> dict[str, Asked]:
        """What requests mean, by column.

        Raises:
            RequestError: there is no such column or value.
        """
        there = {column.title.strip(): column for column in self.columns}
        found = {}
        for name, request in (requests or {}).items():
            if name.strip() not in there:
                raise RequestError(choices(name, "column", list(there)))
            column = there[name.strip()]
            meant = column.ask(request)
            if meant is None:
                raise RequestError(f"{name} cannot be asked for: it is {column.name}, which is not learned")
            found[column.title] = meant
        for rule in self.rules:
            rule.refuse(found, {column.title: column for column in self.columns})
        return found

    def conditions(
        self, seed: int, numbers: range, requests: Mapping[str, Any], titles: tuple[str, ...]
    ) -> Float[Tensor, "n k"] | None:
        """What the generator is asked for, ``(n, spec.condition)``: a one among zeros for each column that is asked.

        A column's choice is drawn among those that fit the request, as often as they are in the data. Without requests,
        each row asks for one choice of one column, drawn as often as in the data. None where nothing can be asked for.

        Args:
            seed: of the draws.
            numbers: of the rows in the sample.
            requests: what is wished, by column.
            titles: the columns that can be asked for.
        """
        asked, places = self.requested(requests), [p for p in self.places() if p.spans and p.column.title in titles]
        if not places:
            return None
        draws = by_position(derive(seed, "condition"), numbers, len(places) + 1)
        condition = np.zeros((len(numbers), self.spec().condition), np.float32)
        only = (draws[:, -1] * len(places)).astype(np.int64).clip(max=len(places) - 1)
        for number, place in enumerate(places):
            wanted = asked.get(place.column.title)
            rows = np.flatnonzero(only == number) if not asked else np.arange(len(numbers))
            if asked and wanted is None:
                continue
            weights = np.asarray(place.column.shares()) if wanted is None else wanted.weights
            cumulated = np.cumsum(weights)
            chosen = np.searchsorted(cumulated / cumulated[-1], draws[rows, number], "right")
            last = int(np.flatnonzero(weights)[-1])
            condition[rows, place.choice + chosen.clip(max=last)] = 1
        return torch.from_numpy(condition)

    def own_condition(self, encoded: Float[Tensor, "n d"], title: str) -> Float[Tensor, "n k"]:
        """The condition that names one column with the choice that each row has."""
        place = next(place for place in self.places() if place.column.title == title)
        width = place.spans[-1].width
        end = place.start + sum(span.width for span in place.spans)
        condition = torch.zeros(len(encoded), self.spec().condition)
        condition[:, place.choice : place.choice + width] = encoded[:, end - width : end]
        return condition

    def write(self, items: Frame, path: Path, ending: str, conditions: dict[str, np.ndarray]) -> list[Path]:
        path = path if ending else path / "samples.csv"
        with write_atomic(path) as aside:
            if ending == ".parquet":
                items.to_parquet(aside, index=False)
            else:
                there = {name: form for name, form in self.forms.items() if name in items}
                items = items.assign(**{name: as_text(items[name], form) for name, form in there.items()})
                items.to_csv(aside, index=False, sep="\t" if ending == ".tsv" else ",", lineterminator="\n")
        return [path]

    def framed(self, items: Any, *, without: str = "") -> Frame:
        if not isinstance(items, np.ndarray):
            return items
        titles = [column.title for column in self.columns if column.title != without]
        if items.ndim != 2 or items.shape[1] != len(titles):
            raise RequestError(f"an array (n, {len(titles)}) is wanted, of the model's columns, not {items.shape}")
        return pandas().DataFrame(items, columns=titles)

    def conformed(self, items: Any) -> Frame:
        titles = [column.title for column in self.columns]
        frame = self.framed(items).rename(columns=str)
        missing = [title for title in titles if title not in frame.columns]
        unknown = [name for name in frame.columns if name not in titles]
        if missing:
            raise RequestError(
                f"the table has no column '{missing[0]}', which the model learned; give data of its columns"
            )
        if unknown:
            raise RequestError(f"column '{unknown[0]}' is not one that the model learned; leave it out (data.drop)")
        return exactly(frame, {column.title: column.dtype for column in self.columns})

    def preview(self, items: Frame, path: Path) -> None:
        """How often each choice of each column is made, and beside each bar how often the data have it."""
        learned = [place for place in self.places() if place.spans]
        across, down = min(_ACROSS, len(learned)), -(-len(learned) // _ACROSS)
        picture = Image.new("RGB", (across * _CELL[0], down * _CELL[1]), "white")
        draw = ImageDraw.Draw(picture)
        for number, place in enumerate(learned):
            corner = number % _ACROSS * _CELL[0], number // _ACROSS * _CELL[1]
            draw.text((corner[0] + 6, corner[1] + 4), place.column.title[:22].encode("ascii", "replace"), fill="black")
            codes = place.column.code(items[place.column.title]).codes[:, 0]
            _bars(draw, corner, np.bincount(codes, minlength=len(place.column.shares())) / len(items), place.column)
        with write_atomic(Path(path)) as aside:
            picture.save(aside, "png")

    @classmethod
    def endings(cls) -> tuple[str, ...]:
        return (".csv", ".tsv", ".parquet", ".png")


class Columns(Asking):
    """The columns of a table.

    Args:
        table: the codec.
        asked: the columns that the generator was taught to meet wishes of.
    """

    def __init__(self, table: Table, asked: tuple[str, ...]):
        self.table, self.asked = table, asked

    def draw(self, seed: int, numbers: range, requests: Mapping[str, Any]) -> Drawn:
        for title in self.table.requested(requests):
            if title not in self.asked:
                raise RequestError(
                    f"{title} cannot be asked for: this model was taught {', '.join(self.asked)}; "
                    "train with --attributes that name it"
                )
        return Drawn({}, self.table.conditions(seed, numbers, requests, self.asked))

    def own(self, encoded: Tensor, columns: Mapping[str, np.ndarray] | None) -> Sequence[Tensor | None]:
        return [self.table.own_condition(encoded, title) for title in self.asked[:_JUDGED]]


def _coded(place: Place, vectors: np.ndarray) -> Coded:
    """A column's share of vectors; the largest number of a choice says which."""
    scalars, codes, start = [], [], place.start
    for span in place.spans:
        part = vectors[:, start : start + span.width]
        if span.activation == "tanh":
            scalars.append(part)
        else:
            codes.append(part.argmax(1)[:, None])
        start += span.width
    empty = np.zeros((len(vectors), 0))
    return Coded(
        np.concatenate(scalars, 1) if scalars else empty,
        np.concatenate(codes, 1) if codes else empty.astype(np.int64),
    )


def _folded(values: np.ndarray, asked: Asked) -> np.ndarray:
    """Values mirrored at the ends of an interval, then cut to it."""
    low, high = asked.low, asked.high
    if low is None or high is None:
        return values
    mirrored = np.where(values < low, 2 * low - values, np.where(values > high, 2 * high - values, values))
    return np.clip(mirrored, low, high)


def _bars(draw: ImageDraw.ImageDraw, corner: tuple[int, int], made: np.ndarray, column: Column) -> None:
    real = np.asarray(column.shares())
    shown = np.argsort(-real, kind="stable")[:_BARS] if len(real) > _BARS else np.arange(len(real))
    wide, floor = (_CELL[0] - 12) / len(shown), corner[1] + _CELL[1] - 6
    tall = (_CELL[1] - 26) / max(float(real[shown].max()), float(made[shown].max()), 1e-9)
    for place, choice in enumerate(shown):
        left = corner[0] + 6 + place * wide
        middle, right = left + wide * 0.45, left + wide * 0.9
        for start, end, share, colour in ((left, middle, real, "silver"), (middle, right, made, "navy")):
            draw.rectangle((start, floor - math.ceil(share[choice] * tall), max(start, end - 1), floor), fill=colour)
