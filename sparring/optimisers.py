"""Optimisers as parts, each with its schedule over the run."""

from abc import abstractmethod
from collections.abc import Iterable
from math import cos, pi
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from sparring.part import Part

_RATE = "learning rate at the start"
_SQUARES = ("exp_avg_sq", "square")
"""What optimisers call the mean square of a weight's gradients: torch's own, and :class:`Orthogonal`."""


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
    limit: float | None = Field(
        default=None,
        gt=1,
        description="times its usual length that the gradient of a tensor may have; a longer one is shortened to that; "
        "none: any",
    )

    def build(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        settings = self.settings(0.0)
        adam = torch.optim.AdamW(weights, eps=self.epsilon, weight_decay=self.decay, fused=True, **settings)
        return self._limited(adam)

    def _limited(self, optimiser: torch.optim.Optimizer) -> torch.optim.Optimizer:
        if self.limit is not None:
            limit = self.limit
            optimiser.register_step_pre_hook(lambda *_: shorten(optimiser, limit))
        return optimiser

    def settings(self, progress: float) -> dict[str, Any]:
        beta2 = cosine(self.beta2, self.beta2_final, progress)
        return {**super().settings(progress), "betas": (self.beta1, beta2)}


@torch.no_grad()
def shorten(optimiser: torch.optim.Optimizer, limit: float) -> None:
    """Shortens gradients that are much longer than they were, in place.

    Adam's step of such a gradient is up to 1 / sqrt(1 - beta2) times a usual one; where the discriminator takes one,
    the gradient of its penalty is longer still in the next step, and it goes on until all is lost. Updates are
    limited so in Shazeer and Stern 2018, section 6; here the gradient is, so that its mean square is not spoilt
    either.

    Args:
        optimiser: holds mean squares of gradients; of matrices that are made orthogonal there are none, and no need.
        limit: times the root of the sum of mean squares.
    """
    for group in optimiser.param_groups:
        states = [(w.grad, optimiser.state[w]) for w in group["params"] if w.grad is not None and w in optimiser.state]
        held = [(grad, state[name], state["step"]) for grad, state in states for name in _SQUARES if name in state]
        if not held:
            continue
        gradients, squares, steps = (list(each) for each in zip(*held, strict=True))
        norm = torch._foreach_norm  # pyright: ignore[reportPrivateImportUsage]
        lengths, sums = torch.stack(norm(gradients)), torch.stack(norm(squares, 1))
        usual = (sums / (1 - group["betas"][1] ** torch.stack(steps).to(sums))).sqrt()
        shares = (limit * usual / lengths.clamp_min(1e-30)).clamp_max(1)
        # A tensor that had no gradient worth speaking of begins to learn now.
        least = group["eps"] * sums.new_tensor([square.numel() for square in squares]).sqrt()
        shares = shares.where(usual > least, 1)
        if (shares < 1).any():
            torch._foreach_mul_(gradients, list(shares.unbind()))  # pyright: ignore[reportPrivateImportUsage]


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


class Muon(Adam):
    """Momentum made orthogonal, Jordan et al. 2024, for weights that are matrices; Adam for those that are vectors.

    A kernel is the matrix of its output channels by all else, a transposed one of its input channels. Steps are as
    large as Adam's at the same rate, by Liu et al. 2025, section 2.2. Directions in which a gradient is all noise are
    stepped along as far as any other, so that it is nothing for players whose gradients are mostly that.
    """

    momentum: float = Field(default=0.95, ge=0, lt=1, description="decay of the mean gradient of a matrix")

    def build(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return self._limited(Orthogonal(weights, self.momentum, self.epsilon, self.decay, self.settings(0.0)))


class Orthogonal(torch.optim.Optimizer):
    """What :class:`Muon` builds.

    Torch's own takes two dimensions alone; here matrices of one shape are also made orthogonal together.
    """

    def __init__(
        self, weights: Iterable[nn.Parameter], momentum: float, epsilon: float, decay: float, settings: dict[str, Any]
    ):
        super().__init__(list(weights), {"momentum": momentum, "eps": epsilon, "weight_decay": decay, **settings})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step by the gradients that are there; a closure is not evaluated."""
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[tuple[nn.Parameter, Tensor]]] = {}
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                if group["weight_decay"]:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                if weight.dim() < 2:
                    self._adam(weight, weight.grad, group)
                else:
                    alike.setdefault(tuple(weight.shape), []).append((weight, weight.grad))
            for pairs in alike.values():
                self._orthogonal(pairs, group)

    def _adam(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state, (beta1, beta2) = self.state[weight], group["betas"]
        if not state:
            state["mean"], state["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
            state["step"] = torch.zeros(())
        state["step"] += 1
        steps = float(state["step"])
        state["mean"].lerp_(gradient, 1 - beta1)
        state["square"].lerp_(gradient.square(), 1 - beta2)
        root = (state["square"] / (1 - beta2**steps)).sqrt_().add_(group["eps"])
        weight.addcdiv_(state["mean"], root, value=-group["lr"] / (1 - beta1**steps))

    def _orthogonal(self, pairs: list[tuple[nn.Parameter, Tensor]], group: dict[str, Any]) -> None:
        moves = []
        for weight, gradient in pairs:
            state = self.state[weight]
            if not state:
                state["mean"] = torch.zeros_like(weight)
            state["mean"].lerp_(gradient, 1 - group["momentum"])
            moves.append(gradient.lerp(state["mean"], group["momentum"]).flatten(1))
        matrices = torch.stack(moves)
        # The root of the mean square of an orthogonal matrix's entries is 1 over this root; Adam's steps have .2 to .4.
        length = 0.2 * max(matrices.shape[1:]) ** 0.5
        for (weight, _), move in zip(pairs, orthogonal(matrices), strict=True):
            weight.add_(move.reshape(weight.shape), alpha=-group["lr"] * length)


def orthogonal(matrices: Float[Tensor, "k n m"]) -> Float[Tensor, "k n m"]:
    """Each matrix with its singular values brought near 1 (.7 to 1.2), those that are not tiny.

    Five Newton-Schulz steps of fifth degree with the coefficients of Jordan et al. 2024.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    wide = matrices.mT if tall else matrices
    wide = wide / wide.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = wide @ wide.mT
        turn = torch.baddbmm(gram, gram, gram, beta=-4.775, alpha=2.0315)
        wide = torch.baddbmm(wide, turn, wide, beta=3.4445)
    return wide.mT if tall else wide


def lay_out(optimiser: torch.optim.Optimizer) -> None:
    """Brings what was loaded of each weight into the weight's own layout: fused optimisers walk through both as one."""
    for weight, kept in optimiser.state.items():
        for what, value in kept.items():
            if isinstance(value, Tensor) and value.shape == weight.shape and value.stride() != weight.stride():
                kept[what] = torch.empty_like(weight, dtype=value.dtype).copy_(value)
