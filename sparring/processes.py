"""Several processes that play one game: each computes its rows of the global batch, and gradients are averaged."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from sparring.errors import RequestError


def parts(batch: int, accumulate: int, rank: int, world: int) -> list[slice]:
    """The rows of the global batch that this process computes, one slice an accumulated part."""
    share, rest = divmod(batch, world * accumulate)
    if rest or not share:
        raise RequestError(
            f"a batch of {batch} does not divide among {world} processes times {accumulate} "
            f"accumulated parts; set training.batch to a multiple of {world * accumulate}"
        )
    start = rank * share * accumulate
    return [slice(start + i * share, start + (i + 1) * share) for i in range(accumulate)]


def average_over_processes(tensors: Sequence[Tensor], world: int) -> None:
    """One flat all-reduce; exact where the wrappers of torch are not, with several networks and double backward."""
    if world == 1 or not tensors:
        return
    flat = torch.cat([t.reshape(-1) for t in tensors])
    dist.all_reduce(flat)
    flat /= world
    for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))
