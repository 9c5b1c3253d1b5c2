"""Improved precision and recall (Kynkaanniemi et al. 2019, section 3, algorithm 1)."""

from typing import ClassVar

from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.kernel import some
from sparring.metrics.neighbours import balls, held, held_share, neighbour_fault


class PrecisionRecall(Metric):
    """Precision: the share of generated items near real ones. Recall: the share of real items near generated ones.

    Near is within the distance of an item to its k-th nearest neighbour on its own side.
    """

    rank: ClassVar[int | None] = 30
    quick: ClassVar[bool] = True

    neighbours: int = Field(
        default=3, ge=1, le=100, description="neighbour whose distance bounds an item's surroundings"
    )
    most: int = Field(
        default=5000, ge=2, le=50_000, description="items of each side; of more, a seeded choice is taken"
    )
    seed: int = Field(default=0, ge=0, description="of that choice")

    protocol: ClassVar[str] = (
        "k-th nearest neighbours in float64, equal counts of both sides, against the reference split; interval: at "
        "these counts, score interval (Wilson) of as many draws as the jackknife of both sides says"
    )

    def looked_at(self, count: int) -> int:
        return min(count, self.most)

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Each item needs as many neighbours as are counted."""
        return neighbour_fault(test, fake, self.neighbours)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        count = min(self.most, len(test.features), len(fake.features))
        # The real mean as the origin keeps the rounding of squared distances small.
        origin = test.features.mean(0)
        real, made = [some(side.features, count, self.seed) - origin for side in (test, fake)]
        bounds = test.once(("balls", self.neighbours, count, self.seed), lambda: balls(real, self.neighbours))
        precise, recalled = held(made, real, bounds), held(real, made, balls(made, self.neighbours))
        return {
            name: held_share(int((found.inside > 0).sum()), count, found.error)
            for name, found in (("precision", precise), ("recall", recalled))
        }
