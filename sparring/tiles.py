"""Tiles: a network over a picture of any size in little memory, with no seams.

A tile is computed with a margin that the network's reach fills, so that what is kept of it is what the whole picture
would have there, within rounding. Neighbours overlap and are blended, for networks that see the whole picture.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

TILE = 512
"""Height and width of what is kept of a tile, in pixels of the input, where none is asked for."""

BLEND = 16
"""Pixels of the input over which neighbours are blended."""

UNKNOWN_REACH = 64
"""Margin of networks that see the whole picture; their tiles differ, and are blended."""


@dataclass(frozen=True)
class Grid:
    """How a network's pictures are cut.

    Attributes:
        tile: height and width of what is kept of a tile.
        scale: height of the output by that of the input.
        stride: tiles begin and end at multiples of so many pixels.
        reach: an output pixel depends on input pixels at most so far away, or None where it depends on all.
    """

    tile: int
    scale: int = 1
    stride: int = 1
    reach: int | None = 0

    @property
    def margin(self) -> int:
        """What is computed around a tile and thrown away."""
        return self._whole(UNKNOWN_REACH if self.reach is None else self.reach)

    def _whole(self, length: int) -> int:
        return ceil(length / self.stride) * self.stride

    def spans(self, size: int) -> Iterator[tuple[int, int]]:
        """The kept part of each tile along an axis; neighbours overlap by the blend."""
        overlap = self._whole(BLEND)
        length = max(self._whole(self.tile), overlap + self.stride)
        start = 0
        while True:
            stop = min(size, start + length)
            # A last tile that would be narrower than the blend joins the one before.
            if size - stop <= overlap:
                stop = size
            yield start, stop
            if stop == size:
                return
            start = stop - overlap


def tiled(network: Callable[[Tensor], Tensor], given: Float[Tensor, "1 d h w"], grid: Grid) -> Float[Tensor, "1 c p q"]:
    """What the network makes of a picture, tile by tile."""
    height, width = given.shape[2:]
    rows, columns = list(grid.spans(height)), list(grid.spans(width))
    if len(rows) == len(columns) == 1:
        return network(given)
    made = weight = None
    for top, bottom in rows:
        for left, right in columns:
            outer = [_outer(a, b, size, grid.margin) for a, b, size in ((top, bottom, height), (left, right, width))]
            (y0, y1), (x0, x1) = outer
            part = network(given[:, :, y0:y1, x0:x1])
            s = grid.scale
            kept = part[:, :, (top - y0) * s : (bottom - y0) * s, (left - x0) * s : (right - x0) * s]
            ramps = [_ramp(a, b, size, s) for a, b, size in ((top, bottom, height), (left, right, width))]
            share = (ramps[0][:, None] * ramps[1]).to(kept)
            if made is None or weight is None:
                made = kept.new_zeros(1, kept.shape[1], height * s, width * s)
                weight = kept.new_zeros(height * s, width * s)
            made[:, :, top * s : bottom * s, left * s : right * s] += kept * share
            weight[top * s : bottom * s, left * s : right * s] += share
    assert made is not None
    assert weight is not None
    return made.div_(weight)


def _outer(start: int, stop: int, size: int, margin: int) -> tuple[int, int]:
    return max(0, start - margin), min(size, stop + margin)


def _ramp(start: int, stop: int, size: int, scale: int) -> Tensor:
    """Weights along an axis: rising over the blend where a neighbour begins or ends, else 1."""
    place = torch.arange((stop - start) * scale) + 0.5
    weights = torch.ones_like(place)
    if start > 0:
        weights = torch.minimum(weights, place / (BLEND * scale))
    if stop < size:
        weights = torch.minimum(weights, place.flip(0) / (BLEND * scale))
    return weights
