"""What holds of every metric and of every kind of features."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sparring.errors import RequestError, RunError
from sparring.metrics import Evidence, Metric
from sparring.metrics.discriminative import DiscriminativeScore
from sparring.metrics.discriminator import Discriminator
from sparring.metrics.features import Features, FittedFeatures
from sparring.metrics.features.classifier import Classifier
from sparring.metrics.gan_train import GanTrain
from sparring.metrics.modes import MixtureModes, StackedModes
from sparring.reporting.figures import unit_of

RING = tuple((float(np.cos(a)), float(np.sin(a))) for a in np.arange(8) * np.pi / 4)
SETTINGS = {
    "mixture-modes": MixtureModes(centres=RING, sigma=0.1),
    "stacked-modes": StackedModes(classes=2),
    "discriminative-score": DiscriminativeScore(steps=4, judges=2),
    "gan-train": GanTrain(learner=Classifier(epochs=1, width=4, features=8)),
}
OURS = [part for _, part in sorted(Metric.parts().items()) if part.__module__.startswith("sparring.")]
METRICS = [SETTINGS.get(part.name) or part() for part in OURS]


def evidence(count: int, seed: int, width: int = 4, shift: float = 0.0) -> Evidence:
    source = np.random.default_rng(seed)
    return Evidence(
        items=source.normal(size=(count, 2)).astype(np.float32) + np.float32(shift),
        features=source.normal(size=(count, width)) + shift,
        labels=source.integers(0, 8, count),
        predicted=source.integers(0, 8, count),
        scores=source.normal(size=count) - shift,
        probabilities=source.dirichlet(np.full(8, 0.5), count),
    )


def every_number(metric: Metric, *sides: Evidence):
    seen = [pictured(side) for side in sides] if metric.modalities == ("image",) else sides
    assert metric.refusal(*seen) is None
    return metric(*seen)


def pictured(side: Evidence) -> Evidence:
    """The same with pictures in the place of points, two brightnesses each, and a truth of the other brightness."""
    values = np.clip(100 + 20 * np.nan_to_num(side.items[:].astype(float)), 0, 255).astype(np.uint8)
    tiles = np.repeat(np.repeat(values[:, None, :, None], 12, 1), 6, 2)
    known = np.where(np.arange(tiles.shape[2]) < 3, 0, 255).astype(np.uint8)
    alpha = np.broadcast_to(known[:, None], (*tiles.shape[:3], 1))
    return replace(side, items=tiles, truth=tiles[:, :, ::-1], given=np.concatenate([tiles, alpha], 3))


DOCUMENT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8").partition("## Intervals")[0]
EXPLAINED = [
    n for row in re.findall(r"^\|([^|]*`[^|]*)\|", DOCUMENT, re.MULTILINE) for n in re.findall("`([^`]*)`", row)
]


def _names(told: str, number: str) -> bool:
    """Whether a name of the document's tables, in which … and a leading hyphen stand for what is left out, is it."""
    left, _, right = ("…" + told if told.startswith("-") else told).partition("…")
    return number == told or (
        ("…" in told or told.startswith("-")) and number.startswith(left) and number.endswith(right)
    )


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
class TestEveryMetric:
    def test_its_intervals_hold_its_values(self, metric):
        for reading in every_number(metric, evidence(300, 0), evidence(200, 1), evidence(250, 2, shift=0.3)).values():
            assert np.isfinite(reading.value)
            assert reading.better in ("lower", "higher", "")
            if reading.low is not None:
                assert reading.low <= reading.value <= reading.high

    def test_the_same_items_give_the_same_numbers(self, metric):
        sides = [evidence(300, 0), evidence(200, 1), evidence(250, 2)]
        assert every_number(metric, *sides) == every_number(metric, *sides)

    @pytest.mark.parametrize("constant", [0.0, 1.0, -3.3e7, 1e-300])
    def test_it_is_never_nan_for_constant_items(self, metric, constant):
        def same(count):
            rows = np.full((count, 3), constant)
            labels, even = np.arange(count) % 2, np.full((count, 2), 0.5)
            return Evidence(rows[:, :2], rows, labels, np.zeros(count, int), rows[:, 0], even)

        for sides in [
            (same(100), same(100), same(100)),
            (evidence(100, 0, 3), evidence(100, 1, 3), same(100)),
            (evidence(100, 0, 3), same(100), evidence(100, 1, 3)),
        ]:
            for reading in every_number(metric, *sides).values():
                assert np.isfinite([reading.value, reading.low or 0, reading.high or 0]).all()

    def test_nothing_at_all_is_refused_or_counted(self, metric):
        empty = Evidence(np.zeros((0, 2)), np.zeros((0, 4)))
        assert metric.refusal(empty, empty, empty)
        assert "\n" not in metric.refusal(empty, empty, empty)

    def test_its_printed_name_carries_the_features_it_depends_on(self, metric):
        assert metric.printed("number", "net") == ("number[net]" if metric.featured else "number")
        assert metric.protocol

    def test_the_numbers_that_it_says_tell_of_copies_are_its_numbers(self, metric):
        if metric.audited:
            assert set(metric.audited) == set(every_number(metric, *[evidence(200, seed) for seed in range(3)]))

    def test_the_documents_explain_every_number_of_it(self, metric):
        for name in every_number(metric, *[evidence(200, seed) for seed in range(3)]):
            assert any(_names(told, name) for told in EXPLAINED), f"docs/metrics.md does not tell of {name}"

    def test_a_figure_says_what_its_numbers_are_in_where_they_are_taken_while_training(self, metric):
        if metric.quick:
            named = every_number(metric, *[evidence(200, seed) for seed in range(3)])
            assert [name for name in named if unit_of(name) == "value"] == []

    def test_it_survives_json(self, metric):
        assert Metric.from_json(json.loads(json.dumps(metric.to_json()))) == metric


