"""Denoising: noise of known or unknown strength is taken away."""

from dataclasses import replace
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from sparring.degradations import Degradation, GaussianNoise, Stored, degrade
from sparring.games import Game
from sparring.games.paired import Paired
from sparring.networks.residual import Residual
from sparring.tasks.picture import Degraded, Picture, Restoration, examples, needs_pictures, with_strength
from sparring.terms import L2
from sparring.types import Batch, DataSpec


class Denoising(Restoration):
    """Clean pictures from noisy ones; Gaussian noise of standard deviation 5 to 50 of 255 where nothing is set.

    Noisy pictures are cut to their range, as those are that come in files: what learned from others would make their
    blacks too light. Protocols of unclipped noise set ``noise=gaussian-noise`` alone.

    Real pairs are learned from where the folder holds two folders ``noisy`` and ``clean``. A network that is told the
    strength (FFDNet, Zhang et al. 2018) is so by one more channel.
    """

    reading: ClassVar[dict[str, Any]] = {"pairs": True}
    gamma: ClassVar[float] = 0.01
    # A discriminator that is shown the noise sees little else for hundreds of steps.
    game: Game = Field(
        default=Paired(network=Residual(width=64, blocks=6, fold=2), terms=(L2(),), adversary=0.3, conditional=False),
        description="the game that is played",
    )
    noise: tuple[Degradation, ...] = Field(
        default=(GaussianNoise(low=5.0, high=50.0), Stored()),
        description="what makes a clean picture a noisy one, in order",
    )
    told: bool = Field(
        default=False, description="the network is told how strong the noise is, and 'apply' takes --strength"
    )

    def spec(self, data: DataSpec) -> DataSpec:
        needs_pictures(self, data)
        return DataSpec(data.shape, given=(data.shape[0] + self.told, *data.shape[1:]))

    def batch(self, data: Batch) -> Batch:
        made = examples(self, data)
        assert made.condition is not None, "an example has a noisy picture"
        if not self.told:
            return made
        # What was added has the strength that was drawn, within the chance of a crop; of real pairs none was drawn.
        strength = (made.condition - made.target).flatten(1).std(1)
        return replace(made, condition=with_strength(made.condition, strength))

    def channels(self, data: DataSpec) -> int:
        return data.shape[0]

    def degrade(self, clean: Picture, source: torch.Generator) -> Degraded:
        return Degraded(degrade(self.noise, clean, source), clean)

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        return made
