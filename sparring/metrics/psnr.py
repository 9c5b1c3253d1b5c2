"""Peak signal-to-noise ratio of pictures beside their truth."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import around, standard_error
from sparring.metrics.paired import Channels, chunks, compared, pair_fault

HIGHEST = 100.0
"""Decibels of a picture that equals its truth, so that the mean stays finite."""


class Psnr(Metric):
    """10 log10 of the squared peak over the mean squared error, in dB: the mean over pictures."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 1
    depends_on_count: ClassVar[bool] = False
    paired: ClassVar[bool] = True
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "mean of the pictures' own ratios, peak 255 or 65535, a perfect picture counts 100 dB; y is the luma of BT.601 "
        "in studio range; interval: normal, pictures drawn anew"
    )

    channels: Channels = Field(default="rgb", description="rgb: all channels as they are; y: luma alone")
    crop: int = Field(default=0, ge=0, le=1024, description="pixels of the border that are left out on every side")

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Every picture needs its truth."""
        return pair_fault(fake, self.channels, self.crop)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.truth is not None
        found = [
            ratios(*(compared(np.asarray(side[rows]), self.channels, self.crop) for side in (fake.items, fake.truth)))
            for rows in chunks(len(fake))
        ]
        each = np.concatenate(found)
        name = "psnr-y" if self.channels == "y" else "psnr"
        return {name: around(float(each.mean()), standard_error(each), within=(-np.inf, HIGHEST), better="higher")}


def ratios(made: Float[np.ndarray, "n h w c"], truth: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, " n"]:
    """The ratio of each picture in dB, at most :data:`HIGHEST`; 255 is the peak."""
    error = np.square(made - truth).mean((1, 2, 3)) / 255**2
    return -10 * np.log10(np.maximum(error, 10 ** (-HIGHEST / 10)))
