"""Penalties on the discriminator, and constraints on its weights.

A penalty is a scalar from the discriminator's look at real and generated items, taken in float32. The look that the
loss took is shared; a penalty that needs another takes it itself. A penalty may be lazy: taken every few steps and
scaled up by as many (Karras et al. 2020, appendix B). A constraint acts on the weights after the step instead.
"""

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Protocol

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from sparring.memories import Memory
from sparring.optimisers import cosine
from sparring.part import Part
from sparring.randomness import Noise
from sparring.types import Scalar, Scores, precise, verdict


class Scoring(Protocol):
    """Another look at items, beside their own conditions or, where some are given, beside those."""

    def __call__(self, items: Tensor, condition: Tensor | None = None) -> Scores: ...


@dataclass(frozen=True)
class Look:
    """What the discriminator saw and said in this turn.

    Attributes:
        real: real items before any view, ``(n, ...)``; a leaf that asks for its gradient where a penalty does.
        fake: generated items before any view, detached from the generator, likewise.
        real_scores: of ``real``, in the graph.
        fake_scores: of ``fake``, in the graph.
        score: takes another look at items, through the same views.
        noise: draws of this turn.
        condition: what was shown beside both sides, ``(n, ...)``, before any view; None where nothing was.
        memory: the module that :meth:`Penalty.memory` made, where there is one.
    """

    real: Tensor
    fake: Tensor
    real_scores: Scores
    fake_scores: Scores
    score: Scoring
    noise: Noise
    condition: Tensor | None = None
    memory: nn.Module | None = None


class Penalty(Part):
    """The kind.

    Attributes:
        differentiates: whether ``look.real`` and ``look.fake`` must ask for their gradients.
        touches_rows: whether the value depends on single real rows, which private training refuses.
    """

    kind: ClassVar[str] = "penalty"
    home: ClassVar[str] = "sparring.penalties"
    differentiates: ClassVar[bool] = False
    touches_rows: ClassVar[bool] = True

    @property
    @abstractmethod
    def interval(self) -> int:
        """Steps from one taking to the next."""

    @abstractmethod
    def __call__(self, look: Look, progress: float) -> Scalar:
        """The weighted penalty, before the scaling for laziness.

        Args:
            look: what the discriminator saw and said.
            progress: the share of the planned images that has been seen, in [0, 1].
        """

    def memory(self) -> nn.Module | None:
        """A module with the buffers that the penalty keeps from step to step, if any."""
        return None

    def bounds_slope(self) -> bool:
        """Whether it keeps the slope of the discriminator from growing without end."""
        return False


def squared_gradient_norm(scores: Scores, items: Tensor) -> Float[Tensor, " n"]:
    """Squared norm of the gradient of each item's verdict at the item, summed over all axes but the first."""
    (gradient,) = torch.autograd.grad(verdict(scores).sum(), items, create_graph=True)
    return precise(gradient).square().flatten(1).sum(1)


class R1(Penalty):
    """R1, Mescheder et al. 2018, eq. 9: gamma / 2 times the squared gradient norm at real items."""

    differentiates: ClassVar[bool] = True
    gamma: float = Field(default=1.0, ge=0, description="weight")
    gamma_final: float | None = Field(
        default=None, ge=0, description="weight at the end, reached by a cosine; none keeps gamma"
    )
    every: int = Field(default=4, ge=1, description="steps from one taking to the next")

    def bounds_slope(self) -> bool:
        return self.gamma > 0

    @property
    def interval(self) -> int:
        return self.every

    def __call__(self, look: Look, progress: float) -> Scalar:
        gamma = cosine(self.gamma, self.gamma_final, progress)
        return gamma / 2 * squared_gradient_norm(look.real_scores, look.real).mean()


