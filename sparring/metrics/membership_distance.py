"""Membership inference from samples alone (Chen et al. 2020, GAN-Leaks, the full black-box attack)."""

from typing import ClassVar

from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.membership import LEAST, leak
from sparring.metrics.nearest import nearest
from sparring.randomness import derive


class MembershipDistance(Metric):
    """Whether training items are nearer to the nearest generated item than held-back ones are."""

    seed: int = Field(default=0, ge=0, description="of the interval's draws")

    rank: ClassVar[int | None] = 63
    audited: ClassVar[tuple[str, ...]] = ("membership-distance-auc", "membership-distance-tpr-at-1%")
    compared: ClassVar[bool] = False
    protocol: ClassVar[str] = (
        "Euclidean distance of features from each training and each held-back item to the nearest generated one; AUC "
        "by DeLong, .5 where nothing leaks; true positives where 1 % of held-back items are called members, .01 where "
        "nothing leaks; interval: bootstrap of both real sides, the generated items held fixed"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Every side needs some items."""
        for side, noun in ((train, "training"), (test, "reference"), (fake, "judged")):
            if side.fault():
                return side.fault()
            if len(side.features) < LEAST:
                return f"{len(side.features)} {noun} items are fewer than {LEAST}"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        members, others = (-nearest(side.features, fake.features).distance for side in (train, test))
        found = leak(members, others, derive(self.seed, self.name))
        return {f"membership-distance-{name}": reading for name, reading in found.items()}
