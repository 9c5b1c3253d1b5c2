import math

import numpy as np
import pytest

from sparring.modalities.noisy import Questions


def asked(epsilon=1.0, seed=0, delta=1e-6):
    return Questions(epsilon, delta, seed)


def test_noise_is_two_sided_geometric():
    draws = asked(0.5).noise(100_000, "x")
    ratio = math.exp(-0.5)
    assert draws.mean() == pytest.approx(0, abs=0.05)
    assert (draws == 0).mean() == pytest.approx((1 - ratio) / (1 + ratio), rel=0.03)
    assert draws.std() == pytest.approx(math.sqrt(2 * ratio) / (1 - ratio), rel=0.02)


def test_a_count_with_one_row_more_is_at_most_e_to_the_epsilon_times_as_likely():
    draws = asked(0.7).noise(400_000, "x")
    for value in range(-3, 4):
        with_row, without = (draws + 1 == value).mean(), (draws == value).mean()
        assert max(with_row / without, without / with_row) <= math.exp(0.7) * 1.03


def test_a_single_rows_value_is_named_less_often_than_delta_says():
    delta, epsilon = 0.02, 1.0
    named = sum("only" in asked(epsilon, seed, delta).frequent(["only"], "x") for seed in range(4000))
    assert 0 < named / 4000 <= delta


def test_frequent_values_are_named_with_about_their_counts_and_rare_ones_are_not():
    found = asked().frequent(["a"] * 900 + ["b"] * 300 + ["c"] * 3, "x")
    assert list(found) == ["a", "b"]
    assert found["a"] == pytest.approx(900, abs=15)


def test_bounds_hold_almost_all_numbers_and_not_the_lonely_outlier():
    values = np.concatenate([np.random.default_rng(0).uniform(17, 90, 2000), [1e9]])
    assert asked().bounds(values, "x") == (16.0, 128.0)
    assert asked().bounds(-values, "x") == (-128.0, -16.0)
    assert asked().bounds(np.concatenate([values, -values]), "x") == (-128.0, 128.0)


def test_bounds_of_almost_nothing_cannot_be_told():
    assert [asked(seed=s).bounds(np.array([5.0]), "x") for s in range(20)].count(None) >= 18


def test_answers_depend_on_the_secret_and_the_question():
    assert asked(0.01).count(1000, "x") == asked(0.01).count(1000, "x")
    assert asked(0.01).count(1000, "x") != asked(0.01, seed=1).count(1000, "x")
    assert asked(0.01).count(1000, "x") != asked(0.01).count(1000, "y")
