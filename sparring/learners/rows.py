"""Classifiers of rows: those of the efficacy metric."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from sparring.learners import Learner
from sparring.lot import Lot
from sparring.metrics import Evidence
from sparring.metrics.efficacy import classifiers
from sparring.metrics.rows import Rows


class RowsLearner(Learner):
    """Logistic regression, decision tree, random forest and gradient boosting of scikit-learn; each is asked."""

    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 10
    said: ClassVar[str] = "logistic regression, decision tree, random forest and gradient boosting (mean of the four)"

    def fit(self, lot: Lot, seed: int, *, real: int | None = None) -> "LearnedRows":
        import warnings

        matrix = _matrix(lot, lot.items)
        models = classifiers(seed % 2**31)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a model has not converged
            for model in models:
                model.fit(matrix, lot.labels)
        return LearnedRows(lot, models)


@dataclass(frozen=True)
class LearnedRows:
    """The four classifiers, and the rows by which others are scaled."""

    lot: Lot
    models: list[Any]

    @property
    def classes(self) -> np.ndarray:
        """Names of the classes."""
        return np.unique(self.lot.labels)

    def probabilities(self, items: Any) -> Float[np.ndarray, "k n c"]:
        """Of each class, by each classifier."""
        matrix = _matrix(self.lot, items)
        return np.stack([model.predict_proba(matrix) for model in self.models])


def _matrix(lot: Lot, items: Any) -> Float[np.ndarray, "n d"]:
    """Rows as numbers, as the rows that were learned from say how; without the label."""
    sides = (Evidence(frame, np.zeros((len(frame), 0))) for frame in (lot.items, items, items))
    return Rows.of(*sides).matrix(without=lot.title)[1]
