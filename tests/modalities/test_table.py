import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.errors import DataError, RequestError, TrainingError
from sparring.modalities import Modality
from sparring.modalities.columns import sort_of
from sparring.modalities.columns.category import MOST, Category
from sparring.modalities.frames import TableItems, exactly, typed
from sparring.modalities.table import Table
from tests.tables import every_kind, planted


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return every_kind()


@pytest.fixture(scope="module")
def table(frame) -> Table:
    return Table.fit(frame)


def test_every_column_comes_back_with_its_type_order_and_values(frame, table):
    again = table.decode(table.encode(frame))
    assert list(again) == list(frame)
    assert again.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    pd.testing.assert_frame_equal(again.drop(columns=["id", "income"]), frame.drop(columns=["id", "income"]))
    assert np.allclose(again["income"], frame["income"], rtol=1e-4)


def test_identifiers_are_fresh_and_never_repeat(frame, table):
    made = table.joined([table.decode(table.encode(frame)), table.decode(table.encode(frame))])
    assert not set(made["id"]) & set(frame["id"])
    assert made["id"].is_unique


@pytest.mark.parametrize(
    ("words", "made"),
    [(["C007", "C010"], "C011"), (["a-99-z", "a-7-z"], "a-100-z"), ([5, 9], 10)],
)
def test_identifiers_count_on_from_the_largest(words, made):
    frame = pd.DataFrame({"name": words * 20, "x": np.arange(40) % 7})
    table = Table.fit(TableItems(frame, {"name": "identifier"}))
    assert table.decode(table.encode(frame))["name"].iloc[0] == made


@pytest.mark.parametrize(
    ("words", "there", "made"),
    [
        (["C007", "C010"], ["C900", "C011", "x"], "C901"),
        (["C007", "C010"], ["C001", "C002", "C003"], "C011"),
        ([5, 9], [3, 70, 2], 71),
        ([5, 9], [None, 70, 2], 71),
    ],
)
def test_identifiers_count_on_from_those_that_they_will_stand_beside(words, there, made):
    table = Table.fit(TableItems(pd.DataFrame({"name": words * 20, "x": np.arange(40) % 7}), {"name": "identifier"}))
    beside = pd.DataFrame({"name": there, "x": 0})
    found = table.joined([table.decode(torch.zeros(5, *table.spec().shape))], beside)["name"]
    assert found.iloc[0] == made
    assert found.is_unique


def test_identifiers_of_a_shape_are_not_those_that_they_will_stand_beside():
    words = [f"{a}{b}" for a in "abcdefghijklmnopqrstuvwxyz" for b in "vwxyz"]
    table = Table.fit(TableItems(pd.DataFrame({"name": words, "x": np.arange(130) % 7}), {"name": "identifier"}))
    found = table.joined([table.decode(torch.zeros(500, *table.spec().shape))], pd.DataFrame({"name": words}))["name"]
    assert found.is_unique
    assert not set(found) & set(words)
    few = table.joined([table.decode(torch.zeros(700, *table.spec().shape))], pd.DataFrame({"name": words}))
    assert len(few) == 700, "where there are not so many others, they repeat"


@pytest.mark.parametrize(
    ("values", "dtype", "said"),
    [
        (
            [1.0, 3.5],
            "int64",
            "column 'x' holds 3.5 in row 1, which the model's int64 cannot hold; change or leave out",
        ),
        ([1, 300], "int8", "holds 300 in row 1"),
        ([-1, 3], "uint8", "holds -1 in row 0"),
        ([1.0, 1e30], "int64", r"holds 1e\+30 in row 1"),
        ([1, 2], "bool", "holds 2 in row 1"),
        (["False", "True"], "bool", "holds False in row 0"),
        ([1.0, 1e300], "float32", r"holds 1e\+300 in row 1"),
        ([1.0, None], "int64", "column 'x' is of another type than the model's int64"),
        (["a", "b"], "float64", "column 'x' is of another type than the model's float64"),
    ],
)
def test_a_value_that_would_be_another_one_in_the_models_type_is_refused(values, dtype, said):
    with pytest.raises(RequestError, match=said):
        exactly(pd.DataFrame({"x": values}), {"x": dtype})


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([1.0, 3.0], "int64"), ([1.0, None], "Int64"), ([0, 1], "bool"), ([1.25, None], "float32"), (["3", "4"], "int64")],
)
def test_what_a_type_can_hold_is_taken(values, dtype):
    found = exactly(pd.DataFrame({"x": values}), {"x": dtype})["x"]
    assert str(found.dtype) == dtype
    assert found.isna().tolist() == [value is None for value in values]
    assert [float(value) for value in found.dropna()] == [float(value) for value in values if value is not None]


