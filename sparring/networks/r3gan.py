"""R3GAN, Huang et al. 2024: plain grouped residual blocks without norm, the discriminator mirrors the generator."""

from itertools import pairwise
from math import sqrt

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

from sparring.networks import Architecture
from sparring.networks.layers import (
    Activation,
    Embedded,
    Projection,
    activation,
    crop,
    gain,
    halvings,
    picture,
    sizes,
)
from sparring.types import DataSpec, Samples, Score

GROWTH = 4
"""How many times wider than at the picture a stage may get towards the start grid."""


class R3gan(Architecture):
    """Bottleneck blocks with grouped convolutions and fix-up weights; tanh keeps pictures in [-1, 1]."""

    width: int = Field(
        default=32, ge=1, le=4096, description="channels next to the picture; they grow fourfold at most"
    )
    blocks: int = Field(default=2, ge=1, le=32, description="residual blocks of each size")
    groups: int = Field(
        default=4, ge=1, le=4096, description="groups of the 3x3 convolutions; divides width x expansion"
    )
    expansion: int = Field(default=2, ge=1, le=16, description="how many times wider than a block its inside is")
    activation: Activation = Field(default="leaky-relu", description="inside the blocks")

    @model_validator(mode="after")
    def _groups_divide(self) -> "R3gan":
        if self.width * self.expansion % self.groups:
            inside = self.width * self.expansion
            raise ValueError(f"groups = {self.groups} does not divide width x expansion = {inside}; choose a divisor")
        return self

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return RisingNetwork(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return FallingNetwork(self, spec)


class Biased(nn.Module):
    """A bias a channel, then the activation."""

    def __init__(self, channels: int, name: Activation):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.activation = activation(name)

    def forward(self, maps: Tensor) -> Tensor:
        return self.activation(maps + self.bias.to(maps.dtype).view(1, -1, 1, 1))


class Block(nn.Module):
    """x + 1x1(act(grouped 3x3(act(1x1(x))))), the last convolution zero at first.

    Args:
        channels: in and out.
        family: its fields.
        depth: how many blocks the whole network has, for fix-up (Zhang et al. 2019).
    """

    def __init__(self, channels: int, family: R3gan, depth: int):
        super().__init__()
        inside = channels * family.expansion
        scale = gain(family.activation) * depth**-0.25
        self.branch = nn.Sequential(
            _scaled(nn.Conv2d(channels, inside, 1, bias=False), scale),
            Biased(inside, family.activation),
            _scaled(nn.Conv2d(inside, inside, 3, padding=1, groups=family.groups, bias=False), scale),
            Biased(inside, family.activation),
            _scaled(nn.Conv2d(inside, channels, 1, bias=False), 0.0),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.branch(maps)


class Smooth(nn.Module):
    """A fixed binomial kernel at each channel.

    Args:
        taps: of one axis, before they are scaled to sum to one.
        stride: 2 halves the size.
    """

    kernel: Tensor

    def __init__(self, taps: tuple[float, ...], stride: int):
        super().__init__()
        self.stride = stride
        line = torch.tensor(taps) / sum(taps)
        self.register_buffer("kernel", line[:, None] * line, persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        kernel = self.kernel.to(maps.dtype).expand(maps.shape[1], 1, -1, -1)
        return conv2d(maps, kernel, stride=self.stride, padding=1, groups=maps.shape[1])


class Double(nn.Module):
    """Twice the size by the kernel [1, 3, 3, 1]: repetition, then [1, 2, 1].

    On CPUs this is faster, backward included, than bilinear interpolation and than a transposed convolution.
    """

    def __init__(self) -> None:
        super().__init__()
        self.smooth = Smooth((1.0, 2.0, 1.0), stride=1)

    def forward(self, maps: Tensor) -> Tensor:
        return self.smooth(interpolate(maps, scale_factor=2))


class Halve(nn.Module):
    """Half the size, rounded up, by the kernel [1, 3, 3, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.smooth = Smooth((1.0, 3.0, 3.0, 1.0), stride=2)

    def forward(self, maps: Tensor) -> Tensor:
        height, width = maps.shape[2:]
        if height % 2 or width % 2:
            maps = pad(maps, (0, width % 2, 0, height % 2), mode="replicate")
        return self.smooth(maps)


class RisingNetwork(nn.Module):
    """The generator: a learned basis on the start grid times a linear map of the latent, stages, 1x1 convolution."""

    def __init__(self, family: R3gan, spec: DataSpec, latent: int):
        super().__init__()
        channels, self.grids, widths = _plan(family, spec)
        self.entry = Embedded(latent, spec.condition)
        self.enlarge = Double()
        self.basis = nn.Parameter(torch.randn(widths[0], *self.grids[0]))
        self.lift = nn.Linear(self.entry.width, widths[0], bias=False)
        nn.init.normal_(self.lift.weight, std=1 / sqrt(self.entry.width))
        depth = family.blocks * len(widths)
        self.changes = nn.ModuleList(_change(a, b) for a, b in pairwise(widths))
        self.stages = nn.ModuleList(_stage(family, width, depth) for width in widths)
        self.output = _scaled(nn.Conv2d(widths[-1], channels, 1, bias=False), 1.0)

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Samples:
        maps = self.basis * self.lift(self.entry(latent, condition))[:, :, None, None]
        maps = self.stages[0](maps)
        for change, stage, size in zip(self.changes, self.stages[1:], self.grids[1:], strict=True):
            maps = stage(crop(self.enlarge(change(maps)), size))
        return Samples(self.output(maps).tanh())


class FallingNetwork(nn.Module):
    """The discriminator: 1x1 convolution, stages, a depthwise convolution over the last grid, and a verdict."""

    def __init__(self, family: R3gan, spec: DataSpec):
        super().__init__()
        channels, grids, widths = _plan(family, spec)
        widths = widths[::-1]
        depth = family.blocks * len(widths)
        self.input = _scaled(nn.Conv2d(channels, widths[0], 1, bias=False), 1.0)
        self.stages = nn.ModuleList(_stage(family, width, depth) for width in widths)
        self.changes = nn.ModuleList(_change(a, b) for a, b in pairwise(widths))
        self.shrink = Halve()
        self.basis = _scaled(nn.Conv2d(widths[-1], widths[-1], grids[0], groups=widths[-1], bias=False), 1.0)
        self.verdict = Projection(widths[-1], spec.condition)

    def forward(self, items: Tensor, condition: Tensor | None = None) -> list[Score]:
        maps = self.stages[0](self.input(items))
        features = [maps]
        for change, stage in zip(self.changes, self.stages[1:], strict=True):
            maps = stage(change(self.shrink(maps)))
            features.append(maps)
        return [Score(self.verdict(self.basis(maps).flatten(1), condition), tuple(features))]


def _plan(family: R3gan, spec: DataSpec) -> tuple[int, list[tuple[int, int]], list[int]]:
    """Channels of the picture, and grids and widths from the start grid to the picture."""
    channels, height, width = picture(type(family), spec.shape)
    count = halvings(height, width, 4)
    widths = [family.width * min(2**i, GROWTH) for i in range(count, -1, -1)]
    return channels, sizes(height, width, count), widths


def _stage(family: R3gan, width: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*[Block(width, family, depth) for _ in range(family.blocks)])


def _change(before: int, after: int) -> nn.Module:
    """A 1x1 convolution where the width changes."""
    return _scaled(nn.Conv2d(before, after, 1, bias=False), 1.0) if before != after else nn.Identity()


def _scaled(layer: nn.Conv2d, scale: float) -> nn.Conv2d:
    """The layer with normal weights that keep the mean square times ``scale`` squared."""
    nn.init.normal_(layer.weight, std=scale / sqrt(layer.weight[0].numel()))
    return layer
