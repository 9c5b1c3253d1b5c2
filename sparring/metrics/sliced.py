"""Sliced Wasserstein distance of features (Rabin et al. 2011; Karras et al. 2018, section 5, of picture patches)."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import NORMAL, VERY_MANY, reaching
from sparring.metrics.kernel import some
from sparring.randomness import derive

_PARTS = 10
_WIDER = 2.2621571628540993 / NORMAL
"""Student's quantile for the freedom of ten groups over the normal one."""


class SlicedWasserstein(Metric):
    """Root mean square over random directions of the Wasserstein-2 distance of the projected features."""

    rank: ClassVar[int | None] = 32

    directions: int = Field(default=128, ge=1, le=10_000, description="random directions that are projected on")
    most: int = Field(
        default=10_000, ge=20, le=100_000, description="items of each side; of more, a seeded choice is taken"
    )
    seed: int = Field(default=0, ge=0, description="of that choice and of the directions")

    protocol: ClassVar[str] = (
        "equal counts of both sides, projections sorted and paired; the value grows as counts shrink, so compare at "
        "equal counts; interval: for the distance at 100,000 items a side, the bias taken off its square as two halves "
        "of each side tell it, Student's, delete-a-group jackknife of ten groups of both sides; it reaches up to the "
        "value, which carries the bias of its counts"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Ten groups of both sides are needed for an interval."""
        for side, noun in ((test, "reference"), (fake, "judged")):
            if side.fault():
                return side.fault()
            if len(side.features) < 2 * _PARTS:
                return f"{len(side.features)} {noun} items are fewer than {2 * _PARTS}; take kid, which needs two"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        count = min(self.most, len(test.features), len(fake.features))
        real, made = [some(side.features, count, self.seed) for side in (test, fake)]
        # Group i is each tenth row: what is left out must not depend on the order of classes in the data.
        sides = [_projected(side, self.directions, self.seed) for side in (real, made)]
        value = sliced_distance(*sides)
        kept = [np.arange(count) % _PARTS != part for part in range(_PARTS)]
        left = np.square([sliced_distance(*(side[rows] for side in sides)) for rows in kept])
        error = float(np.sqrt((_PARTS - 1) / _PARTS * np.square(left - left.mean()).sum()))
        # Twice as many items halve the variance of sorted projections, so that their two halves are four times as far
        # apart, in squares, as chance sets the whole side apart from its population.
        bias = sum(sliced_distance(*(side[part : count // 2 * 2 : 2] for part in (0, 1))) ** 2 for side in sides) / 4
        found = reaching(value**2, value**2 - bias * (1 - count / VERY_MANY), error * _WIDER)
        low, high = (float(np.sqrt(max(0.0, end or 0.0))) for end in (found.low, found.high))
        return {self.name: Reading(value, min(value, low), max(value, high))}


def sliced_distance(first: Float[np.ndarray, "n k"], second: Float[np.ndarray, "n k"]) -> float:
    """Root mean square difference of two sides' projections, each direction sorted."""
    # Copied to rows, as sorting along them is several times faster.
    ranked = [np.sort(np.ascontiguousarray(side.T), 1) for side in (first, second)]
    return float(np.sqrt(np.square(ranked[0] - ranked[1]).mean()))


def _projected(rows: Float[np.ndarray, "n d"], directions: int, seed: int) -> Float[np.ndarray, "n k"]:
    source = np.random.Generator(np.random.Philox(key=derive(seed, "sliced", rows.shape[1])))
    drawn = source.standard_normal((rows.shape[1], directions))
    return rows @ (drawn / np.sqrt(np.square(drawn).sum(0)))
