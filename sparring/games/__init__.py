"""The kind: a game names its players, the order of turns, and what each player minimises.

A game knows no data source, no optimiser and no file; the engine that plays it never learns which game it is.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from sparring.losses import AdversarialLoss
from sparring.networks.layers import spectral
from sparring.part import Part
from sparring.penalties import Penalty
from sparring.randomness import Noise
from sparring.types import Batch, DataSpec, Samples, Scores, Terms


@dataclass(frozen=True)
class Play:
    """What a turn is played with.

    Attributes:
        players: every module of the game, by name.
        batch: real items of this turn, this process's rows of the global batch.
        noise: draws by position.
        step: number of this step, from 0.
        images: real items that the discriminator has seen before this step, over all processes.
        progress: share of the planned run that is over, in [0, 1].
        planned: real items that the whole run will see.
        held_back: real items of the *select* split of a position, or None where the data are too few to hold any back.
    """

    players: nn.ModuleDict
    batch: Batch
    noise: Noise
    step: int
    images: int
    progress: float
    planned: int
    held_back: Callable[[], Batch | None]


@dataclass(frozen=True)
class Turn:
    """One update.

    Attributes:
        name: for logs, ``"discriminator"``.
        learners: players that learn in this turn, each by its own optimiser; all others are frozen.
        terms: the named terms whose sum the learners minimise.
        skip: whether to leave the update out, given the terms (TimeGAN).
        counts: whether the batch counts towards the images seen.
        after: what happens to the players after the step, such as a constraint.
        when: whether the turn is played, given the share of the run that is over; always where it is None.
    """

    name: str
    learners: tuple[str, ...]
    terms: Callable[[Play], Terms]
    skip: Callable[[Terms], bool] | None = None
    counts: bool = False
    after: Callable[[nn.ModuleDict], None] | None = None
    when: Callable[[float], bool] | None = None


class Game(Part):
    """The kind.

    Attributes:
        guarded: players that alone see real items, whose updates private training changes; () where others see them.
        adversarial: whether a discriminator gives the scores; else they are a bound that the averaged players give.
    """

    kind: ClassVar[str] = "game"
    home: ClassVar[str] = "sparring.games"
    adversarial: ClassVar[bool] = True
    guarded: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def players(self, spec: DataSpec) -> nn.ModuleDict:
        """Every module of the game with fresh weights, and the modules that hold its state."""

    @abstractmethod
    def averaged(self) -> tuple[str, ...]:
        """The players that sampling needs, of which the engine keeps moving averages."""

    def samplers(self, spec: DataSpec) -> nn.ModuleDict:
        """Those of :meth:`averaged` with fresh weights; a game whose other players need files makes these alone."""
        players = self.players(spec)
        return nn.ModuleDict({name: players[name] for name in self.averaged()})

    def threshold(self) -> float | None:
        """Score above which :meth:`score` takes an item for real; None where only differences of scores say anything.

        None too where a game has no single loss to say so.
        """
        return None

    def asked(self) -> str:
        """How :meth:`score` asks the discriminator of an item where that is not how it learned; empty elsewhere."""
        return ""

    def risks(self, spec: DataSpec) -> Sequence[str]:
        """What is likely to go wrong with these settings, in words, each with its remedy; none by default.

        ``sparring check`` warns of it and ``train`` notes it; what cannot work at all is refused instead.

        Args:
            spec: what one item looks like, as the players are built for it.
        """
        return ()

    @abstractmethod
    def turns(self, step: int) -> Sequence[Turn]:
        """The turns of a step, in order."""

    @abstractmethod
    def draw(self, seed: int, numbers: Sequence[int]) -> Tensor:
        """Latents of which row *i* depends on the seed and ``numbers[i]`` alone."""

    def truncated(self, players: nn.ModuleDict, latents: Tensor, truncation: float) -> Tensor:
        """Latents nearer to their mean where ``truncation`` is below 1; choices among categories stay as they are."""
        return latents * truncation

    @abstractmethod
    def sample(self, players: nn.ModuleDict, condition: Tensor | None, latents: Tensor) -> Samples:
        """Items from latents; players are averaged and in eval mode."""

    @abstractmethod
    def score(self, players: nn.ModuleDict, batch: Batch) -> Scores:
        """The discriminator's verdict on items, without augmentation."""


def unbounded(loss: AdversarialLoss, judge: Callable[[], nn.Module], penalties: Sequence[Penalty]) -> Sequence[str]:
    """The risk of a game in which neither a penalty nor a constraint bounds the slope of its discriminator.

    Args:
        loss: the adversarial loss.
        judge: builds the discriminator, whose spectral norm would do it.
        penalties: on the discriminator, one of which may do it.
    """
    if not loss.unbounded or any(penalty.bounds_slope() for penalty in penalties):
        return ()
    with torch.random.fork_rng(devices=[]):
        bounded = spectral(judge())
    lacks = f"the loss {loss.name} without a penalty, constraint or spectral norm that bounds the discriminator's slope"
    return () if bounded else (f"{lacks}: {loss.unbounded}; add --set penalties={loss.bounded_by}",)


@runtime_checkable
class Autoencoding(Protocol):
    """What a game can do besides where it encodes items and decodes them again."""

    def reconstruct(self, players: nn.ModuleDict, batch: Batch) -> Samples:
        """Items as they come back from their own code."""
        ...
