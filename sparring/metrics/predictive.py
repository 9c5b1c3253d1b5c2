"""What a predictor learns from generated windows for held-back ones (Yoon et al. 2019, section 5.1)."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.discriminative import ranged
from sparring.metrics.dynamics import refusal


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
        "channel's range, mean over channels; predictive-score-real: of a predictor that learned training windows"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        learned, real, made = (self._examples(side) for side in ranged(train, train, test, fake))
        return {
            "predictive-score": Reading(_error(made, real)),
            "predictive-score-real": Reading(_error(learned, real), better=""),
        }

    def _examples(self, side: Float[np.ndarray, "n c t"]) -> tuple[np.ndarray, np.ndarray]:
        """Past steps with a one, ``(m, past * c + 1)``, and the steps behind them, ``(m, c)``, in shares of ranges."""
        values = side.astype(np.float64).transpose(0, 2, 1) / 2
        past = min(self.past, values.shape[1] - 1)
        places = range(past, values.shape[1])
        before = np.concatenate([values[:, place - past : place].reshape(len(values), -1) for place in places])
        return np.concatenate([before, np.ones((len(before), 1))], 1), np.concatenate([values[:, p] for p in places])


def _error(learned: tuple[np.ndarray, np.ndarray], real: tuple[np.ndarray, np.ndarray]) -> float:
    past, future = learned
    ridge = 1e-6 * len(past) * np.eye(past.shape[1])
    weights = np.linalg.solve(past.T @ past + ridge, past.T @ future)
    return float(np.abs(real[0] @ weights - real[1]).mean())
