import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.errors import DataError, RequestError, RunError
from sparring.modalities import conditions
from sparring.modalities.attributes import Attribute
from sparring.modalities.conditions import Conditions, ConditionTable


def faces(count=400):
    source = np.random.default_rng(0)
    gender = source.choice(["female", "male"], count)
    age = np.where(gender == "female", source.integers(20, 50, count), source.integers(40, 90, count))
    return {"gender": gender, "age": age.astype(str), "hair": np.where(gender == "male", " none", "long")}


def table(columns=None):
    columns = columns or faces()
    return ConditionTable.of(Conditions.fit(columns), columns)


def test_few_numbers_are_classes_in_their_order_and_many_are_a_quantity():
    few = Attribute.fit("age", np.array(["10", "9", "2", "10"]))
    assert few.classes == ("2", "9", "10")
    many = Attribute.fit("age", np.arange(5, 60).astype(str))
    assert (many.classes, many.low, many.high, many.whole) == ((), 5, 59, True)
    assert many.width == 9
    assert Attribute.fit("label", np.repeat(np.arange(47), 3).astype(str)).width == 47
    assert Attribute.fit("x", np.array(["b10", "b9", "3"])).classes == ("3", "b9", "b10")


def test_an_attribute_that_names_each_item_is_refused():
    with pytest.raises(DataError, match="'id' has 30 different values for 30 items"):
        Attribute.fit("id", [f"photo{i}" for i in range(30)])


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["a", "B", "c d", "é"]), st.integers(-50, 50)), min_size=3, max_size=60))
@settings(deadline=None, max_examples=50)
def test_columns_come_back_from_what_networks_see(rows):
    columns = {"kind": np.array([word for word, _ in rows]), "age": np.array([str(number) for _, number in rows])}
    conditions = Conditions.fit(columns)
    encoded = conditions.encode(columns)
    assert encoded.dtype == np.float32
    assert encoded.shape == (len(rows), conditions.width)
    assert encoded.min() >= -1
    assert encoded.max() <= 1
    back = conditions.decode(encoded)
    for name, values in columns.items():
        assert back[name].astype(str).tolist() == values.tolist()
    assert Conditions.from_json(conditions.to_json()) == conditions


@given(st.lists(words, min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_any_words_can_be_classes_and_each_class_can_be_asked_for_as_written(found):
    values = found * 2
    attribute = Attribute.fit("label", values)
    for value in values:
        interval = attribute.parse(value)
        assert interval.low == interval.high == attribute.codes([value])[0]


def test_a_quantity_is_seen_as_its_value_and_as_bumps_that_sum_to_one():
    attribute = Attribute.fit("age", np.arange(101).astype(str))
    encoded = attribute.encode(np.array([0.0, 50.0, 100.0]))
    assert encoded[:, 0].tolist() == [-1, 0, 1]
    np.testing.assert_allclose(encoded[:, 1:].sum(1), 1, atol=1e-6)
    assert encoded[0, 1] == encoded[2, 8] == 1


@pytest.mark.parametrize("asked", ["female", " Female ", "FEMALE", 0, "0"])
def test_a_class_may_be_named_in_any_case_or_numbered(asked):
    assert Conditions.fit(faces()).parse({" gender": asked})[0] == (0, 0)


def test_a_number_means_the_class_of_that_name_and_never_another():
    attribute = Attribute.fit("label", ["1", "2", "3"])
    assert attribute.parse(1) == attribute.parse("1") == (0, 0)
    with pytest.raises(RequestError, match=r"no label is called '0'.*there are 1, 2, 3"):
        attribute.parse(0)


def test_cases_that_differ_in_the_data_are_told_apart():
    attribute = Attribute.fit("kind", ["a", "A", "b"])
    assert attribute.parse("a") != attribute.parse("A")
    mixed = Attribute.fit("kind", ["Ab", "aB", "b"])
    with pytest.raises(RequestError, match=r"could mean 'Ab' or 'aB'|could mean 'aB' or 'Ab'"):
        mixed.parse("ab")


@pytest.mark.parametrize("asked", ["30..40", (30, 40), [30, "40"], " 30 .. 40 "])
def test_an_interval_may_be_written_in_words_or_as_a_pair(asked):
    assert Conditions.fit(faces()).parse({"age": asked})[1] == (30, 40)


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ({"sex": "male"}, "no attribute is called 'sex'.*age, gender, hair"),
        ({"gender": "femal"}, "did you mean 'female'"),
        ({"gender": 2}, "there are female, male"),
        ({"age": "old"}, "age=old: wanted is a number or an interval"),
        ({"age": "1..2..3"}, "wanted is a number"),
        ({"age": "nan"}, "wanted is a number"),
        ({"age": "50..30"}, "ends before it begins"),
        ({"age": 300}, "the data hold age"),
        ("male", "names no attribute"),
    ],
)
def test_a_wrong_request_names_the_choices(requests, said):
    with pytest.raises(RequestError, match=said):
        table().draw(range(3), 0, requests)


