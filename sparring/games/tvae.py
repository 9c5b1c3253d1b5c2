"""TVAE, Xu et al. 2019, section 4.5: a variational autoencoder of rows, the reference for adversarial tables."""

from collections.abc import Sequence
from math import log, pi
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from sparring.errors import RequestError
from sparring.games import Game, Play, Turn
from sparring.games.vae import Encoder, divergence
from sparring.networks import Architecture
from sparring.networks.tabular import Tabular, choices_in
from sparring.randomness import by_position, derive
from sparring.types import Batch, DataSpec, Samples, Score, Scores, Terms, precise

_LOG_DEVIATION = (-5.0, 1.0)
"""Bounds of the logarithm of a number's deviation around what is decoded."""


class Tvae(Game):
    """Maximises the evidence lower bound of rows: numbers are Gaussian around what is decoded, choices categorical."""

    adversarial: ClassVar[bool] = False

    network: Architecture = Field(
        default=Tabular(width=128, norm="none", dropout=0.0),
        description="the family whose generator decodes and whose discriminator's trunk encodes",
    )
    latent: int = Field(
        default=128, ge=1, description="width of the latent vector; a row's choices and numbers take one of it each"
    )
    weight: float = Field(default=2.0, gt=0, description="weight of the reconstruction beside the divergence")

    def players(self, spec: DataSpec) -> nn.ModuleDict:
        if not spec.spans:
            raise RequestError("the game 'tvae' plays rows of tables; take vae for anything else")
        deviations = Deviations(spec, self.latent)
        generator = self.network.generator(spec, deviations.code + deviations.choices)
        encoder = Encoder(self.network, spec, deviations.code)
        return nn.ModuleDict({"encoder": encoder, "generator": generator, "deviations": deviations})

    def averaged(self) -> tuple[str, ...]:
        return ("encoder", "generator", "deviations")

    def turns(self, step: int) -> Sequence[Turn]:
        return [Turn("autoencoder", ("encoder", "generator", "deviations"), self._terms, counts=True)]

    def draw(self, seed: int, numbers: Sequence[int]) -> Tensor:
        draws = torch.from_numpy(by_position(derive(seed, "latent"), numbers, self.latent))
        return torch.special.ndtri(draws.clamp_min(1e-12)).float()

    def truncated(self, players: nn.ModuleDict, latents: Tensor, truncation: float) -> Tensor:
        deviations = _deviations(players)
        scale = torch.full((latents.shape[1],), truncation).to(latents)
        scale[deviations.code : deviations.code + deviations.choices] = 1
        return latents * scale

    def sample(self, players: nn.ModuleDict, condition: Tensor | None, latents: Tensor) -> Samples:
        deviations = _deviations(players)
        decoding = deviations.code + deviations.choices
        made = players["generator"](latents[:, :decoding], condition)
        spread = latents[:, decoding:]
        value = made.value.clone()
        around = value[:, deviations.at] + deviations.deviation() * spread
        value[:, deviations.at] = around.clamp(-1, 1)
        return Samples(value, made.logits)

    def score(self, players: nn.ModuleDict, batch: Batch) -> Scores:
        """The evidence lower bound of each row in nats, decoded from the mean of its latents instead of a draw."""
        mean, log_variance = players["encoder"](batch.target, batch.condition)
        cost = self._cost(players, batch, mean)
        return [Score(-cost - divergence(mean, log_variance))]

    def _terms(self, play: Play) -> Terms:
        mean, log_variance = play.players["encoder"](play.batch.target, play.batch.condition)
        latents = mean + (log_variance / 2).exp() * play.noise.normal("latent", mean.shape[1])
        cost = self._cost(play.players, play.batch, latents)
        return {"reconstruction": self.weight * cost.mean(), "kl": divergence(mean, log_variance).mean()}

    def _cost(self, players: nn.ModuleDict, batch: Batch, latents: Tensor) -> Float[Tensor, " n"]:
        """Negative log-likelihood of each row in nats."""
        deviations = _deviations(players)
        undecided = latents.new_zeros(len(latents), deviations.choices)
        made = players["generator"](torch.cat([latents, undecided], 1), batch.condition)
        target = precise(batch.target)
        known = (target[:, deviations.chosen] * precise(made.logits)).sum(1)
        squares = (target[:, deviations.at] - precise(made.value)[:, deviations.at]).square()
        deviation = deviations.deviation()
        each = squares / (2 * deviation.square()) + deviation.log() + log(2 * pi) / 2
        return each.sum(1) - known


class Deviations(nn.Module):
    """How far numbers lie around what is decoded, learned, and where numbers and choices stand in a row.

    Args:
        spec: what a row is made of.
        latent: width of what a row is sampled from: the code, then what decides its choices, then its numbers' noise.
    """

    at: Tensor
    chosen: Tensor

    def __init__(self, spec: DataSpec, latent: int):
        super().__init__()
        # Plain lists: a run that is loaded is first built on the device "meta", where tensors hold no values.
        numeric = [span.activation == "tanh" for span in spec.spans for _ in range(span.width)]
        self.register_buffer("at", torch.tensor([place for place, number in enumerate(numeric) if number]).long())
        self.register_buffer(
            "chosen", torch.tensor([place for place, number in enumerate(numeric) if not number]).long()
        )
        self.numbers, self.choices = sum(numeric), choices_in(spec.spans)
        self.code = latent - self.numbers - self.choices
        if self.code < 1:
            raise RequestError(
                f"game.latent = {latent} is too narrow for rows of {self.choices} choices and {self.numbers} numbers; "
                f"give at least {self.choices + self.numbers + 1}"
            )
        self.logarithm = nn.Parameter(torch.full((self.numbers,), log(0.1)))

    def deviation(self) -> Float[Tensor, " numbers"]:
        """The standard deviation of each number, in encoded units."""
        return precise(self.logarithm).clamp(*_LOG_DEVIATION).exp()


def _deviations(players: nn.ModuleDict) -> Deviations:
    found = players["deviations"]
    assert isinstance(found, Deviations), "the game made its own players"
    return found
