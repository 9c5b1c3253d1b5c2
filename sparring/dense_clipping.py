"""Clipped sums of dense layers' gradients, without any item's gradient: ghost clipping, Li et al. 2022, section 4.

A row's gradient of a dense layer is the outer product of the loss's gradient at its output and of its input (Goodfellow
2015). So the norm of an item's gradient, a sum over its rows, follows from scalar products of these, and the sum of all
items' scaled gradients is one matrix product. Nothing as large as a gradient for each item is held.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sparring.errors import RequestError

UNWATCHED = (
    "private training needs a discriminator whose layers treat each row by itself, through layers that opacus can "
    "watch; take network=tabular, or another of plain layers"
)
"""Why a network cannot learn privately whose rows' gradients do not add up to the batch's."""


@dataclass
class Passed:
    """What went through a dense layer in one pass.

    Attributes:
        given: its input, ``(rows, ..., in)``.
        wanted: the loss's gradient at its output, ``(rows, ..., out)``; None before backward.
    """

    given: Tensor
    wanted: Tensor | None = None

    def keep(self, gradient: Tensor) -> None:
        """Takes the gradient at the output."""
        self.wanted = gradient


@dataclass
class Watched:
    """A dense layer and what went through it, pass after pass."""

    layer: nn.Linear
    passes: list[Passed] = field(default_factory=list)

    def __call__(self, layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        """Forward hook."""
        if made.requires_grad:
            self.passes.append(Passed(given[0].detach()))
            made.register_hook(self.passes[-1].keep)

    def rounds(self, count: int) -> tuple[Float[Tensor, "k n i"], Float[Tensor, "k n o"]]:
        """Inputs and gradients at outputs, a round of the items after the other.

        Raises:
            RequestError: the rows are no whole rounds of the items.
        """
        told = [passed for passed in self.passes if passed.wanted is not None]
        refuse_broken_rounds([len(passed.given) for passed in told], count)
        sides = [[p.given for p in told], [p.wanted for p in told if p.wanted is not None]]
        first, second = (torch.cat([_by_item(rows, count) for rows in side]) for side in sides)
        return first, second


def refuse_broken_rounds(rows: Sequence[int], count: int) -> None:
    """Refuses passes whose rows are no whole rounds of the items.

    Args:
        rows: of each pass.
        count: items.

    Raises:
        RequestError: those of a pass are not.
    """
    for seen in rows:
        if seen % count:
            raise RequestError(
                f"private training needs a discriminator that sees {count} items in whole rounds, not {seen} rows"
            )


def _by_item(rows: Tensor, count: int) -> Float[Tensor, "k n d"]:
    """Rows ``(rounds * n, ..., d)`` with the places of a row, where it has several, as rounds too."""
    return rows.reshape(len(rows) // count, count, -1, rows.shape[-1]).transpose(1, 2).flatten(0, 1)


def dense_layers(network: nn.Module, weights: Sequence[nn.Parameter]) -> list[nn.Linear]:
    """The dense layers that hold all of these weights, each one once; none where something else holds one of them."""
    layers = [module for module in network.modules() if type(module) is nn.Linear]
    held = [id(weight) for layer in layers for weight in layer.parameters()]
    return layers if len(set(held)) == len(held) and {id(weight) for weight in weights} <= set(held) else []


@contextmanager
def watching(layers: Sequence[nn.Linear]) -> Iterator[list[Watched]]:
    """Within, what goes through these layers is kept."""
    found = [Watched(layer) for layer in layers]
    hooks = [watched.layer.register_forward_hook(watched) for watched in found]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def dense_sum(layers: Sequence[nn.Linear], loss: Callable[[], Tensor], count: int, clip: float) -> dict[int, Tensor]:
    """The sum of all items' gradients, each scaled down to the norm ``clip`` over all weights, by the weights' ids.

    An item's gradient that is not finite is left out: it could not be bounded.

    Args:
        layers: those that hold all weights that learn.
        loss: the mean over the items.
        count: items.
        clip: largest norm.

    Raises:
        RequestError: the rows' gradients do not add up to the batch's, for a layer does not treat its rows alone.
    """
    with watching(layers) as watched:
        loss().backward()
    seen = [(each.layer, *each.rounds(count)) for each in watched if any(p.wanted is not None for p in each.passes)]
    _refuse_other_gradients(seen, [weight for layer in layers for weight in layer.parameters()])
    squares = sum((_squares(*part) for part in seen), torch.zeros(()))
    norms = count * torch.as_tensor(squares).clamp_min(0).sqrt()
    scale = torch.where(torch.isfinite(norms), (clip / norms.clamp_min(1e-30)).clamp(max=1.0), torch.zeros_like(norms))
    sums: dict[int, Tensor] = {}
    for layer, given, wanted in seen:
        finite = torch.isfinite(norms)[:, None]
        kept = [torch.where(finite, side, torch.zeros_like(side)) for side in (given, wanted)]
        sums |= _outer(layer, kept[0], kept[1] * (count * scale)[:, None])
    return sums


def _squares(layer: nn.Linear, given: Float[Tensor, "k n i"], wanted: Float[Tensor, "k n o"]) -> Float[Tensor, " n"]:
    """Each item's squared norm of the gradient of one layer's weights, those that learn."""
    found = torch.zeros(given.shape[1]).to(wanted)
    if layer.weight.requires_grad:
        products = (torch.einsum("knd,mnd->nkm", side, side) for side in (given, wanted))
        found = torch.mul(*products).sum((1, 2))
    if layer.bias is not None and layer.bias.requires_grad:
        found = found + wanted.sum(0).square().sum(1)
    return found


def _outer(layer: nn.Linear, given: Float[Tensor, "k n i"], wanted: Float[Tensor, "k n o"]) -> dict[int, Tensor]:
    """The sum over rows of the gradients of one layer's weights, by their ids."""
    found = {id(layer.weight): wanted.flatten(0, 1).T @ given.flatten(0, 1)}
    if layer.bias is not None:
        found[id(layer.bias)] = wanted.sum((0, 1))
    return found


def _refuse_other_gradients(seen: Sequence[tuple[nn.Linear, Tensor, Tensor]], weights: Sequence[nn.Parameter]) -> None:
    """Refuses weights whose gradient did not come by the layers' rows alone, and forgets it."""
    sums: dict[int, Tensor] = {}
    for part in seen:
        sums |= _outer(*part)
    whole = {id(weight): weight.grad for weight in weights if weight.grad is not None}
    largest = max((float(gradient.abs().max()) for gradient in whole.values()), default=0.0)
    for weight in weights:
        weight.grad = None
    for name, gradient in whole.items():
        apart = gradient - sums.get(name, torch.zeros_like(gradient))
        if largest < float("inf") and apart.abs().max() > 1e-3 * largest + 1e-7:
            raise RequestError(UNWATCHED)
