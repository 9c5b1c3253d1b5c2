"""Structural similarity of pictures beside their truth (Wang et al. 2004, eq. 13)."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import conv2d

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import around, standard_error
from sparring.metrics.paired import Channels, chunks, compared, pair_fault

WINDOW = 11
"""Pixels of a side of the Gaussian window, whose standard deviation is 1.5 pixels."""
_SPREAD = 1.5
_MEAN, _CONTRAST = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class Ssim(Metric):
    """Similarity of means, contrast and structure under a sliding window: the mean over pictures, 1 where equal."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 2
    depends_on_count: ClassVar[bool] = False
    paired: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "Gaussian window of 11 pixels and standard deviation 1.5, only where it lies wholly inside, population "
        "covariances, K1 = .01, K2 = .03, mean over channels and pictures; interval: normal, pictures drawn anew"
    )

    channels: Channels = Field(default="rgb", description="rgb: all channels as they are; y: luma alone")
    crop: int = Field(default=0, ge=0, le=1024, description="pixels of the border that are left out on every side")

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Every picture needs its truth and must be as large as the window."""
        fault = pair_fault(fake, self.channels, self.crop)
        if fault:
            return fault
        height, width = (side - 2 * self.crop for side in fake.items.shape[1:3])
        return (
            f"pictures of {height}x{width} are smaller than the window of {WINDOW}"
            if min(height, width) < WINDOW
            else None
        )

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.truth is not None
        found = [
            similarities(
                *(compared(np.asarray(side[rows]), self.channels, self.crop) for side in (fake.items, fake.truth))
            )
            for rows in chunks(len(fake))
        ]
        each = np.concatenate(found)
        name = "ssim-y" if self.channels == "y" else "ssim"
        return {name: around(float(each.mean()), standard_error(each), within=(-1.0, 1.0), better="higher")}


def similarities(made: Float[np.ndarray, "n h w c"], truth: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, " n"]:
    """The similarity of each picture, 255 the highest value."""
    count, channels = len(made), made.shape[-1]
    x, y = _planes(made), _planes(truth)
    means = [_blurred(view) for view in (x, y)]
    spreads = [_blurred(view * view) - mean * mean for view, mean in zip((x, y), means, strict=True)]
    together = _blurred(x * y) - means[0] * means[1]
    light = (2 * means[0] * means[1] + _MEAN) / (means[0] ** 2 + means[1] ** 2 + _MEAN)
    structure = (2 * together + _CONTRAST) / (spreads[0] + spreads[1] + _CONTRAST)
    return (light * structure).mean((1, 2, 3)).view(count, channels).mean(1).numpy()


def _planes(pictures: Float[np.ndarray, "n h w c"]) -> Tensor:
    """Every channel as a picture of its own, ``(n * c, 1, h, w)``."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).flatten(0, 1)[:, None]


def _blurred(view: Tensor) -> Tensor:
    """Local means under the window, where it lies wholly inside, ``(n, 1, h, w)`` to ``(n, 1, h - 10, w - 10)``."""
    at = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(at**2) / (2 * _SPREAD**2))
    weights = weights / weights.sum()
    return conv2d(conv2d(view, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
