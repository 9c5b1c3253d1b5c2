"""Density and coverage (Naeem et al. 2020, Reliable Fidelity and Diversity Metrics, eq. 5 and 6)."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import around
from sparring.metrics.kernel import some
from sparring.metrics.neighbours import balls, held, held_share, neighbour_fault


class DensityCoverage(Metric):
    """Density: real surroundings that hold a generated item, over k. Coverage: the share of them that hold any.

    An item's surroundings reach to its k-th nearest neighbour on its own side. Density is 1 in the mean for real items
    and has no upper bound; coverage of real items grows with k, 1 - 2^-k for equal counts.
    """

    rank: ClassVar[int | None] = 31

    neighbours: int = Field(default=5, ge=1, le=100, description="neighbour whose distance bounds the surroundings")
    most: int = Field(
        default=5000, ge=2, le=50_000, description="items of each side; of more, a seeded choice is taken"
    )
    seed: int = Field(default=0, ge=0, description="of that choice")

    protocol: ClassVar[str] = (
        "surroundings of reference items alone, k-th nearest neighbours in float64, equal counts of both sides; "
        "interval: at these counts, by the jackknife of both sides, normal for density, for coverage the score "
        "interval (Wilson) of as many draws as that says"
    )

    def looked_at(self, count: int) -> int:
        return min(count, self.most)

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Each reference item needs as many neighbours as are counted."""
        return neighbour_fault(test, fake, self.neighbours)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        count = min(self.most, len(test.features), len(fake.features))
        # The real mean as the origin keeps the rounding of squared distances small.
        origin = test.features.mean(0)
        real, made = [some(side.features, count, self.seed) - origin for side in (test, fake)]
        bounds = test.once(("balls", self.neighbours, count, self.seed), lambda: balls(real, self.neighbours))
        found = held(made, real, bounds)
        density, error = float(found.inside.mean()) / self.neighbours, found.spread / self.neighbours
        return {
            "density": around(density, error, within=(0.0, np.inf), better="higher"),
            "coverage": held_share(int((found.holds > 0).sum()), count, found.filled),
        }
