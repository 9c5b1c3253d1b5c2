import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparring.metrics import Evidence
from sparring.metrics.density_coverage import DensityCoverage
from sparring.metrics.neighbours import balls, held
from sparring.metrics.precision_recall import PrecisionRecall


def side(features) -> Evidence:
    return Evidence(features, features)


def near(items, others, neighbours):
    return held(items, others, balls(others, neighbours)).inside > 0


def by_force(items, others, neighbours):
    found = []
    for item in items:
        inside = False
        for row, other in enumerate(others):
            around = sorted(np.linalg.norm(other - o) for i, o in enumerate(others) if i != row)
            inside |= np.linalg.norm(item - other) <= around[neighbours - 1]
        found.append(inside)
    return found


@given(st.integers(4, 14), st.integers(4, 14), st.integers(1, 3), st.integers(0, 1000))
def test_it_equals_brute_force(first, second, neighbours, seed):
    source = np.random.default_rng(seed)
    items, others = source.normal(size=(first, 3)), source.normal(0.5, 1, size=(second, 3))
    assert near(items, others, neighbours).tolist() == by_force(items, others, neighbours)


def test_it_equals_brute_force_across_chunks():
    source = np.random.default_rng(0)
    items, others = source.normal(size=(1100, 2)), source.normal(1, 0.5, size=(1200, 2))
    distances = np.linalg.norm(others[:, None] - others, axis=2)
    reach = np.sort(distances, 1)[:, 3]
    truth = (np.linalg.norm(items[:, None] - others, axis=2) <= reach).any(1)
    assert np.array_equal(near(items, others, 3), truth)


def test_half_of_the_modes_keeps_precision_and_halves_recall():
    source = np.random.default_rng(0)
    real = source.normal(size=(600, 2)) + np.repeat([[0, 0], [100, 0]], 300, 0)
    found = PrecisionRecall()(side(real), side(real), side(source.normal(size=(600, 2))))
    assert found["precision"].value > 0.9
    assert found["recall"].value == pytest.approx(0.5, abs=0.05)


def test_the_same_row_over_and_over_is_near_itself_wherever_it_lies():
    row = np.full((50, 7), 1e8 / 3)
    found = PrecisionRecall()(side(row), side(row), side(row))
    assert found["precision"].value == found["recall"].value == 1
    far = PrecisionRecall()(side(row), side(row), side(row + 1))
    assert far["precision"].value == far["recall"].value == 0


def test_rounding_does_not_part_equal_rows():
    rows = np.repeat(np.random.default_rng(0).normal(1000, 1, size=(1, 33)), 40, 0)
    assert near(rows, rows[::-1], 3).all()
    assert near(rows, np.asfortranarray(rows[:7]), 3).all()


def test_both_sides_are_cut_to_equal_counts():
    source = np.random.default_rng(0)
    real, made = source.normal(size=(500, 2)), source.normal(size=(90, 2))
    found = PrecisionRecall(most=50)(side(real), side(real), side(made))
    assert found["recall"].value * 50 == pytest.approx(round(found["recall"].value * 50))


def test_too_few_for_the_neighbours_are_refused():
    few, many = side(np.zeros((3, 1))), side(np.zeros((4, 1)))
    assert PrecisionRecall().refusal(few, many, many) is None
    assert "too few" in PrecisionRecall().refusal(many, many, few)


def test_items_that_were_made_from_the_reference_are_refused():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    test = Evidence(rows, rows)
    for metric in (PrecisionRecall(), DensityCoverage()):
        assert metric.refusal(test, test, Evidence(rows, rows)) is None
        assert "made from one of the reference" in metric.refusal(test, test, Evidence(rows, rows, truth=rows))
