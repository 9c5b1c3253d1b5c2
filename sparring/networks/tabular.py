"""Networks for rows of tables: the residual generator and the discriminator of CTGAN, Xu et al. 2019, section 4.4."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, log_softmax, one_hot

from sparring.errors import RequestError
from sparring.networks import Architecture
from sparring.networks.layers import SLOPE
from sparring.types import DataSpec, Samples, Score, Span, precise


class Tabular(Architecture):
    """Dense networks whose layers see what all layers before them saw; choices by Gumbel-softmax.

    The last numbers of the latent vector, as many as a row has choices, decide in sampling which choice is taken.
    """

    any_shape: ClassVar[bool] = True
    by_the_million: ClassVar[bool] = True
    width: int = Field(default=256, ge=1, le=65536, description="units of each hidden layer")
    depth: int = Field(default=2, ge=1, le=64, description="hidden layers on each side")
    norm: Literal["none", "batch", "layer"] = Field(
        default="batch", description="norm in the generator's hidden layers"
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="share of the discriminator's units left out")
    temperature: float = Field(
        default=0.2, gt=0, description="of the Gumbel-softmax; a lower one is nearer to a choice"
    )

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return RowGenerator(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return RowDiscriminator(self, spec)


def choices_in(spans: Sequence[Span]) -> int:
    """How many choices a row has."""
    return sum(span.activation == "softmax" for span in spans)


class RowGenerator(nn.Module):
    """Latent and condition to a row.

    Training: choices are relaxed (Gumbel-softmax, Jang et al. 2017). Sampling: each choice is drawn from its
    probabilities by one number of the latent vector, and a choice that the condition asks for is taken.

    Args:
        sizes: the family's fields.
        spec: what a row is made of; items without spans are plain numbers.
        latent: width of the latent vector.
    """

    def __init__(self, sizes: Tabular, spec: DataSpec, latent: int):
        super().__init__()
        self.shape, self.spans, self.temperature = spec.shape, spec.spans, sizes.temperature
        self.choices = choices_in(spec.spans)
        if latent <= self.choices:
            raise RequestError(
                f"game.latent = {latent} is too narrow for rows of {self.choices} choices, each of which takes a "
                f"number; give at least {self.choices + 1}"
            )
        self.body = nn.ModuleList()
        seen = latent - self.choices + spec.condition
        for _ in range(sizes.depth):
            layer = nn.Sequential(nn.Linear(seen, sizes.width))
            if sizes.norm == "batch":
                layer.append(nn.BatchNorm1d(sizes.width))
            if sizes.norm == "layer":
                layer.append(nn.LayerNorm(sizes.width))
            self.body.append(layer.append(nn.ReLU()))
            seen += sizes.width
        self.output = nn.Linear(seen, prod(spec.shape))

    def forward(self, latent: Float[Tensor, "n d"], condition: Float[Tensor, "n k"] | None = None) -> Samples:
        drawn, deciding = latent[:, : latent.shape[1] - self.choices], latent[:, latent.shape[1] - self.choices :]
        signal = drawn if condition is None else torch.cat([drawn, condition], 1)
        for layer in self.body:
            signal = torch.cat([layer(signal), signal], 1)
        raw = precise(self.output(signal))
        if not self.spans:
            items = raw.unflatten(1, self.shape)
            return Samples(items.tanh() if len(self.shape) == 3 else items)
        pieces = raw.split([span.width for span in self.spans], 1)
        if self.training:
            return self._relaxed(pieces)
        return self._chosen(pieces, torch.special.ndtr(precise(deciding)), condition)

    def _relaxed(self, pieces: Sequence[Tensor]) -> Samples:
        values, logits = [], []
        for span, piece in zip(self.spans, pieces, strict=True):
            if span.activation == "tanh":
                values.append(piece.tanh())
                continue
            logits.append(log_softmax(piece, 1))
            gumbel = -torch.empty_like(piece).exponential_().clamp_min(1e-20).log()
            values.append(((piece + gumbel) / self.temperature).softmax(1))
        return Samples(torch.cat(values, 1), torch.cat(logits, 1) if logits else None)

    def _chosen(self, pieces: Sequence[Tensor], deciding: Tensor, condition: Tensor | None) -> Samples:
        values, logits, number, start = [], [], 0, 0
        for span, piece in zip(self.spans, pieces, strict=True):
            if span.activation == "tanh":
                values.append(piece.tanh())
                continue
            logits.append(log_softmax(piece, 1))
            below = logits[-1].exp().cumsum(1) < deciding[:, number : number + 1]
            taken = one_hot(below.sum(1).clamp_(max=span.width - 1), span.width).to(piece)
            if condition is not None:
                asked = condition[:, start : start + span.width].to(piece)
                taken = torch.where(asked.sum(1, keepdim=True) > 0, asked, taken)
            values.append(taken)
            number, start = number + 1, start + span.width
        return Samples(torch.cat(values, 1), torch.cat(logits, 1) if logits else None)


class RowDiscriminator(nn.Module):
    """The row, or the pack of rows, beside its condition to a verdict; dropout after each hidden layer.

    Args:
        sizes: the family's fields.
        spec: what is seen.
    """

    def __init__(self, sizes: Tabular, spec: DataSpec):
        super().__init__()
        widths = [prod(spec.shape) + spec.condition, *[sizes.width] * sizes.depth]
        self.body = nn.ModuleList([nn.Linear(before, after) for before, after in pairwise(widths)])
        self.dropout = nn.Dropout(sizes.dropout)
        self.verdict = nn.Linear(widths[-1], 1)

    def forward(self, items: Tensor, condition: Tensor | None = None) -> list[Score]:
        signal = items.flatten(1)
        signal = signal if condition is None else torch.cat([signal, condition], 1)
        features = []
        for layer in self.body:
            signal = self.dropout(leaky_relu(layer(signal), SLOPE))
            features.append(signal)
        return [Score(self.verdict(signal).squeeze(1), tuple(features))]
