"""What a discriminator's turn minimises: the loss of both sides, and what penalties add when they are due."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from torch import Tensor, nn

from sparring.games import Play
from sparring.losses import AdversarialLoss
from sparring.penalties import Look, Penalty
from sparring.types import Scores, Terms


class Remembering(Protocol):
    """A part that keeps something from step to step, such as a penalty or a view."""

    name: ClassVar[str]

    def memory(self) -> nn.Module | None:
        """The module in which it does, if any."""
        ...


def memories(parts: Iterable[Remembering], which: str = "") -> dict[str, nn.Module]:
    """The modules in which parts of a discriminator remember, by the names that players have.

    Args:
        parts: of one discriminator.
        which: what tells their names from those of another's, ``"-back"``.
    """
    found = {f"memory-{part.name}{which}": part.memory() for part in parts}
    return {name: memory for name, memory in found.items() if memory is not None}


def remembered(play: Play, name: str) -> nn.Module | None:
    """The module in which the part of this name remembers, or None."""
    return play.players[f"memory-{name}"] if f"memory-{name}" in play.players else None


def due(penalties: Iterable[Penalty], step: int) -> list[Penalty]:
    """The penalties that are taken in this step."""
    return [penalty for penalty in penalties if step % penalty.interval == 0]


def paid(play: Play, penalties: Iterable[Penalty], look: Look, which: str = "") -> Terms:
    """Each penalty that is due, by its name, times the steps since it was last taken.

    Args:
        play: the turn.
        penalties: those that are due.
        look: what the discriminator saw and said; each penalty has its own memory in it.
        which: what follows the names of terms and memories, where there are several discriminators.
    """
    return {
        f"{penalty.name}{which}": penalty.interval
        * penalty(replace(look, memory=remembered(play, f"{penalty.name}{which}")), play.progress)
        for penalty in penalties
    }


@dataclass(frozen=True)
class Discrimination:
    """The terms of a discriminator of pictures, which sees both sides as they are, beside what was given.

    Attributes:
        loss: the adversarial loss.
        penalties: on this discriminator.
        which: what follows the names of the player and of the terms, where there are several discriminators.
    """

    loss: AdversarialLoss
    penalties: Sequence[Penalty] = ()
    which: str = ""

    def __call__(
        self,
        play: Play,
        real: Tensor,
        fake: Tensor,
        condition: Tensor | None = None,
        truth: Callable[[Scores], Scores | None] | None = None,
    ) -> Terms:
        """The loss under the discriminator's name, and the penalties that are due.

        Args:
            play: the turn.
            real: real pictures, ``(n, c, h, w)``.
            fake: generated ones.
            condition: what the discriminator is shown beside both sides, or None.
            truth: gives, for the scores of the generated side, the share of each that is real; None, or where it gives
                None: nothing is.
        """
        player, penalties = f"discriminator{self.which}", due(self.penalties, play.step)
        judge, differentiates = play.players[player], any(penalty.differentiates for penalty in penalties)
        real, fake = (side.detach().requires_grad_(differentiates) for side in (real, fake))
        real_scores, fake_scores = judge(real, condition), judge(fake, condition)
        loss = self.loss.discriminator(real_scores, fake_scores, truth(fake_scores) if truth else None)
        # Discriminators of one turn draw each their own numbers.
        noise = replace(play.noise, key=(*play.noise.key, self.which)) if self.which else play.noise
        shown = condition

        def again(items: Tensor, condition: Tensor | None = None) -> Scores:
            return judge(items, shown if condition is None else condition)

        look = Look(real, fake, real_scores, fake_scores, again, noise, shown)
        return {player: loss, **paid(play, penalties, look, self.which)}
