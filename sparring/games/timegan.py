"""TimeGAN, Yoon et al. 2019: a recurrent game in the space of codes that an autoencoder of steps learns.

Three phases: autoencoding; a supervisor that learns the next code from those before it; both together with a generator
of codes and a discriminator of them. Networks see ``(n, channels, steps)`` outside and ``(n, steps, units)`` inside.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from sparring.errors import RequestError
from sparring.games import Game, Play, Turn
from sparring.networks.recurrent import Steps
from sparring.randomness import per_sample
from sparring.types import Batch, DataSpec, Samples, Score, Scores, Terms, precise

Codes = Float[Tensor, "n t k"]

_LEAST_VARIANCE = 1e-6


class Timegan(Game):
    """Embedder, recovery, supervisor, generator and discriminator; the weights of the terms are those of the authors.

    The authors' embedder learns twice a step in the joint phase, ours once; their noise is uniform, ours normal.
    """

    name: ClassVar[str] = "timegan"

    steps: int = Field(default=24, ge=2, le=100_000, description="steps of a window; as in the data")
    noise: int = Field(default=6, ge=1, le=4096, description="normal numbers that the generator hears in each step")
    width: int = Field(default=24, ge=1, le=4096, description="units of each layer of every player")
    depth: int = Field(default=3, ge=1, le=16, description="layers of every player; the supervisor has one fewer")
    supervised: float = Field(default=0.25, ge=0, lt=1, description="share of the run before the supervisor learns")
    joint: float = Field(default=0.5, ge=0, lt=1, description="share of the run before all play together")
    gamma: float = Field(default=1.0, ge=0, description="weight of what is said of codes that no supervisor has seen")
    supervision: float = Field(default=100.0, ge=0, description="weight of the supervisor's error in the joint phase")
    moments: float = Field(default=100.0, ge=0, description="weight of the difference of means and deviations")
    patience: float = Field(default=0.15, ge=0, description="loss of the discriminator below which it does not learn")

    @model_validator(mode="after")
    def _in_order(self) -> "Timegan":
        if self.supervised > self.joint:
            raise ValueError("the supervised phase begins before the joint one: supervised must not be above joint")
        return self

    def players(self, spec: DataSpec) -> nn.ModuleDict:
        if len(spec.shape) != 2 or spec.condition:
            what = "conditioned series" if len(spec.shape) == 2 else f"items of shape {spec.shape}"
            raise RequestError(f"the game 'timegan' plays series without labels, not {what}; take series or default")
        channels, steps = spec.shape
        if steps != self.steps:
            raise RequestError(f"game.steps = {self.steps}: the windows have {steps} steps; give that")
        wide, deep, fewer = self.width, self.depth, max(1, self.depth - 1)
        return nn.ModuleDict({
            "embedder": Steps(channels, wide, wide, depth=deep, squashed=True),
            "recovery": Steps(wide, wide, channels, depth=deep),
            "supervisor": Steps(wide, wide, wide, depth=fewer, squashed=True),
            "generator": Steps(self.noise, wide, wide, depth=deep, squashed=True),
            "discriminator": Steps(wide, wide, 1, depth=deep),
        })  # fmt: skip

    def averaged(self) -> tuple[str, ...]:
        return ("generator", "supervisor", "recovery")

    def threshold(self) -> float | None:
        return 0.0  # where cross-entropy is indifferent

    def turns(self, step: int) -> Sequence[Turn]:
        # Each phase has turns of its own, so that what a step takes is found out in each.
        teach = ("embedder", "recovery")
        autoencode = Turn("autoencoder", teach, self._autoencode, counts=True, when=self._autoencodes)
        supervise = Turn("supervisor", ("supervisor",), self._supervise, counts=True, when=self._supervises)
        generate = Turn("generator", ("generator", "supervisor"), self._generate, when=self._joined)
        judge = Turn("discriminator", ("discriminator",), self._discriminate, when=self._joined, skip=self._weak)
        return [autoencode, generate, generate, judge, supervise]

    def _joined(self, progress: float) -> bool:
        return progress >= self.joint

    def _supervises(self, progress: float) -> bool:
        return self.supervised <= progress < self.joint

    def _autoencodes(self, progress: float) -> bool:
        return not self._supervises(progress)

    def _weak(self, terms: Terms) -> bool:
        """Whether the discriminator is ahead of the generator, and waits."""
        return float(torch.stack([term.detach() for term in terms.values()]).sum()) <= self.patience

    def draw(self, seed: int, numbers: Sequence[int]) -> Tensor:
        return per_sample("normal", seed, numbers, (self.steps * self.noise,))

    def sample(self, players: nn.ModuleDict, condition: Tensor | None, latents: Tensor) -> Samples:
        codes = players["supervisor"](players["generator"](latents.unflatten(1, (self.steps, self.noise))))
        return Samples(precise(players["recovery"](codes)).transpose(1, 2))

    def score(self, players: nn.ModuleDict, batch: Batch) -> Scores:
        return _judged(players, players["embedder"](batch.target.transpose(1, 2)))

    def _autoencode(self, play: Play) -> Terms:
        """Errors of what is recovered (eq. 7) and, jointly, of what the supervisor foretells of it (eq. 9)."""
        players, real = play.players, play.batch.target.transpose(1, 2)
        codes = players["embedder"](real)
        terms = {"recovery": 10 * mse_loss(precise(players["recovery"](codes)), precise(real)).clamp_min(1e-12).sqrt()}
        if self._joined(play.progress):
            # The supervisor learns in the generator's turn; here it only tells the embedder what it can foretell.
            terms["supervised"] = 0.1 * _foretold(codes, players["supervisor"](codes))
        return terms

    def _supervise(self, play: Play) -> Terms:
        """The error of what the supervisor foretells of codes that stay as they are (eq. 9)."""
        with torch.no_grad():
            codes = play.players["embedder"](play.batch.target.transpose(1, 2))
        return {"supervised": _foretold(codes, play.players["supervisor"](codes))}

    def _codes(self, play: Play) -> tuple[Codes, Codes]:
        """Generated codes as they come, and after the supervisor."""
        noise = play.noise.normal("latent", self.steps, self.noise)
        raw = play.players["generator"](noise)
        return raw, play.players["supervisor"](raw)

    def _generate(self, play: Play) -> Terms:
        players, real = play.players, play.batch.target.transpose(1, 2)
        raw, codes = self._codes(play)
        made = precise(players["recovery"](codes))
        with torch.no_grad():
            known = players["embedder"](real)
        terms = {
            "generator": _called(_judged(players, codes), real=True),
            "unsupervised": self.gamma * _called(_judged(players, raw), real=True),
            "supervised": self.supervision * _foretold(known, players["supervisor"](known)).clamp_min(1e-12).sqrt(),
            "moments": self.moments * _moments(made, precise(real)),
        }
        return terms

    def _discriminate(self, play: Play) -> Terms:
        players = play.players
        with torch.no_grad():
            known = players["embedder"](play.batch.target.transpose(1, 2))
            raw, codes = self._codes(play)
        return {
            "real": _called(_judged(players, known), real=True),
            "generated": _called(_judged(players, codes), real=False),
            "unsupervised": self.gamma * _called(_judged(players, raw), real=False),
        }


def _judged(players: nn.ModuleDict, codes: Codes) -> Scores:
    """A verdict on each step."""
    return [Score(players["discriminator"](codes).squeeze(2), (codes,))]


def _called(scores: Scores, *, real: bool) -> Tensor:
    """Cross-entropy of calling every step real, or generated (eq. 8)."""
    value = precise(scores[0].value)
    return binary_cross_entropy_with_logits(value, torch.full_like(value, float(real)))


def _foretold(codes: Codes, said: Codes) -> Tensor:
    """Mean squared error of the code of each step as foretold by the step before."""
    return mse_loss(precise(said[:, :-1]), precise(codes[:, 1:]))


def _moments(made: Float[Tensor, "n t c"], real: Float[Tensor, "n t c"]) -> Tensor:
    """Mean absolute difference of means and of deviations over the batch."""
    means = (made.mean(0) - real.mean(0)).abs().mean()
    deviations = [(side.var(0, correction=0) + _LEAST_VARIANCE).sqrt() for side in (made, real)]
    return means + (deviations[0] - deviations[1]).abs().mean()
