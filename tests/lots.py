"""Planted lots for tests of augmentation: what helps a classifier of them is known."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from sparring.learners import Learner
from sparring.lot import Lot

CENTRES = {"common": 0.0, "rare": 1.2}


def rows(counts: dict[str, int], seed: int) -> Lot:
    """Gaussian classes in six numbers, whose centres lie less than a spread apart in each, and a word and a whole."""
    source = np.random.default_rng(seed)
    labels = np.repeat(list(counts), list(counts.values()))
    centre = np.array([CENTRES[label] for label in labels])
    frame = pd.DataFrame({f"x{i}": (centre + source.normal(0, 1.3, len(labels))).round(3) for i in range(6)})
    frame["word"] = source.choice(["a", "b", "c"], len(labels))
    frame["whole"] = source.integers(0, 500, len(labels))
    frame["kind"] = labels
    return Lot.of_rows(frame, "kind")


def pictures(counts: dict[str, int], seed: int, channels: int = 1) -> Lot:
    """Bright tops or bright bottoms, 8 x 8."""
    source = np.random.default_rng(seed)
    labels = np.repeat(list(counts), list(counts.values()))
    items = source.integers(0, 120, (len(labels), 8, 8, channels), dtype=np.uint8)
    for item, label in zip(items, labels, strict=True):
        item[slice(0, 4) if label == "common" else slice(4, 8)] += 100
    return Lot(items, {"kind": labels}, "kind")


class Line(Learner):
    """Logistic regression of the six numbers: quick."""

    said: ClassVar[str] = "logistic regression"

    def fit(self, lot, seed, *, real=None):
        from sklearn.linear_model import LogisticRegression

        return Fitted(LogisticRegression(C=10.0, max_iter=1000).fit(numbers(lot.items), lot.labels))


@dataclass(frozen=True)
class Fitted:
    model: object

    @property
    def classes(self):
        return self.model.classes_  # pyright: ignore[reportAttributeAccessIssue]

    def probabilities(self, items):
        return self.model.predict_proba(numbers(items))[None]  # pyright: ignore[reportAttributeAccessIssue]


def numbers(frame) -> np.ndarray:
    return frame[[f"x{i}" for i in range(6)]].to_numpy()


@dataclass(frozen=True)
class Oracle:
    """Makes items of the true distribution; of the other class where it lies, of no use where it repeats."""

    lies: float = 0.0
    judges: bool = True

    def make(self, like: Lot, label: str, count: int, seed: int) -> Lot:
        other = next(name for name in CENTRES if name != label)
        false = round(self.lies * count)
        made = rows({label: count - false, other: false}, seed) if like.is_table else pictures({label: count}, seed)
        if like.is_table:
            return Lot.of_rows(made.items.assign(kind=label), "kind")
        return made

    def score(self, lot: Lot) -> np.ndarray:
        """Near its class's centre is good."""
        centre = np.array([CENTRES[label] for label in lot.labels])
        return -np.square(numbers(lot.items) - centre[:, None]).sum(1)


class Repeater:
    """Gives real items out as its own."""

    judges = False

    def make(self, like: Lot, label: str, count: int, seed: int) -> Lot:
        members = np.flatnonzero(like.labels == label)
        return like.rows(members[np.arange(count) % len(members)])

    def score(self, lot: Lot) -> np.ndarray:
        raise AssertionError("it has no discriminator")
