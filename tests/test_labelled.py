"""Whose classes an evaluation goes by, and data that are compared with a run's own."""

import numpy as np
import pytest

import sparring
from sparring.data.arrays import Arrays
from sparring.errors import DataError
from sparring.experiment import gather
from sparring.sides import Labelled
from sparring.tasks.generation import Generation

SMALL = ["training.precision=fp32", "training.layout=contiguous", "training.batch=16"]


def stored(folder, name, classes=("f", "m"), count=240, depth=np.uint8, **more):
    source = np.random.default_rng(len(name))
    items = source.integers(0, np.iinfo(depth).max, (count, 8, 8), depth)
    if classes:
        more = {"gender": np.array(classes)[np.arange(count) % len(classes)], **more}
    path = folder / f"{name}.npz"
    np.savez(path, samples=items, **{"age": np.arange(count) % 40 + 20, **more})
    return path


def test_a_quantity_that_can_be_asked_for_is_no_class_and_its_run_is_evaluated(tmp_path):
    path = stored(tmp_path, "faces", age=np.arange(240) % 24 + 20)
    model = sparring.train(path, out=tmp_path / "run", recipe="dense", steps=2, settings=SMALL)
    assert [bool(part.classes) for part in model.conditions.attributes] == [False, True]
    found = model.evaluate(count=20, metrics=["class-shares"], features="classifier")
    assert any(row.name.startswith("class-share") for row in found.rows)


def test_classes_that_can_be_asked_for_come_before_others(tmp_path):
    data = Arrays(path=str(stored(tmp_path, "faces", kind=np.repeat(["a", "b"], 120)))).load()
    assert Labelled.of(gather(Generation(attributes=("gender",)), data)).title == "gender"
    assert Labelled.of(gather(Generation(attributes=("kind",)), data)).title == "kind"


def test_names_of_classes_have_no_blanks_around_and_unknown_ones_are_none(tmp_path):
    data = Arrays(path=str(stored(tmp_path, "faces", (" f", "m ")))).load()
    labelled = Labelled.of(gather(Generation(attributes=("gender",)), data))
    assert labelled.of_columns({"gender": np.array(["m", "f"])}).tolist() == [1, 0]
    assert labelled.of_columns({"gender": np.array(["m", "x"])}) is None


def test_runs_that_know_other_classes_can_be_compared(tmp_path):
    for name, classes in (("two", ("f", "m")), ("three", ("f", "m", "x"))):
        path = stored(tmp_path, name, classes)
        sparring.train(
            path, out=tmp_path / name / "run", recipe="dense", steps=2, settings=SMALL, attributes=["gender"]
        )
    assert sparring.compare([tmp_path / "two" / "run", tmp_path / "three" / "run"], count=20).numbers
    assert (
        sparring.load(tmp_path / "two" / "run")
        .evaluate(count=20, metrics=["kid"], features="random-conv", beside=tmp_path / "three" / "run")
        .rows
    )


def test_data_of_classes_that_the_model_does_not_know_have_no_verdicts(tmp_path):
    path = stored(tmp_path, "two", ("f", "m"))
    model = sparring.train(path, out=tmp_path / "run", recipe="dense", steps=2, settings=SMALL, attributes=["gender"])
    asked = {"count": 20, "metrics": ["kid", "discriminator"], "features": "random-conv"}
    assert "discriminator" not in model.evaluate(**asked).refused
    for other in (stored(tmp_path, "other", ("f", "x")), stored(tmp_path, "bares", ())):
        found = model.evaluate(against=other, **asked)
        assert any(row.name.startswith("kid") for row in found.rows)
        assert "it knows other attributes" in found.refused["discriminator"]


def test_data_of_another_depth_are_not_compared_with(tmp_path):
    model = sparring.train(
        stored(tmp_path, "deep", depth=np.uint16), out=tmp_path / "run", recipe="dense", steps=2, settings=SMALL,
        unconditional=True,
    )  # fmt: skip
    with pytest.raises(DataError, match="items of uint8, the run's are of uint16"):
        model.evaluate(against=stored(tmp_path, "plain"), metrics=["kid"])


def test_channels_in_another_order_are_not_compared_with(tmp_path):
    source = np.random.default_rng(0)
    for name, titles in (("a", "low,high"), ("b", "high,low")):
        rows = "\n".join(f"{x:.3f},{y:.3f}" for x, y in source.normal(size=(400, 2)))
        (tmp_path / f"{name}.csv").write_text(f"{titles}\n{rows}\n")
    model = sparring.train(
        tmp_path / "a.csv", out=tmp_path / "run", modality="series", window=8, steps=2, settings=SMALL[:1]
    )
    with pytest.raises(DataError, match="channels high, low, the run's stand as low, high"):
        model.evaluate(against=tmp_path / "b.csv", metrics=["channel-wasserstein"])
