"""Super-resolution: pictures with two, three or four times as many pixels a side."""

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from sparring.degradations import Downscale
from sparring.errors import RequestError
from sparring.games import Game
from sparring.games.paired import Paired
from sparring.networks.residual import Residual
from sparring.tasks.picture import Degraded, Picture, Restoration, examples, needs_pictures
from sparring.terms import L1
from sparring.types import Batch, DataSpec


class SuperResolution(Restoration):
    """Large pictures from small ones, which are large ones reduced bicubically and rounded to 8 bits."""

    # Two, three, four, six and eight divide it.
    reading: ClassVar[dict[str, Any]] = {"multiple": 24}
    gamma: ClassVar[float] = 0.01
    game: Game = Field(
        default=Paired(network=Residual(width=64, blocks=8), terms=(L1(),), adversary=0.3, conditional=False),
        description="the game that is played",
    )
    scale: int = Field(default=4, ge=2, le=8, description="by how much height and width grow")

    def spec(self, data: DataSpec) -> DataSpec:
        needs_pictures(self, data)
        channels, height, width = data.shape
        small = height // self.scale, width // self.scale
        if min(small) < 2 or height % self.scale or width % self.scale:
            raise RequestError(
                f"super-resolution.scale = {self.scale}: crops of {height}x{width} cannot be reduced so; give --size a "
                f"multiple of {self.scale}"
            )
        return DataSpec(data.shape, given=(channels, *small))

    def batch(self, data: Batch) -> Batch:
        return examples(self, data)

    def channels(self, data: DataSpec) -> int:
        return data.shape[0]

    def degrade(self, clean: Picture, source: torch.Generator) -> Degraded:
        return Degraded(Downscale(factor=self.scale)(clean, source), clean)

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        return made