def test_identifiers_without_numbers_keep_their_shape():
    words = [f"{n:08x}-ab" for n in np.random.default_rng(0).integers(0, 2**32, 60)]
    frame = pd.DataFrame({"token": words, "x": np.arange(60) % 7})
    table = Table.fit(frame)
    made = table.decode(table.encode(frame))["token"]
    assert made.str.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{2}").all()
    assert made.is_unique
    assert not set(made) & set(words)


def test_what_columns_are_is_found_out(frame):
    found = {name: sort_of(frame[name]) for name in frame}
    assert found == {
        "id": "identifier", "weight": "continuous", "income": "continuous", "gain": "integer", "rooms": "integer",
        "age": "integer", "town": "categorical", "code": "categorical", "member": "boolean", "joined": "datetime",
        "unit": "constant", "empty": "constant", "maybe": "integer", "agreed": "boolean", "size": "categorical",
    }  # fmt: skip


def test_free_text_is_refused_with_what_to_do():
    words = [f"the parcel {n} came late and the box was broken" for n in range(60)]
    with pytest.raises(DataError, match=r"'story' holds free text.*data.drop=story"):
        Table.fit(pd.DataFrame({"story": words, "x": np.arange(60) % 7}))
    kept = Table.fit(TableItems(pd.DataFrame({"story": words, "x": np.arange(60)}), {"story": "categorical"}))
    assert kept.columns[0].name == "category"


def test_durations_are_refused_with_what_to_do():
    frame = pd.DataFrame({"stay": pd.to_timedelta(np.arange(60), "h"), "x": np.arange(60) % 7})
    with pytest.raises(DataError, match=r"'stay' holds durations.*total_seconds.*data.drop=stay"):
        Table.fit(frame)


def test_what_a_column_is_said_to_be_is_taken_or_refused():
    frame = pd.DataFrame({"x": np.arange(50), "y": ["a", "b"] * 25})
    table = Table.fit(TableItems(frame, {"x": "categorical"}))
    assert table.spec().shape == (52,)
    with pytest.raises(DataError, match="'y' is said to be continuous"):
        Table.fit(TableItems(frame, {"y": "continuous"}))
    with pytest.raises(DataError, match="not above 0"):
        Table.fit(TableItems(pd.DataFrame({"x": np.linspace(-5, 5, 60)}), {"x": "log"}))
    with pytest.raises(RequestError, match="no column is called 'z'"):
        Table.fit(TableItems(frame, {"z": "integer"}))


def test_a_heavy_tail_is_learned_on_its_logarithm_and_a_spike_by_itself(table):
    columns = {column.title: column for column in table.columns}
    assert columns["income"].logarithm
    assert columns["gain"].spikes == (0.0,)
    assert len(columns["rooms"].spikes) == 5
    assert columns["maybe"].missing


def test_what_columns_are_is_said_in_words(table):
    said = table.described()
    assert said["id"].startswith("identifiers")
    assert said["town"] == "4 categories, nulls"
    assert said["unit"] == "always cm"
    assert said["empty"] == "empty"
    assert said["rooms"] == "whole numbers 1..5, 5 single values"
    assert said["joined"].startswith("dates 2020-03-04 to 2022-08-14")
    assert "of the logarithm" in said["income"]


def test_rare_categories_share_a_choice_and_are_drawn_by_their_frequency():
    source = np.random.default_rng(0)
    values = np.concatenate([np.repeat(np.arange(MOST), 3), source.integers(MOST, 5000, 9000)]).astype(str)
    frame = pd.DataFrame({"shop": values, "x": np.arange(len(values)) % 5})
    column = Category.fit(frame["shop"], "categorical")
    assert column.spans()[0].width == MOST + 1
    table = Table(columns=(column, *Table.fit(frame[["x"]]).columns))
    rare = table.encode(frame.tail(9000)) + torch.linspace(0, 1e-3, 9000)[:, None]
    made = table.decode(rare)["shop"].astype(int)
    assert (made >= MOST).mean() > 0.8
    assert made.nunique() > 2000


