"""A small convolutional classifier of pictures that sees them as they are."""

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import nn
from torch.nn.functional import cross_entropy

from sparring.learners import Learner
from sparring.lot import Lot
from sparring.metrics.features import as_tensor
from sparring.metrics.features.classifier import Classifier, SmallNetwork
from sparring.randomness import derive, order


class PicturesLearner(Learner):
    """The network of the classifier's features, taught without moved pictures, which are an augmentation themselves.

    It takes as many updates however many items were added: passes over the real ones, and a least number.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 10
    said: ClassVar[str] = "a small convolutional network, as many updates for each"

    width: int = Field(default=8, ge=4, le=512, description="channels of the first layer")
    batch: int = Field(default=32, ge=2, le=4096, description="pictures of an update")
    updates: int = Field(default=300, ge=1, description="updates at least")
    passes: int = Field(default=4, ge=1, le=1000, description="passes over the real pictures at least")
    rate: float = Field(default=3e-3, gt=0, le=1, description="highest learning rate of the one-cycle schedule")

    def fit(self, lot: Lot, seed: int, *, real: int | None = None) -> "LearnedPictures":
        classes, labels = np.unique(lot.labels, return_inverse=True)
        part = Classifier(width=self.width, features=64)
        updates = max(self.updates, ceil(self.passes * (real or len(lot)) / self.batch))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, self.name))
            network = SmallNetwork(part, tuple(lot.items.shape[1:]), len(classes))
        self._learn(network, lot.items, labels, seed=derive(seed, "order"), updates=updates)
        return LearnedPictures(classes, network.eval())

    def _learn(self, network: nn.Module, items: np.ndarray, labels: np.ndarray, *, seed: int, updates: int) -> None:
        optimiser = torch.optim.Adam(network.parameters(), self.rate, weight_decay=1e-5)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, self.rate, total_steps=updates + 1, pct_start=0.2)
        batch = min(self.batch, len(items))
        network.train()
        for step in range(updates):
            rows = order(len(items), seed, step * batch, batch)
            logits = network(as_tensor(items[rows]))[1]
            optimiser.zero_grad(set_to_none=True)
            cross_entropy(logits, torch.from_numpy(labels[rows].astype(np.int64))).backward()
            optimiser.step()
            cycle.step()


@dataclass(frozen=True)
class LearnedPictures:
    """A network and the names of its classes."""

    classes: np.ndarray
    network: nn.Module

    @torch.no_grad()
    def probabilities(self, items: np.ndarray) -> Float[np.ndarray, "k n c"]:
        """Of each class, by the one classifier."""
        blocks = [items[start : start + 256] for start in range(0, len(items), 256)]
        logits = torch.cat([self.network(as_tensor(np.asarray(block)))[1] for block in blocks])
        return logits.softmax(1).double().numpy()[None]
