"""What metrics of tables share: rows as columns of numbers and of words, whatever form they come in."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from sparring.metrics import Evidence
from sparring.modalities.columns import FEW
from sparring.modalities.frames import nulls, numbers, pandas

LEAST = 20
"""Rows of a side below which nothing is measured."""
MOST_WORDS = 50
"""Words of a column that are told apart; rarer ones count as one."""


@dataclass(frozen=True)
class Rows:
    """Three tables of the same columns.

    Attributes:
        train: what was learned from.
        test: the reference.
        fake: what is judged.
    """

    train: Any
    test: Any
    fake: Any

    @classmethod
    def of(cls, *sides: Evidence) -> "Rows":
        """From the sides of a comparison; identifiers, of which the words hardly repeat, are left out."""
        train, test, fake = (_frame(side.items) for side in sides)
        kept = [name for name in train.columns if not _identifies(train[name])]
        return cls(train[kept], test[kept], fake[kept])

    @property
    def counts(self) -> tuple[int, int]:
        """Rows of the reference and of what is judged."""
        return len(self.test), len(self.fake)

    @cached_property
    def numeric(self) -> list[str]:
        """Columns of numbers and dates that are no mere marks of a few values."""
        return [name for name in self.train.columns if _is_numeric(self.train[name])]

    @cached_property
    def words(self) -> list[str]:
        """The other columns."""
        return [name for name in self.train.columns if name not in self.numeric]

    def codes(self, name: str, bins: int = 10) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
        """The column's classes in the reference and in what is judged: words, or ten quantiles of numbers, and null."""
        if name in self.numeric:
            known = numbers(self.train[name])
            edges = np.unique(np.nanquantile(known, np.linspace(0, 1, bins + 1)[1:-1])) if len(known) else known
            found = [numbers(side[name]) for side in (self.test, self.fake)]
            return tuple(np.where(np.isnan(v), bins, np.searchsorted(edges, v, "right")) for v in found)  # pyright: ignore
        there = {word: code for code, word in enumerate(_words(self.train[name]).value_counts().index[:MOST_WORDS])}
        sides = (_words(side[name]).map(lambda word: there.get(word, MOST_WORDS)) for side in (self.test, self.fake))
        first, second = (side.to_numpy(np.int64) for side in sides)
        return first, second

    def matrix(self, *, without: str | None = None) -> tuple[Float[np.ndarray, "rows d"], ...]:
        """Rows of train, test and fake as numbers: standardised numbers with a mark for nulls, words as ones."""
        sides = (self.train, self.test, self.fake)
        parts: list[list[np.ndarray]] = [[], [], []]
        for name in self.train.columns:
            if name == without:
                continue
            for place, block in enumerate(_numbered(name, sides, numeric=name in self.numeric)):
                parts[place].append(block)
        return tuple(
            np.concatenate(part, 1) if part else np.zeros((len(side), 0))
            for part, side in zip(parts, sides, strict=True)
        )


def equal_rows(items: Any, others: Any) -> Bool[np.ndarray, " n"]:
    """Which rows equal one of the others in every column, as they are: neither scaled, cut off nor taken together."""
    made, known = _frame(items), _frame(others)
    keys = [_key(made[name], known[name]) for name in known.columns]
    hashed = pandas().util.hash_pandas_object
    sides = [
        pandas().DataFrame(
            {(place, part): column for place, key in enumerate(keys) for part, column in enumerate(key[side])}
        )
        for side in (0, 1)
    ]
    return np.isin(*(hashed(side, index=False).to_numpy() for side in sides))


def _key(*columns: Any) -> list[list[np.ndarray]]:
    """What two columns are compared by: their nulls, and their whole numbers, numbers or words."""
    kinds = {column.dtype.kind for column in columns}
    found = []
    for column in columns:
        missing = nulls(column)
        if kinds <= set("iu"):
            values = np.asarray(column.to_numpy("int64", na_value=0))
        elif kinds <= set("iufbM"):
            values = np.where(missing, 0.0, numbers(column)) + 0.0
        else:
            values = _words(column).to_numpy(object)
        found.append([missing, values])
    return found


def refusal(train: Evidence, test: Evidence, fake: Evidence) -> str | None:
    """Why the sides cannot be compared as tables, in one line; None where they can."""
    for side, noun in ((train, "training"), (test, "reference"), (fake, "judged")):
        if len(side.items) < LEAST:
            return f"{len(side.items)} {noun} rows are fewer than {LEAST}"
        if len(side.items.shape) != 2 or side.items.shape[1] < 1:
            return f"items of shape {tuple(side.items.shape)} are no table"
    if len({side.items.shape[1] for side in (train, test, fake)}) > 1:
        return "the sides have not as many columns"
    return None


def _frame(items: Any) -> Any:
    if hasattr(items, "dtypes"):
        return items.reset_index(drop=True)
    rows = np.asarray(items[:])
    return pandas().DataFrame(rows, columns=[f"x{i + 1}" for i in range(rows.shape[1])])


def _identifies(column: Any) -> bool:
    known = column[~nulls(column)]
    if column.dtype.kind in "fM":
        return False
    different = known.nunique()
    if column.dtype.kind in "iu":
        return len(known) > FEW and different == len(known) and int(known.max()) - int(known.min()) < 20 * len(known)
    return different > max(FEW, len(known) / 2)


def _is_numeric(column: Any) -> bool:
    return column.dtype.kind in "iufM" and column.nunique() > FEW


def _words(column: Any) -> Any:
    return column.astype(object).where(~nulls(column), "\0").map(str)


def _numbered(name: str, sides: tuple[Any, ...], *, numeric: bool) -> list[np.ndarray]:
    """A column of each side as numbers, scaled and told apart by the first side."""
    if not numeric:
        there = list(_words(sides[0][name]).value_counts().index[:MOST_WORDS])
        return [
            (_words(side[name]).to_numpy()[:, None] == np.array(there, object)).astype(np.float64) for side in sides
        ]
    values = [numbers(side[name]) for side in sides]
    low, middle, high = np.nanquantile(values[0], [0.01, 0.5, 0.99])
    scale = (high - low) or 1.0
    found = []
    for column in values:
        empty = np.isnan(column)
        scaled = (np.where(empty, middle, column) - middle) / scale
        found.append(np.stack([scaled.clip(-10, 10), empty.astype(np.float64)], 1))
    return found
