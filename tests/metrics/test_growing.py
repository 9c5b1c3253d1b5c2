"""Intervals of squared distances, whose variance grows with themselves."""

import numpy as np
import pytest

from sparring.metrics.intervals import NORMAL, growing, growing_to


def test_without_a_first_order_part_the_interval_is_the_normal_one():
    assert growing(0.3, 0.02, 0.01) == pytest.approx((0.3 - NORMAL * 0.1, 0.3 + NORMAL * 0.1))


def test_the_ends_are_as_far_off_as_the_variance_there_allows():
    estimate, spread, second = 0.5, 0.06, 0.0025
    slope = (spread - 2 * second) / (estimate + second**0.5)
    for end in growing(estimate, spread, second):
        assert (estimate - end) ** 2 == pytest.approx(NORMAL**2 * (slope * end + second))


def test_the_upper_end_grows_as_fast_as_chance_moves_the_variance():
    low, high = growing(0.5, 0.06, 0.0025, along=0.3)
    assert low == growing(0.5, 0.06, 0.0025)[0]
    assert (high - 0.5) ** 2 == pytest.approx(NORMAL**2 * (0.06 - 0.0025 + 0.3 * (high - 0.5)))
    assert growing(0.5, 0.06, 0.0025, along=0.4)[1] > high
    assert growing(0.5, 0.004, 0.0025, along=0.0)[1] == pytest.approx(0.5 + NORMAL * 0.0025**0.5)


@pytest.mark.parametrize("apart", [0.0, 0.3, 1.0])
def test_squared_means_that_mostly_chance_in_one_direction_moves_are_covered_at_both_ends(apart):
    """|x|^2 with most noise in one coordinate: where that lay against the difference, the variance seems small too."""
    source, noise, missed = np.random.default_rng(0), np.array([0.3] + [0.05] * 20), np.zeros((2, 2))
    centre = np.array([0.3 * apart] + [apart / 20**0.5] * 20)
    truth, second = float((centre**2).sum()), 2 * float((noise**4).sum())
    for _ in range(2000):
        found = centre + noise * source.normal(size=21)
        estimate, spread = float((found**2).sum() - (noise**2).sum()), 4 * float((noise**2 * found**2).sum())
        along = 4 * float((noise**4 * found**2).sum()) / float((noise**2 * found**2).sum())
        for way, ends in enumerate((growing(estimate, spread, second), growing(estimate, spread, second, along=along))):
            missed[way] += truth < ends[0], truth > ends[1]
    assert apart != 1 or missed[0, 1] > 120
    assert missed[1, 1] <= 60


def test_an_estimate_without_variance_is_its_own_interval():
    assert growing(0.5, 0.0, 0.0) == (0.5, 0.5)
    assert growing(-0.1, 0.0, 0.0) == (-0.1, -0.1)


def test_an_interval_that_reaches_far_up_has_all_that_may_miss_at_its_lower_end():
    low, high = growing_to(5.0, 0.3, 0.02, 0.01, wider=1.0)
    assert high == 5.0
    assert low == pytest.approx(0.3 - 1.6448536 * 0.1)
    assert growing_to(0.4, 0.3, 0.02, 0.01, wider=1.0) == pytest.approx(growing(0.3, 0.02, 0.01))
    assert growing_to(0.4, 0.3, 0.0, 0.0, wider=1.0) == (0.3, 0.4)


def test_where_the_interval_just_reaches_the_value_the_lower_end_does_not_jump():
    upper = growing(0.3, 0.06, 0.0025)[1]
    ends = [growing_to(value, 0.3, 0.06, 0.0025, wider=1.0)[0] for value in (upper - 1e-6, upper + 1e-6)]
    assert ends[0] == pytest.approx(ends[1], abs=1e-4)


@pytest.mark.parametrize("apart", [0.0, 0.05, 0.2, 1.0])
def test_squared_means_are_covered_at_any_distance(apart):
    """|x|^2 of Gaussian means of 20 coordinates, without its bias, has the variance that is assumed."""
    source, count, width, held = np.random.default_rng(0), 50, 20, 0
    centre = np.full(width, apart / width**0.5)
    for _ in range(400):
        mean = centre + source.normal(size=width) / count**0.5
        estimate, second = float((mean**2).sum()) - width / count, 2 * width / count**2
        low, high = growing(estimate, 4 * float((mean**2).sum()) / count, second)
        held += low <= float((centre**2).sum()) <= high
    assert 372 <= held <= 394
