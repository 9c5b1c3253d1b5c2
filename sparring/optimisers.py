"""Optimisers as parts, each with its schedule over the run."""

from abc import abstractmethod
from collections.abc import Iterable
from math import cos, pi
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import nn

from sparring.part import Part

_RATE = "learning rate at the start"


class Optimiser(Part):
    """The kind. The learning rate is held for ``rate_hold`` of the planned run, then falls to ``rate_final``."""

    kind: ClassVar[str] = "optimiser"
    home: ClassVar[str] = "sparring.optimisers"
    rate: float = Field(gt=0, description=_RATE)
    rate_final: float | None = Field(
        default=None, ge=0, description="learning rate at the end, reached by a cosine; none keeps the rate"
    )
    rate_hold: float = Field(default=0.0, ge=0, lt=1, description="share of the run before the learning rate falls")

    @abstractmethod
    def build(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """A torch optimiser of these weights."""

    def settings(self, progress: float) -> dict[str, Any]:
        """What holds at this share of the run, by the names of torch's parameter groups."""
        falling = max(0.0, progress - self.rate_hold) / (1 - self.rate_hold)
        return {"lr": cosine(self.rate, self.rate_final, falling)}


def cosine(start: float, final: float | None, progress: float) -> float:
    """Half a cosine from ``start`` at progress 0 to ``final`` at 1; ``start`` throughout where ``final`` is None."""
    if final is None:
        return start
    return final + (start - final) * (1 + cos(pi * min(max(progress, 0.0), 1.0))) / 2


class Adam(Optimiser):
    """Adam, Kingma and Ba 2015; with weight decay, AdamW, Loshchilov and Hutter 2019."""

    rate: float = Field(default=2e-4, gt=0, description=_RATE)
    beta1: float = Field(default=0.0, ge=0, lt=1, description="decay of the mean gradient")
    beta2: float = Field(default=0.99, ge=0, lt=1, description="decay of the mean squared gradient")
    beta2_final: float | None = Field(default=None, ge=0, lt=1, description="beta2 at the end; none keeps beta2")
    epsilon: float = Field(default=1e-8, gt=0, description="added to the root mean square")
    decay: float = Field(default=0.0, ge=0, description="decoupled weight decay")

    def build(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(weights, eps=self.epsilon, weight_decay=self.decay, fused=True, **self.settings(0.0))

    def settings(self, progress: float) -> dict[str, Any]:
        beta2 = cosine(self.beta2, self.beta2_final, progress)
        return {**super().settings(progress), "betas": (self.beta1, beta2)}


class Sgd(Optimiser):
    """Stochastic gradient descent with momentum."""

    rate: float = Field(default=1e-2, gt=0, description=_RATE)
    momentum: float = Field(default=0.0, ge=0, lt=1, description="share of the last step that is kept")

    def build(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights, **self.settings(0.0))

    def settings(self, progress: float) -> dict[str, Any]:
        return {**super().settings(progress), "momentum": self.momentum}


class RmsProp(Optimiser):
    """RMSprop, Tieleman and Hinton 2012; the optimiser of Arjovsky et al. 2017."""

    name: ClassVar[str] = "rmsprop"
    rate: float = Field(default=5e-5, gt=0, description=_RATE)
    smoothing: float = Field(default=0.99, ge=0, lt=1, description="decay of the mean squared gradient")

    def build(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(weights, alpha=self.smoothing, **self.settings(0.0))
