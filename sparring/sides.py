"""The sides of a comparison: what was learned from, the reference, and what is judged, each looked at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from sparring.data.joining import UNKNOWN
from sparring.experiment import Material
from sparring.metrics import Evidence, Specimens
from sparring.metrics.features import FittedFeatures


@dataclass(frozen=True)
class Judged:
    """What an evaluation asks of a model, so that it needs to know no more of it.

    Attributes:
        sample: ``n`` decoded items with what belongs to each.
        score: the discriminator's verdict on items, ``(n,)``; None where it has none on such items.
        threshold: score above which an item is taken for real, or None where the discriminator's loss knows none.
        beside: other models by name, whose numbers stand beside as a baseline's do.
        seed: of the latents, or None where nothing is drawn.
        asked: how the discriminator is asked of an item where that is not how it learned.
    """

    sample: Callable[[int], Specimens]
    score: Callable[[Specimens], np.ndarray | None]
    threshold: float | None = None
    beside: Mapping[str, Callable[[int], Specimens]] = field(default_factory=dict)
    seed: int | None = None
    asked: str = ""


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
    """At most so many items of a split, as the task would best make them, spread evenly, with their attributes."""
    rows = spread(rows, most)
    given = None if material.data.given is None else material.data.given[rows]
    return Specimens(material.task.wanted(material.data.items[rows]), material.columns(rows), given)


def spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, spread evenly."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


@dataclass(frozen=True)
class Labelled:
    """The attribute that a classifier can learn: the first with few classes and enough items of each.

    Those that can be asked for come first; a quantity has no classes.

    Attributes:
        values: of all items, or None where there is no such attribute.
        title: its name.
    """

    values: np.ndarray | None
    title: str = ""

    @classmethod
    def of(cls, material: Material) -> Self:
        """The attribute of these data."""
        there, known = material.data.attributes, material.conditions
        quantities = set() if known is None else {part.title for part in known.attributes if not part.classes}
        first = [name for name in material.task.attributes if name in there]
        for name in dict.fromkeys([*first, *there]):
            if name in quantities:
                continue
            values = _words(there[name])
            _, counts = np.unique(values[material.splits.train], return_counts=True)
            if 2 <= len(counts) <= 200 and np.median(counts) >= 10:
                return cls(values, name)
        return cls(None)

    def numbers(self, rows: np.ndarray) -> np.ndarray | None:
        """The numbers of the classes in these rows of the data, sorted by name."""
        return None if self.values is None else self._numbers(self.values[rows])

    def of_columns(self, columns: dict[str, np.ndarray]) -> np.ndarray | None:
        """The numbers of the classes in these columns; None where they do not hold the attribute, or other classes."""
        if self.values is None or self.title not in columns:
            return None
        words = _words(columns[self.title])
        known = np.isin(words, self.values).all() and not (words == UNKNOWN).any()
        return self._numbers(words) if known else None

    def _numbers(self, values: np.ndarray) -> np.ndarray:
        assert self.values is not None
        found = {name: number for number, name in enumerate(np.unique(self.values[self.values != UNKNOWN]))}
        return np.array([found[value] for value in values], np.int64)


def _words(values: np.ndarray) -> np.ndarray:
    """Class names as conditions have them: texts without blanks around."""
    return np.char.strip(np.asarray(values).astype(str))
