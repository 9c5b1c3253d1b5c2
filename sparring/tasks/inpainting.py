"""Inpainting: holes are filled in."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from sparring.degradations import Holes, Rectangles, Strokes
from sparring.games import Game
from sparring.games.paired import Paired
from sparring.networks.unet import Unet
from sparring.tasks.picture import Degraded, Picture, Restoration, examples, needs_pictures
from sparring.terms import L1
from sparring.types import Batch, DataSpec


class Inpainting(Restoration):
    """Whole pictures from pictures with holes; what was known is kept as it is."""

    masked: ClassVar[bool] = True
    game: Game = Field(default=Paired(network=Unet(width=16), terms=(L1(),)), description="the game that is played")
    holes: tuple[Holes, ...] = Field(
        default=(Rectangles(), Strokes()), min_length=1, description="kinds of holes, of which each picture draws one"
    )

    def spec(self, data: DataSpec) -> DataSpec:
        needs_pictures(self, data)
        return DataSpec(data.shape, given=(data.shape[0] + 1, *data.shape[1:]))

    def batch(self, data: Batch) -> Batch:
        return examples(self, data)

    def channels(self, data: DataSpec) -> int:
        return data.shape[0]

    def degrade(self, clean: Picture, source: torch.Generator) -> Degraded:
        kind = int(torch.randint(len(self.holes), (), generator=source))
        return Degraded(clean, clean, self.holes[kind](clean.shape[1], clean.shape[2], source))

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        known = given[:, -1:]
        return known * given[:, :-1] + (1 - known) * made
