"""Sharpness: how much fine detail pictures have (Pech-Pacheco et al. 2000, the variance of the Laplacian)."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch.nn.functional import conv2d

from sparring.data import Items
from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.features import as_tensor, picture_fault
from sparring.metrics.intervals import around, standard_error

_CHUNK = 256
_FLAT = 1e-12
"""Keeps the ratio finite where all real pictures are flat."""
_LAPLACIAN = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])


class Sharpness(Metric):
    """Mean variance of the Laplacian of generated pictures over that of real ones: below 1 blurred, above 1 noisy."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 55
    depends_on_count: ClassVar[bool] = False
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "3x3 Laplacian with 4 neighbours of the channels' mean, inner pixels; ratio of means, against the reference "
        "split; interval: normal, by the ratio's influence function, sampling of both sides"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Pictures of at least three pixels a side."""
        for side, noun in ((test, "reference"), (fake, "judged")):
            if picture_fault(side.items) or min(side.items.shape[1:3]) < 3:
                return f"{noun} items are no pictures of at least 3x3 pixels"
            if len(side.items) < 2:
                return f"{len(side.items)} {noun} items are too few"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        real, made = (laplacian_variance(side.items) + _FLAT for side in (test, fake))
        ratio = float(made.mean() / real.mean())
        error = standard_error(made / real.mean(), ratio * real / real.mean())
        return {self.name: around(ratio, error, within=(0.0, np.inf), better="")}


def laplacian_variance(items: Items) -> Float[np.ndarray, " n"]:
    """The variance of each picture's Laplacian over its inner pixels, in units of the full range squared."""
    found = []
    for start in range(0, len(items), _CHUNK):
        grey = as_tensor(np.asarray(items[start : start + _CHUNK])).mean(1, keepdim=True) / 2
        found.append(conv2d(grey, _LAPLACIAN[None, None]).flatten(1).double().var(1, unbiased=False).numpy())
    return np.concatenate(found)
