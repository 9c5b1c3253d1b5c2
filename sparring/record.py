"""The record: what is known at one point of a run, as ``sparring.steps`` yields it."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """What is known at one point of a run.

    Attributes:
        step: steps done.
        steps: length of the run as planned now.
        images: real items that the discriminator has seen.
        terms: each term, its mean since the last record.
        images_per_second: since the last record.
        seconds: of training so far, over all sessions of the run.
        note: what happened, in one line, where something did.
        metrics: quick numbers of the model, where they were just taken.
        grid: the picture that was just drawn, where one was.
        signs: what was just observed of scores, gradients, weights and variety, where it was time for that.
    """

    step: int
    steps: int
    images: int
    terms: dict[str, float]
    images_per_second: float
    seconds: float
    note: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    grid: Path | None = None
    signs: dict[str, float | None] = field(default_factory=dict)
