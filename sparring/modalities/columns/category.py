"""A column of categories: one choice, with a null among the choices where the data have nulls."""

from typing import Any, Self

import numpy as np
from pydantic import Field

from sparring.errors import RequestError, choices
from sparring.modalities.columns import Asked, Coded, Column, Sort
from sparring.modalities.columns.constant import Plain, plain
from sparring.modalities.frames import Series, nulls, pandas
from sparring.types import Span

MOST = 400
"""Categories with a choice of their own; rarer ones share one choice, so that memory stays bounded."""


class Category(Column):
    """Categories from frequent to rare; those beyond :data:`MOST` are drawn by their frequency within one choice."""

    values: tuple[Plain, ...] = Field(min_length=1, description="the categories, frequent ones first")
    counts: tuple[int, ...] = Field(min_length=1, description="rows of each")
    own: int = Field(ge=1, description="the first so many have a choice of their own; the others share one")
    missing: int = Field(default=0, ge=0, description="rows without a value")
    levels: tuple[Plain, ...] = Field(default=(), description="pandas' categories in their order, where it has them")
    ordered: bool = Field(default=False, description="whether pandas' categories have an order")

    @classmethod
    def fit(cls, column: Series, sort: Sort) -> Self:
        empty = nulls(column)
        found = column[~empty].value_counts(sort=False, dropna=True)
        rows = sorted(((plain(v), int(c)) for v, c in found.items() if c), key=lambda pair: (-pair[1], str(pair[0])))
        listed = str(column.dtype) == "category"
        return cls(
            levels=tuple(plain(level) for level in column.cat.categories) if listed else (),
            ordered=bool(column.cat.ordered) if listed else False,
            title=str(column.name),
            dtype=str(column.dtype),
            values=tuple(value for value, _ in rows),
            counts=tuple(count for _, count in rows),
            own=len(rows) if len(rows) <= MOST + 1 else MOST,
            missing=int(empty.sum()),
        )

    def _width(self) -> int:
        return self.own + (self.own < len(self.values)) + bool(self.missing)

    def spans(self) -> tuple[Span, ...]:
        return (Span("softmax", self._width()),)

    def said(self) -> str:
        rare = f", the {len(self.values) - self.own:,} rarest together" if self.own < len(self.values) else ""
        return f"{len(self.values):,} categories{rare}{', nulls' if self.missing else ''}"

    def shares(self) -> tuple[float, ...]:
        total = sum(self.counts) + self.missing
        rest = [sum(self.counts[self.own :])] if self.own < len(self.values) else []
        counts = [*self.counts[: self.own], *rest, *([self.missing] if self.missing else [])]
        return tuple(count / total for count in counts)

    def code(self, column: Series) -> Coded:
        there = {value: min(number, self.own) for number, value in enumerate(self.values)}
        empty = nulls(column)
        codes = np.full(len(column), self._width() - 1, np.int64)
        known = column[~empty]
        found = known.astype(object).map(lambda value: there.get(plain(value), -1)).to_numpy(np.int64)
        if self.private:
            # What was too rare to be named is no value, or the most frequent one where there are hardly any.
            found = np.where(found < 0, self._width() - 1 if self.missing else 0, found)
            codes[:] = self._width() - 1 if self.missing else 0
        elif (found < 0).any() or (empty.any() and not self.missing):
            wrong = "no value" if not (found < 0).any() else f"'{known.iloc[int(np.argmax(found < 0))]}'"
            raise RequestError(f"column '{self.title}' has {wrong}, which the data that were learned do not have")
        codes[~empty] = found
        return Coded(np.zeros((len(column), 0)), codes[:, None])

    def decode(self, coded: Coded, draws: np.ndarray) -> Any:
        codes = np.array(coded.codes[:, 0])
        named = np.empty(len(self.values) + 1, object)
        named[: len(self.values)] = self.values
        numbers = np.where(codes < self.own, codes, len(self.values))
        if self.own < len(self.values):
            rare = np.cumsum(self.counts[self.own :], dtype=np.float64)
            drawn = np.searchsorted(rare / rare[-1], draws, "right").clip(max=len(rare) - 1) + self.own
            numbers = np.where(codes == self.own, drawn, numbers)
        if self.levels:
            return pandas().Categorical(named[numbers], list(self.levels), ordered=self.ordered)
        return named[numbers]

    def ask(self, request: Any) -> Asked | None:
        weights = np.zeros(self._width())
        shares, words = self.shares(), _words(request)
        if not words:
            raise RequestError(f"{self.title}={request} names no value; leave it out to ask for any")
        for number in {min(self._number(word), self.own) for word in words}:
            weights[number] = shares[number]
        return Asked(weights / weights.sum())

    def _number(self, word: str) -> int:
        """The category that is called so, blanks around it and, where that is unique, its case aside."""
        names = [str(value).strip() for value in self.values]
        found = [i for i, name in enumerate(names) if name == word]
        found = found or [i for i, name in enumerate(names) if name.casefold() == word.casefold()]
        if len(found) != 1:
            raise RequestError(choices(word, self.title, names[:50]))
        if found[0] >= self.own:
            raise RequestError(f"{self.title}={word} is too rare to be asked for: {self.counts[found[0]]} rows have it")
        return found[0]


def _words(request: Any) -> list[str]:
    """One category, several as a list, or several in one text with ``|`` between them."""
    several = request.split("|") if isinstance(request, str) else request
    if isinstance(several, list | tuple | set | frozenset):
        return [str(word).strip() for word in several]
    return [str(several).strip()]