def test_a_row_is_decoded_the_same_whatever_stands_beside_it(frame, table):
    encoded = table.encode(frame)
    pd.testing.assert_frame_equal(
        table.decode(encoded[:7]).drop(columns="id"), table.decode(encoded).head(7).drop(columns="id")
    )


def test_numbers_stay_within_the_range_and_decimals_of_the_data(frame, table):
    wild = torch.randn(500, table.spec().shape[0], generator=torch.Generator().manual_seed(0)) * 5
    made = table.decode(wild)
    for name in ("weight", "income", "gain", "rooms", "age", "joined", "maybe"):
        assert made[name].min() >= frame[name].min()
        assert made[name].max() <= frame[name].max()
    assert np.allclose(made["weight"] * 10, (made["weight"] * 10).round())
    assert set(made["town"].dropna()) <= set(frame["town"].dropna())
    assert made["joined"].dropna().dt.normalize().equals(made["joined"].dropna())


def test_tiny_numbers_and_small_ones_beside_huge_ones_keep_their_digits():
    source = np.random.default_rng(0)
    tiny = source.uniform(1, 9, 300) * 1e-16
    mixed = np.where(np.arange(300) % 2, source.integers(1, 9, 300) * 1e16, source.integers(1, 99, 300) / 4)
    frame = pd.DataFrame({"tiny": tiny, "mixed": mixed})
    table = Table.fit(frame)
    assert np.allclose(table.decode(table.encode(frame))["tiny"], tiny, rtol=1e-4, atol=0)
    assert table.columns[1].decimals == 2


def test_rows_that_are_not_finite_are_refused(table):
    with pytest.raises(TrainingError, match="not finite"):
        table.decode(torch.full((2, table.spec().shape[0]), float("nan")))


def test_the_codec_survives_json(table, frame):
    again = Modality.from_json(json.loads(json.dumps(table.to_json(), allow_nan=False)))
    assert again == table
    assert torch.equal(again.encode(frame), table.encode(frame))


def test_values_that_the_data_do_not_have_are_refused_by_column(table, frame):
    with pytest.raises(RequestError, match="column 'town' has 'Paris'"):
        table.encode(frame.assign(town="Paris"))
    with pytest.raises(RequestError, match="'weight' has no value"):
        table.encode(frame.assign(weight=np.nan))
    with pytest.raises(RequestError, match="column 'weight' has 'heavy', which is no number; mend it"):
        table.encode(frame.assign(weight=["70", "heavy", *["71"] * (len(frame) - 2)]))
    with pytest.raises(RequestError, match="column 'joined' has 'soon', which is no date"):
        table.encode(frame.assign(joined="soon"))
    with pytest.raises(RequestError, match="no column 'town'"):
        table.encode(frame.drop(columns="town"))