def test_a_report_shows_all_that_tells_of_copies_and_leaks_by_itself():
    assert {metric.name for metric in METRICS if metric.audited} == {
        "memorisation", "pixel-memorisation", "nearest-window", "nearest-row", "membership", "membership-distance",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["frechet", "kid", "precision-recall", "density-coverage", "sliced-wasserstein"])
@pytest.mark.parametrize(
    ("features", "reason"),
    [
        (np.full((50, 2), np.nan), "not all finite"),
        (np.full((50, 2), 1e21), "beyond"),
        (np.zeros((50, 0)), "not rows"),
        (np.zeros((50, 2, 2)), "not rows"),
    ],
)
def test_features_that_are_no_numbers_are_refused(name, features, reason):
    bad, good = Evidence(np.zeros((50, 2)), features), Evidence(np.zeros((50, 2)), np.zeros((50, 2)))
    assert reason in Metric.find(name)().refusal(good, good, bad)


def test_metrics_that_need_labels_or_a_discriminator_are_refused_without():
    plain = Evidence(np.zeros((50, 2)), np.zeros((50, 2)))
    for name in ("class-shares", "discriminator", "mixture-modes", "stacked-modes"):
        assert Metric.find(name)().refusal(plain, plain, plain)
    assert "finite" in Discriminator().refusal(*[Evidence(plain.items, plain.features, scores=np.full(50, np.inf))] * 3)


# Features

PICTURES = np.random.default_rng(0).integers(0, 256, (60, 9, 12, 3), dtype=np.uint8)
LABELS = np.arange(60) % 3
ITEMS = {"identity": np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)}
QUICK = {"classifier": {"epochs": 1, "width": 4, "features": 8}}
# Those with published weights, and those of labels by channel, have tests of their own.
OWN = {name: part for name, part in sorted(Features.parts().items()) if part.__module__.startswith("sparring.")}
FEATURES = [name for name, part in OWN.items() if part.kept and name != "channel-classifier"]


def fitted(name: str, seed: int = 0) -> tuple[FittedFeatures, np.ndarray]:
    items = ITEMS.get(name, PICTURES)
    return Features.find(name)(**QUICK.get(name, {})).fit(items, LABELS, seed), items


@pytest.mark.parametrize("name", FEATURES)
class TestEveryFeatures:
    def test_they_are_rows_of_float64_that_do_not_depend_on_the_count(self, name):
        network, items = fitted(name)
        whole = network(items)
        assert whole.dtype == np.float64
        assert whole.ndim == 2
        assert np.isfinite(whole).all()
        assert np.array_equal(network(items[:7]), whole[:7])
        several = np.concatenate([items] * 5)
        assert len(several) > network.part.chunk
        assert np.array_equal(network(several)[-7:], network(several[-7:]))
        assert network(items[:0]).shape == (0, whole.shape[1])

    def test_fitting_twice_gives_the_same_network(self, name):
        torch.manual_seed(1)
        first, items = fitted(name)
        torch.manual_seed(2)
        before = torch.random.get_rng_state()
        assert np.array_equal(first(items), fitted(name)[0](items))
        assert torch.equal(before, torch.random.get_rng_state())

    def test_saved_and_loaded_they_are_the_same(self, name, tmp_path):
        network, items = fitted(name)
        network.save(tmp_path / "features")
        loaded = FittedFeatures.load(tmp_path / "features")
        assert loaded.part == network.part
        assert loaded.facts == network.facts
        assert loaded.name == name
        assert np.array_equal(loaded(items), network(items))
        classes = network.classify(items)
        assert (classes is None) == (loaded.classify(items) is None)
        assert classes is None or np.array_equal(loaded.classify(items), classes)

    def test_items_of_another_shape_are_refused(self, name):
        network, items = fitted(name)
        with pytest.raises(RequestError, match="shape"):
            network(items[:, :2])

    def test_what_they_are_not_made_for_is_refused(self, name):
        wrong = np.zeros((30, 2, 2, 2, 2), np.uint8)
        assert Features.find(name)().refusal(wrong, None)
        with pytest.raises(RequestError, match=name):
            Features.find(name)().fit(wrong, None, 0)


@pytest.mark.parametrize("broken", ["features.json", "features.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"features": {"part": "no"}, "facts": 3}', b"\xff\x00"])
def test_broken_files_of_features_are_one_error(tmp_path, broken, content):
    fitted("random-conv")[0].save(tmp_path)
    (tmp_path / broken).unlink() if content is None else (tmp_path / broken).write_bytes(content)
    with pytest.raises(RunError, match="delete it"):
        FittedFeatures.load(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    Features.find("random-conv")(filters=4).fit(PICTURES, None, 0).save(tmp_path / "other")
    fitted("random-conv")[0].save(tmp_path / "one")
    (tmp_path / "other" / "features.safetensors").replace(tmp_path / "one" / "features.safetensors")
    with pytest.raises(RunError, match="delete it"):
        FittedFeatures.load(tmp_path / "one")
