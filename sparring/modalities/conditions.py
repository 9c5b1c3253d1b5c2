"""Conditions: the attributes that can be asked for, as numbers for the networks and as words for the user."""

import io
import math
import stat
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from sparring.errors import RequestError, RunError, choices
from sparring.files import write_npz
from sparring.memory import available
from sparring.modalities.attributes import Attribute, Interval
from sparring.part import Part
from sparring.randomness import derive, per_sample

_NAME = "conditions.npz"
_WIDENED = 2 * 8 + 1
"""Bytes of memory that a byte of the file takes at most: codes of one byte become float64, as columns and as rows."""

Codes = Float[np.ndarray, "n attributes"]
"""Attributes as numbers: the class's number, or the quantity itself."""


class Conditions(Part):
    """The attributes of a data set that can be asked for."""

    kind: ClassVar[str] = "conditions"
    attributes: tuple[Attribute, ...] = Field(default=(), description="the attributes, in the order of the data")

    @classmethod
    def fit(cls, columns: Mapping[str, np.ndarray]) -> Self:
        """From one array of strings ``(n,)`` per attribute.

        Raises:
            DataError: an attribute cannot be learned from.
        """
        return cls(attributes=tuple(Attribute.fit(title, values) for title, values in columns.items()))

    @property
    def width(self) -> int:
        """Numbers an item that networks see."""
        return sum(attribute.width for attribute in self.attributes)

    @property
    def titles(self) -> tuple[str, ...]:
        """The attributes' names."""
        return tuple(attribute.title for attribute in self.attributes)

    def codes(self, columns: Mapping[str, Sequence[Any] | np.ndarray]) -> Codes:
        """Columns of values, one per attribute, as codes.

        Raises:
            RequestError: an attribute is missing, or a value is unknown.
        """
        missing = [title for title in self.titles if title not in columns]
        if missing:
            raise RequestError(f"{', '.join(missing)} must be given too; this model needs {', '.join(self.titles)}")
        return (
            np.stack([a.codes(columns[a.title]) for a in self.attributes], 1) if self.attributes else np.zeros((0, 0))
        )

    def encode_codes(self, codes: Codes) -> Float[np.ndarray, "n width"]:
        """Codes as networks see them, float32."""
        parts = [attribute.encode(codes[:, i]) for i, attribute in enumerate(self.attributes)]
        return np.concatenate(parts, 1) if parts else np.zeros((len(codes), 0), np.float32)

    def encode(self, columns: Mapping[str, Sequence[Any] | np.ndarray]) -> Float[np.ndarray, "n width"]:
        """Columns of values as networks see them, float32.

        Raises:
            RequestError: an attribute is missing, or a value is unknown.
        """
        return self.encode_codes(self.codes(columns))

    def decode(self, encoded: Float[np.ndarray, "n width"]) -> dict[str, np.ndarray]:
        """Columns of class names and numbers from what networks see."""
        ends = np.cumsum([attribute.width for attribute in self.attributes])[:-1]
        parts = np.split(np.asarray(encoded), ends, axis=1)
        return {a.title: a.decode(part) for a, part in zip(self.attributes, parts, strict=False)}

    def values(self, codes: Codes) -> dict[str, np.ndarray]:
        """Columns of class names and numbers from codes."""
        return {attribute.title: attribute.values(codes[:, i]) for i, attribute in enumerate(self.attributes)}

    def parse(self, requests: Any) -> dict[int, Interval]:
        """What is asked for, by the attribute's place.

        Args:
            requests: values by attribute name, or the bare value where there is one attribute; None asks for nothing.

        Raises:
            RequestError: an attribute or value that the data do not have; the message names the choices.
        """
        if requests is None:
            return {}
        if not isinstance(requests, Mapping):
            if len(self.attributes) != 1:
                raise RequestError(f"'{requests}' names no attribute; write NAME=VALUE with {', '.join(self.titles)}")
            requests = {self.titles[0]: requests}
        place = {title.strip(): i for i, title in enumerate(self.titles)}
        for title in requests:
            if str(title).strip() not in place:
                raise RequestError(choices(str(title), "attribute", list(self.titles)))
        return {(i := place[str(t).strip()]): self.attributes[i].parse(value) for t, value in requests.items()}


