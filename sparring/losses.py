"""Adversarial losses: what each side minimises, given both sides' scores.

Scores are unbounded logits and keep their shape; a loss takes the mean over items and locations, then over scales,
in float32. D(x) below is the logit of a real item, D(G(z)) that of a generated one, sigma the logistic function.
"""

from abc import abstractmethod
from collections.abc import Callable
from math import log
from typing import Annotated, ClassVar

import torch
from pydantic import AfterValidator, Field
from torch import Tensor
from torch.nn.functional import softplus

from sparring.part import Part
from sparring.types import Scalar, Scores, precise


class AdversarialLoss(Part):
    """The kind: one scalar for each side of the game.

    Attributes:
        relativistic: whether the generator's side needs the real scores too.
        unbounded: what is likely to go wrong where nothing bounds the discriminator's slope; "" where that is usual.
        bounded_by: penalties that bound it as the loss's authors do.
    """

    kind: ClassVar[str] = "loss"
    home: ClassVar[str] = "sparring.losses"
    relativistic: ClassVar[bool] = False
    unbounded: ClassVar[str] = ""
    bounded_by: ClassVar[str] = ""

    def threshold(self) -> float | None:
        """The score of the best discriminator where an item is as likely real as generated, above which it says real.

        None where the loss sees differences of scores alone, so that every threshold is as good: Wasserstein's and the
        relativistic ones.
        """
        return None

    @abstractmethod
    def discriminator(self, real: Scores, fake: Scores, target: Scores | None = None) -> Scalar:
        """What the discriminator minimises.

        Args:
            real: scores of real items.
            fake: scores of generated items.
            target: 1 where a location of ``fake`` is in truth real and 0 where it is generated (LaMa, Suvorov et al.
                2022), in the shape of ``fake``; all generated where it is None.
        """

    @abstractmethod
    def generator(self, real: Scores | None, fake: Scores) -> Scalar:
        """What the generator minimises; ``real`` is needed by relativistic losses alone."""


def _mean(scores: Scores, each: Callable[[Tensor], Tensor]) -> Scalar:
    return torch.stack([each(precise(score.value)).mean() for score in scores]).mean()


def _mean_pairs(first: Scores, second: Scores, each: Callable[[Tensor, Tensor], Tensor]) -> Scalar:
    pairs = zip(first, second, strict=True)
    return torch.stack([each(precise(a.value), precise(b.value)).mean() for a, b in pairs]).mean()


def _fake_side(
    fake: Scores, target: Scores | None, on_real: Callable[[Tensor], Tensor], on_fake: Callable[[Tensor], Tensor]
) -> Scalar:
    """The mean over generated items, where a location may be real by ``target``."""
    if target is None:
        return _mean(fake, on_fake)
    return _mean_pairs(fake, target, lambda score, truth: truth * on_real(score) + (1 - truth) * on_fake(score))


class Minimax(AdversarialLoss):
    """Minimax, Goodfellow et al. 2014, eq. 1: both sides play for log D(x) + log(1 - D(G(z))); saturates early."""

    smoothing: float = Field(
        default=0.0, ge=0, lt=0.5, description="one-sided label smoothing: real targets are 1 - smoothing"
    )

    def threshold(self) -> float:
        return _balance(self.smoothing)

    def discriminator(self, real: Scores, fake: Scores, target: Scores | None = None) -> Scalar:
        on_real = _smoothed(self.smoothing)
        return _mean(real, on_real) + _fake_side(fake, target, on_real, softplus)

    def generator(self, real: Scores | None, fake: Scores) -> Scalar:
        return _mean(fake, lambda score: -softplus(score))


class NonSaturating(AdversarialLoss):
    """Non-saturating, Goodfellow et al. 2014, section 3: the generator maximises log D(G(z)) instead."""

    smoothing: float = Field(
        default=0.0, ge=0, lt=0.5, description="one-sided label smoothing: real targets are 1 - smoothing"
    )

    def threshold(self) -> float:
        return _balance(self.smoothing)

    def discriminator(self, real: Scores, fake: Scores, target: Scores | None = None) -> Scalar:
        on_real = _smoothed(self.smoothing)
        return _mean(real, on_real) + _fake_side(fake, target, on_real, softplus)

    def generator(self, real: Scores | None, fake: Scores) -> Scalar:
        return _mean(fake, lambda score: softplus(-score))


def _balance(smoothing: float) -> float:
    """Where the discriminator's cost is least for items of which half are real, with targets 1 - smoothing and 0."""
    return log((1 - smoothing) / (1 + smoothing))


