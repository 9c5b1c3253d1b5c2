"""Moved: pictures that are mirrored and shifted while learning, the two of a pair alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparring.randomness import derive


class Moved:
    """Pictures that are mirrored and shifted while learning, by a key that both pictures of a pair share.

    Args:
        pixels: ``(n, h, w, c)``.
        mirror: mirror half of them.
        shift: largest shift as a share of height and width; what comes in is mirrored.
        partner: which picture stands in each row; all in their order where None.
        free: the pictures among which a key draws one, in the place of the row's; None: the row's.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        *,
        mirror: bool,
        shift: float,
        partner: np.ndarray | None = None,
        free: np.ndarray | None = None,
    ):
        self.pixels, self.mirror, self.shift, self.free = pixels, mirror, shift, free
        self.partner = np.arange(len(pixels)) if partner is None else partner
        self.shape, self.dtype = (len(self.partner), *pixels.shape[1:]), pixels.dtype
        self._lines = [np.pad(np.arange(side), round(shift * side), mode="symmetric") for side in pixels.shape[1:3]]

    def __len__(self) -> int:
        return len(self.partner)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.pixels[self.partner[rows]]

    def drawn(self, rows: np.ndarray, keys: Sequence[int]) -> np.ndarray:
        """The pictures in these rows, each moved as its key says."""
        return np.stack([self._drawn(row, key) for row, key in zip(rows.tolist(), keys, strict=True)])

    def _drawn(self, row: int, key: int) -> np.ndarray:
        # A pair shares its key and so its moves; of domains without pairs, each picture moves by itself.
        draws = np.random.Generator(np.random.Philox(key=derive(key, "moved", self.free is not None)))
        draws = draws.random(4)
        chosen = self.partner[row] if self.free is None else self.free[int(draws[3] * len(self.free))]
        picture = self.pixels[chosen]
        down, across = (
            lines[(top := int(draw * (len(lines) - side + 1))) : top + side]
            for draw, lines, side in zip(draws[:2], self._lines, picture.shape[:2], strict=True)
        )
        moved = picture[down][:, across]
        return moved[:, ::-1] if self.mirror and draws[2] < 0.5 else moved
