"""Structural similarity of pictures beside their truth (Wang et al. 2004, eq. 13)."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from sparring.metrics import Better, Evidence
from sparring.metrics.paired import Pixelwise

WINDOW = 11
"""Pixels of a side of the Gaussian window, whose standard deviation is 1.5 pixels."""
_SPREAD = 1.5
_MEAN, _CONTRAST = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class Ssim(Pixelwise):
    """Similarity of means, contrast and structure under a sliding window: the mean over pictures, 1 where equal."""

    rank: ClassVar[int | None] = 2
    protocol: ClassVar[str] = (
        "Gaussian window of 11 pixels and standard deviation 1.5, only where it lies wholly inside, population "
        "covariances, K1 = .01, K2 = .03, mean over channels and pictures; interval: normal, pictures drawn anew"
    )
    number: ClassVar[str] = "ssim"
    within: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    better: ClassVar[Better] = "higher"

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Every picture needs its truth and must be as large as the window."""
        fault = super().refusal(train, test, fake)
        if fault:
            return fault
        height, width = (side - 2 * self.crop for side in fake.items.shape[1:3])
        return (
            f"pictures of {height}x{width} are smaller than the window of {WINDOW}"
            if min(height, width) < WINDOW
            else None
        )

    def each(self, made: Float[np.ndarray, "n h w c"], truth: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, " n"]:
        return similarities(made, truth)


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
