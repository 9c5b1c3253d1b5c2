"""Pyramid: plain convolutions that never work at the picture's full resolution, the default for pictures on CPUs.

The finest maps have half the picture's resolution: the generator ends in a sub-pixel convolution (Shi et al. 2016), the
discriminator begins with a strided one. On CPUs the full-resolution layers would take most of the time.
"""

from itertools import pairwise
from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle

from sparring.networks import Architecture
from sparring.networks.layers import SLOPE, Embedded, Projection, crop, he, picture, sizes
from sparring.types import DataSpec, Samples, Score, precise


class Pyramid(Architecture):
    """Widths double with each halving, up to four times the finest."""

    generator_width: int = Field(default=48, ge=1, le=4096, description="channels of the generator's finest maps")
    discriminator_width: int = Field(
        default=32, ge=1, le=4096, description="channels of the discriminator's finest maps"
    )
    norm: Literal["batch", "none"] = Field(default="batch", description="in the generator")
    depth: int = Field(default=0, ge=0, le=16, description="more 3x3 convolutions on each of the discriminator's grids")

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
    """A dense start grid, doublings by 1x1 convolutions into sub-pixels, a 3x3 convolution on each grid, tanh."""

    def __init__(self, family: Pyramid, spec: DataSpec, latent: int):
        super().__init__()
        channels, height, width = picture(type(family), spec.shape)
        count = stages(height, width)
        self.grids = sizes(height, width, count)
        widths = [family.generator_width * min(2**i, 4) for i in range(count - 1, -1, -1)]
        self.entry = Embedded(latent, spec.condition)
        self.start = (widths[0], *self.grids[0])
        self.lift = nn.Linear(self.entry.width, widths[0] * self.start[1] * self.start[2])
        self.first = _normalised(family, widths[0])
        self.body = nn.ModuleList([_block(family, widths[0])])
        self.doublings = nn.ModuleList()
        for before, after in pairwise(widths):
            self.doublings.append(nn.Conv2d(before, 4 * after, 1))
            self.body.append(nn.Sequential(_normalised(family, after), *_block(family, after)))
        self.output = nn.Conv2d(widths[-1], 4 * channels, 3, padding=1)
        he(self, "relu")
        self.output.weight.data.mul_(0.5)

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Samples:
        maps = self.body[0](self.first(self.lift(self.entry(latent, condition)).unflatten(1, self.start)))
        for double, block, size in zip(self.doublings, self.body[1:], self.grids[1:], strict=False):
            maps = block(crop(pixel_shuffle(double(maps), 2), size))
        return Samples(precise(crop(pixel_shuffle(self.output(maps), 2), self.grids[-1])).tanh())


def _normalised(family: Pyramid, width: int) -> nn.Sequential:
    norm = nn.BatchNorm2d(width) if family.norm == "batch" else nn.Identity()
    return nn.Sequential(norm, nn.ReLU())


def _block(family: Pyramid, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1), *_normalised(family, width))


class PyramidDiscriminator(nn.Module):
    """Convolutions of stride 2 without norm, and a verdict on the flattened last maps."""

    def __init__(self, family: Pyramid, spec: DataSpec):
        super().__init__()
        channels, height, width = picture(type(family), spec.shape)
        count = stages(height, width) + 1
        widths = [channels] + [family.discriminator_width * min(2**i, 4) for i in range(count)]
        self.layers = nn.ModuleList()
        for number, (before, after) in enumerate(pairwise(widths)):
            kernel = 6 if number == 0 else 4 if number < count - 1 else 3
            self.layers.append(nn.Conv2d(before, after, kernel, 2, (kernel - 1) // 2))
            if number < count - 1:
                self.layers.extend(nn.Conv2d(after, after, 3, padding=1) for _ in range(family.depth))
        rows, columns = _strided(height, width, count)
        he(self, "leaky-relu")
        self.verdict = Projection(widths[-1] * rows * columns, spec.condition)

    def forward(self, items: Tensor, condition: Tensor | None = None) -> list[Score]:
        features = []
        for layer in self.layers:
            items = leaky_relu(layer(items), SLOPE)
            features.append(items)
        return [Score(self.verdict(items.flatten(1), condition), tuple(features))]


def _strided(height: int, width: int, count: int) -> tuple[int, int]:
    """The grid that is left after the discriminator's strided convolutions."""
    for number in range(count):
        kernel = 6 if number == 0 else 4 if number < count - 1 else 3
        padding = (kernel - 1) // 2
        height, width = ((side + 2 * padding - kernel) // 2 + 1 for side in (height, width))
    return height, width
