"""Refining: of several candidates for each row, one that a classifier finds likely to be real.

Sampling-importance-resampling by a classifier's odds, Grover et al. 2019 (section 3): with a classifier that tells
training rows from generated ones as well as can be, the rows that are taken are distributed as the data. Discriminator
rejection sampling (Azadi et al. 2019) makes the same use of the game's own discriminator, whose scores are no odds
where the loss is Wasserstein's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int

from sparring.errors import RequestError
from sparring.metrics import Evidence
from sparring.metrics.rows import Rows
from sparring.modalities.frames import Frame, pandas
from sparring.privacy import Privacy
from sparring.randomness import by_position, derive

REFINER_SEED = derive(0, "refiner")
"""Of the generated rows from which the classifier learns, unlike any that a user would think of."""

MOST = 64
"""Candidates of a row at most; the gain is small beyond a few."""


@dataclass(frozen=True)
class Refiner:
    """A classifier that tells a model's rows from real ones.

    Attributes:
        real: the rows by which others are scaled.
        judge: what was learned from them and as many generated ones.
    """

    real: Frame
    judge: Any

    @classmethod
    def of(cls, real: Frame, made: Frame) -> Self:
        """Learned from rows by histogram gradient boosting of scikit-learn at its defaults.

        Args:
            real: rows that the model learned from, by which others are scaled too.
            made: about as many generated ones, with the same columns.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier

        _, first, second = Rows.of(_side(real), _side(real), _side(made)).matrix()
        judge = HistGradientBoostingClassifier(random_state=0)
        return cls(real, judge.fit(np.concatenate([first, second]), np.repeat([1, 0], [len(first), len(second)])))

    def log_odds(self, rows: Frame) -> Float[np.ndarray, " n"]:
        """Natural logarithm of each row's odds to be real."""
        return self.judge.decision_function(Rows.of(_side(self.real), _side(rows), _side(rows)).matrix()[2])

    def chosen(self, candidates: Sequence[Frame], seed: int, numbers: range) -> Frame:
        """For each row one of its candidates, with chances in proportion to their odds.

        Args:
            candidates: frames of as many rows each; row *i* of each is a candidate for row *i*.
            seed: of the draws.
            numbers: of the rows in the sample.
        """
        odds = np.stack([self.log_odds(rows) for rows in candidates])
        taken = drawn(odds, by_position(derive(seed, "refined"), numbers, len(candidates)).T)
        together = pandas().concat(candidates, ignore_index=True)
        return together.iloc[taken * len(numbers) + np.arange(len(numbers))].reset_index(drop=True)


def drawn(log_odds: Float[np.ndarray, "k n"], uniform: Float[np.ndarray, "k n"]) -> Int[np.ndarray, " n"]:
    """Which of ``k`` is drawn in each column, with chances in proportion to the odds, by draws from [0, 1)."""
    gumbel = -np.log(-np.log(np.clip(uniform, 1e-300, 1 - 1e-16)))
    return (log_odds + gumbel).argmax(0)


def refuse_unrefined(refine: int, *, rows: bool, privacy: Privacy | None) -> None:
    """Refuses what cannot be refined.

    Args:
        refine: candidates of a row.
        rows: whether the model makes rows of a table.
        privacy: what it promises of single rows, if anything.

    Raises:
        RequestError: the number is out of range, or the model's items are not refined.
    """
    if not 1 <= refine <= MOST:
        raise RequestError(f"refine = {refine}: must be 1 to {MOST} candidates a row")
    if refine > 1 and not rows:
        raise RequestError(f"refine = {refine}: only rows of tables are refined; leave it out")
    if refine > 1 and privacy is not None:
        raise RequestError(f"refine = {refine}: it would read the private rows beyond their account; leave it out")


def _side(frame: Frame) -> Evidence:
    return Evidence(frame, np.zeros((len(frame), 0)))
