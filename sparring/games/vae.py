"""The variational autoencoder, Kingma & Welling 2014: the reference that adversarial games are compared with.

One player in two modules: an encoder of items to Gaussians over latents, and a decoder, which is a generator of the
same family and size as an adversarial game would train. No discriminator judges; the bound itself does.
"""

from collections.abc import Sequence
from math import log, pi, prod
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from sparring.errors import RequestError
from sparring.games import Game, Play, Turn
from sparring.memories import Memory, settle
from sparring.networks import Architecture
from sparring.networks.mlp import Mlp
from sparring.randomness import per_sample
from sparring.types import Batch, DataSpec, Samples, Score, Scores, Terms, precise

PerItem = Float[Tensor, " n"]

_FOLLOW = 0.05
"""Share of the newest batch in the variance that follows the decoder's errors."""
_LEAST_VARIANCE = 1e-6
_LOG_VARIANCE = (-20.0, 10.0)
"""Bounds of a latent's log-variance, so that its exponential stays finite."""


class Vae(Game):
    """Maximises the evidence lower bound (eq. 3), with the weight beta on its second term (Higgins et al. 2017, eq. 4).

    Items are Gaussian around what is decoded. Without a ``deviation`` of its own the Gaussian's variance follows the
    mean squared error, which is its likeliest value (Rybkin et al. 2021, eq. 6), and no weight has to be chosen.
    """

    adversarial: ClassVar[bool] = False

    network: Architecture = Field(
        default=Mlp(), description="the family whose generator decodes and whose discriminator's trunk encodes"
    )
    latent: int = Field(default=64, ge=1, description="width of the latent vector")
    beta: float = Field(default=1.0, ge=0, description="weight of the divergence from the prior; 1: the bound itself")
    deviation: float | None = Field(
        default=None, gt=0, description="of an item's numbers around the decoded ones; none: as the errors are"
    )

    def risks(self, spec: DataSpec) -> Sequence[str]:
        if self.beta:
            return ()
        return ("beta = 0: codes need not lie where samples are drawn from; give --set game.beta=1",)

    def players(self, spec: DataSpec) -> nn.ModuleDict:
        generator = self.network.generator(spec, self.latent)
        return nn.ModuleDict({"encoder": Encoder(self.network, spec, self.latent), "generator": generator})

    def averaged(self) -> tuple[str, ...]:
        return ("encoder", "generator")

    def turns(self, step: int) -> Sequence[Turn]:
        return [Turn("autoencoder", ("encoder", "generator"), self._terms, counts=True, after=settle)]

    def draw(self, seed: int, numbers: Sequence[int]) -> Tensor:
        return per_sample("normal", seed, numbers, (self.latent,))

    def sample(self, players: nn.ModuleDict, condition: Tensor | None, latents: Tensor) -> Samples:
        return players["generator"](latents, condition)

    def score(self, players: nn.ModuleDict, batch: Batch) -> Scores:
        """The evidence lower bound of each item in nats, decoded from the mean of its latents instead of a draw."""
        mean, log_variance = players["encoder"](batch.target, batch.condition)
        decoded = players["generator"](mean, batch.condition).value
        cost = self._cost(players, batch.target, decoded)
        return [Score(-cost - divergence(mean, log_variance))]

    def reconstruct(self, players: nn.ModuleDict, batch: Batch) -> Samples:
        """Items decoded from the mean of their own latents."""
        mean, _ = players["encoder"](batch.target, batch.condition)
        return players["generator"](mean, batch.condition)

    def _terms(self, play: Play) -> Terms:
        encoder, real = _encoder(play.players), play.batch.target
        mean, log_variance = encoder(real, play.batch.condition)
        latents = mean + (log_variance / 2).exp() * play.noise.normal("latent", self.latent)
        decoded = play.players["generator"](latents, play.batch.condition).value
        cost = self._cost(play.players, real, decoded)
        encoder.tell(encoder.follow, (precise(decoded) - precise(real)).square().mean())
        return {
            "reconstruction": cost.mean(),
            "kl": self.beta * divergence(mean, log_variance).mean(),
        }

    def _cost(self, players: nn.ModuleDict, items: Tensor, decoded: Tensor) -> PerItem:
        """Negative log-likelihood of each item in nats."""
        variance = _encoder(players).variance.clamp_min(_LEAST_VARIANCE).clone()
        if self.deviation is not None:
            variance = torch.full_like(variance, self.deviation**2)
        squares = (precise(decoded) - precise(items)).square().flatten(1)
        return squares.sum(1) / (2 * variance) + squares.shape[1] / 2 * (variance.log() + log(2 * pi))


def divergence(mean: Float[Tensor, "n d"], log_variance: Float[Tensor, "n d"]) -> PerItem:
    """Kullback-Leibler divergence of each Gaussian from the standard normal, in nats (appendix B)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2


class Encoder(Memory):
    """A discriminator's trunk with a linear layer to mean and log-variance of the latents, beside the condition.

    Args:
        family: whose discriminator is taken.
        spec: what one item looks like.
        latent: width of the latents.
    """

    variance: Tensor

    def __init__(self, family: Architecture, spec: DataSpec, latent: int):
        super().__init__()
        self.trunk = family.discriminator(DataSpec(spec.shape))
        self.head = nn.Linear(_width(self.trunk, family, spec) + spec.condition, 2 * latent)
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("variance", torch.ones(()))

    def follow(self, error: Tensor) -> None:
        """Moves the variance of items around decoded ones towards the newest mean squared error."""
        with torch.no_grad():
            self.variance.lerp_(error.to(self.variance), _FOLLOW)

    def forward(self, items: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        seen = self.trunk(items, None)[0].features[-1].flatten(1)
        found = self.head(seen if condition is None else torch.cat([seen, condition.to(seen)], 1))
        mean, log_variance = precise(found).chunk(2, 1)
        return mean, log_variance.clamp(*_LOG_VARIANCE)


def _encoder(players: nn.ModuleDict) -> Encoder:
    encoder = players["encoder"]
    assert isinstance(encoder, Encoder), "the game makes its own encoder"
    return encoder


def _width(trunk: nn.Module, family: Architecture, spec: DataSpec) -> int:
    """Numbers in the last features of a trunk, found by looking at an empty item."""
    trunk.eval()
    with torch.no_grad():
        features = trunk(torch.zeros(1, *spec.shape), None)[0].features
    trunk.train()
    if not features:
        raise RequestError(f"vae.network = '{family.name}' shows no features to encode by; take pyramid or mlp")
    return prod(features[-1].shape[1:])
