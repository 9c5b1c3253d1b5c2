import numpy as np
import pytest
import torch

from sparring.data.chance import ChanceReader
from sparring.data.reader import Chances
from sparring.modalities.frames import TableItems
from sparring.modalities.table import Table
from tests.tables import planted


def reader(rows=400, seed=0):
    items = TableItems(planted(rows))
    return ChanceReader(items, np.arange(0, rows, 2), Table.fit(items), seed)


def test_every_row_is_drawn_by_its_own_chance():
    read = reader()
    counts, sizes = np.zeros(len(read)), []
    for position in range(600):
        chosen = read.chosen(position, 0.1)
        counts[chosen] += 1
        sizes.append(len(chosen))
    assert counts.mean() / 600 == pytest.approx(0.1, abs=0.004)
    assert counts.var() == pytest.approx(600 * 0.1 * 0.9, rel=0.4)
    assert np.var(sizes) == pytest.approx(len(read) * 0.1 * 0.9, rel=0.25), "sizes are binomial, not fixed"


def test_a_batch_is_a_function_of_seed_and_position():
    assert np.array_equal(reader().chosen(5, 0.2), reader().chosen(5, 0.2))
    assert not np.array_equal(reader().chosen(5, 0.2), reader().chosen(6, 0.2))
    assert not np.array_equal(reader().chosen(5, 0.2), reader(seed=1).chosen(5, 0.2))


def test_rows_are_the_splits_own_and_none_is_given_without_a_chance():
    read = reader()
    drawn = read.drawn(3, 0.3)
    frame = read.items[read.rows[read.chosen(3, 0.3)]]
    assert torch.equal(drawn.target, read.table.encode(frame))
    assert isinstance(read, Chances)
    assert len(read.batch(0, slice(0, 50))) == 0
    assert len(read.drawn(0, 1.0)) == len(read)
