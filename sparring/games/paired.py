"""The conditional game of Isola et al. 2017 (pix2pix): a picture is given, its counterpart is known.

A pixel phase comes first, as in ESRGAN (Wang et al. 2018): the generator learns by its pixel terms alone, and the
discriminator joins at a share of the run. How strongly the generator heeds it is set beside what its pixel terms ask,
as in VQGAN (Esser et al. 2021, eq. 7), so that one strength does for all terms, losses and data. With holes, the
discriminator is told at each place whether it is real, as in LaMa (Suvorov et al. 2022), and sees what was known as it
was.
"""

from collections.abc import Sequence
from functools import partial
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from sparring.games import Game, Play, Turn, unbounded
from sparring.games.discrimination import Discrimination, memories, remembered
from sparring.losses import AdversarialLoss, NonSaturating
from sparring.memories import settle
from sparring.networks import Architecture
from sparring.networks.unet import Unet
from sparring.penalties import Penalty
from sparring.randomness import per_sample
from sparring.terms import L1, Comparison, Lesson, Term
from sparring.types import Batch, DataSpec, Samples, Scalar, Score, Scores, Terms, precise

_GROWING = 0.1
"""Share of what follows the pixel phase in which the adversary grows to its strength."""
_MOST = 1e4
"""Times that an adversarial loss is multiplied, as where it is flat its gradient is no direction."""


class Paired(Game):
    """A generator makes the counterpart of the given picture; the discriminator sees both, or the counterpart alone."""

    network: Architecture = Field(default=Unet(), description="the family of generator and discriminator")
    loss: AdversarialLoss = Field(default=NonSaturating(), description="the adversarial loss")
    adversary: float = Field(
        default=0.5,
        ge=0,
        description="strength of the adversarial loss: its gradient at the made pictures over that of the terms; "
        "0: there is no discriminator",
    )
    warm: float = Field(
        default=0.5, ge=0, lt=1, description="share of the run in which the generator learns without the discriminator"
    )
    terms: tuple[Term, ...] = Field(default=(L1(),), description="what the generator also minimises")
    penalties: tuple[Penalty, ...] = Field(default=(), description="penalties on the discriminator")
    local: bool = Field(
        default=True,
        description="where there are holes, the discriminator's target is real at known places; not for "
        "relativistic losses",
    )
    conditional: bool = Field(
        default=True, description="the discriminator sees the given picture too; false: the counterpart alone"
    )
    latent: int = Field(default=0, ge=0, description="width of a latent vector beside the given picture; 0: none")

    @model_validator(mode="after")
    def _learns_from_the_beginning(self) -> Self:
        alone = self.warm > 0 or not self.adversary
        if alone and all(term.judged for term in self.terms):
            until = f"joins at warm = {self.warm:g} of the run" if self.adversary else "is not there, as adversary = 0"
            raise ValueError(f"terms: the generator learns nothing without the discriminator, which {until}; add l1")
        return self

    def risks(self, spec: DataSpec) -> Sequence[str]:
        return unbounded(self.loss, lambda: self._judge(spec), self.penalties) if self.adversary else ()

    def _judge(self, spec: DataSpec) -> nn.Module:
        return self.network.discriminator(spec if self.conditional else DataSpec(spec.shape))

    def players(self, spec: DataSpec) -> nn.ModuleDict:
        players = {"generator": self.network.generator(spec, self.latent)}
        if self.adversary:
            players["discriminator"] = self._judge(spec)
            players |= memories(self.penalties)
        for term in self.terms:
            memory = term.memory(spec)
            if memory is not None:
                players[f"memory-{term.name}"] = memory
        return nn.ModuleDict(players)

    def averaged(self) -> tuple[str, ...]:
        return ("generator",)

    def samplers(self, spec: DataSpec) -> nn.ModuleDict:
        return nn.ModuleDict({"generator": self.network.generator(spec, self.latent)})

    def turns(self, step: int) -> Sequence[Turn]:
        generate = Turn("generator", ("generator",), self._generate, counts=True)
        lessons = [_turn(term, lesson) for term in self.terms if (lesson := term.lesson()) is not None]
        if not self.adversary:
            return [*lessons, generate]
        judge = Turn("discriminator", ("discriminator",), self._discriminate, when=self._joined, after=settle)
        return [*lessons, judge, generate]

    def _joined(self, progress: float) -> bool:
        """Whether the pixel phase is over."""
        return progress >= self.warm

    def draw(self, seed: int, numbers: Sequence[int]) -> Tensor:
        return per_sample("normal", seed, numbers, (self.latent,))

    def sample(self, players: nn.ModuleDict, condition: Tensor | None, latents: Tensor) -> Samples:
        assert condition is not None, "a paired game makes pictures of given ones"
        return players["generator"](latents, condition)

    def score(self, players: nn.ModuleDict, batch: Batch) -> Scores:
        return players["discriminator"](batch.target, self._shown(batch))

    def _shown(self, batch: Batch) -> Tensor | None:
        """What the discriminator sees beside a counterpart."""
        return batch.condition if self.conditional else None

    def _made(self, play: Play) -> Tensor:
        latents = play.noise.normal("latent", self.latent)
        return precise(self.sample(play.players, play.batch.condition, latents).value)

    def _grown(self, progress: float) -> float:
        """From 0 to 1 after the pixel phase: nothing is to be learned from a discriminator that knows nothing yet."""
        return min(1.0, (progress - self.warm) / (_GROWING * (1 - self.warm)))

    def _discriminate(self, play: Play) -> Terms:
        batch = play.batch
        with torch.no_grad():
            fake = _pasted(self._made(play), batch)
        # A relativistic loss holds whole sides against each other and takes no target per location.
        local = self.local and not self.loss.relativistic
        truth = partial(_truth, mask=batch.mask) if local else None
        return Discrimination(self.loss, self.penalties)(play, batch.target, fake, self._shown(batch), truth)

    def _generate(self, play: Play) -> Terms:
        raw, batch = self._made(play), play.batch
        made = _pasted(raw, batch)
        made_scores = target_scores = None
        if self.adversary and self._joined(play.progress):
            judge = play.players["discriminator"]
            made_scores = judge(made, self._shown(batch))
            if self.loss.relativistic or any(term.judged for term in self.terms):
                target_scores = judge(batch.target, self._shown(batch))
        terms: Terms = {}
        for term in self.terms:
            if term.judged and made_scores is None:
                continue
            seen = Comparison(
                made, batch.target, batch.mask, made_scores, target_scores, features=remembered(play, term.name)
            )
            terms[term.name] = term(seen)
        if made_scores is not None:
            adversarial = self.loss.generator(target_scores, made_scores)
            strength = self.adversary * self._grown(play.progress)
            terms["adversary"] = strength * balance(list(terms.values()), adversarial, raw) * adversarial
        return terms


