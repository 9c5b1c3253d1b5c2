"""Poisson sampling: every row is in a batch by a chance of its own, which is what privacy accounting counts on."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sparring.modalities.frames import TableItems
from sparring.modalities.table import Table
from sparring.randomness import hidden
from sparring.types import Batch


class ChanceReader:
    """Rows of a table by independent chances; which rows, is a function of the seed and the position.

    Args:
        items: rows of all splits.
        rows: the split's rows, ``(n,)`` int64.
        table: the codec.
        seed: of the chances, a secret.
    """

    def __init__(self, items: TableItems, rows: np.ndarray, table: Table, seed: int):
        self.items, self.rows, self.table, self.seed = items, rows, table, seed

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def compact(self) -> np.ndarray:
        """The split's rows, one number a span."""
        return self.table.compact(self.items[self.rows])

    def batch(self, position: int, rows: slice) -> Batch:
        """No row at all: what is not private sees none."""
        return Batch(torch.zeros(0, *self.table.spec().shape))

    def drawn(self, position: int, rate: float) -> Batch:
        """The rows of the batch at a position: each of the split's is there by the chance ``rate``."""
        return Batch(self._expanded(self.chosen(position, rate)))

    def chosen(self, position: int, rate: float) -> np.ndarray:
        """Which of the split's rows :meth:`drawn` gives, ascending."""
        source = np.random.Generator(np.random.Philox(key=hidden(self.seed, "chance", position)))
        return np.flatnonzero(source.random(len(self.rows)) < rate)

    def _expanded(self, chosen: np.ndarray) -> Tensor:
        return self.table.expand(self.compact[chosen])
