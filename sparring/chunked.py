"""Players asked about many items, chunk by chunk."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sparring.types import Batch

CHUNK = 256
"""Items that are looked at at once."""


@torch.no_grad()
def by_chunks(
    players: nn.ModuleDict, look: Callable[[Batch], Tensor], encoded: Tensor, condition: Tensor | None
) -> Tensor:
    """What players in eval mode say of encoded items, float32 on the CPU."""
    players.eval()
    weights, found = next(players.parameters()), []
    for start in range(0, len(encoded), CHUNK):
        rows = slice(start, start + CHUNK)
        batch = Batch(encoded[rows], None if condition is None else condition[rows])
        found.append(look(batch.map(lambda tensor: tensor.to(weights))).float().cpu())
    return torch.cat(found)
