"""Pictures moved a little, as classifiers are usually taught."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from sparring.augmentations import Augmentation, Draw, Means, joined, replaced, unknown
from sparring.lot import Lot
from sparring.pictures import translate, warp
from sparring.randomness import derive


class Distortion(Augmentation):
    """Shifts, turns, sizes and noise; pictures in colour are mirrored too, grey ones (letters, digits) not."""

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 30
    shift: float = Field(default=0.08, ge=0, lt=1, description="largest shift, as a share of height and width")
    turn: float = Field(default=10.0, ge=0, le=180, description="largest turn, in degrees")
    scale: float = Field(default=0.1, ge=0, lt=1, description="largest change of size, as a share")
    noise: float = Field(default=0.02, ge=0, le=1, description="standard deviation of noise, as a share of the range")

    def refusal(self, real: Lot, wanted: Mapping[str, int]) -> str | None:
        return unknown(real, wanted)

    def __call__(self, real: Lot, wanted: Mapping[str, int], means: Means, seed: int) -> Lot:
        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name)))
        parts = []
        for label, count in wanted.items():
            draw = Draw.of(real, label, count, source)
            blocks = [self._moved(real.items[rows], source) for rows in np.array_split(draw.chosen, -(-count // 512))]
            parts.append(replaced(real, draw.chosen, np.concatenate(blocks)))
        return joined(real, parts)

    def _moved(self, pictures: np.ndarray, source: np.random.Generator) -> np.ndarray:
        count, most = len(pictures), np.iinfo(pictures.dtype).max
        seen = torch.from_numpy(pictures.astype(np.float32) / np.float32(most)).permute(0, 3, 1, 2)
        if pictures.shape[3] >= 3:
            mirrored = torch.from_numpy(source.random(count) < 0.5)
            seen = torch.where(mirrored[:, None, None, None], seen.flip(3), seen)
        # The corner says what comes in from outside: backgrounds are seldom grey.
        edge = float(np.median(seen[:, :, 0, 0].numpy())) if count else 0.0
        seen = translate(seen, torch.from_numpy(source.random((count, 2), np.float32)), self.shift, edge)
        seen = warp(seen, self._turns(count, source), torch.zeros(count, 2))
        seen = seen + self.noise * torch.from_numpy(source.standard_normal(tuple(seen.shape), np.float32))
        return np.rint(seen.clamp(0, 1).permute(0, 2, 3, 1).numpy() * most).astype(pictures.dtype)

    def _turns(self, count: int, source: np.random.Generator) -> Float[Tensor, "n 2 2"]:
        """Turns and sizes as matrices."""
        angle = np.radians(source.uniform(-self.turn, self.turn, count))
        size = 1 / source.uniform(1 - self.scale, 1 + self.scale, count)
        sine, cosine = np.sin(angle) * size, np.cos(angle) * size
        matrices = np.stack([np.stack([cosine, -sine], 1), np.stack([sine, cosine], 1)], 1)
        return torch.from_numpy(matrices.astype(np.float32))
