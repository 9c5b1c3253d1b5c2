"""Rules: what holds in every row of a table, and is made to hold in every row of a sample.

Written ``start <= end`` and ``start < end`` between columns, ``0 <= age <= 120`` for a range, and ``city + country``
for columns whose combinations are those of the data.
"""

import re
from abc import abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field

from sparring.errors import DataError, RequestError, choices
from sparring.modalities.columns.constant import plain
from sparring.modalities.frames import Frame, numbers, pandas, restored
from sparring.part import Part

MOST_COMBINATIONS = 100_000


class Rule(Part):
    """The kind."""

    kind: ClassVar[str] = "rule"
    home: ClassVar[str] = "sparring.modalities.rules"

    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that it speaks of."""

    @abstractmethod
    def holds(self, frame: Frame) -> np.ndarray:
        """Where it holds, ``(n,)`` bool; it does where one of its columns has no value."""

    @abstractmethod
    def mended(self, frame: Frame, draws: np.ndarray, kept: Collection[str]) -> Frame:
        """The frame with the rule kept in every row.

        Args:
            frame: decoded rows.
            draws: uniform draws on [0, 1), one a row.
            kept: columns that were asked for, whose values stay where another can give way.
        """

    def learned(self, frame: Frame) -> Self:
        """The rule with what it must know of the data, which keep it in every row.

        Raises:
            DataError: a row breaks it; the message names the first.
        """
        broken = np.flatnonzero(~self.holds(frame))
        if len(broken):
            values = ", ".join(f"{name} = {frame[name].iloc[int(broken[0])]}" for name in self.columns())
            raise DataError(
                f"the rule '{self}' does not hold in {len(broken)} of {len(frame)} rows, first in row {broken[0] + 1} "
                f"({values}); mend the data or leave the rule out"
            )
        return self


class Order(Rule):
    """One column is at most another; where a row breaks that, the two values are exchanged."""

    left: str = Field(default="", description="the column of the lower value")
    right: str = Field(default="", description="the column of the higher value")
    strict: bool = Field(default=False, description="whether equal values break it")

    def __str__(self) -> str:
        return f"{self.left} {'<' if self.strict else '<='} {self.right}"

    def columns(self) -> tuple[str, ...]:
        return self.left, self.right

    def holds(self, frame: Frame) -> np.ndarray:
        left, right = numbers(frame[self.left]), numbers(frame[self.right])
        with np.errstate(invalid="ignore"):
            return ~((left >= right) if self.strict else (left > right))

    def mended(self, frame: Frame, draws: np.ndarray, kept: Collection[str]) -> Frame:
        frame = frame.copy()
        crossed = ~Order(left=self.left, right=self.right).holds(frame)
        lower, higher = frame[self.left].copy(), frame[self.right].copy()
        # A value that was asked for stays, and the other one joins it.
        if self.left not in kept or self.right in kept:
            frame.loc[crossed, self.left] = higher[crossed].astype(lower.dtype)
        if self.right not in kept or self.left in kept:
            frame.loc[crossed, self.right] = lower[crossed].astype(higher.dtype)
        equal = ~self.holds(frame)
        if equal.any():
            giving, way = (self.left, -1) if self.right in kept and self.left not in kept else (self.right, 1)
            frame[giving] = _moved(frame[giving], equal, way)
        return frame


def _moved(column: Any, rows: np.ndarray, way: int) -> Any:
    """A column whose values in these rows are the least bit higher, or lower where ``way`` is -1."""
    column = column.copy()
    if column.dtype.kind == "M":
        column[rows] = column[rows] + pandas().Timedelta(seconds=way)
    elif column.dtype.kind == "f":
        column[rows] = np.nextafter(column[rows].to_numpy(np.float64), way * np.inf)
    else:
        column[rows] = column[rows] + way
    return column


class Range(Rule):
    """A column lies between two values, narrower than the data's own range, which is always kept."""

    column: str = Field(default="", description="the column")
    low: float = Field(default=0.0, description="lowest value")
    high: float = Field(default=0.0, description="highest value")

    def __str__(self) -> str:
        return f"{self.low:g} <= {self.column} <= {self.high:g}"

    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, frame: Frame) -> np.ndarray:
        values = numbers(frame[self.column])
        with np.errstate(invalid="ignore"):
            return ~((values < self.low) | (values > self.high))

    def mended(self, frame: Frame, draws: np.ndarray, kept: Collection[str]) -> Frame:
        return frame.assign(**{self.column: frame[self.column].clip(self.low, self.high)})