def _smoothed(smoothing: float) -> Callable[[Tensor], Tensor]:
    """Cross-entropy against the target 1 - smoothing (Salimans et al. 2016, section 3.4)."""
    return lambda score: (1 - smoothing) * softplus(-score) + smoothing * softplus(score)


class LeastSquares(AdversarialLoss):
    """Least squares, Mao et al. 2017, eq. 9 with targets a = 0, b = c = 1, each side times one half."""

    def threshold(self) -> float:
        return 0.5

    def discriminator(self, real: Scores, fake: Scores, target: Scores | None = None) -> Scalar:
        def on_real(score: Tensor) -> Tensor:
            return (score - 1).square() / 2

        return _mean(real, on_real) + _fake_side(fake, target, on_real, lambda score: score.square() / 2)

    def generator(self, real: Scores | None, fake: Scores) -> Scalar:
        return _mean(fake, lambda score: (score - 1).square() / 2)


class Wasserstein(AdversarialLoss):
    """Wasserstein, Arjovsky et al. 2017, eq. 2: the critic must be kept Lipschitz by a penalty, constraint or norm."""

    unbounded: ClassVar[str] = (
        "scores run away, and their difference is no distance that the generator could learn from"
    )
    bounded_by: ClassVar[str] = "gradient-penalty"

    def discriminator(self, real: Scores, fake: Scores, target: Scores | None = None) -> Scalar:
        return _mean(real, torch.neg) + _fake_side(fake, target, torch.neg, lambda score: score)

    def generator(self, real: Scores | None, fake: Scores) -> Scalar:
        return _mean(fake, torch.neg)


class Hinge(AdversarialLoss):
    """Hinge, Lim and Ye 2017 (Geometric GAN); Miyato et al. 2018, eq. 16 and 17."""

    margin: float = Field(default=1.0, gt=0, description="scores beyond the margin on the right side cost nothing")

    def threshold(self) -> float:
        return 0.0

    def discriminator(self, real: Scores, fake: Scores, target: Scores | None = None) -> Scalar:
        def on_real(score: Tensor) -> Tensor:
            return (self.margin - score).relu()

        return _mean(real, on_real) + _fake_side(fake, target, on_real, lambda score: (self.margin + score).relu())

    def generator(self, real: Scores | None, fake: Scores) -> Scalar:
        return _mean(fake, torch.neg)


class RelativisticPairing(AdversarialLoss):
    """Relativistic pairing, Jolicoeur-Martineau 2019; Huang et al. 2024 (R3GAN), eq. 2: real and generated by index."""

    relativistic: ClassVar[bool] = True
    unbounded: ClassVar[str] = "gradients explode, and the game need not settle (Huang et al. 2024, section 2)"
    bounded_by: ClassVar[str] = "r1,r2"

    def discriminator(self, real: Scores, fake: Scores, target: Scores | None = None) -> Scalar:
        _refuse_target(self, target)
        return _mean_pairs(real, fake, lambda x, g: softplus(g - x))

    def generator(self, real: Scores | None, fake: Scores) -> Scalar:
        assert real is not None, f"{self.name} needs the real scores in the generator's turn"
        return _mean_pairs(real, fake, lambda x, g: softplus(x - g))


class RelativisticAverage(AdversarialLoss):
    """Relativistic average, Jolicoeur-Martineau 2019, eq. 6 and 7: each side against the other's batch mean."""

    relativistic: ClassVar[bool] = True

    def discriminator(self, real: Scores, fake: Scores, target: Scores | None = None) -> Scalar:
        _refuse_target(self, target)
        return _mean_pairs(real, fake, lambda x, g: softplus(g.mean() - x) + softplus(g - x.mean()))

    def generator(self, real: Scores | None, fake: Scores) -> Scalar:
        assert real is not None, f"{self.name} needs the real scores in the generator's turn"
        return _mean_pairs(real, fake, lambda x, g: softplus(x - g.mean()) + softplus(x.mean() - g))


def _refuse_target(loss: AdversarialLoss, target: Scores | None) -> None:
    assert target is None, f"{loss.name} pairs real with generated items and cannot take a target per location"


def refuse_relativistic(loss: AdversarialLoss) -> AdversarialLoss:
    """The loss of a game in which the generator's turn knows no real item that a made one could be held against.

    Raises:
        ValueError: it is relativistic.
    """
    if loss.relativistic:
        raise ValueError("the generator's turn has no real scores for a relativistic loss; take least-squares or hinge")
    return loss


UnpairedLoss = Annotated[AdversarialLoss, AfterValidator(refuse_relativistic)]
"""A loss that is not relativistic, as the field of a game."""
