"""Enhancement: blur, noise, compression or too little light are undone together."""

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from sparring.degradations import Blur, Degradation, GaussianNoise, Jpeg, degrade
from sparring.games import Game
from sparring.games.paired import Paired
from sparring.networks.residual import Residual
from sparring.tasks.picture import Degraded, Picture, Restoration, examples, needs_pictures
from sparring.terms import L1
from sparring.types import Batch, DataSpec


class Enhancement(Restoration):
    """Good pictures from poor ones of the same size; blur, a little noise and JPEG where nothing is set."""

    reading: ClassVar[dict[str, Any]] = {"pairs": True}
    gamma: ClassVar[float] = 0.01
    game: Game = Field(
        default=Paired(network=Residual(width=64, blocks=6, fold=2), terms=(L1(),), adversary=0.3, conditional=False),
        description="the game that is played",
    )
    steps: tuple[Degradation, ...] = Field(
        default=(Blur(low=0.2, high=1.5), GaussianNoise(low=0.0, high=8.0), Jpeg()),
        description="what makes a good picture a poor one, in order",
    )

    def spec(self, data: DataSpec) -> DataSpec:
        needs_pictures(self, data)
        return DataSpec(data.shape, given=data.shape)

    def batch(self, data: Batch) -> Batch:
        return examples(self, data)

    def channels(self, data: DataSpec) -> int:
        return data.shape[0]

    def degrade(self, clean: Picture, source: torch.Generator) -> Degraded:
        return Degraded(degrade(self.steps, clean, source), clean)

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        return made
