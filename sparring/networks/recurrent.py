"""Recurrent networks for series: stacks of gated recurrent units (Cho et al. 2014) from step to step."""

from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from sparring.networks import Architecture
from sparring.networks.layers import Embedded, Projection
from sparring.networks.temporal_conv import sequence
from sparring.types import DataSpec, Samples, Score, precise


class Recurrent(Architecture):
    """A recurrent generator that hears the latent vector in every step, and a recurrent discriminator."""

    sequential: ClassVar[bool] = True
    width: int = Field(default=64, ge=1, le=4096, description="units of each layer")
    depth: int = Field(default=2, ge=1, le=16, description="layers on each side")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return RecurrentGenerator(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return RecurrentDiscriminator(self, spec)


class Steps(nn.Module):
    """Layers of gated recurrent units with a linear layer in every step behind them.

    Args:
        before: numbers of a step.
        width: units of a layer.
        after: numbers of a step behind it.
        depth: layers.
        squashed: whether a logistic function brings them between 0 and 1.
    """

    def __init__(self, before: int, width: int, after: int, *, depth: int, squashed: bool = False):
        super().__init__()
        self.units = nn.GRU(before, width, depth, batch_first=True)
        self.linear = nn.Linear(width, after)
        self.squashed = squashed

    def forward(self, steps: Float[Tensor, "n t c"]) -> Float[Tensor, "n t k"]:
        found = self.linear(self.units(steps)[0])
        return found.sigmoid() if self.squashed else found


class RecurrentGenerator(nn.Module):
    """The latent vector repeated in every step, and a line of time beside it, to a series."""

    def __init__(self, family: Recurrent, spec: DataSpec, latent: int):
        super().__init__()
        channels, self.steps = sequence(type(family), spec.shape)
        self.entry = Embedded(latent, spec.condition)
        self.body = Steps(self.entry.width + 1, family.width, channels, depth=family.depth)

    def forward(self, latent: Float[Tensor, "n d"], condition: Float[Tensor, "n k"] | None = None) -> Samples:
        told = self.entry(latent, condition)[:, None].expand(-1, self.steps, -1)
        time = torch.linspace(-1, 1, self.steps, device=latent.device, dtype=latent.dtype)
        line = time[None, :, None].expand(len(latent), -1, 1)
        return Samples(precise(self.body(torch.cat([told, line], 2))).transpose(1, 2))


class RecurrentDiscriminator(nn.Module):
    """A series read from its first to its last step; the verdict is on the last state and the mean of all."""

    def __init__(self, family: Recurrent, spec: DataSpec):
        super().__init__()
        channels, _ = sequence(type(family), spec.shape)
        self.units = nn.GRU(channels, family.width, family.depth, batch_first=True)
        self.verdict = Projection(2 * family.width, spec.condition)

    def forward(self, items: Float[Tensor, "n c t"], condition: Float[Tensor, "n k"] | None = None) -> list[Score]:
        states = self.units(items.transpose(1, 2))[0]
        features = torch.cat([states[:, -1], states.mean(1)], 1)
        return [Score(self.verdict(features, condition), (states, features))]
