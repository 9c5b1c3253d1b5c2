"""Improved precision and recall (Kynkaanniemi et al. 2019, section 3, algorithm 1)."""

from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import share
from sparring.metrics.kernel import some

_CHUNK = 1024
_ROUNDING = 1e-12


class PrecisionRecall(Metric):
    """Precision: the share of generated items near real ones. Recall: the share of real items near generated ones.

    Near is within the distance of an item to its k-th nearest neighbour on its own side.
    """

    rank: ClassVar[int | None] = 30

    neighbours: int = Field(
        default=3, ge=1, le=100, description="neighbour whose distance bounds an item's surroundings"
    )
    most: int = Field(
        default=5000, ge=2, le=50_000, description="items of each side; of more, a seeded choice is taken"
    )
    seed: int = Field(default=0, ge=0, description="of that choice")

    protocol: ClassVar[str] = (
        "k-th nearest neighbours in float64, equal counts of both sides, against the reference split; interval: score "
        "interval of a share (Wilson), the other side's surroundings held fixed"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Each item needs as many neighbours as are counted."""
        for side, noun in ((test, "reference"), (fake, "judged")):
            if side.fault():
                return side.fault()
            if len(side.features) <= self.neighbours:
                return f"{len(side.features)} {noun} items are too few to have {self.neighbours} neighbours each"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        count = min(self.most, len(test.features), len(fake.features))
        # The real mean as the origin keeps the rounding of squared distances small.
        origin = test.features.mean(0)
        real, made = [some(side.features, count, self.seed) - origin for side in (test, fake)]
        precise, recalled = near(made, real, self.neighbours), near(real, made, self.neighbours)
        return {
            "precision": share(int(precise.sum()), count),
            "recall": share(int(recalled.sum()), count),
        }


def near(items: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"], neighbours: int) -> Bool[np.ndarray, " n"]:
    """Whether an item lies within any other's distance to its k-th nearest neighbour among the others."""
    reach = _reach(others, neighbours)
    found = np.empty(len(items), bool)
    for start in range(0, len(items), _CHUNK):
        rows = slice(start, start + _CHUNK)
        found[rows] = (_distances(items[rows], others) <= reach).any(1)
    return found


def _reach(rows: Float[np.ndarray, "m d"], neighbours: int) -> Float[np.ndarray, " m"]:
    """Squared distance of each row to its k-th nearest other row."""
    found = np.empty(len(rows))
    for start in range(0, len(rows), _CHUNK):
        distances = _distances(rows[start : start + _CHUNK], rows)
        here = np.arange(len(distances))
        distances[here, here + start] = np.inf
        found[start : start + _CHUNK] = np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1]
    return found


def _distances(first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
    """Squared distances; what only rounding keeps from 0 is 0, so that equal rows are equal."""
    norms = np.square(first).sum(1)[:, None] + np.square(second).sum(1)
    distances = norms - 2 * first @ second.T
    distances[distances < _ROUNDING * norms] = 0
    return distances
