"""Density and coverage (Naeem et al. 2020, Reliable Fidelity and Diversity Metrics, eq. 5 and 6)."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import around, share, standard_error
from sparring.metrics.kernel import some
from sparring.metrics.neighbours import CHUNK, distances, neighbour_fault, reach


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
        "interval: normal for density, score interval (Wilson) for coverage, the other side held fixed"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Each reference item needs as many neighbours as are counted."""
        return neighbour_fault(test, fake, self.neighbours)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        count = min(self.most, len(test.features), len(fake.features))
        # The real mean as the origin keeps the rounding of squared distances small.
        origin = test.features.mean(0)
        real, made = [some(side.features, count, self.seed) - origin for side in (test, fake)]
        found, covered = surroundings(real, made, self.neighbours)
        density = found / self.neighbours
        return {
            "density": around(float(density.mean()), standard_error(density), within=(0.0, np.inf), better="higher"),
            "coverage": share(int(covered.sum()), count),
        }


def surroundings(
    real: Float[np.ndarray, "m d"], made: Float[np.ndarray, "n d"], neighbours: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each generated item how many real surroundings hold it; for each real item whether its own hold any."""
    bounds = reach(real, neighbours)
    inside, covered = np.empty(len(made)), np.zeros(len(real), bool)
    for start in range(0, len(made), CHUNK):
        rows = slice(start, start + CHUNK)
        holds = distances(made[rows], real) <= bounds
        inside[rows] = holds.sum(1)
        covered |= holds.any(0)
    return inside, covered
