import numpy as np
import pandas as pd
import pytest

from sparring.data.opening import open_data
from sparring.data.sequences import Sequences
from sparring.data.tables import Tables
from sparring.errors import DataError, RequestError
from sparring.experiment import split


def walk(steps=2000) -> pd.DataFrame:
    source = np.random.default_rng(0)
    day = pd.date_range("2020-01-01", periods=steps).strftime("%Y-%m-%d")
    return pd.DataFrame({
        "day": day, "price": (50 + source.normal(size=steps).cumsum()).round(2), "sold": source.integers(0, 99, steps),
    })  # fmt: skip


@pytest.fixture
def path(tmp_path):
    walk().to_csv(tmp_path / "walk.csv", index=False)
    return str(tmp_path / "walk.csv")


def test_one_long_table_is_cut_into_windows_in_the_order_of_its_index(path, tmp_path):
    shuffled = walk().sample(frac=1, random_state=0)
    shuffled.to_csv(tmp_path / "mixed.csv", index=False)
    read = open_data(str(tmp_path / "mixed.csv"), window=10, stride=5, sequence_index="day").load()
    assert read.modality == "series"
    assert read.items.shape == (399, 10, 2)
    assert read.items.titles == ("price", "sold")
    assert read.items.kinds == ("float64", "int64")
    assert np.array_equal(read.items[np.array([2])][0], walk()[["price", "sold"]].to_numpy()[10:20])
    assert read.names[2] == "mixed.csv@10"


def test_a_file_is_series_only_where_that_is_asked(path):
    assert isinstance(open_data(path), Tables)
    assert isinstance(open_data(path, modality="series"), Sequences)
    assert isinstance(open_data(path, window=5), Sequences)
    with pytest.raises(RequestError, match="series data, not table"):
        open_data(path, window=5, modality="table")


def test_no_step_stands_in_two_parts_of_the_split_and_a_gap_lies_between(path):
    read = open_data(path, window=10, sequence_index="day").load()
    parts = {name: {step for row in rows for step in range(row, row + 10)} for name, rows in vars(split(read)).items()}
    assert all(len(steps) > 50 for steps in parts.values())
    for one, other in (("train", "select"), ("train", "report"), ("select", "report")):
        apart = min(abs(a - b) for a in parts[one] for b in parts[other])
        assert apart > 10
    # Four stretches of time, each with a part of its own to report on.
    report = np.array(sorted(parts["report"]))
    assert (np.diff(report) > 1).sum() == 3


def test_series_by_key_are_held_back_whole_where_there_are_many(tmp_path):
    frame = pd.DataFrame({
        "who": np.repeat([f"p{i}" for i in range(60)], 20), "t": np.tile(np.arange(20), 60),
        "kind": np.repeat(np.where(np.arange(60) % 3, "a", "b"), 20), "x": np.arange(1200) / 7,
    })  # fmt: skip
    frame.to_csv(tmp_path / "who.csv", index=False)
    path = str(tmp_path / "who.csv")
    whole = open_data(path, sequence_key="who", sequence_index="t").load()
    assert whole.items.shape == (60, 20, 1)
    assert whole.attributes["kind"][:4].tolist() == ["b", "a", "a", "b"]
    assert whole.uses is None
    cut = open_data(path, sequence_key="who", sequence_index="t", window=8).load()
    assert cut.items.shape == (60 * 13, 8, 1)
    people = {name: {cut.names[row].split("@")[0] for row in rows} for name, rows in vars(split(cut)).items()}
    assert [len(people[name]) for name in ("train", "select", "report")] == [51, 3, 6]
    assert not people["train"] & people["report"]


def test_arrays_are_whole_series_or_one_long_one(tmp_path):
    np.save(tmp_path / "many.npy", np.zeros((7, 12, 2), np.float32))
    many = open_data(str(tmp_path / "many.npy"), modality="series").load()
    assert many.items.shape == (7, 12, 2)
    np.save(tmp_path / "long.npy", np.arange(60.0).reshape(30, 2))
    assert open_data(str(tmp_path / "long.npy"), window=4).load().items.shape == (27, 4, 2)
    np.savez(tmp_path / "named.npz", samples=np.zeros((4, 5, 1)), label=np.array([1, 2, 1, 2]))
    named = open_data(str(tmp_path / "named.npz"), modality="series").load()
    assert named.attributes["label"].tolist() == ["1", "2", "1", "2"]


