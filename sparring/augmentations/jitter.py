"""Rows with a little noise."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring.augmentations import Augmentation, Draw, Means, as_column, joined, replaced, unknown
from sparring.lot import Lot
from sparring.metrics.rows import Rows
from sparring.modalities.frames import numbers
from sparring.randomness import derive


class Jitter(Augmentation):
    """Rows whose numbers are moved a little and some of whose words are another row's of the class."""

    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 30
    noise: float = Field(default=0.1, ge=0, le=10, description="of numbers, in standard deviations of their column")
    swap: float = Field(default=0.05, ge=0, le=1, description="chance of a word to be that of another row of the class")

    def refusal(self, real: Lot, wanted: Mapping[str, int]) -> str | None:
        return unknown(real, wanted)

    def __call__(self, real: Lot, wanted: Mapping[str, int], means: Means, seed: int) -> Lot:
        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name)))
        sides = Rows(real.items, real.items, real.items)
        parts = []
        for label, count in wanted.items():
            draw = Draw.of(real, label, count, source)
            found = real.items.iloc[draw.chosen].reset_index(drop=True)
            for name in real.items.columns:
                column = real.items[name]
                if name == real.title:
                    continue
                if name in sides.numeric:
                    values = numbers(column)
                    moved = values[draw.chosen] + source.standard_normal(count) * self.noise * np.nanstd(values)
                    found[name] = as_column(moved, column)
                else:
                    swapped = np.where(
                        source.random(count) < self.swap, source.choice(draw.members, count), draw.chosen
                    )
                    found[name] = column.iloc[swapped].reset_index(drop=True)
            parts.append(replaced(real, draw.chosen, found))
        return joined(real, parts)
