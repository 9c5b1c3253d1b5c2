"""Tiles: a network over a picture of any size in little memory, with no seams.

A tile is computed with a margin that the network's reach fills, so that what is kept of it is what the whole picture
would have there, within rounding. Of networks that see the whole picture, neighbours overlap and are blended.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

ROOM = 5 * 2**28
"""Bytes that a network's own maps may take at once."""

BLEND = 16
"""Pixels of the input over which neighbours are blended, where the network sees the whole picture."""

UNKNOWN_REACH = 64
"""Margin of networks that see the whole picture; their tiles differ, and are blended."""

Spans = list[tuple[int, int]]
"""The kept part of each tile along an axis."""


@dataclass(frozen=True)
class Grid:
    """How a network's pictures are cut.

    Attributes:
        tile: height and width of what is kept of a tile; None: as few and as large tiles as memory has room for.
        scale: height of the output by that of the input.
        stride: tiles begin and end at multiples of so many pixels.
        reach: an output pixel depends on input pixels at most so far away, or None where it depends on all.
        footprint: bytes that the network's maps take at once, per pixel of the input.
    """

    tile: int | None = None
    scale: int = 1
    stride: int = 1
    reach: int | None = 0
    footprint: int = 1024

    @property
    def margin(self) -> int:
        """What is computed around a tile and thrown away."""
        return self._whole(UNKNOWN_REACH if self.reach is None else self.reach)

    @property
    def overlap(self) -> int:
        """By how much the kept parts of neighbours overlap."""
        return self._whole(BLEND) if self.reach is None else 0

    def _whole(self, length: int) -> int:
        return ceil(length / self.stride) * self.stride

    def cut(self, height: int, width: int) -> tuple[Spans, Spans]:
        """Rows and columns of tiles: of what fits into memory, the cut with the least to be computed."""
        if self.tile is not None:
            return self.spans(height, self.tile), self.spans(width, self.tile)
        most = max(ROOM // self.footprint, (self._least + 2 * self.margin + self.stride) ** 2)
        fitting = [
            (sum(tall) * sum(wide), rows, columns)
            for rows, tall in self._ways(height)
            for columns, wide in self._ways(width)
            if max(tall) * max(wide) <= most
        ]
        _, rows, columns = min(fitting, key=lambda way: way[0])
        return rows, columns

    @property
    def _least(self) -> int:
        """Smaller tiles would be hardly more than margins."""
        return max(2 * self.margin, 64)

    def _ways(self, size: int) -> Iterator[tuple[Spans, list[int]]]:
        """Cuts of an axis into more and more tiles, down to the smallest, with what is computed of each tile."""
        parts = 1
        while True:
            length = ceil((size - self.overlap) / parts) + self.overlap
            spans = self.spans(size, length)
            yield spans, [stop - start for start, stop in (outer(*span, size, self.margin) for span in spans)]
            if length <= self._least:
                return
            parts = max(parts + 1, parts * 4 // 3)

    def spans(self, size: int, tile: int) -> Spans:
        """The kept part of each tile along an axis."""
        length = max(self._whole(tile), self.overlap + self.stride)
        found, start = [], 0
        while True:
            stop = min(size, start + length)
            # A last tile that would be narrower than the blend joins the one before.
            if size - stop <= self.overlap:
                stop = size
            found.append((start, stop))
            if stop == size:
                return found
            start = stop - self.overlap


def tiled(network: Callable[[Tensor], Tensor], given: Float[Tensor, "1 d h w"], grid: Grid) -> Float[Tensor, "1 c p q"]:
    """What the network makes of a picture, tile by tile."""
    height, width = given.shape[2:]
    rows, columns = grid.cut(height, width)
    if len(rows) == len(columns) == 1:
        return network(given)
    made = weight = None
    for top, bottom in rows:
        for left, right in columns:
            (y0, y1), (x0, x1) = outer(top, bottom, height, grid.margin), outer(left, right, width, grid.margin)
            part = network(given[:, :, y0:y1, x0:x1])
            s = grid.scale
            kept = part[:, :, (top - y0) * s : (bottom - y0) * s, (left - x0) * s : (right - x0) * s]
            if made is None or weight is None:
                made = kept.new_zeros(1, kept.shape[1], height * s, width * s)
                weight = kept.new_zeros(height * s, width * s)
            share = kept.new_ones(kept.shape[2:])
            if grid.overlap:
                ramps = [_ramp(a, b, size, s) for a, b, size in ((top, bottom, height), (left, right, width))]
                share = (ramps[0][:, None] * ramps[1]).to(kept)
            made[:, :, top * s : bottom * s, left * s : right * s] += kept * share
            weight[top * s : bottom * s, left * s : right * s] += share
    assert made is not None
    assert weight is not None
    return made.div_(weight)


def outer(start: int, stop: int, size: int, margin: int) -> tuple[int, int]:
    """A span with a margin to both sides, as far as the picture goes."""
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