class TestConditions:
    def test_asked_choices_are_named_and_nothing_else(self, table):
        found = table.conditions(0, range(50), {"rooms": "2..3", "town": "bonn"}, table.askable())
        assert torch.equal(found.sum(1), torch.full((50,), 2.0))

    def test_without_requests_each_row_asks_for_one_column(self, table):
        found = table.conditions(0, range(400), {}, table.askable())
        assert torch.equal(found.sum(1), torch.ones(400))
        assert len(found.argmax(1).unique()) > 20
        assert table.conditions(0, range(5), {}, ()) is None

    def test_a_row_asks_for_the_same_whatever_was_asked_before(self, table):
        whole = table.conditions(3, range(40), {"age": "30..60"}, table.askable())
        assert torch.equal(table.conditions(3, range(20, 40), {"age": "30..60"}, table.askable()), whole[20:])

    @pytest.mark.parametrize(
        ("request_", "reason"),
        [
            ({"weight": "40..30"}, "no interval"),
            ({"weight": "heavy"}, "wanted is a value"),
            ({"weight": "900"}, "the data hold"),
            ({"town": "Paris"}, "'Paris'"),
            ({"unit": "cm"}, "unit cannot be asked for: it is constant"),
            ({"wieght": "70"}, "weight"),
            ({"town": []}, "names no value"),
        ],
    )
    def test_what_the_data_do_not_have_is_refused(self, table, request_, reason):
        with pytest.raises(RequestError, match=reason):
            table.conditions(0, range(3), request_, table.askable())

    @given(ends=st.tuples(st.floats(30, 110), st.floats(30, 110)).map(sorted))
    @settings(max_examples=25, deadline=None)
    def test_every_number_lies_in_the_interval_that_is_asked_for(self, ends):
        frame = every_kind()
        table = Table.fit(frame[["weight", "rooms"]])
        low, high = (min(max(end, frame["weight"].min()), frame["weight"].max()) for end in ends)
        wild = torch.randn(60, table.spec().shape[0], generator=torch.Generator().manual_seed(1))
        made = table.finished(wild, {"weight": (low - 0.1, high + 0.1)})["weight"]
        assert ((made >= low - 0.15) & (made <= high + 0.15)).all()

    @pytest.mark.parametrize(
        ("asked", "low", "high"),
        [
            ({"n": "6.5..8.5"}, 7, 8),
            ({"price": "1.005..1.025"}, 1.01, 1.02),
            ({"at": "2024-02"}, "2024-02-01", "2024-02-29T23:59:59"),
            ({"at": "2024-02-03..2024-02-04"}, "2024-02-03", "2024-02-04T23:59:59"),
            ({"at": "2024-02-03T12:00..2024-02-03T12:30"}, "2024-02-03T12:00", "2024-02-03T12:30"),
            ({"there": "2024-02-03T12:00+00:00..2024-02-03T12:30Z"}, "2024-02-03T13:00+0100", "2024-02-03T13:30+0100"),
        ],
    )
    def test_ends_between_the_values_of_the_data_are_kept_and_a_day_is_all_of_it(self, asked, low, high):
        source, seconds = np.random.default_rng(0), pd.to_timedelta(np.arange(0, 86400 * 90, 9001), "s")
        at = pd.Series(pd.Timestamp("2024-01-01") + seconds)
        frame = pd.DataFrame({"at": at, "there": at.dt.tz_localize("Europe/Rome", nonexistent="shift_forward")})
        frame["n"], frame["price"] = source.integers(0, 99, len(at)), source.integers(0, 9999, len(at)) / 100
        table = Table.fit(frame)
        wild = torch.randn(500, table.spec().shape[0], generator=torch.Generator().manual_seed(0))
        (name,) = asked
        made = table.finished(wild, asked)[name]
        ends = (pd.Timestamp(low), pd.Timestamp(high)) if isinstance(low, str) else (low, high)
        assert made.between(*ends).all()
        assert made.nunique() > 1

    def test_an_interval_between_two_values_of_the_data_is_refused(self):
        table = Table.fit(pd.DataFrame({"n": np.arange(99) % 50, "at": pd.date_range("2024-01-01", periods=99)}))
        with pytest.raises(RequestError, match=r"n=5.2..5.7: no value lies there; the data hold whole numbers, 0..49"):
            table.requested({"n": "5.2..5.7"})
        with pytest.raises(RequestError, match=r"at=3 May 2024: .*such as 2024-01-01..2024-03-31"):
            table.requested({"at": "3 May 2024"})

    def test_a_column_that_is_there_and_cannot_be_asked_for_is_not_said_to_be_missing(self, table):
        with pytest.raises(RequestError, match="id cannot be asked for: it is identifier"):
            table.asking(table.askable()).draw(0, range(3), {"id": "1000"})
        with pytest.raises(RequestError, match="town cannot be asked for: this model was taught age, rooms"):
            table.asking(("age", "rooms")).draw(0, range(3), {"town": "bonn"})