class R2(Penalty):
    """R2, Mescheder et al. 2018, eq. 10: gamma / 2 times the squared gradient norm at generated items."""

    differentiates: ClassVar[bool] = True
    gamma: float = Field(default=1.0, ge=0, description="weight")
    gamma_final: float | None = Field(
        default=None, ge=0, description="weight at the end, reached by a cosine; none keeps gamma"
    )
    every: int = Field(default=4, ge=1, description="steps from one taking to the next")

    def bounds_slope(self) -> bool:
        return self.gamma > 0

    @property
    def interval(self) -> int:
        return self.every

    def __call__(self, look: Look, progress: float) -> Scalar:
        gamma = cosine(self.gamma, self.gamma_final, progress)
        return gamma / 2 * squared_gradient_norm(look.fake_scores, look.fake).mean()


class GradientPenalty(Penalty):
    """Gradient penalty, Gulrajani et al. 2017, eq. 3: the gradient norm between both sides is pulled to 1.

    One-sided (Petzka et al. 2018): only norms above 1 are penalised.
    """

    weight: float = Field(default=10.0, ge=0, description="lambda")
    one_sided: bool = Field(default=False, description="penalise norms above 1 only")
    every: int = Field(default=1, ge=1, description="steps from one taking to the next")

    def bounds_slope(self) -> bool:
        return self.weight > 0

    @property
    def interval(self) -> int:
        return self.every

    def __call__(self, look: Look, progress: float) -> Scalar:
        share = look.noise.uniform("gradient-penalty", *([1] * (look.real.ndim - 1)))
        between = torch.lerp(look.real.detach(), look.fake.detach(), share.to(look.real.dtype)).requires_grad_()
        return self.weight * _distance_to_one(look.score(between), between, self.one_sided)


class Dragan(Penalty):
    """DRAGAN, Kodali et al. 2017, section 2.4: the gradient norm near real items is pulled to 1."""

    weight: float = Field(default=10.0, ge=0, description="lambda")
    spread: float = Field(
        default=0.5, gt=0, description="size of the disturbance in standard deviations of the real batch"
    )
    every: int = Field(default=1, ge=1, description="steps from one taking to the next")

    def bounds_slope(self) -> bool:
        return self.weight > 0

    @property
    def interval(self) -> int:
        return self.every

    def __call__(self, look: Look, progress: float) -> Scalar:
        real = look.real.detach()
        draws = look.noise.uniform("dragan", *real.shape[1:]).to(real.dtype)
        near = (real + self.spread * real.std(correction=0) * draws).requires_grad_()
        return self.weight * _distance_to_one(look.score(near), near, one_sided=False)


def _distance_to_one(scores: Scores, items: Tensor, one_sided: bool) -> Scalar:
    # The square root has no gradient at zero, where a dead discriminator begins.
    norm = (squared_gradient_norm(scores, items) + 1e-12).sqrt()
    return ((norm - 1).relu() if one_sided else norm - 1).square().mean()


class LeCam(Penalty):
    """LeCam, Tseng et al. 2021, eq. 8: scores are pulled to the other side's moving average; for few data."""

    name: ClassVar[str] = "lecam"
    weight: float = Field(default=0.3, ge=0, description="lambda")
    decay: float = Field(default=0.99, ge=0, lt=1, description="of the moving averages, per step")

    @property
    def interval(self) -> int:
        return 1

    def __call__(self, look: Look, progress: float) -> Scalar:
        assert isinstance(look.memory, Averages), "lecam needs the memory that it made"
        real, fake = verdict(look.real_scores), verdict(look.fake_scores)
        means = real.detach().mean(), fake.detach().mean()
        to_real, to_fake = look.memory.moved(*means, self.decay)
        look.memory.tell(partial(look.memory.update, decay=self.decay), *means)
        return self.weight * ((real - to_fake).square().mean() + (fake - to_real).square().mean())

    def memory(self) -> nn.Module:
        return Averages()


class Averages(Memory):
    """Moving averages of the mean real and the mean generated score."""

    real: Tensor
    fake: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("real", torch.zeros(()))
        self.register_buffer("fake", torch.zeros(()))

    def moved(self, real: Tensor, fake: Tensor, decay: float) -> tuple[Tensor, Tensor]:
        """Both averages as means of real and generated scores would move them."""
        return torch.lerp(real.to(self.real), self.real, decay), torch.lerp(fake.to(self.fake), self.fake, decay)

    def update(self, real: Tensor, fake: Tensor, decay: float) -> None:
        """Moves both averages towards this step's means."""
        self.real, self.fake = self.moved(real, fake, decay)


