"""Rooming: whether a step fits into memory, found out before the first one."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist

from sparring.errors import RequestError, SparringError
from sparring.experiment import Experiment
from sparring.limits import Limits
from sparring.memory import available, fitting, held_for_backward, needed, ran_out
from sparring.part import walk
from sparring.penalties import Penalty
from sparring.plan import Plan
from sparring.planning import phases, turns_of, unmeasured
from sparring.processes import agreed
from sparring.training import Engine

Maker = Callable[..., Engine]
"""Makes an engine of its own for a plan and a training."""

_FEW = 4
"""Rows that are measured at least, where the game can be played with so few: fewer say little of what each adds."""

_AMPLE = 2000
"""A step holds no more than so many times the items that it reads; below that nothing is measured."""


@dataclass(frozen=True)
class Division:
    """In how many equal parts a process must compute its share of a batch, and why, where in more than was asked."""

    parts: int
    why: str = ""


def parts_that_fit(
    engine: Maker, experiment: Experiment, limits: Limits, device: torch.device, *, already: int = 1
) -> int:
    """In how many parts a process must compute its share of a batch.

    Args:
        engine: makes an engine of its own for a plan and a training.
        experiment: what will be played.
        limits: whether a batch may be computed in parts.
        device: where.
        already: parts in which a run that goes on computes it, at least.

    Raises:
        RequestError: it does not fit, and may not be computed in parts, or no part of it fits; the message names a
            batch that fits, where there is one.
    """
    found = division(engine, experiment, device, already=already)
    if found.parts > already and not limits.auto_batch:
        raise RequestError(found.why)
    return found.parts


def division(engine: Maker, experiment: Experiment, device: torch.device, *, already: int = 1) -> Division:
    """The fewest parts that fit into memory, of those that the game can be played with.

    Args:
        engine: makes an engine of its own for a plan and a training.
        experiment: what will be played.
        device: where.
        already: parts in which a run that goes on computes it, at least.

    Raises:
        RequestError: no part fits.
    """
    training = experiment.training
    trial, room = Trial(engine, experiment), available(device)
    # All processes go by the first one's number, as they take the same steps together.
    room = agreed(device, -1 if room is None else room)
    if room < 0:
        return Division(already)
    room //= trial.world if device.type == "cpu" else 1
    if trial.ample(room) or not (measured := trial.measured()):
        return Division(already)
    may = fitting(measured, trial.rows, room)
    if may and may[0] <= already:
        return Division(already)
    found = next((n for n in may if n >= already and trial.plays(trial.rows // n)), None)
    takes = f"a batch of {training.batch} takes about {_said(needed(measured, trial.rows))} and {_said(room)} are free"
    if found is None:
        raise RequestError(f"{takes}, and no part of it that can be played fits; take a smaller network or items")
    most = trial.world * training.accumulate * (trial.rows // found)
    return Division(
        found, f"{takes}; training.batch={most} fits, or --auto-batch computes it in parts, with --resume too"
    )


class Trial:
    """Steps of few rows on fresh weights, one in each phase of the run, which say what a step of all rows takes.

    Args:
        engine: makes an engine of its own for a plan and a training.
        experiment: what will be played.
    """

    def __init__(self, engine: Maker, experiment: Experiment):
        self.engine, self.experiment = engine, experiment
        self.plan = unmeasured(experiment, Limits())
        self.world = dist.get_world_size() if dist.is_initialized() else 1
        self.rows = experiment.training.batch // (self.world * experiment.training.accumulate)
        self.steps = tuple(_dearest(experiment, self.plan, step) for step in phases(experiment.task.game, self.plan))

    def ample(self, room: int) -> bool:
        """Whether the items are so small that there is nothing to find out."""
        items = self._of(1).train.batch(0, slice(0, 1)).target
        return self.rows * 4 * math.prod(items.shape) * _AMPLE < room // 4

    def measured(self) -> dict[int, int]:
        """Bytes that the backward pass holds at most, of the two smallest numbers of rows that can be played.

        Of one, where there are no two below all rows; of none where the batch cannot be divided.
        """
        found: dict[int, int] = {}
        for few in self._numbers():
            if len(found) < 2 and (held := self._held(few)) is not None:
                found[few] = held
        return found

    def plays(self, rows: int) -> bool:
        """Whether the game can be played with so few rows: packs, batch norm and deviations may need more."""
        return rows == self.rows or self._held(rows) is not None

    def _numbers(self) -> Iterator[int]:
        """Numbers of rows to try: small ones and the parts that the rows divide into, the smallest last."""
        parts = {part for part in range(1, self.rows) if self.rows % part == 0}
        there = sorted(number for number in {_FEW, 2 * _FEW, *parts} if number < self.rows)
        yield from (number for number in there if number >= _FEW)
        yield from (number for number in reversed(there) if number < _FEW)

    def _held(self, rows: int) -> int | None:
        try:
            tried = self._of(rows)
            with held_for_backward() as held:
                for step in self.steps:
                    tried.step_number = step
                    tried.step()
        except (SparringError, ValueError, RuntimeError) as error:
            if ran_out(error):
                raise
            return None  # parts that only work with more rows
        return held()

    def _of(self, rows: int) -> Engine:
        return self.engine(self.plan, self.experiment.training.but(batch=rows * self.world, accumulate=1))


def _dearest(experiment: Experiment, plan: Plan, step: int) -> int:
    """A step near that one, with the same turns, in which all that is not taken every step is due."""
    every = math.lcm(*(part.interval for _, part in walk(experiment.task) if isinstance(part, Penalty)))
    same = turns_of(experiment.task.game, plan, step)
    near = (step - step % every, step + -step % every)
    return next((number for number in near if turns_of(experiment.task.game, plan, number) == same), step)


def _said(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**29 else f"{size / 2**20:,.1f} MiB"


def divided(plan: Plan, experiment: Experiment, limits: Limits, error: Exception, engine: Maker | None = None) -> Plan:
    """The plan in at least twice as many parts as memory has just run out with, that the game can be played with.

    Raises:
        Exception: the error, where it is another, or the batch may not or cannot be divided further.
    """
    if not ran_out(error) or not limits.auto_batch or dist.is_initialized():
        raise error
    error.__traceback__ = None  # whose frames hold what the step had computed
    rows = experiment.training.batch // experiment.training.accumulate
    more = [n for n in range(2 * plan.accumulate, rows + 1) if rows % n == 0]
    more += [rows] if not more and plan.accumulate < rows else []
    found = next((n for n in more if engine is None or Trial(engine, experiment).plays(rows // n)), None)
    if found is None:
        raise error
    return plan.but(accumulate=found)
