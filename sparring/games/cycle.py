"""The unpaired game of Zhu et al. 2017 (CycleGAN): generators there and back, a discriminator in each domain.

What the two domains share is not known, so that by default the generators begin with no picture: one that begins with
the given picture comes back perfectly from the start, and stays there where the domains are far apart.
"""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from sparring.games import Game, Play, Turn, unbounded
from sparring.games.discrimination import Discrimination, memories
from sparring.losses import NonSaturating, UnpairedLoss
from sparring.memories import settle
from sparring.networks import Architecture
from sparring.networks.unet import Unet
from sparring.penalties import Penalty
from sparring.randomness import per_sample
from sparring.types import Batch, DataSpec, Samples, Scores, Terms, precise

_BACK = "-back"
"""What follows the names of the way from B to A."""


class Cycle(Game):
    """What is translated there and back must be what it was; ``batch.condition`` is of domain A, ``target`` of B."""

    network: Architecture = Field(
        default=Unet(width=16, depth=3, residual=False, bounded=False),
        description="the family of generators and discriminators",
    )
    loss: UnpairedLoss = Field(default=NonSaturating(), description="the adversarial loss; not a relativistic one")
    penalties: tuple[Penalty, ...] = Field(default=(), description="penalties on both discriminators")
    cycle: float = Field(default=10.0, ge=0, description="weight of the L1 between a picture and what comes back of it")
    identity: float = Field(
        default=0.0, ge=0, description="weight of the L1 by which a generator changes pictures of its own domain"
    )

    def risks(self, spec: DataSpec) -> Sequence[str]:
        loose = "cycle = 0: nothing ties what is made to what was given; give --set game.cycle=10"
        judge = unbounded(self.loss, lambda: self.network.discriminator(_alone(spec)), self.penalties)
        return [*judge, *([] if self.cycle else [loose])]

    def players(self, spec: DataSpec) -> nn.ModuleDict:
        there = spec
        back = DataSpec(spec.given, given=spec.shape)
        return nn.ModuleDict({
            "generator": self.network.generator(there, 0),
            "back": self.network.generator(back, 0),
            "discriminator": self.network.discriminator(_alone(there)),
            "discriminator-back": self.network.discriminator(_alone(back)),
            **memories(self.penalties), **memories(self.penalties, _BACK),
        })  # fmt: skip

    def averaged(self) -> tuple[str, ...]:
        return ("generator",)

    def turns(self, step: int) -> Sequence[Turn]:
        judges = ("discriminator", "discriminator-back")
        makers = ("generator", "back")
        return [
            Turn("discriminator", judges, self._discriminate, after=settle),
            Turn("generator", makers, self._generate, counts=True),
        ]

    def draw(self, seed: int, numbers: Sequence[int]) -> Tensor:
        return per_sample("normal", seed, numbers, (0,))

    def sample(self, players: nn.ModuleDict, condition: Tensor | None, latents: Tensor) -> Samples:
        assert condition is not None, "a cycle translates given pictures"
        return players["generator"](latents, condition)

    def score(self, players: nn.ModuleDict, batch: Batch) -> Scores:
        return players["discriminator"](batch.target)

    def _discriminate(self, play: Play) -> Terms:
        first, second = _domains(play.batch)
        with torch.no_grad():
            there, back = _made(play, "generator", first), _made(play, "back", second)
        return {
            **Discrimination(self.loss, self.penalties)(play, second, there),
            **Discrimination(self.loss, self.penalties, _BACK)(play, first, back),
        }

    def _generate(self, play: Play) -> Terms:
        first, second = _domains(play.batch)
        there, back = _made(play, "generator", first), _made(play, "back", second)
        terms: Terms = {
            "adversary": self.loss.generator(None, play.players["discriminator"](there)),
            "adversary-back": self.loss.generator(None, play.players["discriminator-back"](back)),
        }
        if self.cycle:
            returned = _distance(_made(play, "back", there), first) + _distance(_made(play, "generator", back), second)
            terms["cycle"] = self.cycle * returned
        if self.identity and first.shape == second.shape:
            kept = _distance(_made(play, "generator", second), second) + _distance(_made(play, "back", first), first)
            terms["identity"] = self.identity * kept
        return terms


def _alone(spec: DataSpec) -> DataSpec:
    """The discriminator sees pictures of one domain alone."""
    return DataSpec(spec.shape, given=())


def _domains(batch: Batch) -> tuple[Tensor, Tensor]:
    assert batch.condition is not None, "a cycle needs pictures of both domains"
    return batch.condition, batch.target


def _made(play: Play, name: str, pictures: Tensor) -> Tensor:
    return precise(play.players[name](None, pictures).value)


def _distance(one: Tensor, other: Tensor) -> Tensor:
    return (one - precise(other)).abs().mean()
