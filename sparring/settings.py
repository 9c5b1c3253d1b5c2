"""The settings of the engine: batch, optimisers, averages, precision, privacy, and what is kept and watched."""

from typing import ClassVar, Literal

from pydantic import Field

from sparring.optimisers import Adam, Optimiser
from sparring.part import Part
from sparring.privacy import Privacy
from sparring.watch import EVERY, Detector


class Training(Part):
    """How the engine plays: batch, optimisers, averages, precision."""

    kind: ClassVar[str] = "training"

    batch: int = Field(default=64, ge=1, description="real items a turn, over all processes and accumulated parts")
    accumulate: int = Field(default=1, ge=1, description="parts in which a batch is computed, to save memory")
    optimiser: Optimiser = Field(default=Adam(), description="the optimiser of every player")
    per_player: dict[str, Optimiser] = Field(default={}, description="optimisers of single players, where they differ")
    clip: float | None = Field(default=None, gt=0, description="largest norm of a player's gradient; none: no clipping")
    average: float = Field(
        default=0.05, ge=0, lt=1, description="half-life of averaged weights, as a share of images seen"
    )
    average_images: float | None = Field(
        default=None, gt=0, description="longest half-life of averaged weights, in images"
    )
    precision: Literal["auto", "fp32", "bf16", "fp64"] = Field(
        default="auto", description="auto: the fastest, measured"
    )
    layout: Literal["auto", "contiguous", "channels-last"] = Field(
        default="auto", description="auto: the fastest, measured"
    )
    privacy: Privacy | None = Field(default=None, description="what is promised of single rows; none: nothing")
    images: int = Field(default=1_000_000, ge=1, description="length of a run for which none is asked, in images seen")
    measure: int = Field(
        default=50_000, ge=1, description="images seen from one reading of quick metrics to the next, at least"
    )
    best: str = Field(
        default="auto",
        description="quick metric on *select* by which a best model is kept; auto: psnr where there is a truth and no "
        "discriminator, else kid, else the first that can be better; none: no such",
    )
    keep: int = Field(default=2, ge=1, description="checkpoints that are kept, the last ones")
    keep_records: int = Field(
        default=4000, ge=8, description="records of a long run's logs that are kept: the newest half, the others spread"
    )
    keep_pictures: int = Field(default=100, ge=2, description="pictures in samples/ that are kept, spread over the run")
    watch: tuple[Detector, ...] = Field(default=EVERY, description="detectors of divergence, collapse and overfitting")
    watch_every: int = Field(default=50, ge=1, description="steps from one observation to the next, at least")
    rescues: int = Field(
        default=3, ge=0, description="times that a run goes back and changes one thing before it stops"
    )
