"""Who judges is said by the parts, the task and the data."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from sparring.baselines import Baseline
from sparring.data.images import digests
from sparring.data.synthetic import Ring
from sparring.errors import RequestError
from sparring.evaluation import Evaluation, Gauge, Row, evaluate, quick
from sparring.experiment import Material, gather
from sparring.jury import Jury, wished
from sparring.metrics import Evidence, Metric, Reading, Specimens
from sparring.metrics.features.classifier import Classifier
from sparring.metrics.features.random_conv import RandomConv
from sparring.metrics.membership import Membership, leak
from sparring.metrics.modes import MixtureModes
from sparring.randomness import derive
from sparring.sides import Judged
from sparring.tasks import Task
from sparring.tasks.generation import Generation
from sparring.tasks.unpaired_translation import Style, UnpairedTranslation
from sparring.types import Batch, DataSpec


class _Error(Metric):
    """Mean absolute difference from the truth."""

    featured: ClassVar[bool] = False
    paired: ClassVar[bool] = True
    protocol: ClassVar[str] = "mean over all numbers"

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return "there is no truth" if fake.truth is None else None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.truth is not None
        return {"error": Reading(float(np.abs(fake.items[:].astype(float) - fake.truth).mean()))}


class _Unchanged(Baseline):
    """What was given, as it was given."""

    paired: ClassVar[bool] = True

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        return None if judged.given is not None else "nothing was given"

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        assert judged.given is not None
        return replace(judged, items=judged.given)


class _Mending(Task):
    """A restoration that says itself what judges it."""

    paired: ClassVar[bool] = True
    metrics: ClassVar[tuple[type[Metric], ...]] = (_Error,)
    baselines: ClassVar[tuple[type[Baseline], ...]] = (_Unchanged,)

    def spec(self, data: DataSpec) -> DataSpec:
        return data

    def batch(self, data: Batch) -> Batch:
        return data


@pytest.fixture(scope="module")
def ring() -> Material:
    return gather(Generation(), Ring(count=2000, sigma=0.05).load())


def names(parts) -> list[str]:
    return [part.name for part in parts]


def test_points_with_known_modes_are_judged_by_them(ring):
    jury = Jury.of(Generation(), ring.data)
    assert {"frechet", "kid", "mixture-modes"} <= set(names(jury.metrics))
    assert "stacked-modes" not in names(jury.metrics)
    modes = next(metric for metric in jury.metrics if isinstance(metric, MixtureModes))
    assert (len(modes.centres), modes.sigma) == (8, 0.05)
    assert names(jury.features) == ["identity"]
    assert "mixture-modes" not in names(Jury.of(Generation(), replace(ring.data, known={})).metrics)
    assert names(Jury.quick(Generation(), ring.data, seed=0).metrics) == [
        "frechet",
        "kid",
        "precision-recall",
        "membership",
    ]


def test_a_task_that_names_its_judges_gets_no_others(ring):
    jury = Jury.of(_Mending(game=Generation().game), ring.data)
    assert (names(jury.metrics), names(jury.baselines)) == (["_error"], ["_unchanged"])
    assert not any(metric.paired for metric in Jury.of(Generation(), ring.data).metrics)


@pytest.mark.parametrize("task", [UnpairedTranslation(), Style()])
def test_translations_without_pairs_stand_beside_what_was_given(task, ring):
    data = replace(ring.data, modality="image")
    assert names(Jury.of(task, data).baselines) == ["identity", "training-items"]


def test_a_restoration_is_measured_against_its_truth_and_has_no_floor(ring):
    truth = ring.data.items[ring.splits.report]
    made = Specimens(truth + 1, given=truth + 3, truth=truth)
    jury = Jury.of(_Mending(game=Generation().game), ring.data)
    (row,) = evaluate(Judged(lambda n: made, lambda side: None), ring, jury).rows
    assert (row.name, row.floor) == ("error", None)
    assert row.value == pytest.approx(1, rel=1e-5)
    assert row.baselines == {"_unchanged": pytest.approx(3, rel=1e-5)}


def test_baselines_stand_beside_a_number_and_copies_are_as_good_as_real_items(ring):
    source = np.random.default_rng(0)
    judged = Judged(lambda n: Specimens(source.normal(size=(n, 2)).astype(np.float32)), lambda side: None)
    found = evaluate(judged, ring, Jury.of(Generation(), ring.data))
    rows = {row.name: row for row in found.rows}
    kid = rows["kid[identity]"]
    assert list(kid.baselines) == ["independent-numbers", "gaussian", "training-items"]
    assert kid.baselines["training-items"] < 0.02 < kid.value
    assert rows["modes-covered"].baselines["training-items"] == 8
    assert "training-items" in found.lines()[0]
    assert Evaluation.from_json(found.to_json()) == found


def test_an_evaluation_of_before_baselines_can_be_read():
    old = {"name": "kid", "value": 1.0, "low": None, "high": None, "floor": 0.5, "better": "lower"}
    found = Evaluation.from_json({"metrics": [old], "protocol": {"seed": 0}, "refused": {}})
    assert found.rows == (Row("kid", 1.0, floor=0.5, better="lower"),)
    assert "baselines" not in "\n".join(found.lines())


def test_quick_numbers_have_a_floor_and_no_baselines(ring):
    found = quick(Generation(), ring, Specimens(ring.data.items[ring.splits.report]), seed=0)
    assert [row.name for row in found.rows] == [f"{n}[identity]" for n in ("frechet", "kid", "precision", "recall")]
    assert all(row.floor is not None and not row.baselines for row in found.rows)


def pictures() -> Material:
    items = np.random.default_rng(0).integers(0, 256, (120, 8, 8, 1), dtype=np.uint8)
    data = replace(Ring(count=120).load(), items=items, modality="image", digests=digests(items), known={})
    return gather(Generation(), data)


def test_the_first_features_that_do_not_refuse_are_taken():
    material = pictures()
    jury = Jury.of(Generation(), material.data)
    assert names(jury.features) == ["channel-classifier", "classifier", "random-conv"]
    items = material.data.items[np.arange(120)]
    assert jury.fit(items, None).name == "random-conv"
    labelled = replace(jury, features=(Classifier(epochs=1, width=4), RandomConv()))
    assert labelled.fit(items, np.arange(120) % 2).name == "classifier"


def fewer(file):
    """Weights of a version with other features."""
    save_file({name: value[..., :-2].contiguous() for name, value in load_file(file).items()}, file)


@pytest.mark.parametrize("spoil", [lambda file: file.write_bytes(b""), lambda file: file.unlink(), fewer])
def test_stored_features_that_are_broken_or_of_another_version_are_fitted_anew(tmp_path, spoil):
    material = pictures()
    jury = replace(Jury.of(Generation(), material.data), features=(RandomConv(),))
    items = material.data.items[np.arange(120)]
    first = jury.fit_once(material, None, tmp_path)
    (weights,) = tmp_path.glob("*/features.safetensors")
    stored = weights.read_bytes()
    spoil(weights)
    again = jury.fit_once(material, None, tmp_path)
    assert np.array_equal(again(items), first(items))
    assert weights.read_bytes() == stored


def test_features_by_name_are_those_of_an_evaluation_without_names():
    data = pictures().data
    suggested = next(part for part in Jury.of(Generation(), data).features if part.name == "classifier")
    assert Jury.of(Generation(), data, features=wished([], "classifier", None)["features"]).features == (suggested,)
    assert suggested != Classifier()
    by_hand = Classifier(width=8)
    assert Jury.of(Generation(), data, features=by_hand).features == (by_hand,)


def test_features_that_were_asked_for_say_why_they_cannot_be_had():
    material = pictures()
    with pytest.raises(RequestError, match="classifier features: the data have no labels"):
        Jury.of(Generation(), material.data, features=Classifier()).fit(material.data.items[np.arange(120)], None)


def test_metrics_of_items_alone_work_on_data_that_no_features_describe(ring):
    jury = replace(Jury.of(Generation(), ring.data), features=())
    judged = Judged(lambda n: Specimens(ring.data.items[ring.splits.report]), lambda side: None)
    found = evaluate(judged, ring, jury)
    assert "modes-covered" in {row.name for row in found.rows}
    assert {"frechet", "kid"} <= set(found.refused)
    assert found.protocol["features"] == "none"


def test_features_and_their_weights_are_called_by_name(tmp_path):
    asked = wished(["kid"], "inception", tmp_path / "weights.pth")
    assert names(asked["metrics"]) == ["kid"]
    assert asked["features"].weights == str(tmp_path / "weights.pth")
    assert wished([], None, None) == {"metrics": [], "features": None}
    for features in (None, "random-conv"):
        with pytest.raises(RequestError, match="name the features that they are of"):
            wished([], features, tmp_path)


def test_the_floor_of_membership_is_that_of_held_back_items_in_the_place_of_training_ones(ring):
    """So a reference of other items than the training split, as an official one may be, is not taken for a leak."""
    train, select, report = (ring.data.items[rows] for rows in vars(ring.splits).values())
    judged = Judged(lambda n: Specimens(train[:n]), lambda side: side.items[:, 0].astype(float))
    found = {row.name: row for row in evaluate(judged, ring, Jury((Membership(),), ())).rows}
    sides = [side[:, 0].astype(float) for side in (select, report)]
    expected = leak(*sides, derive(0, Membership.name))
    assert {name: row.floor for name, row in found.items()} == {
        f"membership-{name}": reading.value for name, reading in expected.items()
    }
    gauge = Gauge(Generation(), ring, count=100)
    while_training = {row.name: row.floor for row in gauge(Specimens(train[:100]), (sides[0], sides[1])).rows}
    assert while_training["membership-auc"] is None
    assert while_training["kid[identity]"] is not None
