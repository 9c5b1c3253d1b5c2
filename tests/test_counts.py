"""Numbers that stand beside each other are of as many items."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from pydantic import Field

import sparring
from sparring.comparison import compare
from sparring.counts import Entrants, thinned
from sparring.data import Dataset
from sparring.data.images import digests
from sparring.data.opening import open_data
from sparring.data.synthetic import Ring
from sparring.evaluation import Gauge, Row, evaluate
from sparring.experiment import Material, gather
from sparring.jury import Jury
from sparring.metrics import Evidence, Metric, Reading, Specimens, efficacy
from sparring.metrics.features.random_conv import RandomConv
from sparring.sides import Judged
from sparring.tasks.generation import Generation
from tests.tables import planted


class _Count(Metric):
    """How many items it was asked about."""

    featured: ClassVar[bool] = False
    protocol: ClassVar[str] = "counted"
    least: int = Field(default=1, description="items below which nothing is said")

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return None if len(fake) >= self.least else f"{len(fake)} are too few"

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        return {self.name: Reading(float(len(fake)))}


class _Share(_Count):
    """A number that does not change with the count."""

    depends_on_count: ClassVar[bool] = False


class _Learnt(_Count):
    """A number of what is learned from the items."""

    plenty: ClassVar[bool] = True
    learns: ClassVar[bool] = True


def points(select: float = 0.1) -> Material:
    return gather(Generation(), Ring(count=1000, sigma=0.05).load(), select_share=select)


def drawn(count: int) -> Specimens:
    return Specimens(np.random.default_rng(0).normal(size=(count, 2)).astype(np.float32))


def judged(material: Material, *metrics: Metric, count: int | None = None) -> tuple[dict[str, Row], dict, str]:
    jury = replace(Jury.of(Generation(), material.data, metrics=metrics, count=count), features=())
    found = evaluate(Judged(drawn, lambda side: None, seed=1), material, jury)
    return {row.name: row for row in found.rows}, found.protocol, found.lines()[-1]


@pytest.mark.parametrize(
    ("select", "count", "value", "floor", "said"),
    [
        (0.1, None, 100, 100, ""),
        (0.2, None, 100, 100, ""),
        (0.05, None, 50, 50, "taken at 50 items: _count"),
        (0.02, None, 100, None, "without floor _count: 20 real items are too few beside 100"),
        (0.1, 60, 60, 60, ""),
        (0.1, 150, 150, None, "without floor _count: 100 real items are there for it, not the 150 that were asked for"),
    ],
)
def test_model_baselines_and_floor_are_of_as_many_items(select, count, value, floor, said):
    rows, protocol, line = judged(points(select), _Count(), count=count)
    row = rows["_count"]
    assert (row.value, row.floor, row.count) == (value, floor, value)
    assert row.baselines == dict.fromkeys(["independent-numbers", "gaussian", "training-items"], value)
    assert said in line
    assert ("taken_at" in protocol, "without_floor" in protocol) == ("taken at" in said, "without floor" in said)


def test_a_number_that_does_not_change_with_the_count_keeps_all_items_and_its_floor():
    rows, protocol, _ = judged(points(0.02), _Share())
    assert (rows["_share"].value, rows["_share"].floor) == (100, 20)
    assert protocol["floor_items"] == 20


def test_what_a_metric_would_refuse_at_the_floors_count_is_taken_of_all_items_without_a_floor():
    rows, _, line = judged(points(0.05), _Count(least=60))
    assert (rows["_count"].value, rows["_count"].floor) == (100, None)
    assert "50 real items are too few beside 100" in line


@pytest.mark.parametrize(("count", "value"), [(None, 800), (300, 300), (900, 800)])
def test_what_learns_is_given_as_many_items_as_the_model_learned_from_where_so_many_are_made(count, value):
    rows, _, line = judged(points(), _Learnt(), count=count)
    row = rows["_learnt"]
    assert (row.value, row.floor, row.count) == (value, value, value)
    assert row.baselines == dict.fromkeys(["independent-numbers", "gaussian", "training-items"], value)
    assert (f"taken at {value} items: _learnt" in line) == (value != count)


def test_as_many_items_are_generated_as_are_asked_for_and_the_seeds_are_those_of_the_draws():
    rows, protocol, line = judged(points(), _Share(), count=12_000)
    assert (rows["_share"].value, protocol["generated"]) == (12_000, 12_000)
    assert "seeds samples 1, features and baselines 0" in line


def labelled_pictures() -> Material:
    source = np.random.default_rng(0)
    items = source.integers(0, 256, (400, 8, 8, 1), dtype=np.uint8)
    labels = {"label": np.array(["a", "b"])[np.arange(400) % 2]}
    data = Dataset(items, "image", [str(i) for i in range(400)], digests(items), labels)
    return gather(Generation(attributes=("label",)), data, select_share=0.05)


def table(path) -> Material:
    planted(400).to_csv(path, index=False)
    return gather(Generation(), open_data(str(path)).load(), select_share=0.06)


def counting(whole, asked: dict[str, set[int]]):
    def counted(self, train, test, fake):
        asked.setdefault(self.name, set()).add(len(fake))
        return whole(self, train, test, fake)

    return counted


@pytest.mark.parametrize("what", ["points", "pictures", "table"])
def test_every_metric_that_depends_on_the_count_is_asked_about_one_count(what, tmp_path, monkeypatch):
    made = {"points": lambda: points(0.05), "pictures": labelled_pictures, "table": lambda: table(tmp_path / "t.csv")}
    material = made[what]()
    jury = Jury.of(material.task, material.data)
    if what == "pictures":
        jury = replace(jury, features=(RandomConv(),))
    asked: dict[str, set[int]] = {}
    for metric in jury.metrics:
        monkeypatch.setattr(type(metric), "__call__", counting(type(metric).__call__, asked))
    taken = {m.name for m in jury.metrics if m.depends_on_count and m.judging}
    rows = material.splits.train[:: max(1, len(material.splits.train) // 40)]

    def sample(count: int) -> Specimens:
        chosen = np.resize(rows, count)
        return Specimens(material.data.items[chosen], material.columns(chosen))

    found = evaluate(Judged(sample, lambda side: None), material, jury)
    several = {name: counts for name, counts in asked.items() if name in taken and len(counts) > 1}
    assert not several
    assert len(taken & set(asked)) >= 2
    floors = [row.floor for row in found.rows if row.count == len(material.splits.select)]
    assert floors
    assert None not in floors


def test_all_classifiers_of_a_table_learn_from_as_many_rows(tmp_path, monkeypatch):
    material, learned = table(tmp_path / "t.csv"), []
    plain = efficacy.verdicts

    def counted(model, x, *rest):
        learned.append(len(x))
        return plain(model, x, *rest)

    monkeypatch.setattr(efficacy, "verdicts", counted)
    monkeypatch.setattr(efficacy, "classifiers", lambda seed: efficacy_classifiers(seed)[1:2])
    jury = Jury.of(Generation(), material.data, metrics=[efficacy.Efficacy(target="group")])
    for count, rows, fits in ((None, len(material.splits.train), 4), (90, 90, 6)):
        learned.clear()
        found = evaluate(
            Judged(lambda n: Specimens(planted(n, 7)), lambda side: None), material, replace(jury, count=count)
        )
        named = {row.name: row for row in found.rows}
        assert set(learned) == {rows}
        # Train-on-real is worked out once for all that stand beside each other.
        assert len(learned) == fits
        assert named["efficacy-f1"].floor == named["efficacy-real-f1"].value
        assert all(row.count == rows for row in found.rows)


efficacy_classifiers = efficacy.classifiers


def test_quick_numbers_are_at_the_count_of_their_floor():
    material = points()
    gauge = Gauge(Generation(), material, count=1000)
    gauge.jury = replace(gauge.jury, metrics=(_Count(), _Share()))
    rows = {row.name: row for row in gauge(drawn(1000)).rows}
    assert (rows["_count"].value, rows["_count"].floor) == (800, 800)
    assert (rows["_share"].value, rows["_share"].floor) == (1000, 800)


def test_quick_numbers_have_no_floor_where_nothing_is_held_back():
    material = gather(Generation(), Ring(count=60).load())
    found = Gauge(Generation(), material, count=1000)(drawn(60))
    assert len(found.rows) >= 2
    assert all(row.floor is None for row in found.rows)
    assert found.lines()[-1].startswith("no floor: no items are held back, and copies of the training items")
    assert "60 of train" in found.lines()[-1]


def test_runs_are_compared_at_the_count_of_the_floor(tmp_path, monkeypatch):
    for name in ("a", "b"):
        sparring.train(Ring(count=600), out=tmp_path / name, recipe="mlp", steps=1, settings=("select=0.05",))
    monkeypatch.setattr(Jury, "of", staticmethod(lambda *_: Jury((_Quick(), _QuickShare()), ())))
    found = compare([tmp_path / "a", tmp_path / "b"])
    count, share = found.numbers["_quick"], found.numbers["_quick-share"]
    assert {number.value for number in count.values()} == {found.floors["_quick"]} == {30}
    assert ({number.value for number in share.values()}, found.floors["_quick-share"]) == ({60}, 30)
    assert found.protocol["taken_at"] == "30 items: _quick"
    assert found.protocol["seeds"] == "samples 1, features 0"


class _Quick(_Count):
    """Of the numbers that runs are compared by."""

    quick: ClassVar[bool] = True


class _QuickShare(_Share):
    """The same for a number that does not change with the count."""

    quick: ClassVar[bool] = True


def test_thinning_keeps_what_belongs_to_each_item_and_is_done_once():
    side = Evidence(np.arange(10)[:, None], np.arange(10.0)[:, None], labels=np.arange(10), threshold=0.5)
    few = thinned(side, 4)
    assert few.labels is not None
    assert few.items[:, 0].tolist() == few.features[:, 0].tolist() == few.labels.tolist() == [0, 3, 6, 9]
    assert few.threshold == 0.5
    assert thinned(side, 4) is few
    assert thinned(side, 10) is thinned(side, 20) is side


def test_what_has_fewer_items_than_are_judged_does_not_stand_beside_them():
    sides = {count: Evidence(np.zeros((count, 2)), np.zeros((count, 2))) for count in (40, 50, 60)}
    found = Entrants(sides[50], sides[60], {"few": sides[40], "many": sides[60]}).even(_Count(), sides[40], sides[40])
    assert {name: len(side) for name, side in found.others.items()} == {"many": 50}
    assert found.floor is not None
    assert (len(found.fake), len(found.floor)) == (50, 50)
