"""Membership inference by the discriminator's scores (Hayes et al. 2019, LOGAN, the white-box attack)."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.discriminator import area
from sparring.randomness import derive

LEAST = 20
"""Items of a side below which shares mean nothing. Below 100 held-back items, no false alarm at all is allowed."""

_ALARMS = 0.01
_DRAWS = 500


class Membership(Metric):
    """Whether the discriminator's scores tell who was learned from: training against held-back items."""

    seed: int = Field(default=0, ge=0, description="of the interval's draws")

    featured: ClassVar[bool] = False
    judging: ClassVar[bool] = False
    rank: ClassVar[int | None] = 62
    audited: ClassVar[tuple[str, ...]] = ("membership-auc", "membership-tpr-at-1%")
    depends_on_count: ClassVar[bool] = False
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "scores of training against held-back items; AUC by DeLong, .5 where nothing leaks; true positives where 1 % "
        "of held-back items are called members, near .01 where nothing leaks, of n < 200 held-back items up to "
        "2 / (n + 1); interval: bootstrap of both sides"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Scores of real items must be there and finite."""
        for side, noun in ((train, "training"), (test, "reference")):
            if side.scores is None:
                return (
                    "no discriminator scored these items: there is none, it judges pairs, or it knows other attributes"
                )
            if not np.isfinite(side.scores).all():
                return f"the discriminator's scores of {noun} items are not all finite"
            if len(side.scores) < LEAST:
                return f"{len(side.scores)} {noun} items are fewer than {LEAST}"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert train.scores is not None
        assert test.scores is not None
        found = leak(train.scores, test.scores, derive(self.seed, self.name))
        return {f"membership-{name}": reading for name, reading in found.items()}


def leak(members: Float[np.ndarray, " n"], others: Float[np.ndarray, " m"], seed: int) -> dict[str, Reading]:
    """AUC of telling members by higher values, and the share of members found at 1 % false alarms.

    Args:
        members: values of items that were learned from.
        others: values of items that were not.
        seed: of the bootstrap.
    """
    auc = area(members, others)
    source = np.random.Generator(np.random.Philox(key=seed))
    caught = _caught(members, others)
    draws = [_caught(_again(members, source), _again(others, source)) for _ in range(_DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return {
        "auc": Reading(auc.value, auc.low, auc.high, "lower"),
        "tpr-at-1%": Reading(caught, min(caught, float(low)), max(caught, float(high)), "lower"),
    }


def _caught(members: np.ndarray, others: np.ndarray) -> float:
    """The share of members above what all but 1 % of the others stay below or at."""
    allowed = int(len(others) * _ALARMS)
    threshold = np.partition(others, len(others) - 1 - allowed)[len(others) - 1 - allowed]
    return float((members > threshold).mean())


def _again(values: np.ndarray, source: np.random.Generator) -> np.ndarray:
    return values[source.integers(0, len(values), len(values))]
