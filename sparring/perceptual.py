"""Networks whose features tell how alike two pictures look: a VGG by path, random filters, or a small one.

The small one learns from the data themselves, beside the game: it tells in which way a real picture was spoiled, after
the idea that what tells faults apart sees what people see (Zhang et al. 2018 find features of many pretexts to do so).
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, cross_entropy, interpolate, max_pool2d, normalize, pad

from sparring.errors import RequestError
from sparring.randomness import stream

_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue in [0, 1], which published VGG weights expect."""

_WIDTHS = (16, 32, 64, 64)


def feature_network(channels: int, weights: str | None = None) -> "FeatureNetwork":
    """The network of that file, or random filters.

    Args:
        channels: of the pictures.
        weights: path of safetensors with ``features.N.weight`` and ``features.N.bias``, or None.

    Raises:
        RequestError: the file cannot be read, or is no VGG.
    """
    return FeatureNetwork(*_random(channels), pool=avg_pool2d) if weights is None else _vgg(channels, weights)


class FeatureNetwork(nn.Module):
    """Convolutions of 3x3 with ReLU, some with a halving before them; the weights are buffers and never learn.

    Args:
        weights: of each convolution with its bias, ``(out, in, 3, 3)`` and ``(out,)``.
        halves: whether the grid is halved before each.
        told: whether features are told after each.
        pool: how it is halved.
        scaled: mean and spread of the channels that the first convolution expects, or None for [-1, 1].
    """

    def __init__(self, weights, halves: Sequence[bool], told: Sequence[bool], *, pool, scaled=None):
        super().__init__()
        self.halves, self.told, self.pool = tuple(halves), tuple(told), pool
        for number, (weight, bias) in enumerate(weights):
            self.register_buffer(f"weight{number}", weight)
            self.register_buffer(f"bias{number}", bias)
        mean, spread = scaled or ((0.0,), (1.0,))
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("spread", torch.tensor(spread)[:, None, None])
        self.coloured = scaled is not None

    def forward(self, pictures: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Features of unit length at each place, shallow to deep; maps too small to halve end the list."""
        maps = (pictures.expand(-1, 3, -1, -1) + 1) / 2 if self.coloured else pictures
        maps = (maps - self.get_buffer("mean")) / self.get_buffer("spread")
        found = []
        for number, (halve, told) in enumerate(zip(self.halves, self.told, strict=True)):
            if halve and min(maps.shape[2:]) < 2:
                break
            maps = self.pool(maps, 2) if halve else maps
            weight, bias = self.get_buffer(f"weight{number}"), self.get_buffer(f"bias{number}")
            maps = conv2d(maps, weight.to(maps.dtype), bias.to(maps.dtype), padding=1).relu()
            found += [normalize(maps, dim=1, eps=1e-8)] if told else []
        return found


class LearnedFeatures(nn.Module):
    """Convolutions as of the random filters, which learn by telling ways of spoiling apart."""

    def __init__(self, channels: int):
        super().__init__()
        widths = (channels, *_WIDTHS)
        layers = [nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths)]
        for layer in layers:
            nn.init.orthogonal_(layer.weight, gain=2**0.5)
        self.layers = nn.ModuleList(layers)
        self.verdict = nn.Linear(sum(_WIDTHS), WAYS)

    def forward(self, pictures: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Features of unit length at each place, shallow to deep."""
        return [normalize(maps, dim=1, eps=1e-8) for maps in self._maps(pictures)]

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        found, maps = [], pictures
        for number, layer in enumerate(self.layers):
            if number and min(maps.shape[2:]) < 2:
                break
            maps = layer(avg_pool2d(maps, 2) if number else maps).relu()
            found.append(maps)
        return found

    def lesson(self, real: Float[Tensor, "n c h w"], draws: Float[Tensor, " n"], noise: Tensor) -> Tensor:
        """Cross-entropy of telling how each real picture was spoiled.

        Args:
            real: real pictures.
            draws: uniform ones, which choose the way.
            noise: standard normal, as the pictures.
        """
        ways = (draws * WAYS).long()
        shown = torch.stack([real, *spoiled(real, noise)], 1)[torch.arange(len(real), device=real.device), ways]
        means = [maps.mean((2, 3)) for maps in self._maps(shown)]
        missing = self.verdict.in_features - sum(mean.shape[1] for mean in means)
        return cross_entropy(self.verdict(pad(torch.cat(means, 1), (0, missing))).float(), ways)


def spoiled(real: Float[Tensor, "n c h w"], noise: Float[Tensor, "n c h w"]) -> list[Tensor]:
    """The pictures blurred, noisy, blocky and faint."""
    blurred = avg_pool2d(pad(real, (1, 1, 1, 1), mode="replicate"), 3, 1)
    small = avg_pool2d(real, 2, ceil_mode=True)
    blocky = interpolate(small, scale_factor=2, mode="nearest")[:, :, : real.shape[2], : real.shape[3]]
    mean = real.mean((2, 3), keepdim=True)
    return [blurred, real + 0.1 * noise, blocky, mean + 0.7 * (real - mean)]


WAYS = 5
"""Ways in which a picture is shown: as it is, and those of :func:`spoiled`."""


def _random(channels: int) -> tuple[list[tuple[Tensor, Tensor]], list[bool], list[bool]]:
    """Orthogonal filters (Saxe et al. 2014), the same in every run; one layer a scale."""
    weights = []
    for number, (before, after) in enumerate(pairwise((channels, *_WIDTHS))):
        weight = torch.empty(after, before, 3, 3)
        nn.init.orthogonal_(weight, gain=2**0.5, generator=stream("perceptual", channels, number))
        weights.append((weight, torch.zeros(after)))
    return weights, [number > 0 for number in range(len(weights))], [True] * len(weights)


def _vgg(channels: int, path: str) -> FeatureNetwork:
    """A VGG from its file; the numbers of its layers say where it pools: convolution, ReLU, and then a pooling."""
    try:
        held = load_file(Path(path).expanduser())
    except (OSError, SafetensorError) as error:
        raise RequestError(f"perceptual.weights = {path}: cannot be read as safetensors ({error})") from None
    numbers = sorted(int(m[1]) for name in held if (m := re.fullmatch(r"features\.(\d+)\.weight", name)))
    shapes = [tuple(held[f"features.{n}.weight"].shape) for n in numbers]
    fits = bool(numbers) and shapes[0][1:] == (3, 3, 3) and all(len(s) == 4 and s[2:] == (3, 3) for s in shapes)
    if not fits or channels not in (1, 3) or any(f"features.{n}.bias" not in held for n in numbers):
        raise RequestError(
            f"perceptual.weights = {path}: no VGG without norm for grey or RGB pictures; features.N.weight and "
            "features.N.bias of 3x3 convolutions are wanted"
        )
    weights = [(held[f"features.{n}.weight"].float(), held[f"features.{n}.bias"].float()) for n in numbers]
    halves = [False, *(b - a > 2 for a, b in pairwise(numbers))]
    told = [*halves[1:], True]
    return FeatureNetwork(weights, halves, told, pool=max_pool2d, scaled=(_MEAN, _SPREAD))
