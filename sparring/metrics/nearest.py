"""Nearest neighbours, exact: for memorisation, in pixels and in features."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.nn.functional import adaptive_avg_pool2d

from sparring.data import Items
from sparring.metrics import Reading
from sparring.metrics.features import as_tensor
from sparring.metrics.intervals import share

_CHUNK = 1024
_RARE = 0.01
"""Share of held-back items that are nearer to a training item than what counts as a copy, one at least."""
SIDE = 32
"""Pixels a side to which greater pictures are averaged down before their distances are taken."""


class Nearest(NamedTuple):
    """The nearest of some items to each item.

    Attributes:
        distance: Euclidean, ``(n,)``.
        row: which one it is, ``(n,)``.
    """

    distance: Float[np.ndarray, " n"]
    row: Int[np.ndarray, " n"]


def nearest(items: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"]) -> Nearest:
    """The nearest of ``others`` to each item.

    Args:
        items: rows of numbers.
        others: rows of numbers.
    """
    # The mean as the origin keeps rounding small; the distance to the chosen row is taken anew, without cancellation.
    origin = others.mean(0)
    left, right = (torch.from_numpy(np.asarray(side - origin, np.float32)) for side in (items, others))
    norms, rows = right.square().sum(1), np.empty(len(items), np.int64)
    for start in range(0, len(items), _CHUNK):
        chunk = torch.addmm(norms, left[start : start + _CHUNK], right.T, alpha=-2)
        rows[start : start + _CHUNK] = chunk.argmin(1).numpy()
    distances = np.empty(len(items))
    for start in range(0, len(items), _CHUNK):
        part = slice(start, start + _CHUNK)
        gap = np.asarray(items[part], np.float64) - np.asarray(others[rows[part]], np.float64)
        distances[part] = np.sqrt(np.square(gap).sum(1))
    return Nearest(distances, rows)


def pixels(items: Items) -> Float[np.ndarray, "n d"]:
    """Items as rows of numbers: pictures in [-1, 1], greater ones averaged down to :data:`SIDE` pixels a side."""
    if len(items.shape) != 4:
        return np.asarray(items[:], np.float32).reshape(len(items), -1)
    rows = []
    for start in range(0, max(1, len(items)), _CHUNK):
        pictures = as_tensor(np.asarray(items[start : start + _CHUNK]))
        if max(pictures.shape[2:]) > SIDE and len(pictures):
            pictures = adaptive_avg_pool2d(pictures, [min(SIDE, side) for side in pictures.shape[2:]])  # type: ignore
        rows.append(pictures.reshape(len(pictures), int(np.prod(pictures.shape[1:]))).to(torch.float32).numpy())
    return np.concatenate(rows)


def copying(
    train: Float[np.ndarray, "n d"],
    test: Float[np.ndarray, "m d"],
    fake: Float[np.ndarray, "k d"],
    closest: float | None = None,
) -> dict[str, Reading]:
    """How much nearer to training items the judged ones are than held-back ones.

    Args:
        train: items that were learned from.
        test: held-back items.
        fake: judged items.
        closest: what :func:`closest_to` says of the first two, where it is known.

    Returns:
        ``copies``: the share of judged items that equal a training item, or are nearer to one than all but a
        hundredth of the held-back items are;
        ``nearness``: the share that are nearer to a training item than to a held-back one at equal counts, ties as
        half, .5 where nothing is memorised.
    """
    closest = closest_to(test, train) if closest is None else closest
    to_train = nearest(fake, train).distance
    count = min(len(train), len(test))
    known, held = (side[np.linspace(0, len(side) - 1, count).astype(np.int64)] for side in (train, test))
    left = to_train if count == len(train) else nearest(fake, known).distance
    right = nearest(fake, held).distance
    nearer = float((left < right).sum() + (left == right).sum() / 2)
    return {
        "copies": share(int(((to_train == 0) | (to_train < closest)).sum()), len(fake), better="lower"),
        "nearness": share(nearer, len(fake), better=""),
    }


def closest_to(items: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"]) -> float:
    """The distance to any of the others that only a hundredth of the items stay below, and one at least.

    The data may hold an item twice, or all but twice, on either side: equal items are left out, and the least distance
    of the others does not set the bar, which would otherwise let noisy copies pass.
    """
    apart = np.sort(nearest(items, others).distance)
    apart = apart[apart > 0]
    return float(apart[min(max(1, int(_RARE * len(apart))), len(apart) - 1)]) if len(apart) else 0.0
