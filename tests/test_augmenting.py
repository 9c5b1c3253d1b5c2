"""A run's items are added to labelled data: what is written, what is measured, what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import sparring
from sparring import api, cli, enlarged
from sparring.augmentations import Means
from sparring.augmentations.generated import Generated
from sparring.augmenting import FILTERS, Wish, augmented, choose_filter, halves, thinned, unmeasurable
from sparring.benefit import Course
from sparring.errors import DataError, RequestError
from sparring.experiment import gather_again
from sparring.learners.pictures import PicturesLearner
from sparring.lot import Lot, extra, refuse_unfit
from sparring.lots import ModelMaker
from tests.lots import Line, Oracle, rows
from tests.tables import planted

SMALL = (
    "network.width=32", "network.depth=1", "training.batch=100", "training.precision=fp32", "training.measure=100000"
)  # fmt: skip
DIGITS = ("training.batch=8", "training.precision=fp32", "training.layout=contiguous")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A run on a table of 600 rows, and the table."""
    folder, threads = tmp_path_factory.mktemp("augment"), torch.get_num_threads()
    torch.set_num_threads(1)
    frame = planted(600).drop(columns=["mark"])
    frame["id"] = np.arange(5000, 5600)
    frame.to_csv(folder / "people.csv", index=False)
    sparring.train(folder / "people.csv", out=folder / "run", steps=60, settings=SMALL)
    torch.set_num_threads(threads)
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run on digits, hardly trained."""
    folder = tmp_path_factory.mktemp("digits")
    sparring.train("digits", out=folder / "run", steps=3, recipe="dense", settings=DIGITS)
    return folder / "run"


def quick(monkeypatch):
    """Measures by one classifier that learns at once."""
    from sklearn.neighbors import KNeighborsClassifier

    from sparring.learners import rows as learners

    monkeypatch.setattr(learners, "classifiers", lambda seed: [KNeighborsClassifier(3)])


def test_the_command_balances_a_table_and_says_whether_it_helps(table, tmp_path, capsys, monkeypatch):
    quick(monkeypatch)
    out = tmp_path / "more.csv"
    words = [str(table / "run"), str(table / "people.csv"), "-o", str(out), "--label", "group", "--seeds", "2"]
    assert cli.main(["augment", *words]) == 0
    printed = capsys.readouterr().out
    assert "generated items" in printed.splitlines()[-3]
    assert all(name in printed for name in ("nothing", "oversampling", "interpolation", "jitter"))
    real, made = pd.read_csv(table / "people.csv"), pd.read_csv(out)
    assert list(made) == [*real, "origin"]
    assert made["group"].value_counts().nunique() == 1
    kept = made[made["origin"] == "real"]
    assert set(kept["id"]) == set(real["id"])
    assert made["id"].is_unique
    assert set(made["origin"]) == {"real", "generated"}


def test_held_back_items_had_no_part_in_training_and_take_none_in_what_is_added(table, tmp_path, monkeypatch):
    seen = {}

    def spy(maker, modality, whole, sides, wish):
        seen.update(whole=whole, real=sides[0], held=sides[1])
        return enlarged.Augmented(whole, np.zeros(len(whole), bool), Generated())

    monkeypatch.setattr(enlarged, "augmented", spy)
    api.augment(table / "run", table / "people.csv", tmp_path / "more.csv", label="group")
    model = sparring.load(table / "run")
    own = gather_again(model.experiment, model.modality)
    learned = set(own.data.items[np.concatenate([own.splits.train, own.splits.select])]["id"])
    held, real = set(seen["held"].items["id"]), set(seen["real"].items["id"])
    assert len(held) == 60
    assert not held & learned
    assert not held & real
    assert held | real == set(seen["whole"].items["id"])


def test_new_data_are_split_and_what_the_model_learned_is_never_held_back(table, tmp_path, monkeypatch):
    held = {}

    def spy(maker, modality, whole, sides, wish):
        held["ids"] = set(sides[1].items["id"])
        return enlarged.Augmented(whole, np.zeros(len(whole), bool), Generated())

    monkeypatch.setattr(enlarged, "augmented", spy)
    other = planted(700, seed=5).drop(columns=["mark"]).assign(id=np.arange(9000, 9700))
    both = pd.concat([pd.read_csv(table / "people.csv"), other])
    both.to_csv(tmp_path / "both.csv", index=False)
    api.augment(table / "run", tmp_path / "both.csv", tmp_path / "more.csv", label="group")
    model = sparring.load(table / "run")
    own = gather_again(model.experiment, model.modality)
    reported = set(own.data.items[own.splits.report]["id"])
    assert reported < held["ids"]
    assert all(number >= 9000 for number in held["ids"] - reported)
    assert len(held["ids"] - reported) > 30


def test_pictures_go_into_class_folders_that_tell_their_origin_and_can_be_learned_again(
    digits, tmp_path, capsys, monkeypatch
):
    out = tmp_path / "more"
    monkeypatch.setattr(
        "sparring.augmenting.learner_of", lambda modality: PicturesLearner(updates=5, passes=1, batch=256)
    )
    assert (
        cli.main(["augment", str(digits), "digits", "-o", str(out), "--factor", "1.1", "--seeds", "1", "--json"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["benefit"]["outcome"] in ("helps", "harms", "no difference")
    assert {way["name"] for way in told["benefit"]["ways"]} >= {"nothing", "generated", "distortion", "oversampling"}
    assert len(list((out / "7" / "generated").glob("*.png"))) == told["added"]["7"]
    again = sparring.propose(str(out)).material
    assert len(again.data) == told["items"]
    assert set(again.data.attributes) == {"label"}
    before = sparring.load(digits).read("digits")
    assert set(before.digests.tolist()) <= set(again.data.digests.tolist())


def test_pictures_in_memory_are_enlarged_without_a_measure_where_nothing_is_held_back(digits):
    model = sparring.load(digits)
    read = model.read("digits")
    kept = np.concatenate([np.flatnonzero(read.attributes["label"] == word)[:2] for word in "0123456789"])
    found = model.augment(read.items[kept], read.attributes["label"][kept], factor=2, seeds=1)
    assert found.items.shape == (40, 8, 8, 1)
    assert found.generated.sum() == 20
    assert found.labels[20:].tolist() == sorted(read.attributes["label"][kept].tolist())
    assert found.benefit is None
    assert "not measured" in found.notes[0]


def test_rows_that_a_model_learned_from_are_taken_out_of_what_is_held_back(table, monkeypatch):
    quick(monkeypatch)
    frame = pd.read_csv(table / "people.csv")
    model = sparring.load(table / "run")
    found = model.augment(frame[:300], label="group", held=(frame, None), seeds=1)
    own = gather_again(model.experiment, model.modality)
    reported = own.data.items[own.splits.report]["id"]
    assert found.benefit is not None
    assert found.benefit.protocol["held_back"] == (reported >= frame["id"][300]).sum()
    again = model.augment(frame[:500].drop(columns="group"), frame["group"][:500], factor=1.2, seeds=1)
    wanted = {name: round(1.2 * (frame["group"][:500] == name).sum()) for name in ("north", "south")}
    assert again.lot.counts() == wanted


REFUSED = [
    (["--label", "height"], "classes, more than 200", 1),
    (["--label", "colour"], "'colour'", 2),
    (["--label", "group", "--factor", "0.5"], "factor = 0.5", 2),
    (["--label", "group", "--factor", "1"], "larger factor", 2),
    (["--label", "group", "--seeds", "0"], "seeds = 0", 2),
    (["--label", "note"], "names no class in", 1),
]


@pytest.mark.parametrize(("words", "said", "code"), REFUSED, ids=str)
def test_a_wrong_request_is_refused_in_one_line(words, said, code, table, capsys):
    out = table / "refused.csv"
    assert cli.main(["augment", str(table / "run"), str(table / "people.csv"), "-o", str(out), *words]) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert said in lines[-1]
    assert not out.exists()


def refused(capsys, *words) -> str:
    assert cli.main(["augment", *map(str, words)]) in (1, 2)
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_data_of_another_form_are_refused_in_one_line(table, digits, tmp_path, capsys):
    frame = pd.read_csv(table / "people.csv")
    frame.drop(columns="height").to_csv(tmp_path / "less.csv", index=False)
    frame.assign(colour="red").to_csv(tmp_path / "other.csv", index=False)
    frame[:8].assign(group=["north"] * 7 + ["south"]).to_csv(tmp_path / "alone.csv", index=False)
    run, out = table / "run", tmp_path / "more.csv"
    assert "no column 'height'" in refused(capsys, run, tmp_path / "less.csv", "-o", out)
    assert "column 'colour'" in refused(capsys, run, tmp_path / "other.csv", "-o", out)
    said = refused(capsys, run, tmp_path / "alone.csv", "-o", out, "--label", "group")
    assert "class 'south' of 'group' has one item" in said
    assert "the model learned table" in refused(capsys, run, "digits", "-o", out)
    assert "not .png" in refused(capsys, digits, "digits", "-o", tmp_path / "more.png")
    np.save(tmp_path / "bare.npy", np.zeros((30, 8, 8, 1), np.uint8))
    assert "have no labels" in refused(capsys, digits, tmp_path / "bare.npy", "-o", tmp_path / "more")
    with pytest.raises(RequestError, match="not of the model's form"):
        sparring.load(digits).augment(np.zeros((4, 9, 9, 1), np.uint8), list("0011"))


def test_real_rows_are_kept_as_they_are_or_refused_and_no_identifier_is_there_twice(table, tmp_path, capsys):
    frame, out = pd.read_csv(table / "people.csv"), tmp_path / "more.csv"
    frame.assign(start=[3.5, *frame["start"][1:]]).to_csv(tmp_path / "half.csv", index=False)
    said = refused(capsys, table / "run", tmp_path / "half.csv", "-o", out, "--label", "group")
    assert "half.csv: column 'start' holds 3.5 in row 0, which the model's int64 cannot hold" in said
    real = frame.assign(id=np.arange(5600, 6200))
    found = sparring.load(table / "run").augment(real, label="group")
    assert found.lot.items["id"].is_unique
    assert found.lot.items["id"].max() > 6200


def test_an_output_that_is_there_or_lies_in_the_data_is_refused(table, tmp_path, capsys):
    run, data = table / "run", table / "people.csv"
    assert "is there already" in refused(capsys, run, data, "-o", data)
    folder = tmp_path / "pictures"
    folder.mkdir()
    assert "lies in the data" in refused(capsys, run, folder, "-o", folder / "more")


def test_a_model_without_labels_makes_no_classes(tmp_path):
    model = sparring.train("digits", out=tmp_path / "run", steps=1, recipe="dense", settings=DIGITS, unconditional=True)
    with pytest.raises(RequestError, match="trained without"):
        model.augment(np.zeros((4, 8, 8, 1), np.uint8), list("0011"))


def test_a_filter_is_chosen_that_helps_on_inner_splits():
    """Of a model whose items are of the other class two times in five, a filter finds the right ones."""
    real = rows({"common": 150, "rare": 30}, 1)
    chosen = choose_filter(real, Wish(balance=True), Means(Line(), Oracle(lies=0.4)))
    assert chosen != FILTERS[0]
    assert choose_filter(rows({"common": 150, "rare": 2}, 1), Wish(), Means(Line(), Oracle())) == FILTERS[0]


def test_a_true_model_is_said_to_help_from_end_to_end(monkeypatch):
    monkeypatch.setattr("sparring.augmenting.learner_of", lambda modality: Line())
    whole = rows({"common": 200, "rare": 4}, 1)
    held = rows({"common": 300, "rare": 100}, 2)
    found = augmented(Oracle(), "table", whole, (whole, held), Wish(course=Course(3, 0)))
    assert found.benefit is not None
    assert found.benefit.outcome == "helps"
    assert found.lot.counts() == {"common": 200, "rare": 200}
    assert found.generated.sum() == 196


def test_how_many_are_added():
    assert extra({"a": 10, "b": 4}, factor=None, balance=True) == {"b": 6}
    assert extra({"a": 10, "b": 4}, factor=2, balance=False) == {"a": 10, "b": 4}
    assert extra({"a": 10, "b": 4}, factor=1.5, balance=True) == {"a": 5, "b": 11}
    with pytest.raises(RequestError, match="give a factor"):
        extra({"a": 4, "b": 4}, factor=None, balance=True)


def test_labels_from_which_nothing_can_be_learned_are_refused():
    for labels, said in ((["a", "a"], "a single class"), (["a", "a", "b"], "one item"), (range(500), "500 classes")):
        with pytest.raises(DataError, match=said):
            refuse_unfit(Lot(np.zeros((len(labels), 2)), {"y": np.array(labels).astype(str)}, "y"))


class Rare:
    """A model that cannot be asked, whose rows are of the rare class by a chance."""

    def __init__(self, share: float):
        self.share, self.rounds = share, []

    def sample_with_conditions(self, n, *, seed, condition):
        assert condition is None
        self.rounds.append(n)
        label = np.where(np.random.default_rng(seed).random(n) < self.share, "rare", "common")
        return pd.DataFrame({"kind": label}), {}


@pytest.mark.parametrize(("share", "count"), [(0.5, 300), (0.05, 300), (0.004, 300), (0.05, 5000)])
def test_rows_of_a_rare_class_that_cannot_be_asked_for_are_drawn_by_how_often_they_come(share, count):
    model, like = Rare(share), Lot.of_rows(pd.DataFrame({"kind": ["common", "rare"]}), "kind")
    made = ModelMaker(model, ()).make(like, "rare", count, 0)
    assert made.counts() == {"rare": count}
    assert len(model.rounds) < 8
    assert sum(model.rounds) < 2.5 * count / share
    assert max(model.rounds) <= 2**16


def test_a_class_that_hardly_ever_comes_is_given_up_in_one_line():
    model, like = Rare(0.0), Lot.of_rows(pd.DataFrame({"kind": ["common", "rare"]}), "kind")
    with pytest.raises(
        DataError, match=r"hardly any rows of 'kind' = rare: 0 of [\d,]+, and 30 are wanted; train longer"
    ):
        ModelMaker(model, ()).make(like, "rare", 30, 0)
    assert sum(model.rounds) < 2**17


def test_halves_and_thinned_lots_keep_the_shares_of_classes():
    lot = rows({"common": 90, "rare": 30}, 0)
    first, rest = halves(lot, 0)
    assert (first.counts(), rest.counts()) == ({"common": 60, "rare": 20}, {"common": 30, "rare": 10})
    assert len(pd.concat([first.items, rest.items]).drop_duplicates()) == len(lot)
    assert thinned(lot, 40, 0).counts() == {"common": 30, "rare": 10}
    assert thinned(lot, 500, 0) is lot


def test_too_few_held_back_items_are_no_measure():
    real = rows({"common": 20, "rare": 5}, 0)
    assert "fewer than 20" in str(unmeasurable(real, rows({"common": 9, "rare": 4}, 1)))
    assert "'rare'" in str(unmeasurable(real, rows({"common": 30, "rare": 1}, 1)))
    assert unmeasurable(real, rows({"common": 30, "rare": 4}, 1)) is None
