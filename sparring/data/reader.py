"""Reading: batch *i* of a split is a pure function of a seed and of *i*."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from sparring.data import Items, Varied
from sparring.modalities import Modality
from sparring.randomness import order, seeds
from sparring.types import Batch


class Batches(Protocol):
    """What the engine reads from: batch *i* is a pure function of *i*."""

    def __len__(self) -> int: ...
    def batch(self, position: int, rows: slice) -> Batch: ...


@runtime_checkable
class Chances(Protocol):
    """What private training reads from: every item is in a batch by a chance of its own."""

    def drawn(self, position: int, rate: float) -> Batch:
        """The batch at a position, in which each item is by the chance ``rate``; it may be empty."""
        ...


@runtime_checkable
class Distinct(Protocol):
    """Batches in which an item may come back, that can also be read without."""

    def distinct(self, start: int, stop: int) -> Batch:
        """Items of the split from one number to another of an order of its own, each once."""
        ...


@dataclass(frozen=True)
class Reader:
    """Encoded batches from one split of a data set, in an order that is fixed by the seed.

    Attributes:
        items: decoded items of all splits.
        rows: the split's rows, ``(n,)`` int64.
        modality: the codec.
        conditions: encoded attributes of all items, ``(len(items), k)``, or None.
        seed: of the order.
        given: what each item is to be made from, in the place of conditions, or None.
        given_modality: its codec.
    """

    items: Items
    rows: np.ndarray
    modality: Modality
    conditions: Tensor | None
    seed: int
    given: Items | None = None
    given_modality: Modality | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, position: int, rows: slice) -> Batch:
        """Items at ``position + rows.start`` to ``position + rows.stop`` of the endless shuffled reading."""
        start, stop = position + rows.start, position + rows.stop
        chosen = self.rows[order(len(self.rows), self.seed, start, stop - start)]
        return self._encoded(chosen, seeds(np.arange(start, stop), self.seed, "item"), drawn=True)

    def at(self, rows: np.ndarray) -> Batch:
        """The items in these rows of the data set, as they are."""
        return self._encoded(rows, seeds(rows, self.seed, "row"), drawn=False)

    def _encoded(self, rows: np.ndarray, keys: np.ndarray, *, drawn: bool) -> Batch:
        def read(items: Items) -> np.ndarray:
            return items.drawn(rows, keys.tolist()) if drawn and isinstance(items, Varied) else items[rows]

        condition = None if self.conditions is None else self.conditions[torch.from_numpy(rows)]
        if self.given is not None:
            assert self.given_modality is not None, "what is given needs a codec"
            condition = self.given_modality.encode(read(self.given))
        return Batch(self.modality.encode(read(self.items)), condition, keys=torch.from_numpy(keys))
