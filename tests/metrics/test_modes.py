import numpy as np
import pytest

from sparring.data.synthetic import Grid, Ring
from sparring.errors import RequestError
from sparring.metrics import Evidence
from sparring.metrics.features import FittedFeatures
from sparring.metrics.features.classifier import Classifier
from sparring.metrics.features.random_conv import RandomConv
from sparring.metrics.modes import (
    MixtureModes,
    StackedModes,
    divergence,
    mixture_coverage,
    stacked_classes,
    unstack,
)


def points(items) -> Evidence:
    return Evidence(np.asarray(items, np.float32), np.zeros((len(items), 1)))


@pytest.mark.parametrize("source", [Ring(), Grid()], ids=["ring", "grid"])
def test_the_mixture_itself_has_all_modes_with_the_true_shares_and_variances(source):
    centres = source.centres()
    metric = MixtureModes(centres=tuple(map(tuple, centres.tolist())), sigma=source.sigma)
    items = points(source.load().items[:20_000])
    found = metric(items, items, items)
    assert found["modes-covered"].value == len(centres)
    assert found["high-quality-share"].value == pytest.approx(1 - np.exp(-4.5), abs=0.004)
    for name in ("share", "variance"):
        assert 0.85 < found[f"mode-{name}-smallest"].value <= found[f"mode-{name}-largest"].value < 1.15


def test_a_lost_mode_a_collapsed_mode_and_stray_points_show():
    source = np.random.default_rng(0)
    centres = Ring().centres()
    cloud = [centre + 0.01 * source.normal(size=(100, 2)) for centre in centres[2:]]
    collapsed = np.repeat(centres[1:2], 100, 0)
    found = mixture_coverage(np.concatenate([*cloud, collapsed, np.zeros((100, 2))]), centres, 0.01)
    assert found.counts[0] == 0
    assert (found.counts > 0).sum() == 7
    assert found.variances[1] < 1e-20
    assert found.counts.sum() / 800 == pytest.approx(7 / 8, abs=0.02)
    assert found.shares[0] == 0


def test_points_that_are_not_finite_are_of_no_quality():
    metric = MixtureModes(centres=((0.0, 0.0),), sigma=1)
    items = points([[0, 0], [np.nan, 0], [np.inf, 0], [0.5, 0]])
    assert metric(items, items, items)["high-quality-share"].value == 0.5


def test_centres_of_another_room_are_refused():
    items = points(np.zeros((5, 3)))
    assert "no points" in MixtureModes(centres=((0.0, 0.0),)).refusal(items, items, items)
    assert "coordinates" in MixtureModes(centres=((0.0, 0.0), (1.0,))).refusal(items, items, items)


def stacked(predicted) -> Evidence:
    return Evidence(np.zeros((len(predicted), 1)), np.zeros((len(predicted), 1)), predicted=np.asarray(predicted))


def test_a_perfect_model_of_stacked_digits_has_the_divergence_of_its_count():
    source = np.random.default_rng(0)
    train, fake = (stacked(source.integers(0, 1000, count)) for count in (60_000, 26_000))
    found = StackedModes(classes=10)(train, train, fake)
    assert found["stacked-modes"].value == 1000
    assert found["stacked-divergence"].value == pytest.approx(999 / 52_000, abs=0.003)
    assert StackedModes(classes=10, least=20)(train, train, fake)["stacked-modes"].value < 950


def test_unequal_digits_in_the_data_are_no_fault_of_the_model():
    source = np.random.default_rng(0)
    digits = source.choice(3, (40_000, 2), p=[0.7, 0.2, 0.1])
    both = digits @ [3, 1]
    metric = StackedModes(classes=3, channels=2)
    assert metric(stacked(both), stacked(both), stacked(both))["stacked-divergence"].value < 0.001
    equal = stacked(np.arange(9))
    assert metric(stacked(both), stacked(both), equal)["stacked-divergence"].value > 0.4


def test_the_divergence_of_one_mode_is_the_logarithm_of_all():
    assert divergence(np.array([50, 0, 0, 0]), np.full(4, 0.25)) == pytest.approx(np.log(4))


def test_the_class_of_each_channel_makes_the_mode():
    source = np.random.default_rng(0)
    single = source.integers(0, 40, (200, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(200) % 2
    single[labels == 1, 2:6, 2:6] += 200
    network = Classifier(epochs=4, width=4, features=8).fit(single, labels, 0)
    chosen = source.integers(0, 200, (50, 3))
    items = np.moveaxis(single[chosen][..., 0], 1, -1)
    assert stacked_classes(network, items, 2).tolist() == (labels[chosen] @ [4, 2, 1]).tolist()
    assert unstack(np.array([5, 3]), 2, 3).tolist() == [[1, 0], [0, 1], [1, 1]]


def test_stacked_pictures_need_a_classifier():
    pictures = np.zeros((4, 8, 8, 1), np.uint8)
    free: FittedFeatures = RandomConv().fit(pictures, None, 0)
    with pytest.raises(RequestError, match="classifier"):
        stacked_classes(free, np.repeat(pictures, 3, 3))


def test_classes_beyond_the_stack_are_refused():
    assert "not within" in StackedModes(classes=2, channels=2).refusal(*[stacked([0, 4])] * 3)


def test_the_interval_of_an_extreme_of_many_even_modes_holds_the_truth_of_all():
    """Were each mode's interval taken alone, half of those of the extremes of 25 would miss."""
    source, centres, held = np.random.default_rng(0), Grid().centres(), dict[str, list[bool]]()
    metric = MixtureModes(centres=tuple(map(tuple, centres.tolist())), sigma=0.05, radius=10)
    for _ in range(100):
        drawn = points(centres[source.integers(0, 25, 5000)] + 0.05 * source.normal(size=(5000, 2)))
        for name, reading in metric(drawn, drawn, drawn).items():
            if name.startswith("mode-"):
                held.setdefault(name, []).append(reading.low <= 1 <= reading.high)
    assert len(held) == 4
    assert {name: sum(each) for name, each in held.items() if sum(each) < 93} == {}
