"""Series without any training of networks: linear autoregression, and one constant."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.baselines import Baseline
from sparring.baselines.columns import in_form
from sparring.metrics import Specimens
from sparring.randomness import derive

LEAST = 10
"""Training windows below which nothing is fitted."""


class Autoregression(Baseline):
    """A Gaussian vector autoregression of training windows, its first steps drawn from their joint Gaussian."""

    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 21

    order: int = Field(default=2, ge=1, le=64, description="past steps that a step is predicted from")

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        if len(train) < LEAST:
            return f"{len(train)} training windows are fewer than {LEAST}"
        return None if train.items.shape[1] > self.order else f"windows have no more than {self.order} steps"

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name)))
        items = np.asarray(train.items, np.float64)
        steps, channels = items.shape[1:]
        weights, spread = self._fitted(items)
        first = items[:, : self.order].reshape(len(items), -1)
        made = np.empty((len(judged), steps, channels))
        made[:, : self.order] = _gaussian(first, len(made), source).reshape(len(made), self.order, channels)
        for step in range(self.order, steps):
            past = made[:, step - self.order : step].reshape(len(made), -1)
            noise = source.standard_normal((len(made), channels)) @ spread
            made[:, step] = np.concatenate([past, np.ones((len(made), 1))], 1) @ weights + noise
        low, high = items.min((0, 1)), items.max((0, 1))
        return Specimens(in_form(made.clip(low, high).reshape(len(made), -1), train.items), judged.columns)

    def _fitted(self, items: Float[np.ndarray, "n t c"]) -> tuple[np.ndarray, np.ndarray]:
        """Weights of the past and of one, ``(order * c + 1, c)``, and the square root of the errors' covariance."""
        places = range(self.order, items.shape[1])
        past = np.concatenate([items[:, p - self.order : p].reshape(len(items), -1) for p in places])
        future = np.concatenate([items[:, p] for p in places])
        past = np.concatenate([past, np.ones((len(past), 1))], 1)
        weights = np.linalg.lstsq(past, future, rcond=None)[0]
        return weights, _root(np.atleast_2d(np.cov(future - past @ weights, rowvar=False)))


class ConstantMean(Baseline):
    """The mean of all training windows, again and again: nothing varies."""

    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 40

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        return None if len(train) else "there are no training windows"

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        mean = np.asarray(train.items, np.float64).mean((0, 1))
        made = np.tile(mean, (len(judged), train.items.shape[1]))
        return Specimens(in_form(made, train.items), judged.columns)


def _gaussian(items: Float[np.ndarray, "m d"], count: int, source: np.random.Generator) -> Float[np.ndarray, "n d"]:
    root = _root(np.atleast_2d(np.cov(items, rowvar=False)))
    return items.mean(0) + source.standard_normal((count, items.shape[1])) @ root


def _root(covariance: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """The symmetric square root."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
