"""A lot: labelled items, pictures or rows, as classifiers and augmentations take them."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from sparring.errors import DataError, RequestError, choices
from sparring.modalities.frames import nulls, pandas

MOST_CLASSES = 200
"""Classes of a label at most."""


@dataclass(frozen=True)
class Lot:
    """Labelled items.

    Attributes:
        items: pictures ``(n, h, w, c)``, or a frame, the label's column among its own.
        columns: attributes of each item, ``(n,)`` strings each, the label among them.
        title: the label's name.
    """

    items: Any
    columns: dict[str, np.ndarray]
    title: str

    @classmethod
    def of_rows(cls, frame: Any, title: str) -> Self:
        """Rows of a table by the values of a column.

        Raises:
            RequestError: there is no such column.
            DataError: a row has no value in it.
        """
        frame = frame.reset_index(drop=True)
        if title not in frame.columns:
            raise RequestError(choices(title, "column", list(map(str, frame.columns))))
        missing = int(nulls(frame[title]).sum())
        if missing:
            raise DataError(
                f"column '{title}' names no class in {missing} rows; leave those out, or name another label"
            )
        return cls(frame, {title: frame[title].map(str).to_numpy(object).astype(str)}, title)

    @property
    def labels(self) -> np.ndarray:
        """The class of each item, ``(n,)`` strings."""
        return self.columns[self.title]

    @property
    def is_table(self) -> bool:
        """Whether the items are rows of a frame."""
        return hasattr(self.items, "iloc")

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> dict[str, int]:
        """How many items each class has, by name."""
        values, counts = np.unique(self.labels, return_counts=True)
        return {str(value): int(count) for value, count in zip(values, counts, strict=True)}

    def rows(self, rows: np.ndarray) -> Self:
        """The items in these rows."""
        items = self.items.iloc[rows].reset_index(drop=True) if self.is_table else self.items[rows]
        return replace(self, items=items, columns={name: values[rows] for name, values in self.columns.items()})

    def joined(self, other: "Lot") -> Self:
        """The items of both; the other's behind."""
        if not len(other):
            return self
        columns = {name: np.concatenate([values, other.columns[name]]) for name, values in self.columns.items()}
        if self.is_table:
            items = pandas().concat([self.items, other.items], ignore_index=True)
        else:
            items = np.concatenate([self.items, other.items])
        return replace(self, items=items, columns=columns)


def refuse_unfit(lot: Lot) -> None:
    """Refuses labels from which no classifier could learn.

    Raises:
        DataError: a single class, a class of one item, or more classes than a label has.
    """
    counts = lot.counts()
    if len(counts) < 2:
        raise DataError(f"'{lot.title}' names a single class; a classifier needs two at least")
    if len(counts) > MOST_CLASSES:
        raise DataError(f"'{lot.title}' names {len(counts)} classes, more than {MOST_CLASSES}; name another label")
    alone = [label for label, count in counts.items() if count < 2]
    if alone:
        raise DataError(f"class '{alone[0]}' of '{lot.title}' has one item; give two at least, or leave the class out")


def extra(counts: dict[str, int], *, factor: float | None, balance: bool) -> dict[str, int]:
    """How many new items each class needs.

    Args:
        counts: items of each class.
        factor: so many times as many items; 1 where it is None.
        balance: first as many of each class as of the commonest.

    Raises:
        RequestError: the factor is below 1, or nothing is to be added.
    """
    times = 1.0 if factor is None else factor
    if not times >= 1 or times == float("inf"):
        raise RequestError(f"factor = {factor}: must be 1 or above; 2 doubles the set")
    most = max(counts.values())
    wanted = {label: round(times * (most if balance else count)) - count for label, count in counts.items()}
    if not any(wanted.values()):
        remedy = "give a factor above 1" if balance else "give a larger factor, or balance"
        raise RequestError(f"the classes hold as many items as were asked for already; {remedy}")
    return {label: count for label, count in wanted.items() if count}