class TestRules:
    def test_an_order_holds_in_every_row(self):
        frame = planted()
        table = Table.fit(TableItems(frame, {}, ("start <= end",)))
        wild = torch.randn(4000, table.spec().shape[0], generator=torch.Generator().manual_seed(0))
        made = table.decode(wild)
        assert (made["start"] <= made["end"]).all()
        free = Table.fit(frame).decode(wild)
        assert (free["start"] > free["end"]).any()

    def test_a_strict_order_a_range_and_combinations_hold_in_every_row(self):
        source = np.random.default_rng(0)
        town = source.choice(["Ulm", "Bonn", "Lyon"], 300)
        land = np.where(town == "Lyon", "F", "D")
        low = source.integers(0, 30, 300)
        frame = pd.DataFrame({"town": town, "land": land, "low": low, "high": low + source.integers(1, 4, 300)})
        rules = ("low < high", "-1 <= low <= 30", "town + land")
        table = Table.fit(TableItems(frame, {}, rules))
        wild = torch.randn(3000, table.spec().shape[0], generator=torch.Generator().manual_seed(0))
        made = table.decode(wild)
        assert (made["low"] < made["high"]).all()
        assert ((made["town"] == "Lyon") == (made["land"] == "F")).all()
        assert made["town"].nunique() == 3
        assert Modality.from_json(json.loads(json.dumps(table.to_json()))) == table

    def made(self, frame: pd.DataFrame, rules: tuple[str, ...], asked=None, count=3000) -> pd.DataFrame:
        table = Table.fit(TableItems(frame, {}, rules))
        wild = torch.randn(count, table.spec().shape[0], generator=torch.Generator().manual_seed(0))
        return table.finished(wild, asked or {})

    def test_a_chain_of_orders_holds_in_every_row(self):
        source = np.random.default_rng(0)
        ladder = np.sort(source.integers(0, 99, (400, 4)), 1)
        made = self.made(pd.DataFrame(ladder, columns=list("abcd")), ("a <= b", "c <= d", "b <= c"))
        assert (np.diff(made.to_numpy(), axis=1) >= 0).all()

    def test_a_strict_order_holds_in_days_and_cents_as_they_are_written(self, tmp_path):
        source, day = np.random.default_rng(0), pd.Timestamp("2021-01-01")
        start = source.integers(0, 30, 400)
        frame = pd.DataFrame({"start": day + pd.to_timedelta(start, "D"), "cost": source.integers(0, 400, 400) / 100})
        frame["end"] = frame["start"] + pd.to_timedelta(source.integers(1, 9, 400), "D")
        frame["price"] = (frame["cost"] + source.integers(1, 99, 400) / 100).round(2)
        made = self.made(frame, ("start < end", "cost < price"))
        assert ((made["end"] - made["start"]) >= pd.Timedelta(days=1)).all()
        assert ((made["price"] - made["cost"]) > 0.009).all()
        assert np.allclose(made["price"], made["price"].round(2), atol=1e-12)
        for name in frame:
            assert made[name].between(frame[name].min(), frame[name].max()).all()

    @pytest.mark.parametrize(
        "asked", [{"low": "20..25", "high": "1..22"}, {"low": "20..25"}, {"high": "5"}, {"low": "9", "high": "9..30"}]
    )
    def test_rules_do_not_lead_out_of_what_was_asked_for(self, asked):
        source = np.random.default_rng(0)
        low = source.integers(0, 30, 400)
        made = self.made(pd.DataFrame({"low": low, "high": low + source.integers(0, 9, 400)}), ("low <= high",), asked)
        assert (made["low"] <= made["high"]).all()
        for name, text in asked.items():
            ends = text.split("..")
            assert made[name].between(float(ends[0]), float(ends[-1])).all()

    def test_combinations_meet_all_columns_that_were_asked_for(self):
        frame = pd.DataFrame({"town": ["Ulm", "Ulm", "Bonn", "Lyon"] * 90, "land": ["D", "A", "D", "F"] * 90})
        frame["x"] = np.arange(360) % 7
        table = Table.fit(TableItems(frame, {}, ("town + land",)))
        rows = table.encode(frame.assign(land=np.where(frame["town"] == "Ulm", "F", frame["land"])))
        made = table.finished(rows[:1], {"town": "Ulm|Bonn", "land": "A|F"})
        assert made[["town", "land"]].to_numpy().tolist() == [["Ulm", "A"]]
        with pytest.raises(RequestError, match=r"no row of the data has what is asked of town and land together"):
            table.requested({"town": "Bonn", "land": "F"})

    def test_requests_that_no_row_could_meet_and_keep_the_rule_are_refused(self):
        frame = pd.DataFrame({"low": np.arange(60) % 30, "high": np.arange(60) % 30 + 1})
        table = Table.fit(TableItems(frame, {}, ("low < high",)))
        with pytest.raises(RequestError, match="'low < high' leaves no row"):
            table.requested({"low": "9..12", "high": "5..9"})

    @pytest.mark.parametrize("rule", ["town <= n", "0 <= town <= 5", "0 <= day <= 5"])
    def test_a_rule_of_sizes_on_texts_and_a_range_of_dates_are_refused(self, rule):
        frame = pd.DataFrame({"town": ["a", "b"] * 30, "n": range(60), "day": pd.date_range("2024-01-01", periods=60)})
        with pytest.raises(RequestError, match=r"column '(town|day)' holds .*, not numbers"):
            Table.fit(TableItems(frame, {}, (rule,)))

    @pytest.mark.parametrize(
        ("rule", "reason"),
        [
            ("end <= start", "does not hold in"),
            ("start <= finish", "finish"),
            ("start", "is no rule"),
            ("100 <= start <= 200", "does not hold"),
        ],
    )
    def test_a_rule_that_the_data_break_or_that_is_none_is_refused(self, rule, reason):
        with pytest.raises((DataError, RequestError), match=reason):
            Table.fit(TableItems(planted(300), {}, (rule,)))


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(10**6), 10**6)),
            st.one_of(st.none(), st.sampled_from(["a", " b", "ü", "-"])),
            st.booleans(),
        ),
        min_size=2,
        max_size=60,
    )
)
@settings(max_examples=30, deadline=None)
def test_any_small_table_comes_back(rows):
    frame = pd.DataFrame(rows, columns=["number", "word", "truth"])
    frame["number"] = frame["number"].astype("Int64")
    items = TableItems(frame, {"number": "integer", "word": "categorical"})
    if frame["truth"].nunique() == 1 and not frame["number"].notna().any() and not frame["word"].notna().any():
        return
    frame.loc[0, "truth"], frame.loc[1, "truth"] = True, False
    table = Table.fit(items)
    again = table.decode(table.encode(frame))
    assert again["number"].fillna(10**9).tolist() == pytest.approx(frame["number"].fillna(10**9).tolist(), abs=1)
    assert again["word"].fillna("?").tolist() == frame["word"].fillna("?").tolist()
    assert again["truth"].tolist() == frame["truth"].tolist()


