"""The kind: an augmentation makes more labelled items of a few, for a classifier to learn from.

What a discriminator is shown while it learns is another thing, a view (:mod:`sparring.views`).
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from sparring.data import Decoded
from sparring.learners import Learner
from sparring.lot import Lot
from sparring.modalities.frames import nulls, numbers, restored
from sparring.part import Part


class Maker(Protocol):
    """What an augmentation asks of a trained model.

    Attributes:
        judges: whether the model has a discriminator.
    """

    @property
    def judges(self) -> bool: ...

    def make(self, like: Lot, label: str, count: int, seed: int) -> Lot:
        """So many generated items of a class.

        Raises:
            DataError: the model hardly makes any.
        """
        ...

    def score(self, lot: Lot) -> np.ndarray:
        """The discriminator's verdict on each item, ``(n,)``: higher is more like the data."""
        ...


@dataclass(frozen=True)
class Means:
    """What an augmentation may use.

    Attributes:
        learner: a classifier of such items.
        maker: the trained model; None where there is none.
    """

    learner: Learner
    maker: Maker | None = None


class Augmentation(Part):
    """The kind.

    Attributes:
        modalities: names of the codecs whose items it makes; none: of all.
        rank: its place among those that stand beside a model's items; None: only by name.
    """

    kind: ClassVar[str] = "augmentation"
    home: ClassVar[str] = "sparring.augmentations"
    modalities: ClassVar[tuple[str, ...]] = ()
    rank: ClassVar[int | None] = None

    @abstractmethod
    def refusal(self, real: Lot, wanted: Mapping[str, int]) -> str | None:
        """Why it cannot make these items, in one line; None where it can."""

    @abstractmethod
    def __call__(self, real: Lot, wanted: Mapping[str, int], means: Means, seed: int) -> Lot:
        """New items, class by class in the order of ``wanted``.

        Args:
            real: labelled items; it sees no others.
            wanted: how many new items of each class.
            means: the model and the classifier, for those that need them.
            seed: of everything that is drawn.
        """


@dataclass(frozen=True)
class Draw:
    """Items of a class from which new ones are made.

    Attributes:
        members: rows of the class's items.
        chosen: the row that each new item starts from.
        source: of all other draws.
    """

    members: np.ndarray
    chosen: np.ndarray
    source: np.random.Generator

    @classmethod
    def of(cls, real: Lot, label: str, count: int, source: np.random.Generator) -> Self:
        """Each item of the class as often as any other, or once more."""
        members = np.flatnonzero(real.labels == label)
        rounds = [source.permutation(members) for _ in range(-(-count // len(members)))]
        return cls(members, np.concatenate([*rounds, members[:0]])[:count], source)


def joined(real: Lot, parts: list[Lot]) -> Lot:
    """The items of several classes as one lot; none of any class is an empty lot in the form of the real ones."""
    found = real.rows(np.zeros(0, np.int64))
    for part in parts:
        found = part if not len(found) else found.joined(part)
    return found


def replaced(real: Lot, rows: np.ndarray, items: Decoded) -> Lot:
    """Items in the place of those in these rows, with their labels and other attributes."""
    return Lot(items, {name: values[rows] for name, values in real.columns.items()}, real.title)


def unknown(real: Lot, wanted: Mapping[str, int]) -> str | None:
    """Why some class cannot be made from its own items; None where every one has some."""
    missing = [label for label in wanted if not (real.labels == label).any()]
    return f"there is no item of class '{missing[0]}'" if missing else None


def as_column(values: np.ndarray, like: Any) -> Any:
    """Numbers, NaN where there is none, in the type, range and decimals of a column of numbers or dates."""
    known = numbers(like)[~nulls(like)]
    values = np.clip(values, known.min(), known.max()) if len(known) else values
    if like.dtype.kind == "M":
        empty = np.isnan(values)
        stamps = np.rint(np.where(empty, 0, values) * 1e6).astype(np.int64).astype("datetime64[us]")
        stamps[empty] = np.datetime64("NaT")
        return restored(stamps, str(like.dtype))
    digits = 0 if like.dtype.kind in "iu" else _decimals(known)
    return restored(np.round(values, digits), str(like.dtype))


def _decimals(known: np.ndarray, most: int = 12) -> int:
    """Digits behind the point with which all of these numbers are written."""
    exact = (d for d in range(most) if np.allclose(np.round(known, d), known, rtol=0, atol=1e-12))
    return next(exact, most)
