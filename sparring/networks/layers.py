"""Layers and rules that the families share: grids of any size, activations, weights, conditions, dense stacks.

Pictures of any height and width are built up from a start grid of rounded-up sizes. Every doubling is cropped to the
size that halving with rounding up would have had there, so that the last one is exactly the picture's, and a
discriminator that halves passes through the same sizes.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod, sqrt
from typing import Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from sparring.errors import RequestError
from sparring.networks import Architecture
from sparring.types import Samples, Score, precise

Activation = Literal["leaky-relu", "relu", "elu", "tanh", "swish", "gelu"]
Network = TypeVar("Network", bound=nn.Module)

SLOPE = 0.2
"""Of the leaky ReLU's negative side, Radford et al. 2016."""


class LeakyReLU(nn.Module):
    """Leaky ReLU with the slope of Radford et al. 2016."""

    def forward(self, items: Tensor) -> Tensor:
        return leaky_relu(items, SLOPE)


_ACTIVATIONS: dict[str, tuple[type[nn.Module], float]] = {
    "leaky-relu": (LeakyReLU, sqrt(2 / (1 + SLOPE**2))),
    "relu": (nn.ReLU, sqrt(2)),
    "elu": (nn.ELU, 1.25),
    "tanh": (nn.Tanh, 5 / 3),
    "swish": (nn.SiLU, 1.68),
    "gelu": (nn.GELU, 1.53),
}


def activation(name: Activation) -> nn.Module:
    """The activation of that name."""
    return _ACTIVATIONS[name][0]()


def gain(name: Activation) -> float:
    """What keeps the mean square of a standard normal signal through the activation (tanh: PyTorch's figure)."""
    return _ACTIVATIONS[name][1]


def glorot(network: Network) -> Network:
    """Weights by Glorot and Bengio 2010, biases zero, as Keras begins; changes the network and returns it."""
    return _weights(network, nn.init.xavier_uniform_)


def he(network: Network, name: Activation) -> Network:
    """Weights by He et al. 2015 for this activation, biases zero; changes the network and returns it."""

    def draw(weight: Tensor) -> None:
        nn.init.normal_(weight, std=gain(name) / sqrt(weight[0].numel()))

    return _weights(network, draw)


def _weights(network: Network, draw: Callable[[Tensor], object]) -> Network:
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            draw(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def spectrally_normalised(network: Network, wanted: bool = True) -> Network:
    """Spectral norm (Miyato et al. 2018) on every linear and convolution layer, where wanted."""
    for layer in list(network.modules()) if wanted else ():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            spectral_norm(layer)
    return network


def spectral(network: nn.Module) -> bool:
    """Whether every linear and convolution layer has a bounded norm, so that the slope of the whole is bounded too."""
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d)]
    return bool(layers) and all(is_parametrized(layer, "weight") for layer in layers)


