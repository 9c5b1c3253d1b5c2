"""Training-free features of any pictures: statistics of random filters' responses at several scales.

Randomly initialised networks as a neutral embedding follow Naeem et al. 2020 (Reliable Fidelity and Diversity Metrics),
orthogonal weights Saxe et al. 2014.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, pad

from sparring.data import Items
from sparring.errors import RequestError
from sparring.metrics.features import CPU, Features, FittedFeatures, picture_fault, shrinking
from sparring.randomness import derive, stream

_KERNEL = 5
_FLAT = 1e-6
_EVEN = 1e-3
"""Spread of a channel's mean or skewness that is none: a cube root makes much of what rounding left."""


class RandomConv(Features):
    """Mean and spread of two layers of random orthogonal filters at several scales, standardised by real pictures.

    Responses count without their sign, so that the mean and the skewness of each channel are added: without them a
    negative would be as good as its picture.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 30
    quick: ClassVar[bool] = True

    filters: int = Field(
        default=8, ge=1, le=64, description="of the first layer at each scale; the second has twice as many"
    )
    scales: int = Field(default=3, ge=1, le=6, description="halvings of the picture, the picture itself included")
    size: int = Field(
        default=64, ge=8, le=512, description="greater pictures are averaged down to so many pixels a side"
    )
    fitted: int = Field(default=10_000, ge=2, description="pictures that the features are standardised by, at most")
    draw: int = Field(default=0, ge=0, description="seed of the filters, the same in all runs that are to be compared")

    def refusal(self, items: Items, labels: np.ndarray | None) -> str | None:
        return picture_fault(items)

    def fit(self, items: Items, labels: np.ndarray | None, seed: int, *, device: torch.device = CPU) -> FittedFeatures:
        if reason := self.refusal(items, labels):
            raise RequestError(f"{self.name}: {reason}")
        facts = {"shape": list(items.shape[1:]), "resizing": shrinking(items, self.size)}
        network = self.build(facts).to(device)
        fitted = FittedFeatures(self, facts, network)
        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name)))
        rows = np.sort(source.permutation(len(items))[: self.fitted])
        network.standardise(fitted(np.asarray(items[rows])))
        return fitted

    def build(self, facts: Mapping[str, Any]) -> "RandomFilters":
        return RandomFilters(self, facts["shape"][2])


class RandomFilters(nn.Module):
    """The fixed network of :class:`RandomConv`; its buffers are all that is saved.

    Args:
        part: how many filters and scales.
        channels: of the pictures.
    """

    def __init__(self, part: RandomConv, channels: int):
        super().__init__()
        self.scales, self.size, self.channels = part.scales, part.size, channels
        width = part.filters
        self.register_buffer("first", _orthogonal(width, channels, part.draw, "first"))
        self.register_buffer("second", _orthogonal(2 * width, width, part.draw, "second"))
        count = part.scales * 6 * width + 2 * channels
        self.register_buffer("mean", torch.zeros(count, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(count, dtype=torch.float64))

    def standardise(self, features: np.ndarray) -> None:
        """Takes the features of real pictures, ``(n, d)``, for zero mean and unit variance."""
        spread = features.std(0)
        self.get_buffer("mean").copy_(torch.from_numpy(features.mean(0)))
        least = np.full(len(spread), _FLAT)
        least[: 2 * self.channels] = _EVEN
        self.get_buffer("spread").copy_(torch.from_numpy(np.where(spread > least, spread, 1.0)))

    def forward(self, pictures: Tensor) -> tuple[Tensor, None]:
        height, width = (min(side, self.size) for side in pictures.shape[2:])
        view = adaptive_avg_pool2d(pictures, (height, width))
        found = [_signed(view)]
        for _ in range(self.scales):
            shallow = _response(view, self.get_buffer("first"))
            deep = _response(_halved(shallow), self.get_buffer("second"))
            found += [_statistics(shallow), _statistics(deep)]
            view = _halved(view)
        return (torch.cat(found, 1).double() - self.get_buffer("mean")) / self.get_buffer("spread"), None


def _orthogonal(outputs: int, inputs: int, draw: int, name: str) -> Tensor:
    weights = torch.empty(outputs, inputs, _KERNEL, _KERNEL)
    return nn.init.orthogonal_(weights, generator=stream(draw, "random-conv", name))


def _response(view: Tensor, weights: Tensor) -> Tensor:
    return conv2d(pad(view, (_KERNEL // 2,) * 4, mode="replicate"), weights).abs()


def _halved(view: Tensor) -> Tensor:
    return avg_pool2d(view, 2, ceil_mode=True)


def _signed(view: Tensor) -> Tensor:
    """Mean, and cube root of the third central moment, of each channel."""
    flat = view.flatten(2).double()
    mean = flat.mean(2, keepdim=True)
    third = (flat - mean).pow(3).mean(2)
    return torch.cat([mean[..., 0], third.sign() * third.abs().pow(1 / 3)], 1).to(view.dtype)


def _statistics(view: Tensor) -> Tensor:
    flat = view.flatten(2)
    return torch.cat([flat.mean(2), flat.var(2, unbiased=False).sqrt()], 1)
