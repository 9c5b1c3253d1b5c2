"""What a protocol says of an evaluation is what was done."""

import shutil

import numpy as np
import pytest
from PIL import Image as Picture
from toys import FIXED

import sparring
from sparring import bench
from sparring.data.opening import open_data
from sparring.metrics import Evidence
from sparring.metrics.discriminator import Discriminator, area
from sparring.metrics.gan_train import accuracy_and_f1
from sparring.metrics.psnr import Psnr


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A conditional and an unconditional run on digits, hardly trained."""
    folder = tmp_path_factory.mktemp("runs")
    digits = open_data("digits").load()
    np.savez(folder / "digits.npz", samples=digits.items[np.arange(1400)], label=digits.attributes["label"][:1400])
    np.save(folder / "bare.npy", digits.items[np.arange(1400, 1700)])
    for name, more in (("asked", {}), ("free", {"unconditional": True}), ("floor", {"unconditional": True})):
        sparring.train(
            folder / "digits.npz", recipe="dense", settings=(*FIXED, "training.best=none"), steps=2, out=folder / name,
            **more,
        )  # fmt: skip
    return folder


def test_of_more_items_than_are_looked_at_it_is_said_how_many_there_are(runs, monkeypatch):
    monkeypatch.setattr(bench, "MOST", 120)
    model = sparring.load(runs / "free")
    asked = {"metrics": ["kid", "pixel-memorisation"], "features": "random-conv"}
    found = model.evaluate(**asked)
    assert found.protocol["reference"] == "120 of 140 held back"
    assert found.protocol["copies_looked_for_among"] == "120 of 1,120 training items"
    # Whoever asks for more gets more of both sides.
    assert model.evaluate(**asked, count=130).protocol["reference"] == "130 of 140 held back"


def test_counts_are_those_that_a_metric_looked_at(runs):
    from sparring.metrics.precision_recall import PrecisionRecall

    found = sparring.load(runs / "free").evaluate(metrics=[PrecisionRecall(most=50)], features="random-conv", count=100)
    assert {row.count for row in found.rows} == {50}
    assert found.protocol["taken_at"] == "50 items: precision-recall"


def test_other_models_are_not_called_baselines_and_take_no_column_of_theirs(runs):
    asked = {"metrics": ["kid"], "features": "random-conv", "count": 60}
    found = sparring.load(runs / "free").evaluate(**asked, beside=runs / "floor")
    (row,) = found.rows
    assert found.protocol["other_models"] == "run floor"
    assert row.floor is not None
    assert row.baselines["run floor"] != row.floor
    said = found.how()
    assert "run floor" not in said.partition(": for items made without a model")[0]
    assert "other models run floor" in said


def test_features_that_know_no_classes_have_a_classifier_beside_them(runs):
    found = sparring.load(runs / "asked").evaluate(metrics=["gan-test", "class-shares"], features="random-conv")
    assert not found.refused
    assert {"gan-test-accuracy", "class-share-smallest"} <= {row.name.partition("[")[0] for row in found.rows}
    assert found.protocol["classifier_accuracy"] > 0.8


def test_a_reference_without_labels_leaves_the_runs_own_to_the_classifier(runs):
    found = sparring.load(runs / "asked").evaluate(against=runs / "bare.npy")
    assert found.protocol["features"] == "classifier"
    names = {row.name.partition("[")[0] for row in found.rows}
    assert {"gan-test-accuracy", "label-agreement", "class-share-distance"} <= names
    assert "discriminator-accuracy" not in names
    assert found.protocol["reference_split"].endswith("bare.npy")


def test_the_floor_of_what_learns_from_items_is_said_to_be_of_training_items(runs):
    found = sparring.load(runs / "asked").evaluate(metrics=["gan-train", "kid"])
    assert "of gan-train for training items" in found.how()


def test_the_threshold_is_the_one_that_was_used(runs):
    model = sparring.load(runs / "free")
    for metric, said in (
        (Discriminator(threshold=0.3), 0.3),
        (Discriminator(), model.experiment.task.game.threshold()),
    ):
        found = model.evaluate(metrics=[metric], count=60)
        assert found.protocol["discriminator_threshold"] == ("fitted" if said is None else said)


def test_a_discriminator_of_packs_is_said_to_be_asked_of_one_item(tmp_path):
    items = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    model = sparring.train(
        items, modality="points", recipe="mlp", settings=("training.precision=fp32", "game.views=pack"), steps=1,
        out=tmp_path / "run",
    )  # fmt: skip
    found = model.evaluate(metrics=["discriminator"], count=40)
    assert "of packs of one item 2 times" in found.protocol["discriminator_asked"]


def test_how_pictures_were_brought_to_their_size_is_said(tmp_path):
    source, folder = np.random.default_rng(0), tmp_path / "pictures"
    folder.mkdir()
    for number in range(120):
        Picture.fromarray(source.integers(0, 255, (20, 24, 3), np.uint8)).save(folder / f"{number}.png")
    model = sparring.train(folder, recipe="dense", size=8, settings=FIXED, steps=1, out=tmp_path / "runs")
    assert model.evaluate(metrics=["kid"], count=20).protocol["pictures"] == "read at 8x8 (crop, Lanczos)"


def test_nothing_has_an_interval_without_width_where_little_is_known():
    picture = np.full((1, 8, 8, 1), 9, np.uint8)
    one = Evidence(picture, np.zeros((1, 0)), truth=picture + 1)
    assert Psnr()(one, one, one)["psnr"].low is None
    right = accuracy_and_f1("x", np.arange(20) % 2, np.arange(20) % 2)
    assert right["x-f1"].value == 1
    assert right["x-f1"].low == right["x-accuracy"].low < 0.9
    apart = area(np.arange(20.0) + 100, np.arange(20.0))
    assert (apart.value, apart.high) == (1.0, 1.0)
    assert 0.8 < apart.low < 0.9
    assert area(np.arange(20.0), np.arange(20.0) + 100).high == pytest.approx(1 - apart.low)
    # Samples of a chance of .983 are often wholly apart, and nearly always say that it may be less than 1.
    source, hits = np.random.default_rng(0), 0
    for _ in range(400):
        value = area(source.normal(3, size=20), source.normal(size=20))
        hits += value.low > 0.983 or value.high < 0.983
    assert hits < 40


def test_a_run_whose_data_are_gone_has_a_report_of_what_is_there(runs, tmp_path):
    folder = tmp_path / "moved"
    folder.mkdir()
    shutil.copy(runs / "digits.npz", folder / "digits.npz")
    sparring.train(folder / "digits.npz", recipe="dense", settings=FIXED, steps=2, out=tmp_path / "run")
    sparring.evaluate(tmp_path / "run", metrics=())
    (folder / "digits.npz").unlink()
    text = sparring.report(tmp_path / "run").read_text("utf-8")
    assert "no real ones beside them" in text
    assert "kid" in text