def test_data_in_memory_are_series_where_that_is_said(tmp_path):
    from sparring.proposal import propose

    items = np.random.default_rng(0).normal(size=(120, 8, 2)).astype(np.float32)
    proposal = propose(items, modality="series", store=tmp_path)
    assert proposal.material.modality.name == "series"
    assert proposal.experiment.data.name == "sequences"
    proposal = propose(walk(), window=6, sequence_index="day", store=tmp_path)
    assert proposal.material.data.items.shape == (1995, 6, 2)


def test_missing_numbers_are_refused_in_one_line_or_filled_in(tmp_path):
    frame = walk(100)
    frame.loc[[4, 5, 99], "price"] = np.nan
    frame.to_csv(tmp_path / "holes.csv", index=False)
    source = Sequences(path=str(tmp_path / "holes.csv"), window=5, sequence_index="day")
    with pytest.raises(DataError, match=r"price has no number in 3 of 100 steps, first in step 4.*missing=fill"):
        source.load()
    values = source.but(missing="fill").load().items.values
    assert values[4, 0] == pytest.approx(frame["price"][3] + (frame["price"][6] - frame["price"][3]) / 3)
    assert values[99, 0] == values[98, 0]


def test_uneven_series_are_refused_or_cut(tmp_path):
    frame = pd.DataFrame({"who": ["a"] * 5 + ["b"] * 9 + ["c"] * 3, "x": np.arange(17.0)})
    frame.to_csv(tmp_path / "uneven.csv", index=False)
    source = Sequences(path=str(tmp_path / "uneven.csv"), sequence_key="who")
    with pytest.raises(DataError, match="3 to 9 steps long; --window"):
        source.load()
    read = source.but(window=5).load()
    assert read.items.shape[0] == 1 + 5
    assert [fault.file for fault in read.faults] == ["uneven.csv#c"]
    with pytest.raises(DataError, match="the longest has 9"):
        source.but(window=10).load()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"window": 5}, "column day holds no numbers; --sequence-index day"),
        ({"window": 5, "sequence_index": "date"}, "'date'"),
        ({"sequence_key": "nobody"}, "'nobody'"),
        ({"sequence_key": "day", "window": 3}, "no series has 3 steps"),
    ],
)
def test_a_table_that_is_no_series_as_asked_is_refused_in_one_line(path, asked, said):
    with pytest.raises((DataError, RequestError)) as refusal:
        open_data(path, **asked).load()
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_step_that_is_there_twice_asks_for_the_key(tmp_path):
    pd.DataFrame({"t": [0, 1, 0, 1], "x": [1.0, 2, 3, 4]}).to_csv(tmp_path / "two.csv", index=False)
    with pytest.raises(DataError, match="repeats t 0 of a series"):
        Sequences(path=str(tmp_path / "two.csv"), sequence_index="t", window=2).load()


def test_arrays_that_are_no_series_are_refused(tmp_path):
    np.save(tmp_path / "flat.npy", np.zeros((9, 2)))
    with pytest.raises(DataError, match="one long series"):
        open_data(str(tmp_path / "flat.npy"), modality="series").load()
    np.save(tmp_path / "deep.npy", np.zeros((9, 2, 2, 2)))
    with pytest.raises(DataError, match="series are"):
        open_data(str(tmp_path / "deep.npy"), modality="series").load()
    with pytest.raises(RequestError, match="has no columns"):
        open_data(str(tmp_path / "flat.npy"), sequence_key="who").load()


def test_other_files_are_read_as_these_were(path):
    own = Sequences(path="other.npy", window=7, stride=3, sequence_index="day")
    assert own.alike(open_data(path)) == own.but(path=path)


@pytest.mark.parametrize(
    ("count", "steps", "window", "held"),
    [(10, 30, 24, 2), (15, 100, 24, 2), (3, 26, 24, 1), (1, 30, 24, 0), (2, 40, 24, 0)],
)
def test_short_series_are_held_back_whole_or_not_at_all_and_nothing_is_lost(tmp_path, count, steps, window, held):
    values = np.random.default_rng(0).normal(size=(count, steps, 2)).astype(np.float32)
    np.save(tmp_path / "short.npy", values)
    data = Sequences(path=str(tmp_path / "short.npy"), window=window).load()
    assert len(data) == count * (steps - window + 1)
    uses = data.uses.reshape(count, -1)
    assert (uses == uses[:, :1]).all()
    assert [int((uses[:, 0] == use).sum()) for use in range(4)] == [count - 2 * held, held, held, 0]
    assert any("too short to hold" in note for note in data.notes)


