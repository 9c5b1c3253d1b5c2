"""Forecasts: what training would take on this machine, from a few steps that are thrown away."""

import resource
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch

from sparring import wording
from sparring.codec import keep_codec
from sparring.engines import Engines
from sparring.errors import SparringError
from sparring.experiment import Experiment, Material
from sparring.limits import Limits
from sparring.measuring import Measuring
from sparring.memory import told_when_it_runs_out
from sparring.plan import Plan, fastest
from sparring.planning import candidates, phases, seconds_per_step, unmeasured
from sparring.proposal import Proposal
from sparring.rooming import division
from sparring.run import Run
from sparring.specimens import GRID, draw
from sparring.training import Engine


@dataclass(frozen=True)
class Forecast:
    """What would be trained, and what that takes on this machine.

    Attributes:
        game: the parts that it is made of.
        parameters: weights of each player.
        steps: planned length.
        batch: real items a turn.
        precision: the fastest here, or as was asked.
        layout: likewise.
        seconds: estimated duration of the run: of all steps, readings of quick numbers and saves.
        step: of one step, from a few of each phase that were played on fresh weights.
        fit: seconds to get ready for readings, once.
        reading: of one reading.
        readings: how many are planned; 0 where none can be taken.
        save: of a checkpoint with its picture.
        memory: bytes that this process held at most while it read the data and played those steps; of the device
            where that has memory of its own.
        refused: why training would be refused for want of memory; the steps were played in parts then. Empty where it
            would not.
    """

    game: str
    parameters: dict[str, int]
    steps: int
    batch: int
    precision: str
    layout: str
    seconds: float
    step: float
    fit: float
    reading: float
    readings: int
    save: float
    memory: int
    refused: str = ""

    def lines(self) -> list[str]:
        """For people."""
        players = ", ".join(f"{name} {count:,} parameters" for name, count in self.parameters.items())
        each = f"{self.step:.2g} s each" if self.step >= 1 else f"{self.step * 1000:.3g} ms each"
        numbers = self.fit + self.reading * self.readings
        said = f", {wording.duration(numbers)} of it for quick numbers" if numbers >= 1 else ""
        return [
            f"trains   {self.game}",
            f"players  {players}",
            f"length   {self.steps:,} steps of {self.batch} items in {self.precision}, {self.layout}, {each}",
            f"time     about {wording.duration(self.seconds)}{said}; --minutes sets another length",
            f"memory   about {self.memory / 2**20:,.0f} MiB",
        ]


def forecast(proposal: Proposal, device: torch.device) -> Forecast:
    """Plays a few steps on fresh weights, in each of the settings that training would choose from.

    Raises:
        RequestError: not even a part of a batch fits into memory.
        TrainingError: memory ran out all the same.
    """
    training = proposal.experiment.training
    with told_when_it_runs_out(training.batch, training.accumulate, goes_on=False):
        return _forecast(proposal, device)


def _forecast(proposal: Proposal, device: torch.device) -> Forecast:
    experiment, material = proposal.experiment, proposal.material

    engines = Engines(experiment, material, device)
    found = division(engines, experiment, device)
    plan = unmeasured(experiment, Limits()).but(accumulate=found.parts)
    made: list[Engine] = []

    def measure(candidate: Plan, least: float) -> float:
        made[:] = [engines(candidate)]
        return seconds_per_step(made[0], least)

    plan, seconds = fastest(candidates(experiment, plan, material.spec, device), measure)
    shares = phases(experiment.task.game, plan)
    if len(shares) > 1:
        seconds = sum(share * _seconds_from(engines(plan), step) for step, share in shares.items())
    cost, readings = _besides(engines(plan), experiment, material), plan.readings(experiment.training.measure)
    saves = -(-plan.steps // plan.save_every)
    counts = {name: sum(w.numel() for w in player.parameters()) for name, player in made[0].players.items()}
    return Forecast(
        game=wording.game(experiment.task.game),
        parameters={name: count for name, count in counts.items() if count},
        steps=plan.length(),
        batch=experiment.training.batch,
        precision=plan.precision,
        layout=plan.layout,
        seconds=seconds * plan.steps + cost.fit + cost.reading * readings + cost.save * saves,
        step=seconds,
        fit=cost.fit,
        reading=cost.reading,
        readings=readings if cost.reading else 0,
        save=cost.save,
        memory=_peak_memory(device),
        refused=found.why,
    )


_WARM = 5.0
"""Seconds of a first reading from which on what it does once is taken for small."""


class _Besides(NamedTuple):
    """Seconds of what is done between steps: to get ready for readings, of a reading, of a save."""

    fit: float
    reading: float
    save: float


def _besides(engine: Engine, experiment: Experiment, material: Material) -> _Besides:
    """What readings and saves take, played with fresh weights in a run that is thrown away.

    A first reading also imports and fills caches: where it is short a second one tells what those after it take.
    """
    times = [time.monotonic()]
    with tempfile.TemporaryDirectory(prefix="sparring-") as folder:
        run = Run(folder)
        keep_codec(run, material)
        times[0] = time.monotonic()
        if experiment.training.privacy is None:
            measuring = Measuring(run, experiment, material)
            with suppress(SparringError):  # training will tell
                measuring.ready()
                times.append(time.monotonic())
                measuring(engine)
                times.append(time.monotonic())
                if times[-1] - times[-2] < _WARM:
                    measuring(engine)
                    times.append(time.monotonic())
        begun = time.monotonic()
        draw(engine, experiment, material, run, GRID)
        run.save(0, *engine.state())
        save = time.monotonic() - begun
    took = [later - sooner for sooner, later in pairwise(times)]
    if len(took) < 2:
        return _Besides(0.0, 0.0, save)
    each = min(took[1:])
    return _Besides(took[0] + took[1] - each, each, save)


def _seconds_from(engine: Engine, step: int) -> float:
    """Seconds of a step, played from there on with fresh weights."""
    engine.step_number = step
    return seconds_per_step(engine)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # In KiB, on macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
