"""Residual networks with spectral norm, SNGAN: Miyato et al. 2018, appendix B; Miyato and Koyama 2018."""

from itertools import pairwise
from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from sparring.networks import Architecture
from sparring.networks.layers import (
    Activation,
    Projection,
    activation,
    crop,
    halvings,
    he,
    picture,
    sizes,
    spectrally_normalised,
)
from sparring.types import DataSpec, Samples, Score, precise

GROWTH = 4
"""How many times wider than at the picture a block may get towards the start grid."""


class Resnet(Architecture):
    """Residual blocks; the condition moves the generator's maps by an affine map a channel.

    Without norm the last convolution of each of the generator's residual branches begins at zero (Zhang et al. 2019),
    so that no sample depends on its batch.
    """

    width: int = Field(
        default=64, ge=1, le=4096, description="channels next to the picture; they grow fourfold at most"
    )
    norm: Literal["none", "batch"] = Field(default="none", description="the generator's norm; batch as published")
    activation: Activation = Field(default="relu", description="before each convolution")
    spectral: bool = Field(default=True, description="spectral norm in the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return ResidualGenerator(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return spectrally_normalised(ResidualDiscriminator(self, spec), self.spectral)


class Affine(nn.Module):
    """Batch norm where wished, then a scale and a shift a channel that depend on the condition where there is one."""

    def __init__(self, channels: int, condition: int, batch: bool):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=not condition) if batch else nn.Identity()
        self.move = nn.Linear(condition, 2 * channels, bias=False) if condition else None
        if self.move is not None:
            nn.init.normal_(self.move.weight, std=0.1)

    def forward(self, maps: Tensor, condition: Tensor | None) -> Tensor:
        maps = self.norm(maps)
        if self.move is None:
            return maps
        scale, shift = self.move(condition)[:, :, None, None].chunk(2, 1)
        return maps * (1 + scale) + shift


class Rise(nn.Module):
    """A block of the generator, which doubles the grid by repetition and crops it."""

    def __init__(self, before: int, after: int, family: Resnet, condition: int):
        super().__init__()
        batch = family.norm == "batch"
        self.activation = activation(family.activation)
        self.affine = nn.ModuleList([Affine(before, condition, batch), Affine(after, condition, batch)])
        self.first = he(nn.Conv2d(before, after, 3, padding=1), family.activation)
        self.second = he(nn.Conv2d(after, after, 3, padding=1), family.activation)
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()
        if not batch:
            nn.init.zeros_(self.second.weight)

    def forward(self, maps: Tensor, condition: Tensor | None, size: tuple[int, int]) -> Tensor:
        branch = self.activation(self.affine[0](maps, condition))
        branch = self.first(crop(interpolate(branch, scale_factor=2), size))
        branch = self.second(self.activation(self.affine[1](branch, condition)))
        return crop(interpolate(self.skip(maps), scale_factor=2), size) + branch


class ResidualGenerator(nn.Module):
    """A linear start grid of at most 4x4, rising blocks, and a convolution with tanh."""

    def __init__(self, family: Resnet, spec: DataSpec, latent: int):
        super().__init__()
        channels, height, width = picture(type(family), spec.shape)
        count = halvings(height, width, 4)
        self.grids = sizes(height, width, count)
        widths = [family.width * min(2**i, GROWTH) for i in range(count, -1, -1)]
        self.start = (widths[0], *self.grids[0])
        self.lift = nn.Linear(latent, widths[0] * self.grids[0][0] * self.grids[0][1])
        self.blocks = nn.ModuleList(Rise(before, after, family, spec.condition) for before, after in pairwise(widths))
        self.affine = Affine(widths[-1], spec.condition, family.norm == "batch")
        self.activation = activation(family.activation)
        self.output = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Samples:
        maps = self.lift(latent).unflatten(1, self.start)
        for block, size in zip(self.blocks, self.grids[1:], strict=True):
            maps = block(maps, condition, size)
        return Samples(self.output(self.activation(self.affine(maps, condition))).tanh())


class Fall(nn.Module):
    """A block of the discriminator, which may halve the grid by averaging, rounding up."""

    def __init__(self, before: int, after: int, name: Activation, *, halve: bool, first: bool = False):
        super().__init__()
        self.halve = halve
        self.prepare = nn.Identity() if first else activation(name)  # the picture itself is not activated
        self.branch = he(
            nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1), activation(name), nn.Conv2d(after, after, 3, padding=1)
            ),
            name,
        )
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        branch = self.branch(self.prepare(maps))
        if not self.halve:
            return self.skip(maps) + branch
        return self.skip(avg_pool2d(maps, 2, ceil_mode=True)) + avg_pool2d(branch, 2, ceil_mode=True)


class ResidualDiscriminator(nn.Module):
    """Falling blocks down to a grid of at most 8x8, two more on that, and a verdict on the sum over locations."""

    def __init__(self, family: Resnet, spec: DataSpec):
        super().__init__()
        channels, height, width = picture(type(family), spec.shape)
        count = max(1, halvings(height, width, 8))
        widths = [family.width * min(2**i, GROWTH) for i in range(count)]
        widths = [channels, *widths, widths[-1], widths[-1]]
        self.blocks = nn.ModuleList(
            Fall(before, after, family.activation, halve=i < count, first=i == 0)
            for i, (before, after) in enumerate(pairwise(widths))
        )
        self.activation = activation(family.activation)
        self.verdict = Projection(widths[-1], spec.condition)

    def forward(self, items: Tensor, condition: Tensor | None = None) -> list[Score]:
        features = []
        for block in self.blocks:
            items = block(items)
            features.append(items)
        pooled = precise(self.activation(items)).sum((2, 3))
        return [Score(self.verdict(pooled, condition), tuple(features))]
