"""The values that pass between rooms: batches, specifications of data, samples, scores, terms."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Scalar = Float[Tensor, ""]
Terms = dict[str, Scalar]
"""Named terms whose sum a turn's learners minimise."""


class Span(NamedTuple):
    """Neighbouring numbers of a row's vector that belong together.

    Attributes:
        activation: ``"tanh"`` of numbers in [-1, 1], or ``"softmax"`` of one choice among as many as the span is wide.
        width: how many they are.
    """

    activation: Literal["tanh", "softmax"]
    width: int


@dataclass(frozen=True)
class DataSpec:
    """What networks must know of encoded data.

    Attributes:
        shape: one item's shape: ``(channels, height, width)`` of a picture, ``(d,)`` of a point.
        condition: width of the encoded condition vector; 0 where the data are not conditioned.
        given: shape of the picture that the generator is given; () where it is given none.
        spans: what a row of a table is made of, in order; () where items are of one kind of number.
    """

    shape: tuple[int, ...]
    condition: int = 0
    given: tuple[int, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Encoded items. Every tensor's first axis is the batch.

    Attributes:
        target: real items, pictures in [-1, 1], ``(n, *spec.shape)``.
        condition: encoded attributes, ``(n, spec.condition)``, or the pictures that are given, ``(n, *spec.given)``,
            or None.
        mask: which locations are known, ``(n, 1, h, w)``, where the task has holes.
        lengths: valid steps of each item, ``(n,)``, where items differ in length.
        keys: a seed for what is drawn for each item, by its position in the reading, ``(n,)`` int64.
    """

    target: Tensor
    condition: Tensor | None = None
    mask: Tensor | None = None
    lengths: Tensor | None = None
    keys: Tensor | None = None

    def __len__(self) -> int:
        return self.target.shape[0]

    def map(self, change) -> "Batch":
        """The batch with ``change`` applied to each tensor that is there."""
        there = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: change(v) for k, v in there.items() if v is not None})

    def part(self, rows: slice) -> "Batch":
        """The given rows."""
        return self.map(lambda tensor: tensor[rows])


class Samples(NamedTuple):
    """What a generator returns.

    Attributes:
        value: generated items, ``(n, *spec.shape)``.
        logits: unnormalised log-probabilities of discrete choices, where it has them.
        log_probs: log-probability of each drawn choice, where it has them.
    """

    value: Tensor
    logits: Tensor | None = None
    log_probs: Tensor | None = None


class Score(NamedTuple):
    """One score map: the discriminator's verdict at one scale.

    Attributes:
        value: ``(n,)`` for one verdict an item, ``(n, ...)`` for one a patch or token; unbounded logits.
        features: activations before the verdict, shallow to deep, ``(n, ...)`` each.
    """

    value: Tensor
    features: tuple[Tensor, ...] = ()


Scores = Sequence[Score]
"""A discriminator's score maps, one per scale; scales weigh the same."""


def verdict(scores: Scores) -> Float[Tensor, " n"]:
    """One number an item: the mean over locations, then over scales, in float32 or better."""
    return torch.stack(
        [precise(s.value).flatten(1).mean(1) if s.value.ndim > 1 else precise(s.value) for s in scores]
    ).mean(0)


def precise(tensor: Tensor) -> Tensor:
    """The tensor in float32, or in float64 where it is that already: losses are never taken in half precision."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()
