from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from sparring.metrics import Evidence
from sparring.metrics.discriminator import Discriminator, area, fit_threshold


def side(scores) -> Evidence:
    return Evidence(np.zeros((len(scores), 1)), np.zeros((len(scores), 1)), scores=np.asarray(scores, float))


def test_at_a_given_threshold_it_equals_scikit_learn_for_equal_counts():
    source = np.random.default_rng(0)
    real, made = source.normal(0.5, 1, 400).round(1), source.normal(-0.5, 1, 400).round(1)
    truth, scores = np.repeat([1, 0], 400), np.concatenate([real, made])
    found = Discriminator(threshold=0)(side(real), side(real), side(made))
    assert found["discriminator-accuracy"].value == pytest.approx(accuracy_score(truth, scores > 0))
    assert found["discriminator-f1"].value == pytest.approx(f1_score(truth, scores > 0))
    assert found["discriminator-auc"].value == pytest.approx(roc_auc_score(truth, scores))


def test_the_threshold_of_the_loss_goes_before_a_fitted_one_and_after_a_given_one():
    real, made = np.linspace(0.4, 1.4, 100), np.linspace(-0.4, 0.6, 100)
    sides = [side(real), side(real), replace(side(made), threshold=0.5)]
    accuracy = [Discriminator(threshold=t)(*sides)["discriminator-accuracy"].value for t in (None, 0.5, 0.0)]
    assert accuracy[0] == accuracy[1] == pytest.approx(0.9)
    assert accuracy[2] == pytest.approx(0.7)


def test_more_generated_than_real_items_weigh_no_more():
    real, made = np.linspace(-1, 3, 100), np.linspace(-3, 1, 100)
    once = Discriminator(threshold=0)(side(real), side(real), side(made))
    thrice = Discriminator(threshold=0)(side(real), side(real), side(np.repeat(made, 3)))
    assert [r.value for r in once.values()] == pytest.approx([r.value for r in thrice.values()])


def test_the_fitted_threshold_never_sees_what_it_is_measured_on():
    source = np.random.default_rng(0)
    train, test, made = source.normal(10, 1, 500), source.normal(10, 1, 300), source.normal(7, 1, 600)
    honest = Discriminator()(side(train), side(test), side(made))
    assert honest["discriminator-accuracy"].value == pytest.approx(0.933, abs=0.03)  # Phi(1.5)
    moved = made.copy()
    moved[1::2] += 100
    assert Discriminator()(side(train), side(test), side(moved))["discriminator-accuracy"].value < 0.55


def test_a_beaten_discriminator_is_right_half_of_the_time_within_its_interval():
    source = np.random.default_rng(0)
    sides = [side(source.normal(size=count)) for count in (1000, 1000, 2000)]
    found = Discriminator()(*sides)
    for name in ("discriminator-accuracy", "discriminator-auc"):
        assert found[name].low <= 0.5 <= found[name].high


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=20), st.lists(st.integers(-5, 5), min_size=1, max_size=20))
def test_no_other_threshold_is_right_more_often(real, made):
    real, made = np.array(real, float), np.array(made, float)

    def right(threshold):
        return (real > threshold).mean() + (made <= threshold).mean()

    assert right(fit_threshold(real, made)) == pytest.approx(max(right(t / 2) for t in range(-13, 13)))


def test_the_area_of_ties_is_a_half_and_its_interval_stays_possible():
    assert area(np.zeros(5), np.zeros(7)).value == 0.5
    perfect = area(np.ones(5), np.zeros(7))
    assert (perfect.value, perfect.high) == (1, 1)
    # A chance at which five pairs of no common item all agree in 2.5 %.
    assert perfect.low == pytest.approx(0.025 ** (1 / 5))