def balance(terms: Sequence[Scalar], adversarial: Scalar, made: Tensor) -> Scalar:
    """By what an adversarial loss is multiplied so that its gradient at the pictures is as long as that of the terms.

    Esser et al. 2021, eq. 7, at the pictures instead of the last layer.

    Args:
        terms: weighted scalars, of which the sum is taken.
        adversarial: the loss, a scalar.
        made: the pictures as they left the generator, ``(n, c, h, w)``, of which both are functions.

    Returns:
        A scalar outside the graph: 1 where the terms ask nothing, at most 10,000.
    """
    (own,) = torch.autograd.grad(adversarial, made, retain_graph=True)
    asking = [term for term in terms if term.requires_grad]
    if not asking:
        return torch.ones_like(adversarial)
    (wanted,) = torch.autograd.grad(torch.stack(asking).sum(), made, retain_graph=True)
    ratio = (wanted.norm() / own.norm().clamp_min(1e-12)).clamp_max(_MOST)
    return torch.where(wanted.any(), ratio, torch.ones_like(ratio))


def _pasted(made: Tensor, batch: Batch) -> Tensor:
    """What a user gets: what was known is kept as it is."""
    if batch.mask is None:
        return made
    known = precise(batch.mask)
    return known * precise(batch.target) + (1 - known) * made


def _turn(term: Term, lesson: Lesson) -> Turn:
    """The turn in which a term's own network learns from real pictures."""
    player = f"memory-{term.name}"

    def terms(play: Play) -> Terms:
        return {"lesson": lesson(play.players[player], play.batch.target, play.noise)}

    return Turn(term.name, (player,), terms)


def _truth(scores: Scores, mask: Tensor | None) -> Scores | None:
    """1 where all that lies under a score was known and 0 where it touches a hole; None where there are no holes."""
    if mask is None:
        return None
    hole = 1 - precise(mask)
    return [Score(1 - adaptive_max_pool2d(hole, s.value.shape[1:])[:, 0]) for s in scores]
