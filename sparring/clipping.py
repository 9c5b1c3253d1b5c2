"""Private updates: per-item gradients, clipped, summed and noised; DP-SGD, Abadi et al. 2016, algorithm 1.

Per-item gradients come from the hooks of opacus; those of dense networks are summed without being formed. What a
network sees in a turn comes in rounds of the batch's items, in order: first the real ones, then as many generated ones,
in one pass or in two. So row ``r`` is item ``r mod n``'s, and an item's contribution is its own real row together with
the generated row beside it. The two are clipped as one, for which one item more or less changes the sum by at most the
clipping norm; a generated row depends on no real one.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from sparring.dense_clipping import UNWATCHED, dense_layers, dense_sum, refuse_broken_rounds
from sparring.errors import RequestError
from sparring.privacy import opacus
from sparring.randomness import hidden


@contextmanager
def watched(network: nn.Module) -> Iterator[None]:
    """Within, backward leaves the gradient of each row in ``grad_sample`` of each learning weight."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a network's input needs no gradient, which is so
        hooks = opacus().grad_sample.GradSampleHooks(network, loss_reduction="sum", strict=False)
        try:
            yield
        finally:
            hooks.remove_hooks()
            for weight in network.parameters():
                for name in ("grad_sample", "_forward_counter", "_current_grad_sample"):
                    vars(weight).pop(name, None)
            for module in network.modules():
                vars(module).pop("activations", None)


def each_gradient(weights: Sequence[nn.Parameter], loss: Callable[[], Tensor], count: int) -> list[Tensor]:
    """Every item's gradient of its own loss, ``(count, *shape)`` a weight; weights are watched.

    Args:
        weights: those that learn.
        loss: the mean over the items.
        count: items.

    Raises:
        RequestError: the rows' gradients do not add up to the batch's, for a layer does not treat its rows alone.
    """
    loss().backward()
    found, largest = [], max((float(w.grad.abs().max()) for w in weights if w.grad is not None), default=0.0)
    for weight in weights:
        held, whole = getattr(weight, "grad_sample", None), weight.grad
        each = torch.zeros(count, *weight.shape).to(weight) if held is None else _by_item(held, count)
        whole = torch.zeros_like(weight) if whole is None else whole
        if math.isfinite(largest) and (each.sum(0) - whole).abs().max() > 1e-3 * largest + 1e-7:
            raise RequestError(UNWATCHED)
        found.append(each * count)
        weight.grad = None
        if held is not None:
            weight.grad_sample = None  # pyright: ignore[reportAttributeAccessIssue]
    return found


def _by_item(held: Tensor | list[Tensor], count: int) -> Tensor:
    """Gradients of rows as those of items, each of which has every ``count``-th row."""
    rounds = held if isinstance(held, list) else [held]
    refuse_broken_rounds([len(rows) for rows in rounds], count)
    return torch.stack([rows.unflatten(0, (-1, count)).sum(0) for rows in rounds]).sum(0)


def clipped_sum(each: Sequence[Tensor], clip: float) -> list[Tensor]:
    """The sum of all items' gradients, each scaled down to the norm ``clip`` over all weights.

    One that is not finite is left out: it could not be bounded.

    Args:
        each: per weight, ``(n, *shape)``.
        clip: largest norm.
    """
    squares = torch.stack([gradient.flatten(1).square().sum(1) for gradient in each]).sum(0)
    norms = squares.sqrt()
    scale = torch.where(torch.isfinite(norms), (clip / norms.clamp_min(1e-30)).clamp(max=1.0), torch.zeros_like(norms))
    return [
        torch.einsum("n,n...->...", scale, torch.where(torch.isfinite(gradient), gradient, torch.zeros_like(gradient)))
        for gradient in each
    ]


def noised(sums: Sequence[Tensor], deviation: float, key: tuple[int | str, ...]) -> list[Tensor]:
    """Sums with Gaussian noise of this standard deviation, drawn by position, of which a secret is part."""
    found = []
    for number, total in enumerate(sums):
        source = np.random.Generator(np.random.Philox(key=hidden(*key, "private noise", number)))
        drawn = source.standard_normal(total.shape, np.float64 if total.dtype == torch.float64 else np.float32)
        found.append(total + torch.from_numpy(drawn * deviation).to(total))
    return found


def private_gradients(
    player: nn.Module,
    loss: Callable[[slice], Tensor],
    count: int,
    *,
    clip: float,
    at_once: int,
) -> list[Tensor]:
    """The sum of clipped gradients of all items of a batch, one tensor for each weight.

    Args:
        player: who learns.
        loss: the mean over some of the batch's items.
        count: items of the batch; there may be none.
        clip: largest norm of an item's gradient.
        at_once: items whose gradients are held in memory, where they are formed.
    """
    weights = [weight for weight in player.parameters() if weight.requires_grad]
    sums = [torch.zeros_like(weight) for weight in weights]
    if layers := dense_layers(player, weights):
        found = dense_sum(layers, lambda: loss(slice(0, count)), count, clip) if count else {}
        return [found.get(id(weight), zero) for weight, zero in zip(weights, sums, strict=True)]
    with watched(player):
        for start in range(0, count, at_once):
            rows = slice(start, min(start + at_once, count))
            each = each_gradient(weights, lambda rows=rows: loss(rows), rows.stop - rows.start)
            sums = [total + part for total, part in zip(sums, clipped_sum(each, clip), strict=True)]
    return sums