def test_texts_have_the_types_that_they_stand_for():
    text = pd.DataFrame(
        {
            "n": ["1", None, "3"], "x": ["1.5", "2", "-3e2"], "code": ["01", "02", "10"], "t": ["true", "False", None],
            "day": ["2020-01-31", "2020-02-01", None], "dmy": ["31/01/2020", "01/02/2020", "13/02/2020"],
            "word": ["1", "two", "3"], "void": [None, None, None],
        },
        dtype="str",
    )  # fmt: skip
    found = typed(text).dtypes.astype(str).to_dict()
    assert found.pop("day").startswith("datetime64")
    assert found.pop("dmy").startswith("datetime64")
    expected = {"n": "Int64", "x": "float64", "code": "str", "t": "boolean", "word": "str", "void": "float64"}
    assert found == expected


def test_dates_are_written_as_they_were_read(tmp_path):
    words = [f"{1 + n % 28:02}/{1 + n % 12:02}/2021 {n % 24:02}:30" for n in range(80)]
    frame = typed(pd.DataFrame({"at": [None, *words[1:]], "x": [str(n % 7) for n in range(80)]}, dtype="str"))
    table = Table.fit(frame)
    again = table.decode(table.encode(frame))
    assert again["at"].equals(frame["at"])
    table.save(again, tmp_path / "rows.csv")
    written = pd.read_csv(tmp_path / "rows.csv", dtype=str)["at"]
    assert written.isna()[0]
    assert written[1:].tolist() == words[1:]


@pytest.mark.parametrize("words", [("true", "false"), ("TRUE", "FALSE"), ("True", "False"), ("true",), ("FALSE",)])
@pytest.mark.parametrize("nulls", [True, False])
def test_true_and_false_are_written_as_they_were_read(tmp_path, words, nulls):
    texts = [words[n % len(words)] for n in range(80)]
    texts = [None, *texts[1:]] if nulls else texts
    frame = typed(pd.DataFrame({"vip": texts, "x": [str(n % 7) for n in range(80)]}, dtype="str"))
    table = Table.fit(frame)
    assert table.forms["vip"].lower() == "true|false"
    assert set(words) <= set(table.forms["vip"].split("|"))
    table.save(table.decode(table.encode(frame)), tmp_path / "rows.csv")
    written = pd.read_csv(tmp_path / "rows.csv", dtype=str, keep_default_na=False)["vip"]
    assert written.tolist() == [text or "" for text in texts]


