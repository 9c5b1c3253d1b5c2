"""Memories: modules that a part of a game keeps from step to step."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Memory(nn.Module):
    """A module that moves once a step, whatever parts its batch is computed in.

    What a part of the batch tells is kept until the step is over; then the memory is moved by its mean over the parts.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: list[Tensor] = []
        self._move: Callable[..., None] | None = None

    def tell(self, move: Callable[..., None], *numbers: Tensor) -> None:
        """Keeps numbers of a part of the batch.

        Args:
            move: is called with their means when the step is over.
            numbers: scalars.
        """
        self._told.append(torch.stack([number.detach() for number in numbers]))
        self._move = move

    @torch.no_grad()
    def settle(self) -> None:
        """Moves the memory, where it was told anything."""
        if self._move is not None:
            move, means = self._move, torch.stack(self._told).mean(0)
            self._told, self._move = [], None
            move(*means.unbind())


def settle(players: nn.ModuleDict) -> None:
    """Moves every memory among the players; for the end of a turn."""
    for player in players.values():
        if isinstance(player, Memory):
            player.settle()
