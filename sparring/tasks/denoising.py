"""Denoising: noise of known or unknown strength is taken away."""

import torch
from pydantic import Field
from torch import Tensor

from sparring.degradations import Degradation, GaussianNoise, degrade
from sparring.games import Game
from sparring.games.paired import Paired
from sparring.networks.plain import Plain
from sparring.tasks.picture import Degraded, Picture, Restoration, needs_pictures
from sparring.terms import L1
from sparring.types import DataSpec


class Denoising(Restoration):
    """Clean pictures from noisy ones; Gaussian noise of standard deviation 5 to 50 of 255 where nothing is set."""

    game: Game = Field(
        default=Paired(network=Plain(), terms=(L1(),), adversary=0.002), description="the game that is played"
    )
    noise: tuple[Degradation, ...] = Field(
        default=(GaussianNoise(low=5.0, high=50.0),), description="what makes a clean picture a noisy one, in order"
    )

    def spec(self, data: DataSpec) -> DataSpec:
        needs_pictures(self, data)
        return DataSpec(data.shape, given=data.shape)

    def channels(self, data: DataSpec) -> int:
        return data.shape[0]

    def degrade(self, clean: Picture, source: torch.Generator) -> Degraded:
        return Degraded(degrade(self.noise, clean, source), clean)

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        return made
