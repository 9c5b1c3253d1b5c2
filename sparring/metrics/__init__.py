"""The kind: a metric compares generated with real items and names its numbers."""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

import numpy as np

from sparring.data import Dataset, Decoded, Items
from sparring.part import Part

T = TypeVar("T")

Better = Literal["lower", "higher", ""]
"""Which values are better, or none."""

LARGEST_FEATURE = 1e20
"""Greater features would overflow in the cubes and squares that metrics take of them."""


@dataclass(frozen=True)
class Reading:
    """One number, with what makes it one.

    Attributes:
        value: the estimate.
        low: lower end of its 95 % interval, or None where the estimator has none.
        high: upper end.
        better: whether lower or higher values are better, or ``""`` where neither is.
    """

    value: float
    low: float | None = None
    high: float | None = None
    better: Better = "lower"


@dataclass(frozen=True)
class Specimens:
    """Items with what belongs to each, before anything is worked out about them.

    Attributes:
        items: decoded items, ``(n, ...)``.
        columns: one array of strings ``(n,)`` per attribute, as asked or as in the data.
        given: what each item was made from, ``(n, ...)``, where the task is a restoration or translation.
        truth: what each item should have been, ``(n, ...)``, where that is known.
    """

    items: Decoded
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    given: np.ndarray | None = None
    truth: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.items)

    def first(self, count: int) -> "Specimens":
        """The first so many."""
        sides = [None if side is None else side[:count] for side in (self.given, self.truth)]
        return Specimens(self.items[:count], {n: v[:count] for n, v in self.columns.items()}, *sides)


@dataclass(frozen=True)
class Evidence:
    """One side of a comparison: items with all that was worked out about them once.

    Attributes:
        items: decoded items, ``(n, ...)``.
        features: by the feature network of the evaluation, ``(n, d)`` float64.
        labels: class of each item, ``(n,)`` integers, as asked or as in the data; None without labels.
        predicted: class of each item by the evaluation's own classifier, ``(n,)``, or None where there is none.
        scores: the discriminator's verdict, ``(n,)``, or None where there is no discriminator.
        probabilities: of each class by the feature network of the evaluation, ``(n, classes)``, or None.
        given: what each item was made from, ``(n, ...)``, or None.
        truth: what each item should have been, ``(n, ...)``, or None where there is no such thing.
        threshold: score above which the discriminator takes an item for real, or None where its loss knows none.
        whole: all items of this side, where ``items`` are a part of them and the rest can be compared with too.
    """

    items: Items
    features: np.ndarray
    labels: np.ndarray | None = None
    predicted: np.ndarray | None = None
    scores: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    given: np.ndarray | None = None
    truth: np.ndarray | None = None
    threshold: float | None = None
    whole: Items | None = None
    _known: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.items)

    def once(self, what: Hashable, work: Callable[[], T]) -> T:
        """What depends on this side alone, worked out at the first call: the reference is held against many others.

        Args:
            what: a name of it, with all that it depends on besides.
            work: works it out.
        """
        if what not in self._known:
            self._known[what] = work()
        return self._known[what]

    def some(self, rows: np.ndarray) -> "Evidence":
        """The items of these rows, ``(k,)`` integers, with all that belongs to each."""
        there = {f.name: getattr(self, f.name) for f in fields(self) if f.init and f.name not in ("threshold", "whole")}
        return replace(self, **{name: _rows(values, rows) for name, values in there.items() if values is not None})

    def fault(self) -> str | None:
        """What makes the features useless to any metric, in one line, or None."""
        if self.features.ndim != 2 or self.features.shape[1] == 0:
            return f"features of shape {self.features.shape} are not rows of numbers"
        if not np.isfinite(self.features).all():
            return "features are not all finite"
        if self.features.size and np.abs(self.features).max() > LARGEST_FEATURE:
            return f"features reach beyond {LARGEST_FEATURE:g}"
        return None


def _rows(values: Any, rows: np.ndarray) -> Any:
    """These rows of an array, or of a frame."""
    return values.iloc[rows].reset_index(drop=True) if hasattr(values, "iloc") else values[rows]


class Metric(Part):
    """The kind. The same call with held-back real items in the place of ``fake`` is the metric's floor.

    Attributes:
        featured: whether the numbers depend on the feature network, whose name is then part of theirs.
        protocol: how the number is taken and what its interval covers, one line.
        modalities: names of the codecs whose items it takes; none: of all.
        rank: its place among those that are taken where none are named; None: only by name.
        paired: whether it compares each item with its truth, which generation has not.
        quick: whether it is among the few that are taken while training.
        compared: whether baselines are measured beside it; not where that would take too long.
        judging: whether it looks at the judged items; a number of real items alone has no baselines, and its floor is
            that of held-back items in the place of those that were learned from.
        classed: whether it asks for the class of each item by a classifier of the data's own labels.
        plenty: whether it takes as many judged items as the model learned from, not as many as the reference holds.
        learns: whether it learns from the judged items: its floor is then that of what the model learned from.
        audited: its numbers that tell of copies and leaks, which a report shows by themselves.
        depends_on_count: whether its value changes with the count of judged items beyond chance; only what is taken at
            one count then stands beside each other.
    """

    kind: ClassVar[str] = "metric"
    home: ClassVar[str] = "sparring.metrics"
    featured: ClassVar[bool] = True
    protocol: ClassVar[str]
    modalities: ClassVar[tuple[str, ...]] = ()
    rank: ClassVar[int | None] = None
    paired: ClassVar[bool] = False
    quick: ClassVar[bool] = False
    compared: ClassVar[bool] = True
    judging: ClassVar[bool] = True
    classed: ClassVar[bool] = False
    plenty: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    audited: ClassVar[tuple[str, ...]] = ()
    depends_on_count: ClassVar[bool] = True

    def about(self, data: Dataset) -> Self | None:
        """The metric with what is known of the data filled in; None where it has nothing to say of such data."""
        return self

    @abstractmethod
    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Why this metric cannot be taken of these items, in one line; None where it can."""

    @abstractmethod
    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        """The numbers by name. What :meth:`refusal` refuses must not be asked.

        Args:
            train: items that the model learned from.
            test: held-back real items, the reference.
            fake: items to be judged.
        """

    def looked_at(self, count: int) -> int:
        """How many of so many items of a side it looks at."""
        return count

    def told(self) -> str:
        """What of its settings changes the number's meaning, in a few words; empty where nothing does."""
        return ""

    def printed(self, number: str, features: str) -> str:
        """A number's name as it is printed, ``"frechet[digits-cnn]"``."""
        return f"{number}[{features}]" if self.featured else number


class Ranked(Protocol):
    """What a part must say to be chosen by itself: :attr:`Metric.modalities` and :attr:`Metric.rank`."""

    name: ClassVar[str]
    modalities: ClassVar[tuple[str, ...]]
    rank: ClassVar[int | None]


R = TypeVar("R", bound=Ranked)


def ranked(parts: Iterable[type[R]], modality: str) -> list[type[R]]:
    """Those that are taken of such data where none are named, in their order."""
    for_these = [part for part in parts if not part.modalities or modality in part.modalities]
    order = sorted((part.rank, part.name, i) for i, part in enumerate(for_these) if part.rank is not None)
    return [for_these[i] for _, _, i in order]
