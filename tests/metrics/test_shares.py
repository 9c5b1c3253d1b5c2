import numpy as np
import pytest

from sparring.metrics import Evidence
from sparring.metrics.intervals import share
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
