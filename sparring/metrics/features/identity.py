"""Points as they are."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sparring.data import Items
from sparring.errors import RequestError
from sparring.metrics.features import CPU, Features, FittedFeatures


class Identity(Features):
    """A point's own coordinates."""

    modalities: ClassVar[tuple[str, ...]] = ("points",)
    rank: ClassVar[int | None] = 30
    quick: ClassVar[bool] = True

    def refusal(self, items: Items, labels: np.ndarray | None) -> str | None:
        if len(items.shape) != 2 or 0 in items.shape:
            return f"items of shape {tuple(items.shape)} are no points"
        return None

    def fit(self, items: Items, labels: np.ndarray | None, seed: int, *, device: torch.device = CPU) -> FittedFeatures:
        if reason := self.refusal(items, labels):
            raise RequestError(f"{self.name}: {reason}")
        facts = {"shape": list(items.shape[1:])}
        return FittedFeatures(self, facts, self.build(facts))

    def build(self, facts: Mapping[str, Any]) -> nn.Module:
        return _Unchanged()


class _Unchanged(nn.Module):
    def forward(self, points: Tensor) -> tuple[Tensor, None]:
        return points, None
