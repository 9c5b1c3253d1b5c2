"""Items that a trained model makes."""

from collections.abc import Mapping
from math import ceil

import numpy as np
from pydantic import Field

from sparring.augmentations import Augmentation, Means, joined
from sparring.errors import RequestError
from sparring.lot import Lot
from sparring.randomness import derive


class Generated(Augmentation):
    """Items of the trained model, class by class; of more than are wanted, those that look best may be kept.

    Where a share is below 1, so many more are made, and the best are kept: first by the discriminator's verdict, then
    by how sure a classifier of the real items is of the class that was asked for.
    """

    by_discriminator: float = Field(default=1.0, gt=0, le=1, description="share that is kept by the discriminator")
    by_classifier: float = Field(default=1.0, gt=0, le=1, description="share that is kept by a classifier's confidence")

    def refusal(self, real: Lot, wanted: Mapping[str, int]) -> str | None:
        return None

    def __call__(self, real: Lot, wanted: Mapping[str, int], means: Means, seed: int) -> Lot:
        maker = means.maker
        if maker is None:
            raise RequestError(f"'{self.name}' makes items by a trained model, and there is none; give a run")
        judge = means.learner.fit(real, derive(seed, "judge")) if self.by_classifier < 1 else None
        parts = []
        for label, count in wanted.items():
            second = ceil(count / self.by_classifier)
            made = maker.make(real, label, ceil(second / self.by_discriminator), derive(seed, self.name, label))
            if self.by_discriminator < 1:
                made = made.rows(_best(maker.score(made), second))
            if judge is not None:
                sure = judge.probabilities(made.items).mean(0)[:, list(judge.classes).index(label)]
                made = made.rows(_best(sure, count))
            parts.append(made)
        return joined(real, parts)

    def said(self) -> str:
        """The filter in words."""
        kept = {"the discriminator": self.by_discriminator, "a classifier's confidence": self.by_classifier}
        told = [f"the best {share:.0%} by {judge}" for judge, share in kept.items() if share < 1]
        return ", then ".join(told) or "all"


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """The rows of the highest scores, ascending."""
    return np.sort(np.argsort(-scores, kind="stable")[:count])
