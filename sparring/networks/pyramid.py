"""Pyramid: plain convolutions that never work at the picture's full resolution, the default for pictures on CPUs.

The finest maps have half the picture's resolution: the generator ends in a transposed convolution, the discriminator
begins with a strided one. On CPUs the full-resolution layers would take most of the time. The discriminator compares
the items of a batch (minibatch standard deviation, Karras et al. 2018).
"""

from itertools import pairwise
from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from sparring.errors import RequestError
from sparring.networks import Architecture
from sparring.networks.layers import (
    SLOPE,
    Embedded,
    MinibatchDeviation,
    Projection,
    crop,
    picture,
    sizes,
)
from sparring.types import DataSpec, Samples, Score, precise


class Pyramid(Architecture):
    """Widths double with each halving, up to four times the finest; weights as PyTorch draws them."""

    generator_width: int = Field(default=64, ge=1, le=4096, description="channels of the generator's finest maps")
    discriminator_width: int = Field(
        default=32, ge=1, le=4096, description="channels of the discriminator's finest maps"
    )
    mapping: int = Field(default=0, ge=0, le=65536, description="units of a dense layer before the start grid; 0: none")
    norm: Literal["batch", "none"] = Field(default="batch", description="in the generator")
    depth: int = Field(default=0, ge=0, le=16, description="more 3x3 convolutions on each of the discriminator's grids")
    deviation: bool = Field(
        default=True, description="whether the discriminator is shown the standard deviation over the batch"
    )

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return PyramidGenerator(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return PyramidDiscriminator(self, spec)


def stages(height: int, width: int) -> int:
    """Halvings from the picture to the start grid: at least one, then until the shorter side is at most 8."""
    count = 1
    while -(-min(height, width) // 2**count) > 8:
        count += 1
    return count


class PyramidGenerator(nn.Module):
    """A dense start grid with a 3x3 convolution on it, transposed 4x4 convolutions, tanh."""

    def __init__(self, family: Pyramid, spec: DataSpec, latent: int):
        super().__init__()
        channels, height, width = picture(type(family), spec.shape)
        count = stages(height, width)
        self.grids = sizes(height, width, count)
        widths = [family.generator_width * min(2**i, 4) for i in range(count - 1, -1, -1)]
        self.entry = Embedded(latent, spec.condition)
        self.start = (widths[0], *self.grids[0])
        units = family.mapping or self.entry.width
        norm = nn.BatchNorm1d(units) if family.norm == "batch" else nn.Identity()
        dense = [nn.Linear(self.entry.width, units), norm, nn.ReLU()] if family.mapping else []
        self.mapping = nn.Sequential(*dense)
        self.lift = nn.Linear(units, widths[0] * self.start[1] * self.start[2])
        self.first = nn.Sequential(
            _normalised(family, widths[0]),
            nn.Conv2d(widths[0], widths[0], 3, padding=1),
            _normalised(family, widths[0]),
        )
        self.doublings = nn.ModuleList(nn.ConvTranspose2d(b, a, 4, 2, 1) for b, a in pairwise([*widths, channels]))
        self.norms = nn.ModuleList(_normalised(family, width) for width in widths[1:])

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Samples:
        maps = self.first(self.lift(self.mapping(self.entry(latent, condition))).unflatten(1, self.start))
        for double, norm, size in zip(self.doublings, self.norms, self.grids[1:], strict=False):
            maps = norm(crop(double(maps), size))
        return Samples(precise(crop(self.doublings[-1](maps), self.grids[-1])).tanh())


def _normalised(family: Pyramid, width: int) -> nn.Sequential:
    norm = nn.BatchNorm2d(width) if family.norm == "batch" else nn.Identity()
    return nn.Sequential(norm, nn.ReLU())


class PyramidDiscriminator(nn.Module):
    """Convolutions of stride 2 without norm, a 3x3 one that sees the batch's deviation too, and a dense verdict."""

    def __init__(self, family: Pyramid, spec: DataSpec):
        super().__init__()
        channels, height, width = picture(type(family), spec.shape)
        if min(height, width) < 2:
            raise RequestError(f"pyramid: pictures of {height}x{width} are too thin; give --size, or --recipe dense")
        count = stages(height, width) + 1
        widths = [channels] + [family.discriminator_width * min(2**i, 4) for i in range(count)]
        self.layers = nn.ModuleList()
        for number, (before, after) in enumerate(pairwise(widths)):
            kernel = _kernel(number, count)
            self.layers.append(nn.Conv2d(before, after, kernel, 2, 1))
            if number < count - 1:
                self.layers.extend(nn.Conv2d(after, after, 3, padding=1) for _ in range(family.depth))
        self.deviation = MinibatchDeviation() if family.deviation else nn.Identity()
        self.last = nn.Conv2d(widths[-1] + family.deviation, widths[-1], 3, padding=1)
        rows, columns = _strided(height, width, count)
        self.verdict = Projection(widths[-1] * rows * columns, spec.condition)

    def forward(self, items: Tensor, condition: Tensor | None = None) -> list[Score]:
        features = []
        for layer in self.layers:
            items = leaky_relu(layer(items), SLOPE)
            features.append(items)
        features.append(leaky_relu(self.last(self.deviation(items)), SLOPE))
        return [Score(self.verdict(features[-1].flatten(1), condition), tuple(features))]


def _kernel(number: int, count: int) -> int:
    """Side of a strided convolution's kernel: the last one works on grids as small as 2x2."""
    return 4 if number < count - 1 else 3


def _strided(height: int, width: int, count: int) -> tuple[int, int]:
    """The grid that is left after the discriminator's strided convolutions."""
    for number in range(count):
        height, width = ((side + 2 - _kernel(number, count)) // 2 + 1 for side in (height, width))
    return height, width
