"""Convolutions along time: a generator that doubles the steps and a discriminator that halves them."""

from itertools import pairwise
from typing import ClassVar

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from sparring.errors import RequestError
from sparring.networks import Architecture
from sparring.networks.layers import SLOPE, Embedded, MinibatchDeviation, Projection
from sparring.types import DataSpec, Samples, Score, precise

_LEAST = 4
"""Steps of the start grid, about."""


class TemporalConv(Architecture):
    """Widths double with each halving of the steps, up to twice the finest; linear at the end, for scaled series.

    The generator adds what each doubling makes to the steps, so that slow and fast changes have a way of their own; the
    discriminator compares the items of a batch (minibatch standard deviation, Karras et al. 2018).
    """

    sequential: ClassVar[bool] = True
    width: int = Field(default=64, ge=1, le=4096, description="channels of the finest maps on each side")
    kernel: int = Field(default=5, ge=3, le=31, description="steps of each convolution; odd")
    deviation: bool = Field(
        default=True, description="whether the discriminator is shown the standard deviation over the batch"
    )

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return SeriesGenerator(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return SeriesDiscriminator(self, spec)


def sequence(family: type[Architecture], shape: tuple[int, ...]) -> tuple[int, int]:
    """The shape of a series as channels and steps.

    Raises:
        RequestError: items of this shape are no series.
    """
    if len(shape) != 2:
        able = ", ".join(sorted(name for name, part in Architecture.parts().items() if part.any_shape))
        raise RequestError(f"{family.name} makes series, not items of shape {shape}; {able} make items of any shape")
    return shape[0], shape[1]


def grids(steps: int) -> list[int]:
    """Steps from the start grid to the whole series, each about twice the one before."""
    found = [steps]
    while found[0] >= 2 * _LEAST:
        found.insert(0, -(-found[0] // 2))
    return found


def _widths(family: TemporalConv, count: int) -> list[int]:
    """Channels of each grid, from the start grid to the finest."""
    return [family.width * (1 if number == 0 else 2) for number in range(count - 1, -1, -1)]


class SeriesGenerator(nn.Module):
    """A dense start grid, doublings with a convolution each, and a linear way from every grid to the series."""

    def __init__(self, family: TemporalConv, spec: DataSpec, latent: int):
        super().__init__()
        channels, steps = sequence(type(family), spec.shape)
        self.grids = grids(steps)
        widths = _widths(family, len(self.grids))
        self.entry = Embedded(latent, spec.condition)
        self.start = widths[0], self.grids[0]
        self.lift = nn.Sequential(
            nn.Linear(self.entry.width, 2 * family.width),
            nn.ReLU(),
            nn.Linear(2 * family.width, widths[0] * self.start[1]),
        )
        half = family.kernel // 2
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, 2 * half + 1, padding=half, bias=False)
            for before, after in pairwise([widths[0], *widths])
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths)
        self.outputs = nn.ModuleList(nn.Conv1d(width, channels, 2 * half + 1, padding=half) for width in widths)

    def forward(self, latent: Float[Tensor, "n d"], condition: Float[Tensor, "n k"] | None = None) -> Samples:
        maps = self.lift(self.entry(latent, condition)).unflatten(1, self.start)
        made: Tensor | None = None
        for layer, norm, output, steps in zip(self.layers, self.norms, self.outputs, self.grids, strict=True):
            maps = leaky_relu(norm(layer(_stretched(maps, steps))), SLOPE)
            part = precise(output(maps))
            made = part if made is None else _stretched(made, steps) + part
        assert made is not None, "there is a start grid"
        return Samples(made)


def _stretched(maps: Float[Tensor, "n c t"], steps: int) -> Float[Tensor, "n c u"]:
    """The maps over so many steps, straight lines between them."""
    return maps if maps.shape[2] == steps else interpolate(maps, size=steps, mode="linear")


class SeriesDiscriminator(nn.Module):
    """Convolutions along time, every second one of stride 2, the batch's deviation, and a dense verdict."""

    def __init__(self, family: TemporalConv, spec: DataSpec):
        super().__init__()
        channels, steps = sequence(type(family), spec.shape)
        there = grids(steps)
        widths = _widths(family, len(there))[::-1]
        half = family.kernel // 2
        self.layers = nn.ModuleList([nn.Conv1d(channels, widths[0], 2 * half + 1, padding=half)])
        for before, after in pairwise(widths):
            self.layers.append(nn.Conv1d(before, after, 2 * half + 1, stride=2, padding=half))
        self.deviation = MinibatchDeviation() if family.deviation else nn.Identity()
        self.last = nn.Conv1d(widths[-1] + family.deviation, widths[-1], 3, padding=1)
        self.dense = nn.Linear(widths[-1] * there[0], 2 * family.width)
        self.verdict = Projection(2 * family.width, spec.condition)

    def forward(self, items: Float[Tensor, "n c t"], condition: Float[Tensor, "n k"] | None = None) -> list[Score]:
        features = []
        for layer in self.layers:
            items = leaky_relu(layer(items), SLOPE)
            features.append(items)
        features.append(leaky_relu(self.last(self.deviation(items)), SLOPE))
        features.append(leaky_relu(self.dense(features[-1].flatten(1)), SLOPE))
        return [Score(self.verdict(features[-1], condition), tuple(features))]
