"""What a model is compared with holds nothing that it, or who stands beside it, learned from."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from toys import FIXED

import sparring
from sparring.comparison import compare
from sparring.data import Dataset
from sparring.data.arrays import Arrays
from sparring.data.images import digests
from sparring.data.synthetic import Ring
from sparring.data.tables import Tables
from sparring.errors import DataError, RunError
from sparring.experiment import Experiment, Material, gather, split
from sparring.learning import steps
from sparring.limits import Limits
from sparring.metrics.memorisation import Memorisation
from sparring.privacy import Privacy
from sparring.proposal import propose
from sparring.reference import changed, fair, in_place
from sparring.run import Run
from sparring.tasks.generation import Generation

NOISE = np.random.default_rng(0).integers(0, 256, (400, 4, 4, 1), dtype=np.uint8)
DENSE = {"recipe": "dense", "settings": (*FIXED, "training.measure=1000000", "training.best=none")}


def parted(learn: np.ndarray, test: np.ndarray) -> Dataset:
    """Points with an official test split."""
    items = np.concatenate([learn, test]).astype(np.float32)
    names = [str(row) for row in range(len(items))]
    return Dataset(items, "points", names, digests(items), test=np.arange(len(items)) >= len(learn))


def drawn(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 2))


def test_what_equals_an_item_of_the_official_test_split_is_neither_learned_from_nor_chosen_by():
    learn, test = drawn(200, 0), drawn(50, 1)
    learn[[3, 77, 150]] = test[[0, 10, 10]]
    material = gather(Generation(), parted(learn, test))
    splits = material.splits
    assert splits.report.tolist() == list(range(200, 250))
    learned = np.concatenate([splits.train, splits.select])
    assert sorted(learned.tolist()) == [row for row in range(200) if row not in (3, 77, 150)]
    assert len(splits.select) == 197 // 6
    assert material.data.notes == (
        "items to learn from that equal one of the official test split, and are left out: 3",
    )


def test_a_test_split_that_holds_most_of_what_is_to_be_learned_is_not_kept():
    learn, test = drawn(120, 0), drawn(120, 1)
    test[:70] = learn[:70]
    material = gather(Generation(), parted(learn, test))
    sides = [set(material.data.digests[rows].tolist()) for rows in vars(material.splits).values()]
    assert len(sides[0] | sides[1] | sides[2]) == sum(map(len, sides))
    assert "is not kept" in material.data.notes[0]


def test_the_floor_of_an_official_split_is_not_flattered_by_equal_items():
    """Were the equal ones left in *select*, as many of the floor's items would be copies of the reference."""
    learn, test = drawn(600, 0), drawn(100, 1)
    learn[:100] = test
    material = gather(Generation(), parted(learn, test))
    held = material.data.items[material.splits.select]
    assert not (held[:, None] == test.astype(np.float32)).all(2).any()


def test_without_an_equal_item_nothing_is_said_and_all_are_used():
    material = gather(Generation(), parted(drawn(200, 0), drawn(50, 1)))
    assert material.data.notes == ()
    assert sum(map(len, vars(material.splits).values())) == 250


@pytest.fixture(scope="module")
def own() -> Material:
    return gather(Generation(), Ring(count=400).load())


def test_other_data_are_the_reference_without_what_had_a_part_in_training(own):
    items = own.data.items[np.concatenate([own.splits.train[:30], own.splits.select[:5], own.splits.report[:40]])]
    fresh = Ring(count=100, seed=5).load()
    other = replace(fresh, items=np.concatenate([items, fresh.items[np.arange(100)]]))
    other = replace(other, names=[str(row) for row in range(175)], digests=digests(other.items))
    material, said = in_place(own, other, "more")
    reference = material.data.items[material.splits.report]
    assert np.array_equal(reference, other.items[35:])
    assert said == {"reference_split": "all of more", "left_out": "35 that had a part in training"}
    assert np.array_equal(material.data.items[material.splits.train], own.data.items[own.splits.train])


