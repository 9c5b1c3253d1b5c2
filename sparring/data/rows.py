"""Reading tables: the condition is drawn first and chooses the real row (training by sampling, Xu et al. 2019, 4.3)."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from sparring.data.chance import ChanceReader
from sparring.data.reader import Batches
from sparring.modalities.frames import TableItems
from sparring.modalities.table import Table
from sparring.randomness import by_position, derive, order
from sparring.types import Batch


def read_rows(  # noqa: PLR0913
    items: TableItems, rows: np.ndarray, table: Table, *, asked: tuple[str, ...], together: float, seed: int
) -> Batches:
    """The reader of a table: by chances where its codec was learned privately.

    Args:
        items: rows of all splits.
        rows: the split's rows, ``(n,)`` int64.
        table: the codec.
        asked: columns that can be asked for.
        together: chance that a condition names several columns.
        seed: of the order; a secret where the table is private.
    """
    if table.counted():
        return ChanceReader(items, rows, table, seed)
    return RowReader(items, rows, table, asked=asked, together=together, seed=seed)


class _Members(NamedTuple):
    """Rows by the choice that they have, for all choices of all columns that can be asked for.

    Attributes:
        rows: the rows that have the first choice, then those that have the second, and so on.
        starts: where each choice begins among them.
        counts: how many have it.
        chances: the column's number and the chances of its choices up to this one.
        last: each column's last choice.
    """

    rows: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    chances: np.ndarray
    last: np.ndarray


class RowReader:
    """Batches of rows, each with a condition that it meets; batch *i* is a pure function of the seed and of *i*.

    A column is drawn evenly, one of its choices by the logarithm of how often it is there, and a row evenly among those
    that have it. The other columns that can be asked for join the condition with a chance that is itself drawn, so that
    several can be asked for at once.

    Args:
        items: rows of all splits.
        rows: the split's rows, ``(n,)`` int64.
        table: the codec.
        asked: columns that can be asked for; none: rows are read in a shuffled order, without conditions.
        together: chance that a condition names several columns.
        seed: of the order.
    """

    def __init__(  # noqa: PLR0913
        self, items: TableItems, rows: np.ndarray, table: Table, *, asked: tuple[str, ...], together: float, seed: int
    ):
        self.items, self.rows, self.table, self.seed, self.together = items, rows, table, seed, together
        self.width = table.spec().condition
        learned = [place for place in table.places() if place.spans]
        # Of a compact row: the numbers that say which choice, and where that choice's ones stand in a condition.
        before = np.cumsum([0, *(len(place.spans) for place in learned)])
        named = [i for i, place in enumerate(learned) if place.column.title in asked]
        self.fields = [int(before[i + 1]) - 1 for i in named]
        self.offsets = np.array([learned[i].choice for i in named], np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def compact(self) -> np.ndarray:
        """The split's rows, one number a span."""
        return self.table.compact(self.items[self.rows])

    @cached_property
    def _members(self) -> "_Members":
        """For all choices of all columns that can be asked for, one column's after the other's."""
        members, counts, chances = [], [], []
        for number, field in enumerate(self.fields):
            codes = self.compact[:, field].astype(np.int64)
            counts.append(np.bincount(codes))
            cumulated = np.cumsum(np.log1p(counts[-1]))
            members.append(np.argsort(codes, kind="stable"))
            chances.append(number + cumulated / cumulated[-1])
        count = np.concatenate(counts)
        last = np.cumsum([len(each) for each in counts]) - 1
        return _Members(np.concatenate(members), np.cumsum([0, *count[:-1]]), count, np.concatenate(chances), last)

    def batch(self, position: int, rows: slice) -> Batch:
        """Rows at ``position + rows.start`` to ``position + rows.stop`` of the endless reading."""
        start, length = position + rows.start, rows.stop - rows.start
        if not self.fields:
            return Batch(self.table.expand(self.compact[order(len(self.rows), self.seed, start, length)]))
        draws = by_position(derive(self.seed, "row"), range(start, start + length), 5 + len(self.fields))
        column = (draws[:, 0] * len(self.fields)).astype(np.int64)
        there = self._members
        # One search for all columns, whose chances lie between their number and the next; what was rounded up is kept.
        choice = np.searchsorted(there.chances, column + draws[:, 1], "right").clip(max=there.last[column])
        chosen = there.rows[there.starts[choice] + (draws[:, 2] * there.counts[choice]).astype(np.int64)]
        compact = self.compact[chosen]
        return Batch(self.table.expand(compact), self._condition(compact, column, draws))

    def distinct(self, start: int, stop: int) -> Batch:
        """Rows of the split, each once, as many as there are from one number to the other, with wishes that they meet.

        Those of :meth:`batch` come back, rare choices most of all.
        """
        if not self.fields:
            return self.batch(start, slice(0, stop - start))
        draws = by_position(derive(self.seed, "row"), range(start, stop), 5 + len(self.fields))
        compact = self.compact[order(len(self.rows), self.seed, start, stop - start)]
        column = (draws[:, 0] * len(self.fields)).astype(np.int64)
        return Batch(self.table.expand(compact), self._condition(compact, column, draws))

    def _condition(self, compact: np.ndarray, column: np.ndarray, draws: np.ndarray) -> torch.Tensor:
        """The choices of the first column, and of others where several are named."""
        share = np.where(draws[:, 3] < self.together, draws[:, 4] / 2, 0.0)
        named = draws[:, 5:] < share[:, None]
        named[np.arange(len(named)), column] = True
        condition = np.zeros((len(compact), self.width), np.float32)
        row, place = np.nonzero(named)
        condition[row, self.offsets[place] + compact[:, self.fields].astype(np.int64)[row, place]] = 1
        return torch.from_numpy(condition)
