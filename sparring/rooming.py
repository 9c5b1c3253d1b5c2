"""Rooming: whether a step fits into memory, found out before the first one."""

import math
from collections.abc import Callable

import torch
import torch.distributed as dist

from sparring.errors import RequestError, SparringError
from sparring.experiment import Experiment
from sparring.limits import Limits
from sparring.memory import available, fitting, held_for_backward, more_parts, needed, ran_out
from sparring.plan import Plan
from sparring.planning import unmeasured
from sparring.training import Engine

_ROWS = (4, 8)
_AMPLE = 2000
"""A step holds no more than so many times the items that it reads; below that nothing is measured."""


def parts_that_fit(
    engine: Callable[..., Engine], experiment: Experiment, limits: Limits, device: torch.device, *, already: int = 1
) -> int:
    """In how many parts a process must compute its share of a batch.

    Args:
        engine: makes an engine of its own for a plan and a training.
        experiment: what will be played.
        limits: whether a batch may be computed in parts.
        device: where.
        already: parts in which a run that goes on computes it, at least.

    Raises:
        RequestError: it does not fit, and may not be computed in parts; the message names a batch that fits.
    """
    training, plan = experiment.training, unmeasured(experiment, Limits())
    world = dist.get_world_size() if dist.is_initialized() else 1
    rows, room = training.batch // (world * training.accumulate), available(device)
    if room is None or rows <= _ROWS[-1]:
        return already
    room //= world if device.type == "cpu" else 1
    measured: dict[int, int] = {}
    for few in _ROWS:
        try:
            tried = engine(plan, training.but(batch=few * world, accumulate=1))
            item = 4 * math.prod(tried.train.batch(0, slice(0, 1)).target.shape)
            if rows * item * _AMPLE < room // 4:
                return already
            with held_for_backward() as held:
                tried.step()
        except SparringError:  # parts that only work with a larger batch
            return already
        measured[few] = held()
    count = max(already, fitting(measured, rows, room))
    if count > already and not limits.auto_batch:
        most = max(world * training.accumulate, training.batch // count)
        raise RequestError(
            f"a batch of {training.batch} takes about {needed(measured, rows) / 2**30:.1f} GiB and "
            f"{room / 2**30:.1f} GiB are free; training.batch={most} fits, or --auto-batch computes it in parts, "
            "with --resume too"
        )
    return count


def divided(plan: Plan, experiment: Experiment, limits: Limits, error: Exception) -> Plan:
    """The plan in more parts than memory has just run out with.

    Raises:
        Exception: the error, where it is another, or the batch may not or cannot be divided further.
    """
    rows = experiment.training.batch // experiment.training.accumulate
    if not ran_out(error) or not limits.auto_batch or dist.is_initialized() or plan.accumulate == rows:
        raise error
    return plan.but(accumulate=more_parts(rows, plan.accumulate))