def test_data_that_were_all_learned_from_are_no_reference(own):
    rows = own.splits.train[:40]
    known = replace(own.data, items=own.data.items[rows], names=list(map(str, rows)), digests=own.data.digests[rows])
    with pytest.raises(DataError, match="all 40 items of same had a part in training"):
        in_place(own, known, "same")


def test_rows_of_a_table_that_equal_one_of_training_stay_and_are_counted(tmp_path):
    source = np.random.default_rng(0)
    frame = pd.DataFrame({"size": source.normal(size=200), "kind": source.choice(["a", "b"], 200)})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    read = Tables(path=str(tmp_path / "rows.csv")).load()
    table = gather(Generation(), read)
    material, said = in_place(table, read, "rows")
    assert len(material.splits.report) == 200
    learned = len(table.splits.train) + len(table.splits.select)
    assert said["known_rows"] == f"{learned} equal one of training, and stay"


def test_a_reference_holds_nothing_that_another_run_learned_from(own):
    theirs = replace(own, splits=split(own.data, 0.3))
    moved = replace(theirs, splits=replace(theirs.splits, train=own.splits.report[:7], select=own.splits.select[:2]))
    material, said = fair(own, {"b": lambda: moved})
    assert material.splits.report.tolist() == own.splits.report[7:].tolist()
    assert material.splits.select.tolist() == own.splits.select[2:].tolist()
    assert said == {
        "learned_from_other_items": "b",
        "not_compared_with": "7 held-back items that one of these learned from",
    }
    assert fair(own, {}) == (own, {})
    everything = replace(own, splits=replace(own.splits, train=np.arange(400)))
    with pytest.raises(DataError, match="b learned from all that is held back"):
        fair(own, {"b": lambda: everything})


def test_data_of_another_run_that_cannot_be_read_are_told_of(own):
    def gone() -> Material:
        raise RunError("there is none")

    material, said = fair(own, {"b": gone})
    assert material is own
    assert said["not_looked_at"] == "the data of b, which cannot be read"


def test_changed_data_are_told_of(own, tmp_path):
    run, experiment = Run(tmp_path), Experiment(data=Ring(count=400))
    run.write(run.experiment, {"splits": own.splits.summary(own.data.digests)})
    assert changed(run, experiment, own) == {}
    fewer = replace(own, splits=replace(own.splits, report=own.splits.report[1:]))
    assert "changed since the run was begun" in changed(run, experiment, fewer)["data"]
    training = experiment.training.model_copy(update={"privacy": Privacy()})
    private = experiment.model_copy(update={"training": training})  # whose splits are not in the folder
    assert changed(run, private, fewer) == {}


def played(folder, data) -> None:
    proposal = propose(Arrays(path=str(data)), **DENSE)
    list(steps(proposal.experiment, folder, limits=Limits(steps=1), material=proposal.material))


def test_an_evaluation_and_a_comparison_say_what_was_left_out_and_that_data_changed(tmp_path):
    np.save(tmp_path / "data.npy", NOISE[:300])
    np.save(tmp_path / "other.npy", NOISE[100:])
    for name in ("data", "other"):
        played(tmp_path / name, tmp_path / f"{name}.npy")
    judged = {"metrics": [Memorisation.name], "features": "random-conv"}
    found = sparring.load(tmp_path / "data").evaluate(against=tmp_path / "other.npy", **judged)
    assert found.protocol["reference_split"] == f"all of {tmp_path / 'other.npy'}"
    left = int(found.protocol["left_out"].split()[0])
    assert found.protocol["reference"] == f"{300 - left} held back"
    assert "left out " in found.lines()[-1]
    assert "data" not in found.protocol
    told = compare([tmp_path / "data", tmp_path / "other"], count=30)
    assert told.protocol["learned_from_other_items"] == str(tmp_path / "other")
    assert "learned from" in told.protocol["not_compared_with"]
    np.save(tmp_path / "data.npy", NOISE[:290])
    found = sparring.load(tmp_path / "data").evaluate(**judged)
    assert found.lines()[-1].count("data changed since the run was begun") == 1
    assert "data" in compare([tmp_path / "data", tmp_path / "other"], count=30).protocol
