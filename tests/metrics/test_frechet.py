import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.image.fid import FrechetInceptionDistance

from sparring.metrics import Evidence
from sparring.metrics.frechet import VERY_MANY, Frechet, Gaussian, frechet_distance, measured


class Rows(torch.nn.Module):
    """Features for torchmetrics: pictures are the features themselves."""

    num_features = 6

    def forward(self, rows):
        return rows.flatten(1)


def side(features) -> Evidence:
    return Evidence(features, features)


def sample(count: int, seed: int, width: int = 6) -> np.ndarray:
    source = np.random.default_rng(seed)
    return source.normal(size=(count, width)) @ source.normal(size=(width, width)) + source.normal(size=width)


def test_it_equals_torchmetrics_on_the_same_features():
    real, made = sample(500, 0), sample(400, 1)
    rival = FrechetInceptionDistance(feature=Rows(), normalize=True, input_img_size=(1, 1, 6)).set_dtype(torch.float64)
    rival.update(torch.from_numpy(real).view(-1, 1, 1, 6), real=True)
    rival.update(torch.from_numpy(made).view(-1, 1, 1, 6), real=False)
    found = Frechet()(side(real), side(real), side(made))["frechet"].value
    assert found == pytest.approx(float(rival.compute()), rel=1e-6)


@given(
    st.lists(st.tuples(*[st.floats(-3, 3)] * 2, *[st.floats(0, 5)] * 2), min_size=1, max_size=6),
    st.integers(0, 100),
)
def test_gaussians_with_the_same_axes_have_the_closed_form(axes, seed):
    first_mean, second_mean, first, second = (np.array(column) for column in zip(*axes, strict=True))
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(axes), len(axes))))
    found = frechet_distance(
        Gaussian(first_mean, turn @ np.diag(first) @ turn.T), Gaussian(second_mean, turn @ np.diag(second) @ turn.T)
    )
    truth = np.square(first_mean - second_mean).sum() + np.square(np.sqrt(first) - np.sqrt(second)).sum()
    assert found == pytest.approx(truth, abs=1e-5)


@given(st.integers(0, 1000), st.integers(1, 5), st.integers(10, 40))
def test_it_is_symmetric_never_negative_and_nothing_between_equals(seed, width, count):
    first, second = Gaussian.fit(sample(count, seed, width)), Gaussian.fit(sample(count, seed + 1, width))
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first), rel=1e-6, abs=1e-6)
    assert 0 <= frechet_distance(first, first) < 1e-6 * max(1, np.trace(first.covariance))


def test_features_on_a_line_are_real_and_finite():
    line = np.linspace(0, 1, 100)[:, None] * np.ones(20)
    made = np.repeat(line[:10], 10, 0)
    reading = Frechet()(side(line), side(line), side(made))["frechet"]
    truth = 20 * ((line[:, 0].mean() - made[:, 0].mean()) ** 2 + (line[:, 0].std(ddof=1) - made[:, 0].std(ddof=1)) ** 2)
    assert reading.value == pytest.approx(truth, rel=1e-6)


def test_fewer_than_two_items_a_feature_are_refused_and_kid_is_named():
    enough, few = side(sample(12, 0)), side(sample(11, 1))
    assert Frechet().refusal(few, enough, enough) is None
    assert "kid" in Frechet().refusal(enough, enough, few)
    assert "11 reference items are fewer than 12" in Frechet().refusal(enough, few, enough)


def gaussian(source: np.random.Generator, count: int, scale: float = 1.0) -> np.ndarray:
    return source.normal(size=(count, 16)) * scale


def rectified(source: np.random.Generator, count: int, scale: float = 1.0) -> np.ndarray:
    """Features as a network's last layer gives them: fewer causes than features, nothing below 0."""
    mixing = np.random.default_rng(6).normal(size=(8, 16)) / np.sqrt(2)
    rows = source.normal(size=(count, 8)) @ mixing + 0.3 * source.normal(size=(count, 16)) - 0.5
    return np.maximum(0, rows) * scale


@pytest.mark.parametrize(
    ("draw", "scale"), [(gaussian, 1.0), (gaussian, 1.1), (gaussian, 1.3), (rectified, 1.1), (rectified, 1.3)]
)
def test_the_interval_covers_the_distance_of_very_many_items(draw, scale):
    source = np.random.default_rng(0)
    truth = frechet_distance(*(Gaussian.fit(draw(source, VERY_MANY, each)) for each in (1.0, scale)))
    found = [measured(draw(source, 1000), draw(source, 1000, scale)) for _ in range(100)]
    assert 90 <= sum(reading.low <= truth <= reading.high for reading in found) <= 99
    # The values are so biased at these counts that the spread of draws does not explain it.
    values = np.array([reading.value for reading in found])
    assert values.mean() > truth + 0.15
    lows = np.array([reading.low for reading in found])
    assert np.mean(values - lows) < values.mean() - truth + 2.5 * values.std()


def test_too_few_items_for_halves_still_have_an_interval_below_their_value():
    source = np.random.default_rng(0)
    reading = measured(gaussian(source, 40), gaussian(source, 40))
    assert 0 <= reading.low < reading.value / 2
    assert reading.high >= reading.value


def test_a_distance_of_sides_that_do_not_vary_is_sure():
    point = np.ones((40, 3))
    reading = measured(point, 3 * point)
    assert (reading.low, reading.value, reading.high) == (12, 12, 12)