def test_missing_numbers_of_an_array_are_not_to_be_dropped_by_a_setting_that_it_ignores(tmp_path):
    values = np.zeros((30, 24, 2), np.float32)
    values[3, 4, 1] = np.nan
    np.save(tmp_path / "gaps.npy", values)
    with pytest.raises(DataError, match=r"data\.missing=fill draws lines between neighbours$"):
        Sequences(path=str(tmp_path / "gaps.npy")).load()


def uneven(tmp_path, lengths, window=24, **asked):
    frame = pd.DataFrame({
        "who": np.repeat([f"p{i:02}" for i in range(len(lengths))], lengths),
        "x": np.random.default_rng(0).normal(size=sum(lengths)),
    })  # fmt: skip
    frame.to_csv(tmp_path / "uneven.csv", index=False)
    return Sequences(path=str(tmp_path / "uneven.csv"), window=window, sequence_key="who", **asked).load()


def used(data):
    """The names of the series that have windows of each use."""
    owners = np.array([name.split("@")[0].split("#")[1] for name in data.names])
    return [set(owners[data.uses == use].tolist()) for use in range(4)]


def test_series_that_are_too_short_to_hold_a_part_back_are_learned_whole_and_named(tmp_path):
    data = uneven(tmp_path, [2000, 40, 200, 120, 30, 60])
    train, select, report, left = used(data)
    assert train == {f"p{i:02}" for i in range(6)}
    assert select == report == left == {"p00"}
    said = "too short to hold a part back, and learned whole: uneven.csv#p01, uneven.csv#p02, uneven.csv#p03 and 2 more"
    assert said in data.notes


def test_series_without_a_window_are_not_counted_among_those_that_are_held_back(tmp_path):
    # Those at the places that are held back of 30 are too short for a window.
    lengths = [10 if number * 7 % 20 <= 2 else 40 for number in range(30)]
    train, select, report, _ = used(uneven(tmp_path, lengths))
    assert [len(train), len(select), len(report)] == [19, 2, 3]


def beside_test(tmp_path, learned, test, **asked):
    np.savez(tmp_path / "parts.npz", x_train=learned, x_test=test)
    return Sequences(path=str(tmp_path / "parts.npz"), window=10, **asked).load()


def test_the_official_test_split_of_one_long_series_is_kept_and_no_window_reaches_over_its_seam(tmp_path):
    values = np.random.default_rng(0).normal(size=(1200, 2))
    data = beside_test(tmp_path, values[:900], values[900:])
    assert len(data) == 891 + 291
    assert (data.uses[data.test] == 2).all()
    assert not (data.uses[~data.test] == 2).any()
    starts = data.items.starts
    assert not ((starts < 900) & (starts + 10 > 900)).any()
    parts = [{step for start in starts[data.uses == use] for step in range(start, start + 10)} for use in range(3)]
    assert all(len(steps) > 50 for steps in parts)
    assert min(abs(a - b) for a in parts[0] for b in parts[1]) > 10
    assert max(parts[1]) == 899, "beside a test split the end is there to choose by"


@pytest.mark.parametrize(("count", "chosen"), [(40, 2), (4, 1)])
def test_beside_an_official_test_split_whole_series_are_chosen_by(tmp_path, count, chosen):
    values = np.random.default_rng(0).normal(size=(count + 5, 30, 2))
    data = beside_test(tmp_path, values[:count], values[count:])
    train, select, report, left = used(data)
    assert [len(train), len(select), len(report), len(left)] == [count - chosen, chosen, 5, 0]
    assert not select & train


def test_windows_that_equal_one_of_the_official_test_split_are_not_learned(tmp_path):
    values = np.random.default_rng(0).normal(size=(1200, 2))
    values[100:150] = values[1000:1050]
    data = beside_test(tmp_path, values[:900], values[900:])
    assert (data.uses[100:141] == 3).all()
    assert "windows that equal one of the official test split, and are left out: 41" in data.notes


def test_a_test_split_without_a_window_is_told_and_one_beside_nothing_refused(tmp_path):
    values = np.random.default_rng(0).normal(size=(900, 2))
    data = beside_test(tmp_path, values, values[:5])
    assert data.test is None
    assert set(data.uses) == {0, 1, 2, 3}
    assert "no series of the official test split has 10 steps: it is not kept" in data.notes
    with pytest.raises(DataError, match="no series to learn from has 10 steps; cut fewer"):
        beside_test(tmp_path, values[:5], values)
