"""How well the discriminator still tells held-back real items from generated ones."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field
from scipy.special import expit, logit

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import NORMAL, standard_error
from sparring.randomness import derive

Verdicts = Float[np.ndarray, " n"]

_DRAWS = 2000
LEAST = 10
"""Items of a side below which rates mean nothing."""


class Discriminator(Metric):
    """Accuracy, F1 with real as the positive class, and AUC of the discriminator on items it has not seen.

    Neither end is better: a beaten discriminator scores .5, and so does one that never learned.
    """

    rank: ClassVar[int | None] = 80
    depends_on_count: ClassVar[bool] = False
    compared: ClassVar[bool] = False

    threshold: float | None = Field(
        default=None, description="scores above it are called real; none: the loss's own, or fitted on training items"
    )
    seed: int = Field(default=0, ge=0, description="of the interval's draws")

    featured: ClassVar[bool] = False
    protocol: ClassVar[str] = (
        "held-back real against generated items, both sides weighed alike, at the threshold of the loss: 0 for hinge, "
        "minimax and non-saturating, the balance of the targets with label smoothing, .5 for least squares; where a "
        "loss sees differences alone (Wasserstein, relativistic), it is fitted on training items against the even "
        "half of the generated ones and measured on the odd half; intervals: Jeffreys draws of both rates; AUC by "
        "DeLong in log-odds"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Scores of all three sides must be there and finite."""
        for side, noun in ((train, "training"), (test, "reference"), (fake, "judged")):
            if side.scores is None:
                return (
                    "no discriminator scored these items: there is none, it judges pairs, or it knows other attributes"
                )
            if not np.isfinite(side.scores).all():
                return f"the discriminator's scores of {noun} items are not all finite"
            least = 2 * LEAST if side is fake else LEAST
            if len(side.scores) < least:
                return f"{len(side.scores)} {noun} items are fewer than {least}"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert train.scores is not None
        assert test.scores is not None
        assert fake.scores is not None
        threshold, made = fake.threshold if self.threshold is None else self.threshold, fake.scores
        if threshold is None:
            threshold, made = fit_threshold(train.scores, made[::2]), made[1::2]
        hits, alarms = int((test.scores > threshold).sum()), int((made > threshold).sum())
        source = np.random.Generator(np.random.Philox(key=derive(self.seed, self.name)))
        rates = [
            (count / total, source.beta(count + 0.5, total - count + 0.5, _DRAWS))
            for count, total in ((hits, len(test.scores)), (alarms, len(made)))
        ]
        return {
            "discriminator-accuracy": _drawn(lambda caught, false: (caught + 1 - false) / 2, rates),
            "discriminator-f1": _drawn(lambda caught, false: 2 * caught / (1 + caught + false), rates),
            "discriminator-auc": area(test.scores, fake.scores),
        }


def fit_threshold(real: Float[np.ndarray, " m"], made: Float[np.ndarray, " n"]) -> float:
    """The threshold above which to call an item real that is right most often, both sides weighed alike."""
    values = np.unique(np.concatenate([real, made]))
    cuts = np.concatenate([[values[0] - 1], (values[:-1] + values[1:]) / 2])
    missed = np.searchsorted(np.sort(real), cuts, "right") / len(real)
    caught = np.searchsorted(np.sort(made), cuts, "right") / len(made)
    return float(cuts[np.argmax(caught - missed)])


def area(real: Float[np.ndarray, " m"], made: Float[np.ndarray, " n"]) -> Reading:
    """Chance that a real item scores above a generated one, ties as half.

    The standard error is DeLong's (1988), and the interval is of the chance's log-odds (Pepe 2003, section 5.2): one of
    the chance itself is far too short near 1. Where every real item scores above, or none, it would have no width. All
    pairs agree no more often than those that share no item, each of which does by the chance itself: the end is where
    they would do so in 2.5 %.
    """
    above = _share_below(real, made)
    value, end = float(above.mean()), 0.025 ** (1 / max(1, min(len(real), len(made))))
    if value in (0.0, 1.0):
        return Reading(value, min(value, end), max(value, 1 - end), "")
    half = NORMAL * standard_error(above, _share_below(made, real)) / (value * (1 - value))
    low, high = expit(logit(value) - half), expit(logit(value) + half)
    return Reading(value, float(low), float(high), "")


def _share_below(values: Float[np.ndarray, " m"], others: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    ranked = np.sort(others)
    return (np.searchsorted(ranked, values, "left") + np.searchsorted(ranked, values, "right")) / (2 * len(ranked))


def _drawn(number, rates: list[tuple[float, np.ndarray]]) -> Reading:
    """A function of both rates with the interval of its draws."""
    (caught, caught_draws), (false, false_draws) = rates
    value = float(number(caught, false))
    low, high = np.quantile(number(caught_draws, false_draws), [0.025, 0.975])
    return Reading(value, min(value, float(low)), max(value, float(high)), "")
