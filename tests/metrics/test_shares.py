import numpy as np
import pytest
from scipy.stats import binom, norm

from sparring.metrics import Evidence
from sparring.metrics.intervals import NORMAL, _score_ends, _skewed_ends, inner_end, share, smallest_share
from sparring.metrics.shares import ClassShares, share_distance, shares


def side(predicted, labels=None) -> Evidence:
    return Evidence(np.zeros((len(predicted), 1)), np.zeros((len(predicted), 1)), labels, np.asarray(predicted))


def test_the_numbers_of_a_hand_worked_case():
    train = side([0, 1, 2], np.array([0, 1, 2]))
    found = ClassShares()(train, side([0, 1, 2, 2]), side([0, 0, 0, 1], np.array([0, 0, 1, 1])))
    assert {name: reading.value for name, reading in found.items()} == {
        "class-share-smallest": 0,
        "class-share-largest": 0.75,
        "class-share-distance": 0.5,
        "label-agreement": 0.75,
    }
    assert found["class-share-smallest"].high > 0.3


def test_without_asked_labels_there_is_no_agreement():
    assert "label-agreement" not in ClassShares()(side([0, 1]), side([0, 1]), side([0, 1]))


def test_shares_count_every_class():
    assert shares(np.array([0, 0, 3]), 4).tolist() == [2 / 3, 0, 0, 1 / 3]
    assert shares(np.array([], int), 2).tolist() == [0, 0]


def test_the_distance_of_the_same_shares_is_nothing_and_of_other_classes_one():
    assert share_distance(np.array([0, 1, 1]), np.array([1, 0, 1])).value == pytest.approx(0)
    assert share_distance(np.array([0, 0]), np.array([5, 5])).value == 1


@pytest.mark.parametrize("number", ["class-share-smallest", "class-share-largest"])
def test_the_interval_of_an_extreme_share_of_many_even_classes_holds_the_share_of_all(number):
    """The least of fifty counts lies so far below .02 that the score interval of one share alone mostly misses."""
    source, known = np.random.default_rng(0), side(np.arange(50), np.arange(50))
    drawn = [source.integers(0, 50, 2500) for _ in range(200)]
    found = [ClassShares()(known, known, side(each))[number] for each in drawn]
    alone = [share(round(2500 * reading.value), 2500) for reading in found]
    assert np.mean([reading.low <= 0.02 <= reading.high for reading in alone]) < 0.5
    assert 0.95 <= np.mean([reading.low <= 0.02 <= reading.high for reading in found]) < 1


def normal_ends(values, errors):
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    return lambda width: (values - width * errors, values + width * errors)


def test_the_inner_end_holds_for_as_many_numbers_as_may_be_the_least():
    assert inner_end(normal_ends([0.3], [0.1])) == pytest.approx(0.3 + 0.1 * NORMAL)
    assert inner_end(normal_ends([0.0] + [5.0] * 9, [0.1] * 10)) == pytest.approx(0.1 * NORMAL)
    # Of ten of which each may be the least, .8 (1 - .96875^(1/10)) is .00254.
    assert inner_end(normal_ends([0.0] * 10, [1.0] * 10)) == pytest.approx(2.8019, abs=1e-3)
    # Of two it is 2.238, from which on another's p-value is .8 that stands .842 higher, at 3.080.
    assert inner_end(normal_ends([0.0, 3.07], [1.0, 1.0])) == pytest.approx(2.238, abs=1e-3)
    assert inner_end(normal_ends([0.0, 3.09], [1.0, 1.0])) == pytest.approx(NORMAL)
    assert inner_end(normal_ends([0.0, 0.0], [0.0, 0.0])) == 0


@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0, 2.0, 3.0, 6.0])
@pytest.mark.parametrize("several", [1, 2, 6])
def test_both_ends_of_the_least_together_miss_in_no_more_than_asked(several, apart):
    """However far the others stand. Of at most 100 on average 129 are three standard errors more."""
    source, true = np.random.default_rng(several), np.concatenate([[0.0], np.full(several - 1, apart)])
    missed = 0
    for drawn in true + source.normal(size=(2000, several)):
        missed += not (drawn - NORMAL).min() <= 0 <= inner_end(normal_ends(drawn, np.ones(several)))
    assert missed < 129


@pytest.mark.parametrize("width", [1.96, 2.58])
@pytest.mark.parametrize("probability", [0.01, 0.1, 0.5])
def test_either_end_of_a_small_share_misses_as_often_as_asked(width, probability):
    """By exact sums over the binomial distribution; counts are whole, so that only their mean over some is smooth."""
    asked, missed, of_score = norm.sf(width), [[], []], []
    for draws in range(1500, 1600):
        counts = np.arange(draws + 1)
        weights = binom.pmf(counts, draws, probability)
        low, high = _skewed_ends(counts / draws, draws, width)
        missed[0].append(weights[low > probability].sum())
        missed[1].append(weights[high < probability].sum())
        of_score.append(weights[_score_ends(counts / draws, draws, width)[0] > probability].sum())
    assert np.mean(missed, 1) == pytest.approx([asked, asked], rel=0.12)
    assert probability > 0.05 or np.mean(of_score) > 1.2 * asked


@pytest.mark.parametrize(("classes", "kept"), [(2, 2), (10, 1), (10, 3), (10, 10), (50, 50)])
def test_the_smallest_of_shares_is_held_as_often_as_asked_however_many_are_the_smallest(classes, kept):
    source, true = np.random.default_rng(0), np.ones(classes)
    true[:kept] = 0.8
    true /= true.sum()
    found = [smallest_share(counts, 100 * classes) for counts in source.multinomial(100 * classes, true, 600)]
    assert np.mean([reading.low <= true.min() <= reading.high for reading in found]) >= 0.93
