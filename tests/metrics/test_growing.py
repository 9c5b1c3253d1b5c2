"""Intervals of squared distances, whose variance grows with themselves."""

import numpy as np
import pytest

from sparring.metrics.intervals import NORMAL, growing


def test_without_a_first_order_part_the_interval_is_the_normal_one():
    assert growing(0.3, 0.02, 0.01) == pytest.approx((0.3 - NORMAL * 0.1, 0.3 + NORMAL * 0.1))


def test_the_ends_are_as_far_off_as_the_variance_there_allows():
    estimate, spread, second = 0.5, 0.06, 0.0025
    slope = (spread - 2 * second) / (estimate + second**0.5)
    for end in growing(estimate, spread, second):
        assert (estimate - end) ** 2 == pytest.approx(NORMAL**2 * (slope * end + second))


def test_an_estimate_without_variance_is_its_own_interval():
    assert growing(0.5, 0.0, 0.0) == (0.5, 0.5)
    assert growing(-0.1, 0.0, 0.0) == (-0.1, -0.1)


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
