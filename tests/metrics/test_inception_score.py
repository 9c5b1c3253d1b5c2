import numpy as np
import pytest
from scipy.stats import entropy

from sparring.metrics import Evidence
from sparring.metrics.inception_score import InceptionScore


def score(probabilities: np.ndarray):
    side = Evidence(np.zeros((len(probabilities), 1)), np.zeros((len(probabilities), 1)), probabilities=probabilities)
    assert InceptionScore().refusal(side, side, side) is None
    return InceptionScore()(side, side, side)["inception-score"]


def test_it_equals_the_mean_divergence_by_scipy():
    probabilities = np.random.default_rng(0).dirichlet(np.full(7, 0.3), 500)
    expected = np.exp(np.mean([entropy(row, probabilities.mean(0)) for row in probabilities]))
    assert score(probabilities).value == pytest.approx(expected)


def test_sure_and_even_classes_score_their_number_and_collapse_scores_one():
    assert score(np.eye(10)[np.arange(1000) % 10]).value == pytest.approx(10)
    assert score(np.eye(10)[np.zeros(1000, int)]).value == pytest.approx(1)
    assert score(np.full((1000, 10), 0.1)).value == pytest.approx(1)
    halved = score(np.eye(10)[np.arange(1000) % 5])
    assert halved.value == pytest.approx(5)


def test_its_interval_covers_the_score_of_very_many_items():
    source = np.random.default_rng(0)
    truth = score(source.dirichlet(np.full(5, 0.3), 200_000)).value
    found = [score(source.dirichlet(np.full(5, 0.3), 1000)) for _ in range(200)]
    assert 0.9 <= np.mean([reading.low <= truth <= reading.high for reading in found]) <= 0.99


def test_the_interval_of_few_items_of_many_classes_holds_the_score_that_their_own_mean_hides():
    """Items that are surely of one class score the exponential of the entropy of the shares, which few understate."""
    shares, source = np.linspace(0.5, 1.5, 100) / 100, np.random.default_rng(0)
    truth = np.exp(entropy(shares))
    found = [score(np.eye(100)[source.choice(100, 500, p=shares)]) for _ in range(200)]
    assert np.mean([reading.value < 0.95 * truth for reading in found]) > 0.95
    assert np.mean([reading.low <= truth <= reading.high for reading in found]) >= 0.95
    assert np.mean([np.log(reading.high / reading.low) for reading in found]) < 0.2


def test_without_a_classifier_or_enough_items_it_is_refused():
    side = Evidence(np.zeros((200, 1)), np.zeros((200, 1)))
    assert "no labels" in InceptionScore().refusal(side, side, side)
    few = Evidence(np.zeros((99, 1)), np.zeros((99, 1)), probabilities=np.full((99, 2), 0.5))
    assert "take kid" in InceptionScore().refusal(few, few, few)
