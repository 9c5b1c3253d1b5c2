"""Super-resolution: pictures with two, three or four times as many pixels a side."""

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

    game: Game = Field(
        default=Paired(network=Residual(width=64, blocks=8), terms=(L1(),), adversary=0.002),
        description="the game that is played",
    )
    scale: int = Field(default=4, ge=2, le=8, description="by how much height and width grow")

    def spec(self, data: DataSpec) -> DataSpec:
        needs_pictures(self, data)
        channels, height, width = data.shape
        small = height // self.scale, width // self.scale
        if min(small) < 2:
            raise RequestError(
                f"super-resolution.scale = {self.scale}: pictures of {height}x{width} are too small to be reduced so; "
                "give larger ones, or a larger --size"
            )
        return DataSpec((channels, *(side * self.scale for side in small)), given=(channels, *small))

    def batch(self, data: Batch) -> Batch:
        return examples(self, data)

    def channels(self, data: DataSpec) -> int:
        return data.shape[0]

    def degrade(self, clean: Picture, source: torch.Generator) -> Degraded:
        # What a crop has beyond a multiple of the scale is left out.
        height, width = (side - side % self.scale for side in clean.shape[1:])
        clean = clean[:, :height, :width]
        return Degraded(Downscale(factor=self.scale)(clean, source), clean)

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        return made
