"""A column that always says the same: not learned, always given."""

from typing import Any, Self

import numpy as np
from pydantic import Field

from sparring.errors import DataError
from sparring.modalities.columns import Asked, Coded, Column, Sort
from sparring.modalities.frames import Series, nulls
from sparring.types import Span

Plain = bool | int | float | str


class Constant(Column):
    """One value, or none at all."""

    value: Plain | None = Field(default=None, description="the value; none where the column is empty")

    @classmethod
    def fit(cls, column: Series, sort: Sort) -> Self:
        known = column[~nulls(column)]
        if known.nunique() > 1:
            raise DataError(f"column '{column.name}' is said to be constant and has {known.nunique()} values")
        value = plain(known.iloc[0]) if len(known) else None
        return cls(title=str(column.name), dtype=str(column.dtype), value=value)

    def spans(self) -> tuple[Span, ...]:
        return ()

    def code(self, column: Series) -> Coded:
        return Coded(np.zeros((len(column), 0)), np.zeros((len(column), 0), np.int64))

    def decode(self, coded: Coded, draws: np.ndarray) -> np.ndarray:
        filled = np.empty(len(draws), object)
        filled[:] = self.value
        return filled

    def ask(self, request: Any) -> Asked | None:
        return None

    def said(self) -> str:
        return "empty" if self.value is None else f"always {self.value}"

    def shares(self) -> tuple[float, ...]:
        return ()


def plain(value: Any) -> Plain:
    """A value of a table as JSON can hold it."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, bool | int | float | str) else str(value)
