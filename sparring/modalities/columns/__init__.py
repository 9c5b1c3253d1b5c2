"""The kind: a column is a codec between one column of a table and its share of a row's vector."""

import re
from abc import abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from sparring.errors import DataError, RequestError
from sparring.modalities.frames import Series, nulls
from sparring.part import Part
from sparring.types import Span

Sort = Literal[
    "continuous", "integer", "log", "mixed", "categorical", "boolean", "datetime", "constant", "identifier", "text"
]
"""What a column can be said to be."""

FEW = 20
"""A column of numbers with at most so many different values has each as a value of its own."""
WORDS = 5
"""Texts of so many words on average are free text."""
_IDENTIFIER = re.compile(r"(?i:(^|[\s_.-])(id|uuid|guid|key)$|^index$)|[a-z]Id$|[a-z0-9]ID$")


class Coded(NamedTuple):
    """A column in numbers, compact.

    Attributes:
        scalars: numbers in [-1, 1], ``(n, s)``, one for each span of width 1.
        codes: which of its choices each row has, ``(n, c)``, one for each span of choices.
    """

    scalars: Float[np.ndarray, "n s"]
    codes: Int[np.ndarray, "n c"]


class Asked(NamedTuple):
    """What a request means for a column.

    Attributes:
        weights: how often each choice is to be taken, ``(choices,)``, zero where it does not fit.
        low: lowest number that fits, or None.
        high: highest number that fits, or None.
    """

    weights: Float[np.ndarray, " choices"]
    low: float | None = None
    high: float | None = None


class Column(Part):
    """The kind: its fields are what was learned of a column."""

    kind: ClassVar[str] = "column"
    home: ClassVar[str] = "sparring.modalities.columns"
    title: str = Field(description="the column's name in the data")
    dtype: str = Field(default="object", description="pandas' name of the column's type")
    private: bool = Field(
        default=False, description="learned privately: a value that is not known is taken as none, or as the nearest"
    )

    @classmethod
    @abstractmethod
    def fit(cls, column: Series, sort: Sort) -> Self:
        """The codec for this column, said to be of this sort."""

    @abstractmethod
    def spans(self) -> tuple[Span, ...]:
        """Its share of a row's vector: numbers first, then choices; () where nothing is learned."""

    @abstractmethod
    def code(self, column: Series) -> Coded:
        """The column in numbers.

        Raises:
            RequestError: a value is not one that the data have.
        """

    @abstractmethod
    def decode(self, coded: Coded, draws: Float[np.ndarray, " n"]) -> Any:
        """Values, None or NaN where there is none.

        Args:
            coded: in numbers.
            draws: uniform draws on [0, 1), one a row, for what the numbers leave open.
        """

    @abstractmethod
    def ask(self, request: Any) -> Asked | None:
        """What a request means; None where the column cannot be asked for.

        Raises:
            RequestError: there is no such value.
        """

    @abstractmethod
    def said(self) -> str:
        """What the column is, in a few words."""

    @abstractmethod
    def shares(self) -> tuple[float, ...]:
        """How often each choice of :meth:`spans` is there in the data; () where there are none."""


def sort_of(column: Series) -> Sort:
    """What a column is, from its type and its values."""
    missing = nulls(column)
    known = column[~missing]
    try:
        different = known.nunique()
    except TypeError:
        kind = type(known.iloc[0]).__name__
        raise DataError(
            f"column '{column.name}' holds values that are no numbers, texts or dates ({kind}), which are not learned; "
            f"leave it out by --set data.drop={column.name}"
        ) from None
    if different == 0 or (different == 1 and not missing.any()):
        return "constant"
    if column.dtype.kind == "b" or str(column.dtype) == "boolean":
        return "boolean"
    if column.dtype.kind == "M":
        return "datetime"
    if str(column.dtype) == "category" or column.dtype.kind not in "iuf":
        return _sort_of_texts(known, different)
    return _sort_of_numbers(known, different, str(column.name))


def _sort_of_numbers(known: Series, different: int, title: str) -> Sort:
    values = known.to_numpy(np.float64)
    whole = bool((values == np.rint(values)).all())
    if whole and different == len(values) > FEW:
        consecutive = values.max() - values.min() == len(values) - 1
        if consecutive or _IDENTIFIER.search(title):
            return "identifier"
    return "integer" if whole else "continuous"


def _sort_of_texts(known: Series, different: int) -> Sort:
    if different <= max(FEW, len(known) / 2):
        return "categorical"
    words = [str(value).split() for value in known.iloc[:1000]]
    return "text" if np.mean([len(found) for found in words]) >= WORDS else "identifier"


def fit_column(column: Series, said: str | None) -> Column:
    """The codec for a column.

    Args:
        column: of the table.
        said: what the user says that it is; None where it is to be found out.

    Raises:
        DataError: it is free text, or not what it is said to be.
        RequestError: there is no such sort of column.
    """
    sort: Any = said or sort_of(column)
    title = str(column.name)
    if sort == "text":
        raise DataError(
            f"column '{title}' holds free text, which a table's generator cannot write; leave it out by "
            f"--set data.drop={title}, or say --set data.kinds.{title}=categorical to learn its most frequent values"
        )
    parts = {
        **dict.fromkeys(["continuous", "integer", "log", "mixed", "datetime"], "number"),
        **dict.fromkeys(["categorical", "boolean"], "category"),
        "constant": "constant",
        "identifier": "identifier",
    }
    if column.dtype.kind == "m":
        raise DataError(
            f"column '{title}' holds durations ({column.dtype}), which are not learned; give numbers, such as its "
            f"dt.total_seconds(), or leave it out by --set data.drop={title}"
        )
    if sort not in parts:
        raise RequestError(f"data.kinds.{title} = '{sort}': a column is one of {', '.join([*parts, 'text'])}")
    if nulls(column).all():
        sort = "constant"
    return Column.find(parts[sort]).fit(column, sort)
