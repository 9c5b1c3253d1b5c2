"""Shares of the classes among generated items, and agreement with the class that was asked for."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import largest_share, share, smallest_share
from sparring.metrics.witness import absolute, groups, shares_of, witnessed


class ClassShares(Metric):
    """The rarest and the commonest class's share, the shares' distance from the reference's, and label agreement."""

    rank: ClassVar[int | None] = 60
    classed: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "classes by the evaluation's classifier, those of the training items; intervals: for very many items; score "
        "interval of a share (Wilson), the inner end of the smallest and the largest at once for all classes "
        "that may be it (Sidak); of the distance, which grows as counts shrink, from a witness chosen on one half and "
        "judged on the other, stretched by what it is expected to miss, up to the value's own end; the classifier's "
        "own faults are in the floor"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Without a classifier there are no classes to count."""
        for side, noun in ((test, "reference"), (fake, "judged")):
            if side.predicted is None:
                return "the data have no labels from which a classifier could learn"
            if len(side.predicted) == 0:
                return f"there are no {noun} items"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert test.predicted is not None
        assert fake.predicted is not None
        known = [side for side in (train.labels, train.predicted, test.predicted) if side is not None and len(side)]
        classes = np.unique(known[0])
        counts = np.asarray([(fake.predicted == each).sum() for each in classes])
        total = len(fake.predicted)
        found = {
            "class-share-smallest": smallest_share(counts, total),
            "class-share-largest": largest_share(counts, total),
            "class-share-distance": share_distance(test.predicted, fake.predicted),
        }
        if fake.labels is not None and len(fake.labels) == total:
            found["label-agreement"] = share(int((fake.labels == fake.predicted).sum()), total)
        return found


def shares(predicted: Int[np.ndarray, " n"], classes: int) -> Float[np.ndarray, " classes"]:
    """The share of each class 0 to ``classes`` - 1."""
    return np.bincount(predicted, minlength=classes)[:classes] / max(1, len(predicted))


def share_distance(real: Int[np.ndarray, " m"], made: Int[np.ndarray, " n"]) -> Reading:
    """Total variation distance of two sets of class numbers: 0 equal shares, 1 no class in common."""
    count = int(max(real.max(), made.max())) + 1
    value = float(np.abs(shares(made, count) - shares(real, count)).sum() / 2)
    sides, group = (real, made), [groups(len(side)) for side in (real, made)]
    parts = [shares_of(side, each, count) for side, each in zip(sides, group, strict=True) if each is not None]
    found = witnessed((parts[1] - parts[0]) / 2 if len(parts) == 2 else None, absolute, value, (len(real), len(made)))
    return found if found.high is None else replace(found, high=max(value, min(1.0, found.high)))
