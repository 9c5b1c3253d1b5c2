"""Perceptual distance of pictures beside their truth, in features that no model was trained with."""

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from sparring.data import Items
from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.features import as_tensor
from sparring.metrics.intervals import mean
from sparring.metrics.paired import chunks, pair_fault
from sparring.perceptual import LearnedFeatures, feature_network
from sparring.randomness import derive

_LESSONS, _BATCH, _CROP = 400, 32, 32
"""Steps in which a network learns, pictures in each, and pixels a side of what it sees of them."""


class PerceptualDistance(Metric):
    """Mean squared distance of unit-length features at each place, after Zhang et al. 2018 (LPIPS), eq. 1 with w = 1.

    The features are those of a small network that learns at each evaluation, from the pictures that were learned from,
    in which way one was spoiled; of a VGG whose weights are given by path; or of training-free random filters, to which
    a picture that is a little brighter is as far as a blurred one. None is the published LPIPS, whose weights were
    fitted to people's judgements, and the number's name says which it is.
    """

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 3
    depends_on_count: ClassVar[bool] = False
    paired: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "unit-length features of four layers of a network that learned from the training pictures how one was spoiled "
        f"({_LESSONS} steps), of random orthogonal filters, or of a VGG by path; mean over layers and pictures; not "
        "LPIPS; interval: normal, pictures drawn anew"
    )

    weights: str | None = Field(default=None, description="safetensors of a VGG without norm, features.N.weight")
    network: Literal["learned", "random"] = Field(
        default="learned", description="where no weights are given: a small network of the data, or random filters"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Every picture needs its truth."""
        fault = pair_fault(fake, "rgb", 0)
        if fault or self.weights is not None or self.network != "learned":
            return fault
        shape, learned = fake.items.shape[1:], train.items.shape[1:]
        if not len(train) or len(learned) != 3 or learned[2] != shape[2]:
            return f"there are no training pictures of {shape[2]} channels for its network to learn from"
        return None if min(learned[:2]) > 1 else "the training pictures are too small for its network to learn from"

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.truth is not None
        if self.weights is None and self.network == "learned":
            learned = train.items if train.whole is None else train.whole
            network, name = train.once("perceptual-distance", lambda: learned_network(learned)), "learned"
        else:
            network = feature_network(fake.items.shape[3], self.weights)
            name = "random-filters" if self.weights is None else "vgg"
        each = np.concatenate([
            distances(network, np.asarray(fake.items[rows]), fake.truth[rows]) for rows in chunks(len(fake))
        ])  # fmt: skip
        return {f"perceptual[{name}]": mean(each, within=(0.0, np.inf))}


def learned_network(pictures: Items, seed: int = 0) -> nn.Module:
    """A small network that learned from these pictures, by crops, in which way one was spoiled.

    Args:
        pictures: ``(n, h, w, c)``, uint8 or uint16, at least 2 by 2 pixels.
        seed: of its weights and lessons.

    Returns:
        A network that gives features of unit length at each place, shallow to deep, of pictures in [-1, 1]; it learns
        no more.
    """
    draws = np.random.Generator(np.random.Philox(key=derive(seed, "perceptual-distance")))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draws.integers(2**31)))
        network = LearnedFeatures(pictures.shape[3])
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    height, width = (min(side, _CROP) for side in pictures.shape[1:3])
    for _ in range(_LESSONS):
        some = np.asarray(pictures[np.sort(draws.integers(len(pictures), size=_BATCH))])
        top, left = (draws.integers(n - m + 1) for n, m in zip(some.shape[1:3], (height, width), strict=True))
        real = as_tensor(some[:, top : top + height, left : left + width])
        ways, noise = draws.random(len(real), dtype=np.float32), draws.standard_normal(real.shape, dtype=np.float32)
        loss = network.lesson(real, torch.from_numpy(ways), torch.from_numpy(noise))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval().requires_grad_(False)


@torch.no_grad()
def distances(network, made: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The distance of each picture ``(n, h, w, c)`` from its truth, ``(n,)``."""
    pairs = zip(network(as_tensor(made)), network(as_tensor(truth)), strict=True)
    return torch.stack([(a - b).square().sum(1).mean((1, 2)) for a, b in pairs]).mean(0).double().numpy()
