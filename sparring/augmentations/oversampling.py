"""Items once more."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from sparring.augmentations import Augmentation, Draw, Means, joined, unknown
from sparring.lot import Lot
from sparring.randomness import derive


class Oversampling(Augmentation):
    """Real items again, each of a class as often as any other: what every other way must beat."""

    rank: ClassVar[int | None] = 10

    def refusal(self, real: Lot, wanted: Mapping[str, int]) -> str | None:
        return unknown(real, wanted)

    def __call__(self, real: Lot, wanted: Mapping[str, int], means: Means, seed: int) -> Lot:
        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name)))
        parts = [real.rows(Draw.of(real, label, count, source).chosen) for label, count in wanted.items()]
        return joined(real, parts)
