"""What metrics of series say of series whose answers are known."""

import numpy as np
import pytest

from sparring.baselines.series import Autoregression, ConstantMean
from sparring.metrics import Evidence, Specimens
from sparring.metrics.discriminative import DiscriminativeScore
from sparring.metrics.dynamics import Autocorrelation, ChannelWasserstein, CrossCorrelation, Spectrum, wasserstein
from sparring.metrics.nearest_window import NearestWindow
from sparring.metrics.predictive import PredictiveScore


def autoregressive(count: int, seed: int, *, phi=0.8, steps=16, common=0.6) -> np.ndarray:
    """Two channels of unit variance whose correlation is ``common``."""
    source = np.random.default_rng(seed)
    shock = source.normal(size=(count, steps, 3))
    both = common**0.5 * shock[..., :1] + (1 - common) ** 0.5 * shock[..., 1:]
    found = both.copy()
    for step in range(1, steps):
        found[:, step] = phi * found[:, step - 1] + (1 - phi**2) ** 0.5 * both[:, step]
    return found


def evidence(items: np.ndarray) -> Evidence:
    return Evidence(items, np.zeros((len(items), 0)))


TRAIN, TEST, LIKE = (evidence(autoregressive(400, seed)) for seed in range(3))


def number(metric, made: np.ndarray, name: str = "") -> float:
    found = metric(TRAIN, TEST, evidence(made))
    return (found[name] if name else next(iter(found.values()))).value


def test_the_autocorrelation_error_is_that_of_the_known_processes():
    other = autoregressive(3000, 5, phi=0.3)
    lags = np.arange(1, 7)
    expected = np.abs(0.8**lags - 0.3**lags).mean()
    assert number(Autocorrelation(lags=6), other) == pytest.approx(expected, abs=0.05)
    assert number(Autocorrelation(lags=6), LIKE.items) < 0.05
    changes = "autocorrelation-error-changes"
    assert number(Autocorrelation(), other, changes) > 2 * number(Autocorrelation(), LIKE.items, changes)


def test_the_cross_correlation_error_is_the_difference_of_correlations():
    assert number(CrossCorrelation(), autoregressive(3000, 5, common=0.1)) == pytest.approx(0.5, abs=0.06)
    assert number(CrossCorrelation(), LIKE.items) < 0.08
    one = [evidence(side.items[..., :1]) for side in (TRAIN, TEST, LIKE)]
    assert CrossCorrelation()(*one)["cross-correlation-error"].value == 0


def test_a_shift_by_half_a_deviation_is_half_a_deviation_away():
    shifted = LIKE.items + np.array([0.5, 0.0])
    assert number(ChannelWasserstein(), shifted, "channel-wasserstein-largest") == pytest.approx(0.5, abs=0.1)
    values = np.random.default_rng(0).normal(size=50)
    assert wasserstein(values, values + 2) == pytest.approx(2)
    assert wasserstein(np.array([0.0, 1.0]), np.array([0.5])) == pytest.approx(0.5)


def test_half_the_amplitude_is_six_tenths_of_a_decade_of_power():
    half = TEST.items / 2
    assert number(Spectrum(), half) == pytest.approx(np.log10(4), abs=0.02)
    assert number(Spectrum(), LIKE.items) < 0.1


@pytest.mark.parametrize("judge", ["convolutional", "recurrent"])
def test_the_judge_tells_what_can_be_told_and_nothing_else(judge):
    metric = DiscriminativeScore(judge=judge, steps=100 if judge == "convolutional" else 400, judges=1)
    assert number(metric, LIKE.items) < 0.15
    told = metric(TRAIN, TEST, evidence(LIKE.items + 2))["discriminative-score"]
    assert told.value > 0.35
    assert told.low <= told.value <= told.high <= 0.5
    if judge == "convolutional":
        assert number(metric, np.repeat(LIKE.items[:, :1], 16, 1)) > 0.45


def test_copies_are_seen_by_the_nearest_window_alone():
    copies = TRAIN.items[np.arange(400) % 50]
    assert number(NearestWindow(), copies, "window-copies") == 1
    assert number(NearestWindow(), copies, "window-nearness") > 0.95
    assert number(NearestWindow(), LIKE.items, "window-nearness") == pytest.approx(0.5, abs=0.1)
    assert number(NearestWindow(), LIKE.items, "window-copies") < 0.05


def test_the_predictor_reaches_the_noise_of_the_process():
    found = PredictiveScore()(TRAIN, TEST, LIKE)
    spread = np.ptp(TRAIN.items, (0, 1)).mean()
    assert found["predictive-score-real"].value * spread == pytest.approx(0.6 * (2 / np.pi) ** 0.5, rel=0.05)
    assert found["predictive-score"].value == pytest.approx(found["predictive-score-real"].value, rel=0.05)
    assert number(PredictiveScore(), LIKE.items[:, ::-1] * 0) > 1.3 * found["predictive-score"].value


def test_windows_of_other_shapes_and_too_few_are_refused():
    short = evidence(TRAIN.items[:, :9])
    assert "like the training windows" in Autocorrelation().refusal(TRAIN, TEST, short)
    assert "fewer than" in DiscriminativeScore().refusal(TRAIN, TEST, evidence(TRAIN.items[:30]))
    assert "fewer than" in NearestWindow().refusal(TRAIN, TEST, evidence(TRAIN.items[:10]))


def test_the_autoregression_has_the_correlations_of_its_process_and_the_mean_has_none():
    train, judged = Specimens(TRAIN.items), Specimens(LIKE.items[:300])
    made = Autoregression(order=1)(train, judged, 0)
    assert made.items.shape == (300, 16, 2)
    assert number(Autocorrelation(lags=6), made.items) < 0.06
    assert number(CrossCorrelation(), made.items) < 0.1
    assert np.array_equal(made.items, Autoregression(order=1)(train, judged, 0).items)
    assert Autoregression(order=16).refusal(train, judged)
    constant = ConstantMean()(train, judged, 0).items
    assert np.ptp(constant, (0, 1)).max() == 0
    assert np.allclose(constant[0, 0], TRAIN.items.mean((0, 1)))
