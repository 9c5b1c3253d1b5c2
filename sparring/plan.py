"""The plan of a run: its length and the settings that were found by measuring, with later amendments."""

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from sparring.part import Part


class Amendment(Part):
    """A change of the length, decided when ``step`` steps were done."""

    step: int = Field(ge=0, description="steps done when it was decided")
    steps: int = Field(ge=1, description="length of the whole run from then on")


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
    log_every: int = Field(default=50, ge=1, description="steps from one record to the next")
    save_every: int = Field(default=1000, ge=1, description="steps from one checkpoint and picture to the next")
    minutes: float | None = Field(default=None, gt=0, description="the budget that the length was planned for")
    amendments: tuple[Amendment, ...] = Field(default=(), description="later changes of the length, in order")

    def computing(self) -> str:
        """How it computes, in words."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.precision}, {self.layout}, {threads}"

    def length(self) -> int:
        """Steps of the whole run, after all amendments."""
        return self.amendments[-1].steps if self.amendments else self.steps

    def progress(self, step: int) -> float:
        """Share of the run that is over when ``step`` steps are done, in [0, 1]."""
        done, start, steps = 0.0, 0, self.steps
        for amendment in self.amendments:
            if amendment.step > step:
                break
            done += (1 - done) * (amendment.step - start) / max(steps - start, 1)
            start, steps = amendment.step, amendment.steps
        return min(1.0, done + (1 - done) * (step - start) / max(steps - start, 1))

    def amended(self, step: int, steps: int) -> "Plan":
        """The plan with another length, decided after ``step`` steps."""
        return self.but(amendments=(*self.amendments, Amendment(step=step, steps=max(steps, step))))


def fastest(candidates: list[Plan], seconds_per_step: Callable[[Plan], float]) -> tuple[Plan, float]:
    """The candidate whose step takes least time, with that time in seconds."""
    timed = [(seconds_per_step(plan), i) for i, plan in enumerate(candidates)]
    seconds, best = min(timed)
    return candidates[best], seconds