def test_with_one_attribute_its_value_may_stand_alone():
    only = table({"label": np.array(list("0123456789") * 3)})
    columns, encoded = only.draw(range(5), 0, "7")
    assert columns["label"].tolist() == ["7"] * 5
    assert encoded.argmax(1).tolist() == [7] * 5
    assert only.draw(range(2), 0, 3)[0]["label"].tolist() == ["3", "3"]


@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 40))
@settings(deadline=None, max_examples=25)
def test_a_draw_does_not_depend_on_how_many_are_asked_for(seed, few, many):
    few, many = sorted((few, many))
    short, long = (table().draw(range(n), seed, {"gender": "male"}) for n in (few, many))
    np.testing.assert_array_equal(short[1], long[1][:few])
    for name, values in short[0].items():
        np.testing.assert_array_equal(values, long[0][name][:few])


def test_what_is_not_asked_for_follows_the_data_given_what_is():
    columns, encoded = table().draw(range(3000), 1, {"gender": "male"})
    assert set(columns["gender"]) == {"male"}
    assert set(columns["hair"]) == {"none"}
    assert columns["age"].min() >= 40
    ages = faces()["age"].astype(int)[faces()["gender"] == "male"]
    assert columns["age"].mean() == pytest.approx(ages.mean(), abs=1)
    np.testing.assert_array_equal(Conditions.fit(faces()).encode(columns), encoded)


def test_a_free_draw_has_the_shares_of_the_data():
    shares = np.mean(table().draw(range(4000), 0)[0]["gender"] == "male")
    assert shares == pytest.approx(np.mean(faces()["gender"] == "male"), abs=0.03)


def test_wishes_that_no_item_has_together_are_all_granted():
    columns, _ = table().draw(range(200), 0, {"gender": "male", "age": "20..25"})
    assert set(columns["gender"]) == {"male"}
    assert columns["age"].min() >= 20
    assert columns["age"].max() <= 25
    assert set(columns["hair"]) == {"none", "long"}


def test_an_interval_without_items_is_filled_evenly():
    ages = np.concatenate([np.arange(0, 30), np.arange(70, 100)]).astype(str)
    columns, _ = table({"age": ages}).draw(range(500), 0, "40..50")
    assert set(columns["age"].tolist()) == set(range(40, 51))
    assert table({"age": ages}).draw(range(1), 0, 44)[0]["age"].tolist() == [44]


def test_a_table_comes_back_from_its_folder(tmp_path):
    first = table()
    first.save(tmp_path)
    second = ConditionTable.load(tmp_path, first.conditions)
    np.testing.assert_array_equal(first.rows, second.rows)
    assert (tmp_path / "conditions.npz").stat().st_size < 6000


def test_a_table_that_is_packed_or_larger_than_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path, known = tmp_path / "conditions.npz", table({"a": np.array(["1", "2", "3"])}).conditions
    np.savez_compressed(path, codes_0=np.zeros(2**26, np.uint8))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RunError, match=r"67108992 bytes are packed into \d+, and a run packs none"):
        ConditionTable.load(tmp_path, known)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 2**10
    table().save(tmp_path)
    monkeypatch.setattr(conditions, "available", lambda device: 1000)
    with pytest.raises(RunError, match="GiB of memory are needed"):
        ConditionTable.load(tmp_path, table().conditions)


def test_a_damaged_or_foreign_table_is_refused(tmp_path):
    with pytest.raises(RunError, match="damaged"):
        ConditionTable.load(tmp_path, table().conditions)
    table().save(tmp_path)
    with pytest.raises(RunError, match="does not belong"):
        ConditionTable.load(tmp_path, Conditions.fit({"a": faces()["gender"], "b": faces()["gender"]}))
    path = tmp_path / "conditions.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RunError, match="damaged"):
        ConditionTable.load(tmp_path, table().conditions)


def test_a_missing_attribute_or_an_unknown_value_cannot_be_encoded():
    with pytest.raises(RequestError, match="age, hair must be given too"):
        Conditions.fit(faces()).encode({"gender": ["male"]})
    with pytest.raises(RequestError, match="no gender is called 'x'"):
        Conditions.fit(faces()).encode({"gender": ["x"], "age": ["30"], "hair": ["long"]})
