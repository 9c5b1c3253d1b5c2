"""The plan of a run: its length and the settings that were found by measuring, with later amendments."""

from collections.abc import Callable
from math import ceil, inf
from typing import Literal

from pydantic import Field

from sparring.part import Part
from sparring.privacy import Account

READINGS = 20
"""Times in a planned run that quick metrics are taken, at most."""


class Amendment(Part):
    """A change of the run, decided when ``step`` steps were done: of its length, or of what watching it led to."""

    step: int = Field(ge=0, description="steps done when it was decided")
    steps: int | None = Field(default=None, ge=1, description="length of the whole run from then on; none: as before")
    changes: tuple[str, ...] = Field(default=(), description="settings from then on, training.clip=1.0")
    why: str = Field(default="", description="what was noticed")
    until: str = Field(default="", description="the bound that was reached, where that ended the run")


class Plan(Part):
    """Everything beside the experiment that a run is a function of.

    Schedules are functions of :meth:`progress`, which stays continuous when the length is amended.
    """

    steps: int = Field(ge=1, description="length of the run")
    images_per_step: int = Field(ge=1, description="real items that the counting turns of one step see")
    precision: Literal["fp32", "bf16", "fp64"] = Field(default="fp32", description="of the networks")
    layout: Literal["contiguous", "channels-last"] = Field(
        default="contiguous", description="memory layout of pictures"
    )
    threads: int = Field(default=1, ge=1, description="threads of one process")
    accumulate: int = Field(default=1, ge=1, description="parts of each part of a batch, for want of memory")
    log_every: int = Field(default=50, ge=1, description="steps from one record to the next")
    save_every: int = Field(default=1000, ge=1, description="steps from one checkpoint and picture to the next")
    minutes: float | None = Field(default=None, gt=0, description="the budget that the length was planned for")
    account: Account | None = Field(
        default=None, description="how private updates are made; none: the run is not private"
    )
    amendments: tuple[Amendment, ...] = Field(default=(), description="later changes, in order of their steps")

    def computing(self) -> str:
        """How it computes, in words."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.precision}, {self.layout}, {threads}"

    def length(self, step: int | None = None) -> int:
        """Steps of the whole run, after all amendments or as it was known when ``step`` steps were done."""
        known = [a.steps for a in self.amendments if a.steps is not None and (step is None or a.step <= step)]
        return known[-1] if known else self.steps

    def progress(self, step: int) -> float:
        """Share of the run that is over when ``step`` steps are done, in [0, 1]."""
        done, start, steps = 0.0, 0, self.steps
        for amendment in self.amendments:
            if amendment.steps is None:
                continue
            if amendment.step > step:
                break
            done += (1 - done) * (amendment.step - start) / max(steps - start, 1)
            start, steps = amendment.step, amendment.steps
        return min(1.0, done + (1 - done) * (step - start) / max(steps - start, 1))

    def saves(self, step: int) -> bool:
        """Whether a checkpoint and a picture are planned when ``step`` steps are done; what Ctrl-C saves is not."""
        return step % self.save_every == 0 or step >= self.length()

    def measures(self, step: int, images: int) -> bool:
        """Whether quick metrics are taken when ``step`` steps are done: at saves, at most :data:`READINGS` times.

        Args:
            step: steps done.
            images: that are seen from one reading to the next, at least.
        """
        apart = max(self.steps / READINGS, images / self.images_per_step)
        return step % (self.save_every * max(1, ceil(apart / self.save_every))) == 0

    def readings(self, images: int) -> int:
        """How many readings of quick metrics are planned, the last at the end; ``images`` as for :meth:`measures`."""
        saves = range(self.save_every, self.steps, self.save_every)
        return 1 + sum(self.measures(step, images) for step in saves)

    def amended(self, step: int, steps: int, until: str = "") -> "Plan":
        """The plan with another length, decided after ``step`` steps; what was planned for later is not valid."""
        kept = [a for a in self.amendments if a.steps is None or a.step <= step]
        return self._with(kept, Amendment(step=step, steps=max(steps, step, 1), until=until))

    def without_end(self, until: str | None) -> "Plan":
        """The plan of a run that goes on towards another bound, or none: one that was reached ends it no more."""
        return self.but(amendments=tuple(a for a in self.amendments if not a.until or a.until == until))

    def changed(self, step: int, changes: tuple[str, ...], why: str) -> "Plan":
        """The plan of a run that goes back to ``step`` and on with other settings; changes and the length stay."""
        lengths = [a for a in self.amendments if a.steps is not None and a.step > step][-1:]
        kept = [a for a in self.amendments if a.step <= step]
        kept += [a.but(step=step) for a in self.amendments if a.step > step and (a.steps is None or a in lengths)]
        return self._with(kept, Amendment(step=step, changes=changes, why=why))

    def changes(self, step: int) -> tuple[str, ...]:
        """Settings that hold when ``step`` steps are done, beside the experiment's."""
        return tuple(change for a in self.amendments if a.step <= step for change in a.changes)

    def _with(self, kept: list[Amendment], new: Amendment) -> "Plan":
        return self.but(amendments=tuple(sorted([*kept, new], key=lambda a: a.step)))


def fastest(candidates: list[Plan], seconds_per_step: Callable[[Plan, float], float]) -> tuple[Plan, float]:
    """The candidate whose step takes least time, with that time in seconds.

    Args:
        candidates: in the order in which they are tried.
        seconds_per_step: of a candidate, given the least seconds so far.
    """
    best, least = candidates[0], inf
    for candidate in candidates:
        seconds = seconds_per_step(candidate, least)
        if seconds < least:
            best, least = candidate, seconds
    return best, least
