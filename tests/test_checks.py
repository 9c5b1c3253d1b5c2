import json
import os

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sparring import checks, rooming, wording
from sparring.checks import check
from sparring.data import Dataset
from sparring.errors import DataError, RequestError, TrainingError
from sparring.games.latent import Latent
from sparring.games.paired import Paired
from sparring.plan import Plan
from sparring.planning import phases
from sparring.training import Engine

QUICK = {
    "recipe": "dense",
    "settings": ("training.precision=fp32", "training.layout=contiguous", "training.batch=8"),
}


def noise(number):
    return np.random.default_rng(number).integers(0, 256, (8, 8)).astype(np.uint8)


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def everything_below(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def said(findings, *words):
    """Whether one warning holds all the words."""
    return any(all(word in warning for word in words) for warning in findings.warnings)


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    """Findings on pictures with an official split and one fault of each sort."""
    folder = tmp_path_factory.mktemp("data") / "flawed"
    for number in range(60):
        save(folder / "train" / ("cat" if number % 2 else "dog") / f"{number:02}.png", noise(number))
        save(folder / "test" / ("cat" if number % 2 else "dog") / f"{number:02}.png", noise(100 + number))
    save(folder / "train" / "dog" / "again.png", noise(0))
    save(folder / "test" / "cat" / "known.png", noise(1))
    save(folder / "train" / "rare" / "blank.png", np.full((8, 8), 7, np.uint8))
    save(folder / "train" / "rare" / "large.png", np.kron(noise(500), np.ones((2, 2), np.uint8)))
    (folder / "train" / "cat" / "broken.png").write_bytes(b"no picture")
    before = everything_below(folder)
    findings = check(folder, size=8, **QUICK)
    assert everything_below(folder) == before
    return findings


def test_what_is_there_is_counted(flawed):
    assert sum(flawed.splits.values()) == 123  # of 124: one of the training split is in the test split too
    assert any("are left out: 1" in note for note in flawed.notes)
    assert flawed.splits["report"] == flawed.official_test == 61
    assert flawed.shape == (1, 8, 8)
    assert flawed.stored == {"8x8": 123, "16x16": 1}
    assert flawed.attributes == {"label": {"dog": 61, "cat": 61, "rare": 2}}


def test_what_is_skipped_is_named_with_its_reason(flawed):
    ((file, reason),) = flawed.skipped
    assert file.endswith("broken.png")
    assert reason


def test_exact_duplicates_are_named_together(flawed):
    groups = {frozenset(os.path.basename(name) for name in group) for group in flawed.duplicates}
    assert groups == {frozenset({"00.png", "again.png"}), frozenset({"01.png", "known.png"})}
    assert said(flawed, "2 items repeat others")


def test_a_test_item_among_the_training_items_is_a_leak(flawed):
    assert [{os.path.basename(name) for name in group} for group in flawed.leaks] == [{"01.png", "known.png"}]
    assert said(flawed, "test split", "known.png")


def test_pictures_of_one_colour_are_named(flawed):
    assert [os.path.basename(name) for name in flawed.blank] == ["blank.png"]
    assert said(flawed, "nearly one colour", "blank.png")


def test_tiny_classes_are_named(flawed):
    assert said(flawed, "label: 1 of 3 values have fewer than 10 items", "rare (2)")


def test_the_forecast_is_what_training_would_plan(flawed):
    forecast = flawed.forecast
    assert forecast.steps == 1_000_000 // 8
    assert (forecast.batch, forecast.precision, forecast.layout) == (8, "fp32", "contiguous")
    assert set(forecast.parameters) == {"generator", "discriminator"}
    assert min(forecast.parameters.values()) > 0
    assert forecast.seconds > 0
    assert forecast.memory > 2**20


def test_each_phase_of_a_run_is_measured_by_its_share():
    plan = Plan(steps=200, images_per_step=1)
    assert phases(Latent(), plan) == pytest.approx({5: 1.0})
    assert phases(Paired(warm=0.25), plan) == pytest.approx({5: 0.25, 55: 0.75})
    assert phases(Paired(adversary=0), plan) == pytest.approx({5: 1.0})


def test_the_findings_read_well_for_people_and_for_programs(flawed):
    text = "\n".join(flawed.lines())
    assert "123 items of 8x8 in grey" in text
    assert text.count("warning  ") == len(flawed.warnings)
    read = json.loads(json.dumps(flawed.to_json(), allow_nan=False))
    assert read["skipped"][0]["reason"]
    assert read["forecast"]["steps"] == flawed.forecast.steps


def test_nothing_is_written_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    findings = check(np.stack([noise(i) for i in range(20)]), **QUICK)
    assert findings.splits == {"train": 20, "select": 0, "report": 0}
    assert list(tmp_path.iterdir()) == []


SQUEEZED = QUICK | {"settings": (*QUICK["settings"][:2], "training.batch=64", "network.hidden=64")}


def test_a_batch_that_memory_does_not_hold_is_warned_of_and_played_in_parts(monkeypatch):
    played = []
    step = Engine.step
    monkeypatch.setattr(Engine, "step", lambda self: (played.append(self.parts[0].stop), step(self))[1])
    monkeypatch.setattr(rooming, "available", lambda device: 150_000)
    findings = check(np.stack([noise(i) for i in range(20)]), **SQUEEZED)
    assert said(findings, "a batch of 64 takes about", "--auto-batch")
    assert max(played) < 64
    monkeypatch.setattr(rooming, "available", lambda device: 100)
    with pytest.raises(RequestError, match="no part of it that can be played fits"):
        check(np.stack([noise(i) for i in range(20)]), **SQUEEZED)


def test_memory_that_runs_out_while_checking_is_told_in_one_line(monkeypatch):
    def stepping(self):
        raise torch.OutOfMemoryError("CUDA out of memory.\nGPU 0 has 16 GiB")

    monkeypatch.setattr(Engine, "step", stepping)
    with pytest.raises(TrainingError, match=r"^memory ran out \(CUDA .*\); --set training\.accumulate=2") as told:
        check(np.stack([noise(i) for i in range(20)]), **QUICK)
    assert len(str(told.value).splitlines()) == 1


def test_very_few_items_cannot_be_measured_and_few_are_learned_by_heart():
    few = check(np.stack([noise(i) for i in range(20)]), **QUICK)
    assert said(few, "20 items are very few", "held back")
    more = check(np.stack([noise(i) for i in range(150)]), **QUICK)
    assert said(more, "150 items are few", "game.views=adaptive-augment")
    settings = (*QUICK["settings"], "game.views=adaptive-augment")
    assert said(check(np.stack([noise(i) for i in range(150)]), **QUICK | {"settings": settings}), "will be augmented")


def test_one_class_alone_is_nothing_to_choose_by():
    findings = check(np.stack([noise(i) for i in range(20)]), labels=["cat"] * 20, **QUICK)
    assert said(findings, "one value only, 'cat'")


def test_numbers_are_no_tiny_classes():
    ages = [str(18 + i) for i in range(60)]
    findings = check(np.stack([noise(i) for i in range(60)]), labels={"age": ages}, **QUICK)
    assert not said(findings, "age")


def test_points_are_checked_too():
    points = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    settings = ("training.batch=8",)
    findings = check(points, recipe="mlp", settings=settings)
    assert (findings.shape, findings.blank) == ((2,), ())


def test_wrong_requests_and_unusable_data_are_refused(tmp_path):
    with pytest.raises(RequestError, match="dcgan"):
        check(np.stack([noise(i) for i in range(20)]), recipe="dcgann")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"a\.png"):
        check(tmp_path)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_every_item_that_has_an_equal_one_is_in_one_group(values):
    digests = np.array([f"{value:032x}".encode() for value in values], "S32")
    names = [str(row) for row in range(len(values))]
    groups = checks._duplicates(Dataset(np.zeros((len(values), 1), np.float32), "points", names, digests))
    found = sorted(int(row) for group in groups for row in group)
    assert found == [row for row, value in enumerate(values) if values.count(value) > 1]
    assert all(len({values[row] for row in group}) == 1 for group in groups)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (89.0, "89 s"), (100.0, "2 min"), (3600.0, "60 min"), (7200.0, "2.0 h")]
)
def test_durations_are_said_in_fitting_units(seconds, words):
    assert wording.duration(seconds) == words


