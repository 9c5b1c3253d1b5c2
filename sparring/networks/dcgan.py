"""DCGAN, Radford et al. 2016, in the tutorials' form: batch norm in the generator, dropout in the discriminator."""

from itertools import pairwise

from pydantic import Field
from torch import Tensor, nn

from sparring.networks import Architecture
from sparring.networks.layers import (
    Activation,
    Embedded,
    Projection,
    activation,
    crop,
    glorot,
    halvings,
    picture,
    sizes,
    spectrally_normalised,
)
from sparring.types import DataSpec, Samples, Score

GROWTH = 8
"""How many times wider than at the picture a layer may get towards the start grid."""


def strides(height: int, width: int) -> int:
    """How many strided layers a picture of this size gets: at least one, and 28, 32 get two."""
    return max(1, halvings(height, width, 8))


class Dcgan(Architecture):
    """Transposed convolutions from a dense start grid, and strided convolutions back."""

    width: int = Field(
        default=64, ge=1, le=4096, description="channels next to the picture; they double with each halving"
    )
    activation: Activation = Field(default="leaky-relu", description="after each hidden layer")
    momentum: float = Field(
        default=0.2, gt=0, le=1, description="share of the new batch in batch norm's running statistics"
    )
    dropout: float = Field(
        default=0.3, ge=0, lt=1, description="share of the discriminator's activations that is dropped"
    )
    spectral: bool = Field(default=False, description="spectral norm in the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return TransposedGenerator(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        picture(type(self), spec.shape)
        network = StridedDiscriminator(spec, self.width, kernel=5, name=self.activation, dropout=self.dropout)
        return spectrally_normalised(network, self.spectral)


class TransposedGenerator(nn.Module):
    """Dense start grid, a convolution on it, then transposed 5x5 convolutions of stride 2, then tanh."""

    def __init__(self, family: Dcgan, spec: DataSpec, latent: int):
        super().__init__()
        channels, height, width = picture(type(family), spec.shape)
        count = strides(height, width)
        self.grids = sizes(height, width, count)
        widths = [family.width * min(2**i, GROWTH) for i in range(count, -1, -1)]
        self.start = (widths[0], *self.grids[0])
        self.entry = Embedded(latent, spec.condition)
        cells = self.grids[0][0] * self.grids[0][1]
        self.lift = nn.Linear(self.entry.width, widths[0] * cells, bias=False)
        self.first = nn.Sequential(nn.BatchNorm2d(widths[0], momentum=family.momentum), activation(family.activation))
        self.steps = nn.ModuleList()
        # The first step keeps the grid, each of the others doubles it.
        for i, (before, after) in enumerate(pairwise([*widths, channels])):
            stride = 1 if i == 0 else 2
            layer = nn.ConvTranspose2d(before, after, 5, stride, 2, output_padding=stride - 1, bias=i == count)
            step = nn.Sequential(layer)
            if i < count:
                step.append(nn.BatchNorm2d(after, momentum=family.momentum)).append(activation(family.activation))
            self.steps.append(step)
        glorot(self.lift)
        glorot(self.steps)

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Samples:
        maps = self.first(self.lift(self.entry(latent, condition)).unflatten(1, self.start))
        maps = self.steps[0](maps)
        for step, size in zip(self.steps[1:], self.grids[1:], strict=True):
            maps = crop(step(maps), size)
        return Samples(maps.tanh())


class StridedDiscriminator(nn.Module):
    """Convolutions of stride 2, each with activation and dropout, and a verdict on the flattened last maps.

    Args:
        spec: what one item looks like.
        width: channels of the first convolution; they double with each further one.
        kernel: height and width of the kernels, odd.
        name: of the activation.
        dropout: share of the activations that is dropped.
    """

    def __init__(self, spec: DataSpec, width: int, *, kernel: int, name: Activation, dropout: float):
        super().__init__()
        channels, height, breadth = spec.shape
        count = strides(height, breadth)
        widths = [channels] + [width * min(2**i, GROWTH) for i in range(count)]
        self.steps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, kernel, 2, kernel // 2), activation(name), nn.Dropout(dropout))
            for before, after in pairwise(widths)
        )
        glorot(self.steps)
        rows, columns = sizes(height, breadth, count)[0]
        self.verdict = Projection(widths[-1] * rows * columns, spec.condition)

    def forward(self, items: Tensor, condition: Tensor | None = None) -> list[Score]:
        features = []
        for step in self.steps:
            items = step(items)
            features.append(items)
        return [Score(self.verdict(items.flatten(1), condition), tuple(features))]
