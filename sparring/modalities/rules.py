"""Rules: what holds in every row of a table, and is made to hold in every row of a sample.

Written ``start <= end`` and ``start < end`` between columns, ``0 <= age <= 120`` for a range, and ``city + country``
for columns whose combinations are those of the data.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from pydantic import Field

from sparring.errors import DataError, RequestError, choices
from sparring.modalities.columns import Asked, Column
from sparring.modalities.columns.constant import plain
from sparring.modalities.columns.number import Number
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
    def mended(
        self, frame: Frame, draws: np.ndarray, asked: Mapping[str, Asked], columns: Mapping[str, Column]
    ) -> Frame:
        """The frame with the rule kept in every row, and what was asked for still met.

        Args:
            frame: decoded rows.
            draws: uniform draws on [0, 1), one a row.
            asked: what was asked for, by column.
            columns: the codecs, which know ranges and decimals, by column.
        """

    def refuse(self, asked: Mapping[str, Asked], columns: Mapping[str, Column]) -> None:
        """Refuses requests that no row could meet and keep the rule.

        Raises:
            RequestError: they are such.
        """

    def refuse_texts(self, frame: Frame) -> None:
        """Refuses a rule of sizes on columns that have none.

        Raises:
            RequestError: a column holds neither numbers nor dates.
        """

    def learned(self, frame: Frame) -> Self:
        """The rule with what it must know of the data, which keep it in every row.

        Raises:
            DataError: a row breaks it; the message names the first.
        """
        self.refuse_texts(frame)
        broken = np.flatnonzero(~self.holds(frame))
        if len(broken):
            values = ", ".join(f"{name} = {frame[name].iloc[int(broken[0])]}" for name in self.columns())
            raise DataError(
                f"the rule '{self}' does not hold in {len(broken)} of {len(frame)} rows, first in row {broken[0] + 1} "
                f"({values}); mend the data or leave the rule out"
            )
        return self


class Order(Rule):
    """One column is at most another; where a row breaks that, the two values are exchanged.

    A value that is exchanged takes the decimals of its column, and stays within what was asked for.
    """

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

    def refuse_texts(self, frame: Frame) -> None:
        for name in self.columns():
            if frame[name].dtype.kind not in "iufbM":
                raise RequestError(f"rule '{self}': column '{name}' holds {frame[name].dtype}, not numbers or dates")

    def refuse(self, asked: Mapping[str, Asked], columns: Mapping[str, Column]) -> None:
        if self.left not in asked or self.right not in asked:
            return
        low, high = asked[self.left].low, asked[self.right].high
        if low is not None and high is not None and (low >= high if self.strict else low > high):
            raise RequestError(
                f"the rule '{self}' leaves no row of those that are asked for; ask for a lower '{self.left}' or a "
                f"higher '{self.right}'"
            )

    def mended(
        self, frame: Frame, draws: np.ndarray, asked: Mapping[str, Asked], columns: Mapping[str, Column]
    ) -> Frame:
        wrong = ~self.holds(frame)
        if not wrong.any():
            return frame
        both = np.stack([numbers(frame[self.left])[wrong], numbers(frame[self.right])[wrong]])
        left, right = (_Side.of(columns[name], asked.get(name)) for name in (self.left, self.right))
        lower, higher = left.cut(both.min(0), np.floor), right.cut(both.max(0), np.ceil)
        equal = lower >= higher
        if self.strict and equal.any():
            # The higher one gives way, but where nothing is above it.
            raised = right.beside(higher, 1)
            above = equal & (raised <= right.high)
            lower = np.where(equal & ~above, left.beside(lower, -1), lower)
            higher = np.where(above, raised, higher)
        return _filled(_filled(frame, wrong, columns[self.left], lower), wrong, columns[self.right], higher)


class _Side(NamedTuple):
    """What a column of numbers can hold.

    Attributes:
        low: lowest value, of those that were asked for.
        high: highest value, of those that were asked for.
        unit: what values are multiples of; 0 where of nothing.
        dtype: NumPy's type of values that are multiples of nothing.
    """

    low: float
    high: float
    unit: float
    dtype: str

    @classmethod
    def of(cls, column: Column, asked: Asked | None) -> Self:
        low, high, unit = -np.inf, np.inf, 1.0
        if isinstance(column, Number):
            low, high, unit = column.low, column.high, column.unit()
        if asked is not None and asked.low is not None and asked.high is not None:
            low, high = max(low, asked.low), min(high, asked.high)
        return cls(low, high, unit, "float32" if column.dtype.lower() == "float32" else "float64")

    def cut(self, values: np.ndarray, rounding: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Values as multiples of the unit between the ends."""
        multiples = rounding(np.round(values / self.unit, 6)) * self.unit if self.unit else values
        return np.clip(multiples, self.low, self.high)

    def beside(self, values: np.ndarray, way: int) -> np.ndarray:
        """The nearest higher values, or the nearest lower ones where ``way`` is -1."""
        if self.unit:
            return values + way * self.unit
        return np.nextafter(values.astype(self.dtype), np.array(way * np.inf, self.dtype)).astype(np.float64)


