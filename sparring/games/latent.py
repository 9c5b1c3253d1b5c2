"""The game of Goodfellow et al. 2014 (algorithm 1): a generator makes items from noise, a discriminator judges them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import one_hot

from sparring.agreement import Agreement
from sparring.errors import RequestError
from sparring.games import Game, Play, Turn, unbounded
from sparring.games.discrimination import due, memories, paid, remembered
from sparring.losses import AdversarialLoss, NonSaturating
from sparring.memories import settle
from sparring.networks import Architecture, choices_of
from sparring.networks.layers import compares
from sparring.networks.mlp import Mlp
from sparring.penalties import Constraint, Look, Penalty
from sparring.randomness import by_position, derive, per_sample
from sparring.types import Batch, DataSpec, Samples, Score, Scores, Terms, precise, verdict
from sparring.views import AdaptiveAugment, Pack, Sight, View


class Latent(Game):
    """Items from latent vectors and, where the data are conditioned, from encoded conditions."""

    guarded: ClassVar[tuple[str, ...]] = ("discriminator",)

    network: Architecture = Field(default=Mlp(), description="the family of generator and discriminator")
    loss: AdversarialLoss = Field(default=NonSaturating(), description="the adversarial loss")
    penalties: tuple[Penalty, ...] = Field(default=(), description="penalties on the discriminator")
    constraints: tuple[Constraint, ...] = Field(default=(), description="constraints on the discriminator's weights")
    views: tuple[View, ...] = Field(default=(), description="what the discriminator sees of an item, in order")
    latent: int = Field(default=64, ge=1, description="width of the latent vector")
    noise: Literal["normal", "uniform"] = Field(
        default="normal", description="latents: standard normal, or uniform on (-1, 1)"
    )
    codes: int = Field(
        default=0, ge=0, description="categories of a discrete latent beside the continuous one, for data in clumps"
    )
    code_weight: float = Field(
        default=1.0, gt=0, le=1000, description="length of a code's vector over that of a continuous latent"
    )
    agreements: tuple[Agreement, ...] = Field(
        default=(), description="what a generator of rows also minimises; none for anything else"
    )
    discriminator_steps: int = Field(default=1, ge=1, description="k: discriminator steps a generator step")

    @model_validator(mode="after")
    def _names_are_unlike(self) -> "Latent":
        for field in ("views", "penalties", "constraints"):
            names = [part.name for part in getattr(self, field)]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(
                    f"{field} names {twice[0]} twice, and the two would share what they remember; give one"
                )
        return self

    def risks(self, spec: DataSpec) -> Sequence[str]:
        judge = self.network.discriminator
        steep = () if self.constraints else unbounded(self.loss, lambda: judge(self._seen(spec)), self.penalties)
        packed = next((number for number, view in enumerate(self.views) if isinstance(view, Pack)), len(self.views))
        late = [f"{view.name} changes a pack as if it were one item; put pack last" for view in self.views[packed:]
                if view.augments]  # fmt: skip
        return (*steep, *late)

    def _seen(self, spec: DataSpec) -> DataSpec:
        """What the discriminator sees of an item, through the views."""
        for view in self.views:
            spec = view.spec(spec)
        return spec

    def players(self, spec: DataSpec) -> nn.ModuleDict:
        players = {
            "generator": self.network.generator(spec, self.latent + self.codes),
            "discriminator": self.network.discriminator(self._seen(spec)),
        }
        if choices_of(players["generator"]) and (self.codes or self.noise != "normal"):
            field = "codes" if self.codes else "noise"
            raise RequestError(
                f"game.{field} = {getattr(self, field)}: normal numbers decide the choices of such rows; leave it out"
            )
        return nn.ModuleDict(players | memories((*self.views, *self.penalties)))

    def averaged(self) -> tuple[str, ...]:
        return ("generator",)

    def turns(self, step: int) -> Sequence[Turn]:
        judge = Turn("discriminator", ("discriminator",), self._discriminate, counts=True, after=self._constrain)
        return [judge] * self.discriminator_steps + [Turn("generator", ("generator",), self._generate)]

    def draw(self, seed: int, numbers: Sequence[int]) -> Tensor:
        if self.network.by_the_million and not self.codes and self.noise == "normal":
            draws = torch.from_numpy(by_position(derive(seed, "latent"), numbers, self.latent))
            return torch.special.ndtri(draws.clamp_min(1e-12)).float()
        codes = per_sample("uniform", derive(seed, "code"), numbers, (1,)) if self.codes else None
        return self._joined(per_sample(self.noise, seed, numbers, (self.latent,)), codes)

    def truncated(self, players: nn.ModuleDict, latents: Tensor, truncation: float) -> Tensor:
        scaled = self.latent - choices_of(players["generator"])
        return torch.cat([latents[:, :scaled] * truncation, latents[:, scaled:]], 1)

    def _joined(self, draws: Tensor, codes: Tensor | None) -> Tensor:
        """Latent vectors: continuous part, and one-hot code where there are some (InfoGAN, Chen et al. 2016)."""
        continuous = draws * 2 - 1 if self.noise == "uniform" else draws
        if codes is None:
            return continuous
        category = (codes.squeeze(1) * self.codes).long().clamp_(max=self.codes - 1)
        # Of weight 1 it is as long as a normal vector of the continuous part: a linear layer hears both alike.
        length = self.code_weight * self.latent**0.5
        return torch.cat([continuous, one_hot(category, self.codes).to(draws) * length], 1)

    def sample(self, players: nn.ModuleDict, condition: Tensor | None, latents: Tensor) -> Samples:
        return players["generator"](latents, condition)

    def threshold(self) -> float | None:
        return self.loss.threshold()

    def asked(self) -> str:
        count = self._packed()
        return f"of packs of one item {count} times, having learned of packs of {count} others" if count > 1 else ""

    def score(self, players: nn.ModuleDict, batch: Batch) -> Scores:
        # A discriminator of packs is asked about packs of the one item.
        channels = self._packed()
        items = batch.target.repeat(1, channels, *[1] * (batch.target.ndim - 2))
        condition = None if batch.condition is None else batch.condition.repeat(1, channels)
        return players["discriminator"](items, condition)

    def _packed(self) -> int:
        """How many items one look of the discriminator holds."""
        return self._seen(DataSpec((1,))).shape[0]

    def _latents(self, play: Play) -> Tensor:
        draws = play.noise.normal if self.noise == "normal" else play.noise.uniform
        codes = play.noise.uniform("code", 1) if self.codes else None
        return self._joined(draws("latent", self.latent), codes)

    def _see(self, play: Play, items: Tensor, name: str, condition: Tensor | None = None) -> Scores:
        """The discriminator's scores of items, through the views; beside their own conditions or those given."""
        return play.players["discriminator"](*self._view(play, items, name, condition))

    def _see_both(self, play: Play, real: Tensor, fake: Tensor) -> tuple[Scores, Scores]:
        """Scores of real and generated items in one pass, which costs less than two."""
        (real, condition), (fake, other) = self._view(play, real, "real"), self._view(play, fake, "fake")
        count = len(real)
        conditions = None if condition is None or other is None else torch.cat([condition, other])
        both = play.players["discriminator"](torch.cat([real, fake]), conditions)
        return _rows(both, slice(0, count)), _rows(both, slice(count, None))

    def _view(
        self, play: Play, items: Tensor, name: str, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """What the discriminator sees of items and of their conditions, or of those given."""
        condition = play.batch.condition if condition is None else condition
        for view in self.views:
            sight = Sight(play.noise, name, play.progress, remembered(play, view.name))
            items, condition = view(items, condition, sight)
        return items, condition

    def _discriminate(self, play: Play) -> Terms:
        penalties = due(self.penalties, play.step)
        with torch.no_grad():
            fake = precise(play.players["generator"](self._latents(play), play.batch.condition).value)
        differentiates = any(p.differentiates for p in penalties)
        real = play.batch.target.detach().requires_grad_(differentiates)
        fake = fake.detach().requires_grad_(differentiates)
        if differentiates or compares(play.players["discriminator"]):
            real_scores, fake_scores = self._see(play, real, "real"), self._see(play, fake, "fake")
        else:
            real_scores, fake_scores = self._see_both(play, real, fake)
        loss = self.loss.discriminator(real_scores, fake_scores)

        def again(items: Tensor, condition: Tensor | None = None) -> Scores:
            return self._see(play, items, "again", condition)

        look = Look(real, fake, real_scores, fake_scores, again, play.noise, play.batch.condition)
        terms = {"discriminator": loss, **paid(play, penalties, look)}
        self._adapt(play, real_scores, fake_scores)
        return terms

    def _adapt(self, play: Play, real: Scores, fake: Scores) -> None:
        """Steers the strength of adaptive augmentation by the gap between learned and held-back items."""
        for view in self.views:
            if not isinstance(view, AdaptiveAugment) or play.step % view.every:
                continue
            memory, held_back = play.players[f"memory-{view.name}"], play.held_back()
            if held_back is None:
                view.assume(memory)
                continue
            with torch.no_grad():
                other = self._see(_with(play, held_back), held_back.target, "held back")
            view.update(memory, verdict(real), verdict(other), verdict(fake), play.images, play.planned)

    def _generate(self, play: Play) -> Terms:
        made = self.sample(play.players, play.batch.condition, self._latents(play))
        fake = made.value
        real_scores, fake_scores = None, self._see(play, precise(fake), "fake")
        if self.loss.relativistic:
            real_scores = self._see(play, play.batch.target, "real")
        agreeing = {agreement.name: agreement(made, play.batch) for agreement in self.agreements}
        return {"generator": self.loss.generator(real_scores, fake_scores), **agreeing}

    def _constrain(self, players: nn.ModuleDict) -> None:
        settle(players)
        for constraint in self.constraints:
            constraint(players["discriminator"])


def _rows(scores: Scores, rows: slice) -> Scores:
    return [Score(s.value[rows], tuple(f[rows] for f in s.features)) for s in scores]


def _with(play: Play, batch: Batch) -> Play:
    return replace(play, batch=batch)
