"""The kind: a learner is a classifier by which it is measured what labelled items are worth."""

from abc import abstractmethod
from typing import Any, ClassVar, Protocol

import numpy as np
from jaxtyping import Float

from sparring.lot import Lot
from sparring.metrics import ranked
from sparring.part import Part


class Learned(Protocol):
    """One or several classifiers that have learned the same items.

    Attributes:
        classes: their names, ``(c,)`` strings.
    """

    @property
    def classes(self) -> np.ndarray: ...

    def probabilities(self, items: Any) -> Float[np.ndarray, "k n c"]:
        """Of each class, by each of the classifiers."""
        ...


class Learner(Part):
    """The kind.

    Attributes:
        modalities: names of the codecs whose items it learns.
        rank: its place among those that can; the first is taken.
        said: what it is, in a few words.
    """

    kind: ClassVar[str] = "learner"
    home: ClassVar[str] = "sparring.learners"
    modalities: ClassVar[tuple[str, ...]] = ()
    rank: ClassVar[int | None] = None
    said: ClassVar[str]

    @abstractmethod
    def fit(self, lot: Lot, seed: int, *, real: int | None = None) -> Learned:
        """What it learns from labelled items of two classes or more.

        Args:
            lot: the items.
            seed: of the classifiers.
            real: how many of the items are real; effort is a matter of these, so that more items by augmentation do
                not mean more updates. All where it is None.
        """


def learner_of(modality: str) -> Learner | None:
    """The learner for such items; None where there is none."""
    found = ranked(Learner.parts().values(), modality)
    return found[0]() if found else None
