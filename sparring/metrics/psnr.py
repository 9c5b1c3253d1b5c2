"""Peak signal-to-noise ratio of pictures beside their truth."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float

from sparring.metrics import Better
from sparring.metrics.paired import Pixelwise

HIGHEST = 100.0
"""Decibels of a picture that equals its truth, so that the mean stays finite."""


class Psnr(Pixelwise):
    """10 log10 of the squared peak over the mean squared error, in dB: the mean over pictures."""

    rank: ClassVar[int | None] = 1
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "mean of the pictures' own ratios, peak 255 or 65535, a perfect picture counts 100 dB; y is the luma of BT.601 "
        "in studio range; interval: normal, pictures drawn anew"
    )
    number: ClassVar[str] = "psnr"
    within: ClassVar[tuple[float, float]] = (-np.inf, HIGHEST)
    better: ClassVar[Better] = "higher"

    def each(self, made: Float[np.ndarray, "n h w c"], truth: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, " n"]:
        return ratios(made, truth)


def ratios(made: Float[np.ndarray, "n h w c"], truth: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, " n"]:
    """The ratio of each picture in dB, at most :data:`HIGHEST`; 255 is the peak."""
    error = np.square(made - truth).mean((1, 2, 3)) / 255**2
    return -10 * np.log10(np.maximum(error, 10 ** (-HIGHEST / 10)))