@dataclass(frozen=True)
class ConditionTable:
    """The attributes of the training items, from which conditions are drawn.

    Attributes:
        conditions: their codec.
        rows: codes of each item.
    """

    conditions: Conditions
    rows: Codes

    @classmethod
    def of(cls, conditions: Conditions, columns: Mapping[str, np.ndarray]) -> Self:
        """The table of these items' attributes."""
        return cls(conditions, conditions.codes(columns))

    def draw(
        self, numbers: Sequence[int], seed: int, requests: Any = None
    ) -> tuple[dict[str, np.ndarray], Float[np.ndarray, "n k"]]:
        """Conditions as asked; what is not asked for is drawn from the data's own distribution.

        Unnamed attributes come from items that have what is asked for. Where no item has all of it, each attribute is
        drawn by itself; a quantity that no item has is drawn uniformly from its interval. A row depends on the seed,
        the requests and its number alone.

        Args:
            numbers: of the rows in the sample.
            seed: of the draws.
            requests: as :meth:`Conditions.parse` takes them.

        Returns:
            The values by attribute, and what networks see of them, float32.

        Raises:
            RequestError: an attribute or value that the data do not have.
        """
        wishes = self.conditions.parse(requests)
        draws = per_sample(
            "uniform", derive(seed, "condition"), numbers, (1 + len(self.conditions.attributes),)
        ).numpy()
        fits = np.ones(len(self.rows), bool)
        for place, wish in wishes.items():
            fits &= self._within(place, wish)
        matches = np.flatnonzero(fits)
        if len(matches):
            codes = self.rows[_pick(matches, draws[:, 0])]
        else:
            columns = [self._alone(i, wishes.get(i), draws[:, 1 + i]) for i in range(self.rows.shape[1])]
            codes = np.stack(columns, 1)
        return self.conditions.values(codes), self.conditions.encode_codes(codes)

    def _within(self, place: int, wish: Interval) -> np.ndarray:
        return (self.rows[:, place] >= wish.low) & (self.rows[:, place] <= wish.high)

    def _alone(self, place: int, wish: Interval | None, draws: np.ndarray) -> np.ndarray:
        """Codes of one attribute, whatever the others are."""
        column = self.rows[:, place]
        if wish is not None:
            column = column[self._within(place, wish)]
            if not len(column):
                spread = wish.low + draws.astype(np.float64) * (wish.high - wish.low)
                whole = self.conditions.attributes[place].whole
                first, last = math.ceil(wish.low), math.floor(wish.high)
                return np.clip(np.rint(spread), first, last) if whole and first <= last else spread
        return column[_pick(np.arange(len(column)), draws)]

    def save(self, folder: Path) -> None:
        """Writes the table into a folder, classes in the smallest integers that hold them."""
        arrays = {}
        for i, attribute in enumerate(self.conditions.attributes):
            smallest = np.min_scalar_type(len(attribute.classes)) if attribute.classes else np.dtype(np.float64)
            arrays[f"codes_{i}"] = self.rows[:, i].astype(smallest)
        write_npz(Path(folder) / _NAME, arrays)

    @classmethod
    def load(cls, folder: Path, conditions: Conditions) -> Self:
        """Reads what :meth:`save` wrote.

        Raises:
            RunError: the file is missing, damaged or of other conditions.
        """
        path = Path(folder) / _NAME
        try:
            _refuse_packed(path)
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
                columns = [arrays[f"codes_{i}"].astype(np.float64) for i in range(len(conditions.attributes))]
            rows = np.stack(columns, 1)
        except Exception as error:  # NumPy's readers raise many kinds on damaged bytes
            raise RunError(f"{path} cannot be read ({error}); the run's codec is damaged") from None
        for attribute, codes in zip(conditions.attributes, columns, strict=True):
            most = len(attribute.classes) - 1 if attribute.classes else attribute.high
            if not len(codes) or not (codes >= attribute.low).all() or not (codes <= most).all():
                raise RunError(f"{path} does not belong to these conditions; the run's codec is damaged")
        return cls(conditions, rows)


def _refuse_packed(path: Path) -> None:
    """Refuses a table that says that it unpacks to more than it is: what :meth:`ConditionTable.save` wrote does not.

    Its codes are widened when they are read, and held twice meanwhile, for which there must be memory.

    Raises:
        ValueError: it does, or there is less memory.
    """
    size, left = path.stat().st_size, available(torch.device("cpu"))
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > size:
        raise ValueError(f"{unpacked} bytes are packed into {size}, and a run packs none")
    if left is not None and _WIDENED * size > left:
        raise ValueError(f"{_WIDENED * size / 2**30:.1f} GiB of memory are needed and {left / 2**30:.1f} are free")


def _pick(rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Rows chosen by uniform draws on [0, 1)."""
    return rows[np.minimum((draws.astype(np.float64) * len(rows)).astype(np.int64), len(rows) - 1)]
