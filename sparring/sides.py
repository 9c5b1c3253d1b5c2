"""The sides of a comparison: what was learned from, the reference, and what is judged, each looked at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from sparring.experiment import Material
from sparring.jury import Jury
from sparring.metrics import Evidence, Specimens
from sparring.metrics.features import FittedFeatures
from sparring.modalities.frames import TableItems

MOST = 10_000
"""Items of a side in an evaluation, where the data hold as many."""


@dataclass(frozen=True)
class Judged:
    """What an evaluation asks of a model, so that it needs to know no more of it.

    Attributes:
        sample: ``n`` decoded items with what belongs to each.
        score: the discriminator's verdict on items, ``(n,)``; None where it has none on such items.
        threshold: score above which an item is taken for real, or None where the discriminator's loss knows none.
        beside: other models by name, whose numbers stand beside as a baseline's do.
    """

    sample: Callable[[int], Specimens]
    score: Callable[[Specimens], np.ndarray | None]
    threshold: float | None = None
    beside: Mapping[str, Callable[[int], Specimens]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sides:
    """The sides of a comparison.

    Attributes:
        train: what was learned from.
        test: the reference.
        fake: what is judged.
        plenty: as many judged items as were learned from, where metrics ask for them; else the same as ``fake``.
        equal: as many items that were learned from as there are of those.
    """

    train: Evidence
    test: Evidence
    fake: Evidence
    plenty: Evidence
    equal: Evidence


@dataclass(frozen=True)
class Eyes:
    """What looks at items.

    Attributes:
        features: describe them; None where nothing does.
        classifier: of the data's own labels; None where no metric asks for classes, or there are no labels.
    """

    features: FittedFeatures | None
    classifier: FittedFeatures | None = None

    def __call__(
        self,
        side: Specimens,
        labels: np.ndarray | None = None,
        scores: np.ndarray | None = None,
        threshold: float | None = None,
    ) -> Evidence:
        """One side of a comparison."""
        look = None if self.features is None else self.features.look(side.items)
        predicted = None
        if self.classifier is not None:
            same = look is not None and self.classifier is self.features
            predicted = look.classes if look is not None and same else self.classifier.classify(side.items)
        return Evidence(
            side.items,
            np.zeros((len(side), 0)) if look is None else look.features,
            labels,
            predicted,
            scores,
            None if look is None else look.probabilities,
            side.given,
            side.truth,
            threshold,
        )


def taught(material: Material, labelled: "Labelled") -> np.ndarray | None:
    """The classes of the *train* split that features learn, ``(n,)`` or a column for each channel; None without."""
    # Where each channel has a class of its own, those are learned; the label of an item would have too many values.
    channels, rows = material.data.known.get("stacked"), material.splits.train
    return labelled.numbers(rows) if channels is None else channels[rows]


def take(material: Material, rows: np.ndarray, most: int) -> Specimens:
    """At most so many items of a split, spread evenly over it, with their attributes."""
    rows = spread(rows, most)
    given = None if material.data.given is None else material.data.given[rows]
    return Specimens(material.data.items[rows], material.columns(rows), given)


def spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, spread evenly."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


@dataclass(frozen=True)
class Labelled:
    """The attribute that a classifier can learn: the first with few classes and enough items of each.

    Attributes:
        values: of all items, or None where there is no such attribute.
        title: its name.
    """

    values: np.ndarray | None
    title: str = ""

    @classmethod
    def of(cls, material: Material) -> Self:
        """The attribute of these data."""
        for name, values in material.data.attributes.items():
            _, counts = np.unique(values[material.splits.train], return_counts=True)
            if 2 <= len(counts) <= 200 and np.median(counts) >= 10:
                return cls(values, name)
        return cls(None)

    def numbers(self, rows: np.ndarray) -> np.ndarray | None:
        """The numbers of the classes in these rows of the data, sorted by name."""
        return None if self.values is None else self._numbers(self.values[rows])

    def of_columns(self, columns: dict[str, np.ndarray]) -> np.ndarray | None:
        """The numbers of the classes in these columns; None where they do not hold the attribute."""
        return self._numbers(columns[self.title]) if self.values is not None and self.title in columns else None

    def _numbers(self, values: np.ndarray) -> np.ndarray:
        assert self.values is not None
        found = {name: number for number, name in enumerate(np.unique(self.values))}
        return np.array([found[value] for value in values], np.int64)


class Bench:
    """What everything in an evaluation is looked at by.

    Args:
        judged: the model.
        material: what it was trained on, or what it is to be compared with.
        jury: what judges it.
        cache: a folder in which fitted features are kept.
    """

    def __init__(self, judged: Judged, material: Material, jury: Jury, cache: Path | None):
        self.judged, self.material, self.jury = judged, material, jury
        self.labelled = Labelled.of(material)
        labels = taught(material, self.labelled)
        fitted = jury.fit_once(material, labels, cache)
        self.eyes = Eyes(fitted, jury.classifier(fitted, material, labels, cache))
        splits = material.splits
        self.real = take(material, splits.report, MOST)
        self.made = judged.sample(min(jury.count or len(self.real), MOST))
        # More training items than samples, for a copy is only found where its original is looked at.
        self.learned = take(material, splits.train, MOST)
        # A baseline has as many items to go by as are judged.
        self.equal = self.learned
        if len(self.made) < len(self.learned):
            self.equal = take(material, splits.train, len(self.made))

    def side(self, items: Specimens, *, scored: bool = True) -> Evidence:
        """One side, looked at."""
        labels = self.labelled.of_columns(items.columns)
        return self.eyes(items, labels, self.judged.score(items) if scored else None, self.judged.threshold)

    def known(self) -> Evidence:
        """What the model learned from; of a table, all rows stand beside those that are looked at."""
        items, rows = self.material.data.items, self.material.splits.train
        side = self.side(self.learned)
        return replace(side, whole=items[rows]) if isinstance(items, TableItems) and len(side) < len(rows) else side

    def sides(self) -> Sides:
        """All sides of the model; what the model learned from is looked at once."""
        train, fake = self.known(), self.side(self.made)
        plenty, equal, wanted = fake, train, len(train)
        if fake.labels is not None and any(metric.plenty for metric in self.jury.metrics) and len(fake) != wanted:
            if self.jury.count is None or len(fake) > wanted:
                plenty = self.side(self.judged.sample(wanted), scored=False)
            else:
                equal = self.side(self.equal, scored=False)
        return Sides(train, self.side(self.real), fake, plenty, equal)
