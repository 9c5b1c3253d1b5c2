"""Networks for rows of tables: the residual generator and the discriminator of CTGAN, Xu et al. 2019, section 4.4."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import linear, log_softmax, one_hot

from sparring.errors import RequestError
from sparring.networks import Architecture
from sparring.networks.layers import SLOPE
from sparring.types import DataSpec, Samples, Score, Span, precise

_LEAST = 2.0**-25
"""The least of the uniform draws that Gumbel's distribution is made of, half a step of float32 above 0."""


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
        given, signal = drawn if condition is None else torch.cat([drawn, condition], 1), None
        for layer in self.body:
            first, *rest = layer.children()
            found = beside(first, signal, given)
            for part in rest:
                found = part(found)
            signal = found if signal is None else torch.cat([found, signal], 1)
        raw = precise(beside(self.output, signal, given))
        if not self.spans:
            items = raw.unflatten(1, self.shape)
            return Samples(items.tanh() if len(self.shape) == 3 else items)
        if self.training:
            return self._relaxed(raw)
        pieces = raw.split([span.width for span in self.spans], 1)
        return self._chosen(pieces, torch.special.ndtr(precise(deciding)), condition)

    def _relaxed(self, raw: Tensor) -> Samples:
        gumbel = -(-torch.rand_like(raw).clamp_min(_LEAST).log()).log()
        # Choices side by side in memory by row, as one of them is computed for many rows at once.
        widths = [span.width for span in self.spans]
        plain = raw.T.contiguous().split(widths)
        noisy = ((raw + gumbel) / self.temperature).T.contiguous().split(widths)
        values, logits = [], []
        for span, piece, with_noise in zip(self.spans, plain, noisy, strict=True):
            if span.activation == "tanh":
                values.append(piece.tanh())
                continue
            logits.append(log_softmax(piece, 0))
            values.append(with_noise.softmax(0))
        return Samples(_rows(values), _rows(logits) if logits else None)

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
    """The row, or the pack of rows, beside its condition to a verdict; leaky ReLU and dropout after each hidden layer.

    Args:
        sizes: the family's fields.
        spec: what is seen.
    """

    def __init__(self, sizes: Tabular, spec: DataSpec):
        super().__init__()
        widths = [prod(spec.shape) + spec.condition, *[sizes.width] * sizes.depth]
        self.body = nn.ModuleList([nn.Linear(before, after) for before, after in pairwise(widths)])
        self.dropout = sizes.dropout
        self.verdict = nn.Linear(widths[-1], 1)

    def forward(self, items: Tensor, condition: Tensor | None = None) -> list[Score]:
        signal, features = items.flatten(1), []
        for layer in self.body:
            found = layer(signal) if features else beside(layer, signal, condition)
            signal = found * self._slopes(found.detach())
            features.append(signal)
        return [Score(self.verdict(signal).squeeze(1), tuple(features))]

    def _slopes(self, found: Tensor) -> Tensor:
        """What leaky ReLU and dropout multiply each unit by.

        A constant of the graph: as the slope does not change with the signal, a gradient penalty need not go back
        through the signal, for which the leaky ReLU's own second derivative would send zeros through all layers.
        """
        slopes = found.sign().clamp_(min=SLOPE)
        if not self.training or not self.dropout:
            return slopes
        return slopes.mul_(kept(found, self.dropout)).div_(1 - self.dropout)


def beside(layer: nn.Module, signal: Tensor | None, given: Tensor | None) -> Tensor:
    """The output of a linear layer for ``cat([signal, given], 1)``, either of which may be missing, as two products.

    Of one product the gradient would be taken for all of its input, and what is given mostly needs none.
    """
    if signal is None or given is None:
        return layer(given if signal is None else signal)
    assert isinstance(layer, nn.Linear)
    first, second = layer.weight.split([signal.shape[1], given.shape[1]], 1)
    return torch.addmm(linear(given, second, layer.bias), signal, first.T)


def kept(like: Tensor, dropped: float) -> Tensor:
    """One where dropout keeps a number and zero where it does not, like another tensor; the share is met to a 65,536th.

    Four numbers share a draw of torch's own generator, as one for each would take a tenth of a step.
    """
    count, most = like.numel(), 2**16 - 1
    draws = torch.randint(-(2**63), 2**63 - 1, (-(-count // 4),), device=like.device)
    shares = draws.view(torch.int16)[:count].view(like.shape)
    return torch.ge(shares, min(round(dropped * 2**16), most) - 2**15, out=torch.empty_like(like))


def _rows(pieces: Sequence[Tensor]) -> Tensor:
    """Columns' numbers ``(width, n)`` each as rows ``(n, d)``."""
    return torch.cat([*pieces]).T.contiguous()