@pytest.mark.parametrize(
    ("offsets", "first"),
    [
        (["Z"], "2021-05-02T09:01:00Z"),
        (["+02:00"], "2021-05-02T09:01:00+02:00"),
        (["-0330"], "2021-05-02T09:01:00-0330"),
        (["+01:00", "+02:00"], "2021-05-02T07:01:00+00:00"),
    ],
)
def test_times_with_an_offset_are_learned_and_written_with_it(tmp_path, offsets, first):
    words = [f"2021-05-{1 + n % 28:02}T09:{n % 60:02}:00{offsets[n % len(offsets)]}" for n in range(80)]
    frame = typed(pd.DataFrame({"at": [None, *words[1:]], "x": [str(n % 7) for n in range(80)]}, dtype="str"))
    table = Table.fit(frame)
    again = table.decode(table.encode(frame))
    pd.testing.assert_frame_equal(again, frame)
    table.save(again, tmp_path / "rows.csv")
    found = pd.read_csv(tmp_path / "rows.csv", dtype=str)["at"]
    assert found[1] == first
    assert pd.to_datetime(found[1:], utc=True).equals(pd.to_datetime(pd.Series(words)[1:], utc=True))


@pytest.mark.parametrize("ending", ["{:03}", "{:06}", "{:01}", "{:03}Z"])
def test_fractions_of_a_second_are_made_and_written_with_the_digits_of_the_data(tmp_path, ending):
    digits = len(ending.format(0).rstrip("Z"))
    words = [f"2021-05-{1 + n % 28:02}T09:{n % 60:02}:07.{ending.format(n * 137 % 10**digits)}" for n in range(80)]
    frame = typed(pd.DataFrame({"at": [None, *words[1:]], "x": [str(n % 7) for n in range(80)]}, dtype="str"))
    table = Table.fit(frame)
    away = (table.decode(table.encode(frame))["at"] - frame["at"]).dropna()
    assert len(away) == 79
    assert away.abs().max() < pd.Timedelta(seconds=2)
    made = table.decode(torch.randn(300, table.spec().shape[0], generator=torch.Generator().manual_seed(0)))
    table.save(made, tmp_path / "rows.csv")
    found = pd.read_csv(tmp_path / "rows.csv", dtype=str)["at"].dropna()
    assert found.str.fullmatch(rf"2021-05-\d\dT\d\d:\d\d:\d\d\.\d{{{digits}}}Z?").all()
    stamps = made["at"].dropna().dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64)
    assert (stamps % 10 ** max(9 - max(digits, 3), 3) == 0).all()


def test_times_in_a_zone_keep_it_over_the_hours_that_summer_time_skips_and_repeats():
    at = pd.Series(pd.date_range("2024-03-30", "2024-11-01", freq="h", tz="Europe/Berlin"))
    frame = pd.DataFrame({"at": at, "x": np.arange(len(at)) % 5})
    table = Table.fit(TableItems(frame, {}, ("at + x",)))
    assert (table.decode(table.encode(frame))["at"] == at).mean() > 0.999
    made = table.decode(torch.randn(300, table.spec().shape[0], generator=torch.Generator().manual_seed(0)))
    assert made.dtypes.equals(frame.dtypes)


def test_files_of_each_ending_hold_the_same_rows(table, frame, tmp_path):
    made = table.decode(table.encode(frame))
    for ending in (".csv", ".tsv", ".parquet"):
        assert table.save(made, tmp_path / f"rows{ending}") == [tmp_path / f"rows{ending}"]
    assert pd.read_parquet(tmp_path / "rows.parquet").equals(made)
    assert pd.read_csv(tmp_path / "rows.csv").shape == pd.read_csv(tmp_path / "rows.tsv", sep="\t").shape == made.shape
    assert table.save(made, tmp_path / "folder") == [tmp_path / "folder" / "samples.csv"]
    table.preview(made, tmp_path / "rows.png")
    assert (tmp_path / "rows.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RequestError, match=r"not \.xlsx"):
        table.save(made, tmp_path / "rows.xlsx")
