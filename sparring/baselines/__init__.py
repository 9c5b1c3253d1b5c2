"""The kind: a baseline makes items without any training, which a model must beat to be worth its while."""

from abc import abstractmethod
from typing import ClassVar

from sparring.metrics import Specimens
from sparring.part import Part


class Baseline(Part):
    """The kind. Its numbers stand in a column of their own beside a model's.

    Attributes:
        modalities: names of the codecs whose items it makes; none: of all.
        rank: its place among the columns where none are named; None: only by name.
        paired: whether it answers what was given, as in restoration, rather than makes items freely.
    """

    kind: ClassVar[str] = "baseline"
    home: ClassVar[str] = "sparring.baselines"
    modalities: ClassVar[tuple[str, ...]] = ()
    rank: ClassVar[int | None] = None
    paired: ClassVar[bool] = False

    @abstractmethod
    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        """Why it cannot be made for such data, in one line; None where it can."""

    @abstractmethod
    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        """Items in the place of the model's.

        Args:
            train: items that the model learned from; the baseline sees no others.
            judged: what the model made: its count, its columns, and what was given to it are the baseline's too.
            seed: of everything that is drawn.
        """
