"""Registration: whether the two pictures of a pair lie on each other, pixel on pixel, or only mean the same.

A photo and its labels have their edges in the same places; a word and its counterpart in another script do not, even
where both are drawn in the same place. Networks that carry detail across unchanged suit the first alone.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

REGISTERED = 0.05
"""Registration from which pairs lie on each other; that of pairs that have nothing in common varies by about .005."""

_PAIRS = 256
_SIDE = 64


def registered(given: Any, made: Any, rows: np.ndarray) -> bool:
    """Whether pairs lie on each other, by the :func:`registration` of at most 256 of them, spread evenly.

    Args:
        given: array-like of pictures ``(n, h, w, c)`` that are given.
        made: array-like of their counterparts ``(n, p, q, d)``.
        rows: which pairs may be looked at.
    """
    if not len(rows):
        return True
    looked = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _PAIRS)).astype(np.int64))]
    return registration(np.asarray(given[looked]), np.asarray(made[looked])) >= REGISTERED


def registration(given: np.ndarray, made: np.ndarray) -> float:
    """By how much better the edges of pairs agree in place than moved by an eighth of the shorter side; in [-2, 2].

    Edges agree where they run the same way, whichever side is the darker: the correlation of their directions, doubled
    and weighed by their strength, less its mean where one side is moved in each of eight directions; averaged over the
    pairs. Pictures are averaged down to 64 pixels first.

    Args:
        given: pictures ``(n, h, w, c)``.
        made: their counterparts ``(n, p, q, d)``.
    """
    grid = min(_grid(given), _grid(made))
    one, other = _edges(given, grid), _edges(made, grid)

    def agreement(down: int, across: int) -> float:
        return float((one * other.roll((down, across), (1, 2)).conj()).real.sum((1, 2)).mean())

    step = max(1, min(grid) // 8)
    around = [agreement(y, x) for y in (-step, 0, step) for x in (-step, 0, step) if y or x]
    return agreement(0, 0) - sum(around) / len(around)


def _grid(pictures: np.ndarray) -> tuple[int, int]:
    """Height and width at which pictures are looked at."""
    height, width = pictures.shape[1:3]
    factor = max(1.0, max(height, width) / _SIDE)
    return max(2, round(height / factor)), max(2, round(width / factor))


def _edges(pictures: np.ndarray, grid: tuple[int, int]) -> Complex[Tensor, "n h w"]:
    """Gradients with doubled angles, less the picture's own mean direction, of unit norm; 0 where there are none."""
    greys = torch.from_numpy(pictures.astype(np.float32)).mean(3)
    greys = adaptive_avg_pool2d(greys[:, None], grid)[:, 0]
    across, down = greys.diff(dim=2), greys.diff(dim=1)
    gradient = torch.complex(across[:, :-1] + across[:, 1:], down[:, :, :-1] + down[:, :, 1:])
    strength = gradient.abs()
    doubled = gradient.square() / strength.clamp_min(1e-6)
    mean = doubled.sum((1, 2)) / strength.sum((1, 2)).clamp_min(1e-6)
    doubled = doubled - strength * mean[:, None, None]
    return doubled / doubled.abs().square().sum((1, 2), keepdim=True).sqrt().clamp_min(1e-6)
