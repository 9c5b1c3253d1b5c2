import json
from pathlib import Path

import numpy as np
import pytest

from sparring.codec import read_experiment
from sparring.data.synthetic import Ring
from sparring.errors import RequestError
from sparring.experiment import Experiment, gather_again, split
from sparring.learning import steps
from sparring.limits import Limits
from sparring.model import load
from sparring.proposal import propose
from sparring.run import Run

GOLDEN = Path(__file__).parent / "golden"
SMALL = ("training.measure=1000000", "training.best=none")


def begun(folder: Path, *settings: str) -> Run:
    experiment = propose(Ring(count=400), recipe="mlp", settings=(*SMALL, *settings)).experiment
    list(steps(experiment, folder, limits=Limits(steps=1), device="cpu"))
    return Run(folder)


def test_as_many_items_are_held_back_to_choose_by_as_to_report_on():
    found = split(Ring(count=1000).load())
    assert [len(rows) for rows in (found.train, found.select, found.report)] == [800, 100, 100]
    assert len(np.unique(np.concatenate([found.train, found.select, found.report]))) == 1000


def test_the_share_to_choose_by_changes_neither_what_is_reported_on_nor_who_chose_before():
    data = Ring(count=1000).load()
    before, now, more = (split(data, share) for share in (0.05, 0.1, 0.3))
    assert [len(found.select) for found in (before, now, more)] == [50, 100, 300]
    assert np.array_equal(before.report, more.report)
    assert set(before.select) < set(now.select) < set(more.select)


@pytest.mark.parametrize("folder", sorted(p for p in GOLDEN.glob("*") if p.is_dir()), ids=lambda p: p.name)
def test_a_run_of_every_release_keeps_its_split(folder):
    stored = json.loads((folder / "run" / "experiment.json").read_text())["splits"]
    found = split(
        Ring(count=sum(part["count"] for part in stored.values())).load(), load(folder / "run").experiment.select
    )
    assert {name: len(rows) for name, rows in vars(found).items()} == {n: part["count"] for n, part in stored.items()}


def test_a_run_that_does_not_say_its_share_means_the_same_items_and_goes_on(tmp_path):
    run = begun(tmp_path / "run", "select=0.05")
    told = json.loads(run.experiment.read_text())
    assert told["experiment"].pop("select") == 0.05
    assert told["splits"]["select"]["count"] == 20
    run.experiment.write_text(json.dumps(told))
    experiment = read_experiment(run)
    material = gather_again(experiment, load(run.folder).modality)
    assert material.splits.summary(material.data.digests) == told["splits"]
    assert [record.step for record in steps(experiment, run.folder, limits=Limits(steps=2), device="cpu", resume=True)]


def test_a_run_does_not_go_on_with_another_share(tmp_path):
    run = begun(tmp_path / "run")
    other = read_experiment(run).but(select=0.05)
    with pytest.raises(RequestError, match=r"begun with select = 0\.1, not 0\.05"):
        list(steps(other, run.folder, limits=Limits(steps=2), device="cpu", resume=True))


def test_the_share_is_a_setting_and_recipes_count_what_is_left():
    proposal = propose(Ring(count=400), recipe="mlp", settings=("select=0.25",))
    assert {name: len(rows) for name, rows in vars(proposal.material.splits).items()} == {
        "train": 260,
        "select": 100,
        "report": 40,
    }
    with pytest.raises(RequestError, match="select"):
        propose(Ring(count=400), settings=("select=0.7",))


def test_an_experiment_is_read_as_it_was_written():
    experiment = propose(Ring(count=400), recipe="mlp", settings=("select=0.2",)).experiment
    assert Experiment.from_json(experiment.to_json()) == experiment