def test_only_the_first_skipped_files_are_named():
    lines = wording.skipped([(f"{number}.png", "empty") for number in range(8)])
    assert lines[0] == "skipped  8 files"
    assert lines[-1].strip() == "and 3 more"
    assert len(lines) == 7
    assert wording.skipped([]) == []


def test_points_are_not_told_to_be_moved_as_pictures_are():
    points = np.random.default_rng(0).normal(size=(150, 2)).astype(np.float32)
    found = check(points, modality="points", settings=QUICK["settings"])
    assert said(found, "150 items are few", "gather more")
    assert not said(found, "augment")
    assert "150 items of 2 numbers" in found.lines()[0]


def test_rows_that_are_judged_in_packs_are_not_said_to_be_augmented():
    rows = pd.DataFrame({"size": np.random.default_rng(0).normal(size=150), "kind": ["a", "b", "c"] * 50})
    found = check(rows, settings=["training.precision=fp32"])
    assert said(found, "150 items are few", "gather more")
    assert not said(found, "augment")


def test_items_that_are_all_equal_are_all_learned_from_and_named():
    found = check(np.full((150, 8, 8), 7, np.uint8), **QUICK)
    assert found.splits == {"train": 150, "select": 0, "report": 0}
    assert said(found, "149 items repeat others")
