"""A discriminator's turn as the games of pictures share it: the loss of both sides, and what penalties add."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

from torch import Tensor, nn

from sparring.games import Play
from sparring.losses import AdversarialLoss
from sparring.penalties import Look, Penalty
from sparring.types import Terms


def memories(penalties: Sequence[Penalty], which: str = "") -> dict[str, nn.Module]:
    """The modules in which the penalties of one discriminator remember, by the names that players have.

    Args:
        penalties: of the discriminator.
        which: what tells its names from those of another, ``"-back"``.
    """
    found = {f"memory-{penalty.name}{which}": penalty.memory() for penalty in penalties}
    return {name: memory for name, memory in found.items() if memory is not None}


def remembered(play: Play, name: str) -> nn.Module | None:
    """The module in which the part of this name remembers, or None."""
    return play.players[f"memory-{name}"] if f"memory-{name}" in play.players else None


@dataclass(frozen=True)
class Discrimination:
    """What a discriminator minimises: its loss, and each penalty times the steps since it was last taken.

    Attributes:
        loss: the adversarial loss.
        penalties: those that are due.
        which: what follows the names of the player and of the terms, where there are several discriminators.
    """

    loss: AdversarialLoss
    penalties: Sequence[Penalty] = ()
    which: str = ""

    @classmethod
    def of(cls, game: "Penalised", step: int, which: str = "") -> Self:
        """That of a game in this step."""
        return cls(game.loss, [penalty for penalty in game.penalties if step % penalty.interval == 0], which)

    def __call__(self, play: Play, real: Tensor, fake: Tensor, *, condition=None, truth=None) -> Terms:
        """The terms.

        Args:
            play: the turn.
            real: real pictures, ``(n, c, h, w)``.
            fake: generated ones.
            condition: what the discriminator is shown beside both sides, or None.
            truth: gives, for the scores of the generated side, what is true there, or None as it does itself where all
                of it is false.
        """
        judge = play.players[f"discriminator{self.which}"]
        differentiates = any(penalty.differentiates for penalty in self.penalties)
        real, fake = (side.detach().requires_grad_(differentiates) for side in (real, fake))
        real_scores, fake_scores = judge(real, condition), judge(fake, condition)
        target = truth(fake_scores) if truth else None
        terms: Terms = {f"discriminator{self.which}": self.loss.discriminator(real_scores, fake_scores, target)}
        # Discriminators of one turn draw each their own numbers.
        noise = replace(play.noise, key=(*play.noise.key, self.which)) if self.which else play.noise
        for penalty in self.penalties:
            name = f"{penalty.name}{self.which}"
            memory = remembered(play, name)
            look = Look(real, fake, real_scores, fake_scores, lambda x: judge(x, condition), noise, memory)
            terms[name] = penalty(look, play.progress) * penalty.interval
        return terms


class Penalised(Protocol):
    """A game whose discriminator pays penalties."""

    @property
    def loss(self) -> AdversarialLoss: ...

    @property
    def penalties(self) -> Sequence[Penalty]: ...
