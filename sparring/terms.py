"""Terms: what a generator of pictures also minimises, beside what the discriminator says.

Each is a mean over items and locations in float32, times its weight.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from sparring.part import Part
from sparring.perceptual import LearnedFeatures, feature_network
from sparring.randomness import Noise
from sparring.types import DataSpec, Scalar, Scores, precise


@dataclass(frozen=True)
class Comparison:
    """What the generator made beside what it should have made.

    Attributes:
        made: generated pictures, ``(n, c, h, w)``, in the graph.
        target: the true ones.
        mask: which locations were known, ``(n, 1, h, w)``, or None where all were given.
        made_scores: the discriminator's scores of ``made``, in the graph; None where there is no discriminator.
        target_scores: of ``target``.
        features: the module that :meth:`Term.memory` made, as a function of pictures; None where it made none.
    """

    made: Tensor
    target: Tensor
    mask: Tensor | None = None
    made_scores: Scores | None = None
    target_scores: Scores | None = None
    features: Callable[[Tensor], Sequence[Tensor]] | None = None


Lesson = Callable[[nn.Module, Tensor, Noise], Scalar]
"""A module's loss on real pictures ``(n, c, h, w)``."""


class Term(Part):
    """The kind.

    Attributes:
        judged: whether the term needs the discriminator's scores, and so is left out where there is none.
    """

    kind: ClassVar[str] = "term"
    home: ClassVar[str] = "sparring.terms"
    judged: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, seen: Comparison) -> Scalar:
        """The weighted term."""

    def memory(self, spec: DataSpec) -> nn.Module | None:
        """A module that the term needs, if any; it does not learn from the term."""
        return None

    def lesson(self) -> Lesson | None:
        """What that module minimises in a turn of its own, on real pictures; None where it does not learn."""
        return None


def _weighed(each: Tensor, mask: Tensor | None, hole: float) -> Scalar:
    """The mean over locations, those of holes counted ``hole`` times."""
    if mask is None:
        return each.mean()
    weights = precise(mask) + hole * (1 - precise(mask))
    return (each * weights).sum() / (weights.sum() * each.shape[1])


class L1(Term):
    """Mean absolute difference, in units of the encoded range [-1, 1]; Isola et al. 2017, eq. 3."""

    weight: float = Field(default=1.0, ge=0, description="weight")
    hole: float = Field(default=6.0, ge=0, description="times that a location in a hole counts, where there are some")

    def __call__(self, seen: Comparison) -> Scalar:
        return self.weight * _weighed((precise(seen.made) - precise(seen.target)).abs(), seen.mask, self.hole)


class L2(Term):
    """Mean squared difference, in units of the encoded range [-1, 1]; what PSNR is measured by."""

    weight: float = Field(default=10.0, ge=0, description="weight")
    hole: float = Field(default=6.0, ge=0, description="times that a location in a hole counts, where there are some")

    def __call__(self, seen: Comparison) -> Scalar:
        return self.weight * _weighed((precise(seen.made) - precise(seen.target)).square(), seen.mask, self.hole)


class Charbonnier(Term):
    """Charbonnier, sqrt(d^2 + epsilon^2): the absolute difference with a rounded corner; Lai et al. 2017, eq. 2."""

    weight: float = Field(default=1.0, ge=0, description="weight")
    epsilon: float = Field(default=1e-3, gt=0, description="width of the rounded corner, in encoded units")
    hole: float = Field(default=6.0, ge=0, description="times that a location in a hole counts, where there are some")

    def __call__(self, seen: Comparison) -> Scalar:
        difference = precise(seen.made) - precise(seen.target)
        return self.weight * _weighed((difference.square() + self.epsilon**2).sqrt(), seen.mask, self.hole)


class Contrast(Term):
    """Which target of the batch a made picture is nearest to: InfoNCE, van den Oord et al. 2018, eq. 4.

    The score of a pair is its mean squared difference, negative, over the temperature. While a made picture is still
    a blend of several targets, a pixel term hardly says to which it is to go; this one does. A batch of one has none,
    and one that is computed in parts is told apart within each.
    """

    weight: float = Field(default=1.0, ge=0, description="weight")
    temperature: float = Field(default=0.1, gt=0, description="mean squared difference by which a score falls by 1")

    def __call__(self, seen: Comparison) -> Scalar:
        made, targets = precise(seen.made).flatten(1), precise(seen.target).flatten(1)
        away = made.square().sum(1)[:, None] + targets.square().sum(1) - 2 * made @ targets.T
        own = torch.arange(len(made), device=made.device)
        return self.weight * cross_entropy(-away / (self.temperature * made.shape[1]), own)


class FeatureMatching(Term):
    """L1 between the discriminator's features of made and of true pictures, Wang et al. 2018 (pix2pixHD), eq. 4.

    The mean over layers, then over scales.
    """

    judged: ClassVar[bool] = True
    weight: float = Field(default=10.0, ge=0, description="weight")

    def __call__(self, seen: Comparison) -> Scalar:
        assert seen.made_scores is not None, "feature-matching needs the discriminator's scores"
        assert seen.target_scores is not None, "feature-matching needs the discriminator's scores of the truth"
        scales = [
            torch.stack(
                [
                    (precise(a) - precise(b).detach()).abs().mean()
                    for a, b in zip(made.features, true.features, strict=True)
                ]
            ).mean()
            for made, true in zip(seen.made_scores, seen.target_scores, strict=True)
        ]
        return self.weight * torch.stack(scales).mean()


class Perceptual(Term):
    """Squared distance between unit-length features at each place, Zhang et al. 2018 (LPIPS), eq. 1 with w = 1.

    The features are those of a VGG whose weights are given by path, else of a small network that learns from the data
    in a turn of its own, else of training-free random filters. The discriminator is never one of them.
    """

    weight: float = Field(default=1.0, ge=0, description="weight")
    weights: str | None = Field(default=None, description="safetensors of a VGG without norm, features.N.weight")
    network: Literal["learned", "random"] = Field(
        default="learned", description="where no weights are given: a small network of the data, or random filters"
    )

    def memory(self, spec: DataSpec) -> nn.Module:
        return feature_network(spec.shape[0], self.weights) if self.lesson() is None else LearnedFeatures(spec.shape[0])

    def lesson(self) -> Lesson | None:
        return _what_was_spoiled if self.weights is None and self.network == "learned" else None

    def __call__(self, seen: Comparison) -> Scalar:
        assert seen.features is not None, "perceptual needs the network that its memory made"
        with torch.no_grad():
            wanted = seen.features(precise(seen.target))
        pairs = zip(seen.features(precise(seen.made)), wanted, strict=True)
        # The mean of the squared difference times the channels is the sum over channels.
        return self.weight * torch.stack([mse_loss(a, b) * a.shape[1] for a, b in pairs]).mean()


def _what_was_spoiled(network: nn.Module, real: Tensor, noise: Noise) -> Scalar:
    assert isinstance(network, LearnedFeatures), "only that one learns"
    return network.lesson(real, noise.uniform("spoiled"), noise.normal("noise", *real.shape[1:]))
