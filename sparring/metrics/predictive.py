"""What a predictor learns from generated windows for held-back ones (Yoon et al. 2019, section 5.1)."""

from dataclasses import replace
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.discriminative import ranged
from sparring.metrics.dynamics import refusal
from sparring.metrics.witness import GROUPS, WIDTH, stretches

_TRIED = 20_000
"""Steps of the reference that a predictor is tried on when it learned without a group."""


class PredictiveScore(Metric):
    """Mean absolute error, in held-back windows, of a predictor of the next step that learned from the judged ones.

    It says little by itself: windows without any variety may teach the next step as well as real ones.
    """

    past: int = Field(default=3, ge=1, description="steps that it predicts from, at most")

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 70
    protocol: ClassVar[str] = (
        "ridge regression of all channels of the next step from up to three steps before it; errors as shares of each "
        "channel's range, mean over channels; predictive-score-real: of a predictor that learned training windows; "
        "interval: Student's, jackknife of twenty stretches of windows of both sides, too narrow where windows of "
        "different stretches are alike"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        learned, real, made = (self._examples(side) for side in ranged(train, train, test, fake))
        return {
            "predictive-score": _error(made, real),
            "predictive-score-real": replace(_error(learned, real), better=""),
        }

    def _examples(self, side: Float[np.ndarray, "n c t"]) -> "_Examples":
        values = side.astype(np.float64).transpose(0, 2, 1) / 2
        past = min(self.past, values.shape[1] - 1)
        places = range(past, values.shape[1])
        before = np.concatenate([values[:, place - past : place].reshape(len(values), -1) for place in places])
        group = stretches(len(values))
        return _Examples(
            np.concatenate([before, np.ones((len(before), 1))], 1),
            np.concatenate([values[:, place] for place in places]),
            None if group is None else np.tile(group, len(places)),
        )


class _Examples(NamedTuple):
    """What a predictor learns from.

    Attributes:
        past: steps with a one, ``(m, past * c + 1)``.
        future: the steps behind them in shares of ranges, ``(m, c)``.
        group: of each one's window, ``(m,)``, or None.
    """

    past: np.ndarray
    future: np.ndarray
    group: np.ndarray | None

    def part(self, kept: np.ndarray) -> "_Examples":
        """Some of them."""
        return _Examples(self.past[kept], self.future[kept], None if self.group is None else self.group[kept])

    def products(self) -> np.ndarray:
        """What the predictor is solved from, ``(past * c + 1, past * c + 1 + c)``."""
        return self.past.T @ np.concatenate([self.past, self.future], 1)


def _error(learned: _Examples, real: _Examples) -> Reading:
    """Mean absolute error of what the one teaches in the other, with the sampling of both."""
    whole = learned.products()
    errors = _errors(whole, len(learned.past), real)
    value = float(errors.mean())
    if learned.group is None or real.group is None:
        return Reading(value)
    tested = np.bincount(real.group, errors) / np.bincount(real.group)
    few = real.part(np.linspace(0, len(errors) - 1, min(len(errors), _TRIED)).astype(np.int64))
    taught = []
    for number in range(GROUPS):
        out = learned.part(learned.group == number)
        taught.append(_errors(whole - out.products(), len(learned.past) - len(out.past), few).mean())
    variance = tested.var(ddof=1) / GROUPS + (GROUPS - 1) * np.var(taught)
    half = WIDTH * float(np.sqrt(variance))
    return Reading(value, max(0.0, value - half), value + half)


def _errors(products: np.ndarray, count: int, real: _Examples) -> np.ndarray:
    """The mean absolute error in each step, ``(m,)``."""
    size = len(products)
    weights = np.linalg.solve(products[:, :size] + 1e-6 * count * np.eye(size), products[:, size:])
    return np.abs(real.past @ weights - real.future).mean(1)