class Combination(Rule):
    """Columns whose values stand together as in the data; the first one is kept and the others follow it."""

    names: tuple[str, ...] = Field(default=(), description="the columns, the leading one first")
    known: tuple[tuple[Any, ...], ...] = Field(default=(), description="the combinations of the data")
    counts: tuple[int, ...] = Field(default=(), description="rows of each")

    def __str__(self) -> str:
        return " + ".join(self.names)

    def columns(self) -> tuple[str, ...]:
        return self.names

    def learned(self, frame: Frame) -> Self:
        found = frame[list(self.names)].value_counts(dropna=False, sort=False)
        if len(found) > MOST_COMBINATIONS:
            raise DataError(f"the rule '{self}' has {len(found):,} combinations, too many to keep; leave it out")
        known = tuple(tuple(_cell(value) for value in row) for row in found.index)
        return self.but(known=known, counts=tuple(map(int, found)))

    def holds(self, frame: Frame) -> np.ndarray:
        if not self.known:
            return np.ones(len(frame), bool)
        there = set(self.known)
        return np.array([row in there for row in _rows(frame, self.names)], bool)

    def mended(self, frame: Frame, draws: np.ndarray, kept: Collection[str]) -> Frame:
        broken = np.flatnonzero(~self.holds(frame))
        if not len(broken):
            return frame
        frame, by_first = frame.copy(), {}
        lead = next((place for place, name in enumerate(self.names) if name in kept), 0)
        for row, count in zip(self.known, self.counts, strict=True):
            by_first.setdefault(row[lead], []).append((row, count))
        leading = [_cell(value) for value in frame[self.names[lead]].iloc[broken]]
        chosen = []
        for row, first in zip(broken, leading, strict=True):
            # A number that the data do not hold leads to the combinations of all.
            rows, counts = zip(*by_first.get(first, zip(self.known, self.counts, strict=True)), strict=True)
            cumulated = np.cumsum(counts) / sum(counts)
            chosen.append(rows[min(int(np.searchsorted(cumulated, draws[row], "right")), len(rows) - 1)])
        for place, name in enumerate(self.names):
            values = frame[name].astype(object).to_numpy(copy=True)
            values[broken] = [row[place] for row in chosen]
            frame[name] = restored(values, str(frame[name].dtype))
        return frame


def _cell(value: Any) -> Any:
    return None if pandas().isna(value) else plain(value)


def _rows(frame: Frame, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    columns = [[_cell(value) for value in frame[name]] for name in names]
    return list(zip(*columns, strict=True))


_NUMBER = r"[+-]?[\d.]+(?:[eE][+-]?\d+)?"


def parse(text: str, titles: list[str]) -> Rule:
    """The rule that is written.

    Args:
        text: the rule.
        titles: the columns that there are.

    Raises:
        RequestError: it is no rule, or speaks of a column that is not there.
    """
    rule = _parsed(text)
    for name in rule.columns():
        if name not in titles:
            raise RequestError(f"rule '{text}': {choices(name, 'column', titles)}")
    return rule


def _parsed(text: str) -> Rule:
    between = re.fullmatch(rf"\s*({_NUMBER})\s*<=\s*(.+?)\s*<=\s*({_NUMBER})\s*", text)
    if between:
        return Range(column=between[2], low=float(between[1]), high=float(between[3]))
    order = re.fullmatch(r"\s*([^<>=]+?)\s*(<=|<|>=|>)\s*([^<>=]+?)\s*", text)
    if order:
        left, right = (order[1], order[3]) if order[2][0] == "<" else (order[3], order[1])
        return Order(left=left, right=right, strict="=" not in order[2])
    names = tuple(name.strip() for name in text.split("+"))
    if len(names) > 1 and all(names):
        return Combination(names=names)
    raise RequestError(
        f"'{text}' is no rule; write 'start <= end', 'start < end', '0 <= age <= 120' or 'city + country'"
    )
