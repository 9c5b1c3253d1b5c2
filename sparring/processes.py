"""Several processes that play one game: each computes its rows of the global batch, and gradients are averaged."""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from sparring.errors import RequestError
from sparring.types import Terms


def end_with_parent() -> None:
    """Lets the system end this process when the one that started it ends, killed or not; on Linux alone.

    A process of several would otherwise train on, and hold the run's folder, after its launcher was killed.
    """
    if sys.platform != "linux":
        return
    parent, set_death_signal = os.getppid(), 1
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that
        os.kill(os.getpid(), signal.SIGKILL)


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


def is_first() -> bool:
    """Whether this process writes: the only one, or the first of many."""
    return not dist.is_initialized() or dist.get_rank() == 0


def agreed(device: torch.device, number: int) -> int:
    """The first process's number, in all processes."""
    if not dist.is_initialized():
        return number
    told = torch.tensor([number], device=device)
    dist.broadcast(told, 0)
    return int(told)


def average_over_processes(tensors: Sequence[Tensor], world: int) -> None:
    """One flat all-reduce; exact where the wrappers of torch are not, with several networks and double backward."""
    if world == 1 or not tensors:
        return
    flat = torch.cat([t.reshape(-1) for t in tensors])
    dist.all_reduce(flat)
    flat /= world
    for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def means_over_processes(terms: Terms, world: int) -> Terms:
    """Terms of the whole batch; whether a turn is left out must not depend on how it is divided."""
    means = {name: value.clone() for name, value in terms.items()}
    average_over_processes(list(means.values()), world)
    return means
