"""Every number of an item by itself: what is left where nothing is learned of how they hang together."""

from typing import ClassVar

import numpy as np

from sparring.baselines import Baseline
from sparring.baselines.columns import by_class, in_form
from sparring.metrics import Specimens
from sparring.randomness import derive


class IndependentNumbers(Baseline):
    """Each pixel or coordinate from a Gaussian with its own mean and spread among training items of the class."""

    modalities: ClassVar[tuple[str, ...]] = ("image", "points")
    rank: ClassVar[int | None] = 10

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        return None if len(train) >= 2 else f"{len(train)} training items have no spread"

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name)))
        made = np.empty((len(judged), *train.items.shape[1:]), train.items.dtype)
        for rows, known in by_class(judged, train, 2):
            learned = train.items[known].reshape(len(known), -1).astype(np.float64)
            drawn = learned.mean(0) + source.standard_normal((len(rows), learned.shape[1])) * learned.std(0)
            made[rows] = in_form(drawn, train.items)
        return Specimens(made, judged.columns)
