import numpy as np
import pytest
from scipy.stats import wasserstein_distance_nd

from sparring.metrics import Evidence
from sparring.metrics.sliced import SlicedWasserstein, _chance, sliced_distance


def side(features: np.ndarray) -> Evidence:
    return Evidence(features, features)


def measured(real: np.ndarray, made: np.ndarray, **fields):
    return SlicedWasserstein(**fields)(side(real), side(real), side(made))["sliced-wasserstein"]


def test_a_shift_and_a_scale_have_the_distances_of_the_closed_form():
    rows = np.random.default_rng(0).normal(size=(400, 5))
    shift = np.array([1.0, 2, 0, 0, 0])
    # A direction's share of a shift has the mean square |shift|^2 / d.
    assert measured(rows, rows + shift, directions=10_000).value == pytest.approx(np.sqrt(5 / 5), rel=0.02)
    found = measured(rows, 3 * rows, directions=10_000).value
    assert found == pytest.approx(2 * np.sqrt(np.square(rows).sum(1).mean() / 5), rel=0.02)


def test_on_a_line_it_is_the_distance_of_sorted_rows_and_bounds_scipys():
    source = np.random.default_rng(0)
    real, made = source.normal(size=(100, 1)), source.normal(size=(100, 1)) + 1
    value = measured(real, made).value
    assert value == pytest.approx(np.sqrt(np.square(np.sort(real, 0) - np.sort(made, 0)).mean()))
    assert value >= wasserstein_distance_nd(real, made)


def test_equal_rows_in_any_order_have_no_distance():
    rows = np.random.default_rng(0).normal(size=(60, 3))
    assert sliced_distance(rows, rows[::-1]) == 0


def test_its_interval_has_the_width_of_new_draws():
    source = np.random.default_rng(0)
    found = [measured(source.normal(size=(600, 4)), source.normal(size=(600, 4)) + 0.5) for _ in range(40)]
    spread = np.std([reading.value for reading in found])
    width = np.mean([(reading.high - reading.low) / (2 * 1.96) for reading in found])
    assert width == pytest.approx(spread, rel=0.35)


def test_too_few_items_are_refused_and_the_kernel_distance_is_named():
    few, many = side(np.zeros((19, 2))), side(np.zeros((50, 2)))
    assert "take kid" in SlicedWasserstein().refusal(many, many, few)


@pytest.mark.parametrize("apart", [0.0, 0.3])
def test_its_interval_holds_the_distance_of_very_many_items(apart):
    source, held = np.random.default_rng(1), 0
    many = [source.normal(size=(20_000, 4)) + shift for shift in (0.0, apart)]
    truth = measured(*many, most=20_000, directions=32).value
    for _ in range(40):
        found = measured(source.normal(size=(300, 4)), source.normal(size=(300, 4)) + apart, directions=32)
        held += found.low <= truth <= found.high
    assert held >= 33


@pytest.mark.parametrize("count", [100, 600])
def test_what_chance_adds_is_what_it_adds_to_new_draws_and_varies_no_less(count):
    source, values, chances = np.random.default_rng(2), [], []
    for _ in range(200):
        real, made = source.normal(size=(2, count, 12))
        values.append(sliced_distance(real, made) ** 2)
        chances.append(_chance(real, made, 0))
    assert np.mean([chance.added(count) for chance in chances]) == pytest.approx(np.mean(values), rel=0.06)
    unbiased = [value - chance.added(count) for value, chance in zip(values, chances, strict=True)]
    # Of groups of five items the second order is told too great.
    assert 0.75 < np.mean([chance.second for chance in chances]) / np.var(unbiased) < 2


def test_a_first_order_part_is_the_variance_of_a_shift():
    source, found, spreads = np.random.default_rng(3), [], []
    for _ in range(150):
        real, made = source.normal(size=(2, 200, 3))
        chance = _chance(real, made + 2, 0)
        spreads.append(chance.spread)
        found.append(sliced_distance(real, made + 2) ** 2)
    assert np.mean(spreads) == pytest.approx(np.var(found), rel=0.3)


def test_an_interval_of_no_difference_misses_as_often_as_asked():
    source, held = np.random.default_rng(4), 0
    for _ in range(200):
        found = measured(*source.normal(size=(2, 200, 4)), directions=16)
        held += found.low <= 0.02
    assert 178 <= held < 200