def _filled(frame: Frame, rows: np.ndarray, column: Column, values: np.ndarray) -> Frame:
    """The frame with these values of a column in these rows."""
    made = restored(column.rounded(values) if isinstance(column, Number) else values, column.dtype)
    filled = frame[column.title].copy()
    filled[rows] = made.to_numpy() if made.dtype.kind != "M" else made.array
    return frame.assign(**{column.title: filled})


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

    def refuse_texts(self, frame: Frame) -> None:
        if frame[self.column].dtype.kind not in "iufb":
            raise RequestError(f"rule '{self}': column '{self.column}' holds {frame[self.column].dtype}, not numbers")

    def mended(
        self, frame: Frame, draws: np.ndarray, asked: Mapping[str, Asked], columns: Mapping[str, Column]
    ) -> Frame:
        wrong = ~self.holds(frame)
        if not wrong.any():
            return frame
        values, side = numbers(frame[self.column])[wrong], _Side.of(columns[self.column], None)
        cut = np.where(
            values < self.low, side.cut(values * 0 + self.low, np.ceil), side.cut(values * 0 + self.high, np.floor)
        )
        return _filled(frame, wrong, columns[self.column], cut)


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
        # Of pandas' categories all combinations would be counted, those that no row has too.
        plain = {
            name: frame[name].astype(object) if str(frame[name].dtype) == "category" else frame[name]
            for name in self.names
        }
        found = pandas().DataFrame(plain).value_counts(dropna=False, sort=False)
        if len(found) > MOST_COMBINATIONS:
            raise DataError(f"the rule '{self}' has {len(found):,} combinations, too many to keep; leave it out")
        known = tuple(tuple(_cell(value) for value in row) for row in found.index)
        return self.but(known=known, counts=tuple(map(int, found)))

    def holds(self, frame: Frame) -> np.ndarray:
        if not self.known:
            return np.ones(len(frame), bool)
        there = set(self.known)
        return np.array([row in there for row in _rows(frame, self.names)], bool)

    def _wished(self, asked: Mapping[str, Asked], columns: Mapping[str, Column]) -> list[tuple[tuple[Any, ...], int]]:
        """The combinations that meet what was asked for, and how many rows have each."""
        fits = np.ones(len(self.known), bool)
        for place, name in enumerate(self.names):
            if name in asked:
                fits &= _fits(columns[name], [row[place] for row in self.known], asked[name])
        return [(self.known[number], self.counts[number]) for number in np.flatnonzero(fits)]

    def refuse(self, asked: Mapping[str, Asked], columns: Mapping[str, Column]) -> None:
        named = [name for name in self.names if name in asked]
        if len(named) > 1 and not self._wished(asked, columns):
            raise RequestError(
                f"no row of the data has what is asked of {' and '.join(named)} together, and the rule '{self}' makes "
                "no other combinations; ask for one of them"
            )

    def mended(
        self, frame: Frame, draws: np.ndarray, asked: Mapping[str, Asked], columns: Mapping[str, Column]
    ) -> Frame:
        broken = np.flatnonzero(~self.holds(frame))
        if not len(broken):
            return frame
        frame, by_first = frame.copy(), {}
        lead = next((place for place, name in enumerate(self.names) if name in asked), 0)
        wished = self._wished(asked, columns) or list(zip(self.known, self.counts, strict=True))
        for row, count in wished:
            by_first.setdefault(row[lead], []).append((row, count))
        leading = [_cell(value) for value in frame[self.names[lead]].iloc[broken]]
        chosen = []
        for row, first in zip(broken, leading, strict=True):
            # A number that the data do not hold leads to the combinations of all.
            rows, counts = zip(*by_first.get(first, wished), strict=True)
            cumulated = np.cumsum(counts) / sum(counts)
            chosen.append(rows[min(int(np.searchsorted(cumulated, draws[row], "right")), len(rows) - 1)])
        for place, name in enumerate(self.names):
            values = frame[name].astype(object).to_numpy(copy=True)
            values[broken] = [row[place] for row in chosen]
            frame[name] = restored(values, str(frame[name].dtype))
        return frame


def _fits(column: Column, values: list[Any], asked: Asked) -> np.ndarray:
    """Which values meet what was asked for."""
    series = restored(np.array(values, object), column.dtype)
    if asked.low is not None and asked.high is not None:
        found = numbers(series)
        with np.errstate(invalid="ignore"):
            return (found >= asked.low) & (found <= asked.high)
    return asked.weights[column.code(series).codes[:, 0]] > 0


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