def picture(family: type[Architecture], shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape as channels, height and width.

    Raises:
        RequestError: items of this shape are no pictures; the message names the families that can make them.
    """
    if len(shape) != 3:
        able = ", ".join(sorted(name for name, part in Architecture.parts().items() if part.any_shape))
        raise RequestError(f"{family.name} makes pictures, not items of shape {shape}; {able} make items of any shape")
    channels, height, width = shape
    return channels, height, width


def halvings(height: int, width: int, largest: int) -> int:
    """How often the longer side is halved, rounding up, until it is at most ``largest``."""
    count = 0
    while -(-max(height, width) // 2**count) > largest:
        count += 1
    return count


def sizes(height: int, width: int, count: int) -> list[tuple[int, int]]:
    """The grids from the start grid to the picture, ``count`` doublings apart."""
    return [(-(-height // 2**i), -(-width // 2**i)) for i in range(count, -1, -1)]


def crop(maps: Float[Tensor, "n c h w"], size: tuple[int, int]) -> Float[Tensor, "n c p q"]:
    """The upper left ``size`` of the maps."""
    return maps if maps.shape[2:] == size else maps[:, :, : size[0], : size[1]]


class Embedded(nn.Module):
    """The latent, with a linear embedding of the condition as wide as itself behind it.

    Attributes:
        width: of what it returns.
    """

    def __init__(self, latent: int, condition: int):
        super().__init__()
        self.width = latent * (2 if condition else 1)
        self.embed = nn.Linear(condition, latent, bias=False) if condition else None
        if self.embed is not None:
            nn.init.normal_(self.embed.weight)  # as large as a normal latent where one attribute is given

    def forward(self, latent: Float[Tensor, "n d"], condition: Float[Tensor, "n k"] | None) -> Float[Tensor, "n e"]:
        return latent if self.embed is None else torch.cat([latent, self.embed(condition)], 1)


class MinibatchDeviation(nn.Module):
    """Maps with one more: the standard deviation over the batch, averaged to a single number (Karras et al. 2018, 3).

    Generated batches that vary less than real ones are so seen at once. In eval mode the number is its running mean
    over training, so that an item's score does not depend on the items beside it. It is local to a process.

    Attributes:
        mean: the running mean.
    """

    mean: Tensor

    def __init__(self, momentum: float = 0.01):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, maps: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n c+1 *grid"]:
        if self.training:
            exact = precise(maps)
            number = ((exact - exact.mean(0)).square().mean(0) + 1e-8).sqrt().mean()
            self.mean.lerp_(number.detach().to(self.mean), self.momentum)
        else:
            number = self.mean
        plane = number.to(maps.dtype).expand(len(maps), 1, *maps.shape[2:])
        return torch.cat([maps, plane], 1)


def compares(network: nn.Module) -> bool:
    """Whether a network compares the items of a batch, which then must be all real or all generated."""
    return any(isinstance(layer, MinibatchDeviation) for layer in network.modules())


class Projection(nn.Module):
    """The verdict on features, by projection where there is a condition: Miyato and Koyama 2018, eq. 3.

    The sum is taken in float32 also under autocast, for relativistic losses compare close scores.
    """

    def __init__(self, features: int, condition: int):
        super().__init__()
        self.plain = glorot(nn.Linear(features, 1))
        self.project = nn.Linear(condition, features, bias=False) if condition else None
        if self.project is not None:
            nn.init.normal_(self.project.weight, std=1 / sqrt(features))

    def forward(self, features: Float[Tensor, "n d"], condition: Float[Tensor, "n k"] | None) -> Float[Tensor, " n"]:
        direction = self.plain.weight if self.project is None else self.plain.weight + self.project(condition)
        return (precise(features) * direction).sum(1) + self.plain.bias


def dense(widths: Sequence[int], name: Activation, momentum: float | None = None) -> nn.Sequential:
    """One step from each width to the next: linear, batch norm where ``momentum`` is given, activation."""
    steps = nn.Sequential()
    for before, after in pairwise(widths):
        step = nn.Sequential(nn.Linear(before, after, bias=momentum is None))
        if momentum is not None:
            step.append(nn.BatchNorm1d(after, momentum=momentum))
        steps.append(step.append(activation(name)))
    return steps


class DenseGenerator(nn.Module):
    """Latent and condition through a dense stack to the item: tanh for pictures, linear for anything else.

    Args:
        shape: of one item.
        entry: joins latent and condition.
        body: the stack behind it.
        width: of what the stack returns.
    """

    def __init__(self, shape: tuple[int, ...], entry: Embedded, body: nn.Sequential, width: int):
        super().__init__()
        self.shape = shape
        self.entry = entry
        self.body = body
        self.output = glorot(nn.Linear(width, prod(shape)))

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Samples:
        items = self.output(self.body(self.entry(latent, condition))).unflatten(1, self.shape)
        return Samples(items.tanh() if len(self.shape) == 3 else items)


class DenseDiscriminator(nn.Module):
    """The flattened item through a dense stack to a verdict.

    Args:
        condition: width of the condition.
        body: the steps of the stack.
        width: of what the stack returns.
    """

    def __init__(self, condition: int, body: nn.Sequential, width: int):
        super().__init__()
        self.body = body
        self.verdict = Projection(width, condition)

    def forward(self, items: Tensor, condition: Tensor | None = None) -> list[Score]:
        signal = items.flatten(1)
        features = []
        for step in self.body:
            signal = step(signal)
            features.append(signal)
        return [Score(self.verdict(signal, condition), tuple(features))]