class Consistency(Penalty):
    """Balanced consistency (bCR), Zhao et al. 2021, algorithm 1: a shifted, mirrored picture keeps its score."""

    weight_real: float = Field(default=10.0, ge=0, description="lambda of real items")
    weight_fake: float = Field(default=10.0, ge=0, description="lambda of generated items")
    shift: float = Field(default=0.125, ge=0, lt=1, description="largest shift, as a share of height and width")
    mirror: bool = Field(default=True, description="mirror half of the items left to right")
    every: int = Field(default=1, ge=1, description="steps from one taking to the next")

    @property
    def interval(self) -> int:
        return self.every

    def __call__(self, look: Look, progress: float) -> Scalar:
        total = torch.zeros((), device=look.real.device)
        # A picture that is shown beside another is moved with it: the pair keeps its score.
        given = look.condition.detach() if look.condition is not None and look.condition.ndim == 4 else None
        for name, items, scores, weight in (
            ("real", look.real, look.real_scores, self.weight_real),
            ("fake", look.fake, look.fake_scores, self.weight_fake),
        ):
            moved = self._move(items.detach(), look.noise, name)
            condition = None if given is None else self._move(given, look.noise, name)
            total = total + weight * (verdict(scores) - verdict(look.score(moved, condition))).square().mean()
        return total

    def _move(self, items: Tensor, noise: Noise, name: str) -> Tensor:
        if items.ndim != 4:
            draws = noise.normal(f"consistency-{name}", *items.shape[1:]).to(items.dtype)
            return items + self.shift * items.std(correction=0) * draws
        draws = noise.uniform(f"consistency-{name}", 3)
        rows = ((draws[:, 0] * 2 - 1) * self.shift * items.shape[2]).round().long()
        columns = ((draws[:, 1] * 2 - 1) * self.shift * items.shape[3]).round().long()
        moved = [torch.roll(x, (int(r), int(c)), (1, 2)) for x, r, c in zip(items, rows, columns, strict=True)]
        kept = torch.stack(moved)
        return torch.where((draws[:, 2] < 0.5).view(-1, 1, 1, 1) & self.mirror, kept.flip(3), kept)


class Mismatch(Penalty):
    """A real item beside another's condition scores below the same item beside its own.

    The third kind of pair of Reed et al. 2016 (GAN-CLS, algorithm 1), held against its item as in the relativistic
    pairing: softplus of the difference. Where nothing was shown beside the items it is 0. A batch that is computed in
    parts, or by several processes, exchanges conditions within each.
    """

    weight: float = Field(default=1.0, ge=0, description="weight")
    every: int = Field(default=4, ge=1, description="steps from one taking to the next")

    @property
    def interval(self) -> int:
        return self.every

    def __call__(self, look: Look, progress: float) -> Scalar:
        if look.condition is None:
            return torch.zeros((), device=look.real.device)
        # Beside an equal condition the difference is 0, and teaches nothing.
        other = look.score(look.real.detach(), look.condition.roll(1, 0))
        return self.weight * softplus(verdict(other) - verdict(look.real_scores)).mean()


class Constraint(Part):
    """The kind: acts on a player's weights after its step."""

    kind: ClassVar[str] = "constraint"
    home: ClassVar[str] = "sparring.penalties"

    @abstractmethod
    def __call__(self, player: nn.Module) -> None:
        """Brings the weights back into the allowed set, in place."""


class WeightClipping(Constraint):
    """Weight clipping, Arjovsky et al. 2017, algorithm 1."""

    bound: float = Field(default=0.01, gt=0, description="largest magnitude of any weight")

    @torch.no_grad()
    def __call__(self, player: nn.Module) -> None:
        for weight in player.parameters():
            weight.clamp_(-self.bound, self.bound)
