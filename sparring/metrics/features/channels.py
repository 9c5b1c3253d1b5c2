"""Features of stacked pictures, whose channels are pictures of their own (Srivastava et al. 2017, section 4)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from sparring.data import Items
from sparring.errors import RequestError
from sparring.metrics.features import CPU, Features, FittedFeatures, picture_fault
from sparring.metrics.features.classifier import Classifier

MOST_MODES = 4096
"""Combinations of classes that are told apart at most."""


class ChannelClassifier(Features):
    """One classifier for all channels: their features side by side, and the combination of their classes.

    Labels are those of each channel, ``(n, channels)``; the first channel's class is the highest digit of the number.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 10
    own_classes: ClassVar[bool] = True

    learner: Classifier = Field(default=Classifier(width=16), description="the classifier of a single channel")
    most: int = Field(default=30_000, ge=20, le=1_000_000, description="single pictures that it learns from, at most")

    def refusal(self, items: Items, labels: np.ndarray | None) -> str | None:
        if labels is None or labels.ndim != 2:
            return "the data have no class for each channel"
        if reason := picture_fault(items):
            return reason
        if labels.shape != (len(items), items.shape[3]):
            return f"classes of shape {labels.shape} do not fit {len(items)} pictures of {items.shape[3]} channels"
        modes = (int(labels.max()) + 1) ** items.shape[3]
        return None if modes <= MOST_MODES else f"{modes} combinations of classes are more than {MOST_MODES}"

    def fit(self, items: Items, labels: np.ndarray | None, seed: int, *, device: torch.device = CPU) -> FittedFeatures:
        if reason := self.refusal(items, labels):
            raise RequestError(f"{self.name}: {reason}")
        assert labels is not None
        rows = slice(0, max(1, self.most // labels.shape[1]))
        single = np.ascontiguousarray(np.moveaxis(np.asarray(items[rows]), 3, 1)).reshape(-1, *items.shape[1:3], 1)
        fitted = self.learner.fit(single, labels[rows].reshape(-1), seed, device=device)
        facts = {**fitted.facts, "shape": list(items.shape[1:])}
        network = self.build(facts)
        network.single.load_state_dict(fitted.network.state_dict())
        return FittedFeatures(self, facts, network.to(device).eval())

    def build(self, facts: Mapping[str, Any]) -> "EveryChannel":
        return EveryChannel(self.learner.build({**facts, "shape": [*facts["shape"][:2], 1]}))


class EveryChannel(nn.Module):
    """A network of single channels, applied to each.

    Args:
        single: maps ``(n, 1, h, w)`` to features and logits.
    """

    def __init__(self, single: nn.Module):
        super().__init__()
        self.single = single

    def forward(self, pictures: Float[Tensor, "n c h w"]) -> tuple[Tensor, Tensor]:
        count, channels = pictures.shape[:2]
        features, logits = self.single(pictures.reshape(count * channels, 1, *pictures.shape[2:]))
        each = logits.log_softmax(1).unflatten(0, (count, channels))
        joint = each[:, 0]
        for channel in range(1, channels):
            joint = (joint[:, :, None] + each[:, channel, None, :]).flatten(1)
        return features.reshape(count, -1), joint
