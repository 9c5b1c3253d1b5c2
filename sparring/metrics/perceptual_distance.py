"""Perceptual distance of pictures beside their truth, in features that no model was trained with."""

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.features import as_tensor
from sparring.metrics.intervals import around, standard_error
from sparring.metrics.paired import chunks, pair_fault
from sparring.perceptual import feature_network


class PerceptualDistance(Metric):
    """Mean squared distance of unit-length features at each place, after Zhang et al. 2018 (LPIPS), eq. 1 with w = 1.

    The features are those of training-free random filters, or of a VGG whose weights are given by path. Neither is the
    published LPIPS, whose weights were fitted to people's judgements, and the number's name says which it is.
    """

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 3
    depends_on_count: ClassVar[bool] = False
    paired: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "unit-length features of four layers of random orthogonal filters, or of a VGG by path; mean over layers and "
        "pictures; not LPIPS; interval: normal, pictures drawn anew"
    )

    weights: str | None = Field(
        default=None, description="safetensors of a VGG without norm, features.N.weight; none: random filters"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Every picture needs its truth."""
        return pair_fault(fake, "rgb", 0)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.truth is not None
        network = feature_network(fake.items.shape[3], self.weights)
        each = np.concatenate([
            distances(network, np.asarray(fake.items[rows]), fake.truth[rows]) for rows in chunks(len(fake))
        ])  # fmt: skip
        name = "perceptual[random-filters]" if self.weights is None else "perceptual[vgg]"
        return {name: around(float(each.mean()), standard_error(each), within=(0.0, np.inf), better="lower")}


@torch.no_grad()
def distances(network, made: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The distance of each picture ``(n, h, w, c)`` from its truth, ``(n,)``."""
    pairs = zip(network(as_tensor(made)), network(as_tensor(truth)), strict=True)
    return torch.stack([(a - b).square().sum(1).mean((1, 2)) for a, b in pairs]).mean(0).double().numpy()
