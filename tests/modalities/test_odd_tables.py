"""Tables as people have them: names of any script, sentinels, small types, lists, points in names."""

import datetime

import numpy as np
import pandas as pd
import pytest
import torch

from sparring.data.tables import Tables
from sparring.errors import DataError, RequestError
from sparring.estimators import TableGAN
from sparring.lots import lot_of
from sparring.modalities.columns import fit_column, sort_of
from sparring.modalities.columns.identifier import Identifier
from sparring.modalities.frames import TableItems
from sparring.modalities.table import Table

QUICK = ["training.batch=20", "game.network.width=8", "training.best=none"]


def identifiers(words, count=300):
    column = fit_column(pd.Series(words, name="who"), "identifier")
    assert isinstance(column, Identifier)
    return column, column.fresh(0, count)


@pytest.mark.parametrize("script", ["王小明 李四光 張三丰", "Иван Ольга Пётр", "Müller Åström Ñandú", "٤٥٦ ٧٨٩ ١٢٣"])
def test_no_letter_of_an_identifier_of_any_script_is_given_away(script):
    words = [f"{word}{chr(0x4E00 + n)}{n}x" for n, word in enumerate(script.split() * 20)]
    column, made = identifiers(words)
    strange = {letter for letter in "".join(words) if not letter.isascii()}
    assert not strange & set("".join(made))
    assert not strange & set(str(column.to_json()))
    assert len(set(made)) == 300


@pytest.mark.parametrize("words", [["ABC", "QRX", "LMN"], ["k7-q", "m2-z"], ["ab.cd"]])
def test_short_identifiers_do_not_repeat_before_all_were_made(words):
    _, made = identifiers(words * 9, 2500)
    assert len(set(made)) == 2500
    assert {tuple(letter.isalpha() for letter in word) for word in made} == {
        tuple(letter.isalpha() for letter in words[0])
    }


def test_identifiers_are_missing_as_often_as_in_the_data():
    words = [None if n % 10 < 3 else f"n{n:05d}" for n in range(400)]
    _, made = identifiers(words, 2000)
    assert 0.25 < np.mean([word is None for word in made]) < 0.35
    frame = pd.DataFrame({"who": words, "x": np.arange(400) % 7})
    table = Table.fit(TableItems(frame, {"who": "identifier"}))
    assert 0.2 < table.decode(table.encode(frame))["who"].isna().mean() < 0.4


@pytest.mark.parametrize(
    ("title", "sort"),
    [("amount_paid", "integer"), ("bid", "integer"), ("PAID", "integer"), ("covid", "integer"), ("grid", "integer"),
     ("id", "identifier"), ("user_id", "identifier"), ("USER_ID", "identifier"), ("customerID", "identifier"),
     ("rowId", "identifier"), ("Key", "identifier"), ("index", "identifier")],
)  # fmt: skip
def test_numbers_that_do_not_repeat_are_identifiers_by_name(title, sort):
    amounts = np.random.default_rng(0).choice(100_000, 500, replace=False)
    assert sort_of(pd.Series(amounts, name=title)) == sort


def test_a_rule_of_combinations_holds_for_pandas_categories():
    source = np.random.default_rng(0)
    city = source.choice(["Rome", "Oslo", "Lima"], 300)
    country = pd.Series(city).map({"Rome": "Italy", "Oslo": "Norway", "Lima": "Peru"})
    frame = pd.DataFrame({"city": city, "country": country, "x": source.normal(size=300)})
    frame = frame.astype({"city": "category", "country": "category"})
    table = Table.fit(TableItems(frame, rules=("city + country",)))
    encoded = table.encode(frame)
    made = table.decode(encoded[:, np.random.default_rng(1).permutation(encoded.shape[1])])
    there = set(zip(frame["city"], frame["country"], strict=True))
    assert len(there) == 3
    assert set(zip(made["city"], made["country"], strict=True)) <= there
    assert str(made["city"].dtype) == "category"


def test_dates_beyond_the_nanoseconds_of_pandas_are_kept():
    days = [datetime.datetime(2020, 1, 1) + datetime.timedelta(days=n % 300) for n in range(400)]
    days[::5] = [datetime.datetime(9999, 12, 31)] * 80
    frame = pd.DataFrame({"until": pd.Series(days, dtype="datetime64[us]"), "x": np.arange(400) % 7})
    table = Table.fit(frame)
    made = table.decode(table.encode(frame))
    pd.testing.assert_frame_equal(made, frame)
    assert "2020-01-02 to 9999-12-31" in table.described()["until"]


@pytest.mark.parametrize(("ending", "low", "high"), [("", "09:00", "10:30"), (":07", "09:00:07", "10:30:07")])
def test_times_of_day_are_learned_asked_for_and_written_as_they_were_read(tmp_path, ending, low, high):
    minutes = np.random.default_rng(0).choice(600, 400, replace=False) + 480
    words = [f"{m // 60:02d}:{m % 60:02d}{ending}" for m in minutes]
    frame = pd.DataFrame({"at": [None if n % 20 == 3 else w for n, w in enumerate(words)], "x": np.arange(400) % 7})
    frame.to_csv(tmp_path / "a.csv", index=False)
    data = Tables(path=str(tmp_path / "a.csv")).load()
    table = Table.fit(data.items)
    assert table.described()["at"].startswith("times of day 08:")
    rows = data.items[np.arange(400)]
    made = table.decode(table.encode(rows))
    table.save(made, tmp_path / "b.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "b.csv"), frame)
    wild = torch.randn(300, table.spec().shape[0], generator=torch.Generator().manual_seed(0))
    table.save(table.finished(wild, {"at": f"{low}..{high}"}), tmp_path / "c.csv")
    asked = pd.read_csv(tmp_path / "c.csv")["at"]
    assert asked.dropna().str.fullmatch(r"\d\d:\d\d" + (r":\d\d" if ending else "")).all()
    assert asked.dropna().between(low, high).all()
    assert asked.nunique() > 5
    with pytest.raises(RequestError, match=r"such as 08:00\.\.12:30"):
        table.requested({"at": "soon"})


@pytest.mark.parametrize("kind", ["uint8", "int8", "Int8"])
def test_identifiers_of_a_small_type_count_on_in_a_larger_one(kind):
    frame = pd.DataFrame({"id": pd.Series(np.arange(1, 121), dtype=kind), "x": np.arange(120) % 7})
    table = Table.fit(TableItems(frame, {"id": "identifier"}))
    made = table.joined([table.decode(table.encode(frame)) for _ in range(3)])
    assert made["id"].astype(int).tolist() == list(range(121, 481))


def test_a_column_of_lists_is_refused_with_what_to_do():
    frame = pd.DataFrame({"vector": [[1.0, 2.0]] * 50, "x": np.arange(50)})
    with pytest.raises(DataError, match=r"'vector' holds values .* \(list\).*data\.drop=vector"):
        Table.fit(frame)


@pytest.mark.parametrize("setting", ["data.kinds.default.payment.next.month", "kinds.default.payment.next.month"])
def test_names_of_columns_may_hold_points(setting):
    from sparring.experiment import Experiment

    experiment = Experiment(data=Tables(path="x.csv", kinds={"a": "integer"}))
    kinds = experiment.override(f"{setting}=categorical").data.kinds
    assert kinds == {"a": "integer", "default.payment.next.month": "categorical"}


@pytest.mark.parametrize("setting", ["training.per_player.generator.optimiser=adam", "per_player.generator.rat=1"])
def test_fields_of_players_that_are_not_there_are_no_players(setting):
    from sparring.experiment import Experiment

    with pytest.raises(RequestError, match="no field is called"):
        Experiment(data=Tables(path="x.csv")).override(setting)


def test_an_array_gives_an_array_and_labels_of_columns_come_back():
    values = np.random.default_rng(0).integers(0, 5, (120, 3)).astype(np.float32)
    made = TableGAN(epochs=1, settings=QUICK).fit(values, discrete_columns=[0]).sample(7)
    assert isinstance(made, np.ndarray)
    assert (made.shape, made.dtype) == ((7, 3), np.float32)
    kept = TableGAN(epochs=1, settings=QUICK).fit(values, discrete_columns=[0])
    model = kept.model_
    frame = pd.DataFrame(values, columns=["x1", "x2", "x3"])
    np.testing.assert_array_equal(model.score(values), model.score(frame))
    lot = lot_of(model, values[:, 1:], values[:, 0], label="x1")
    pd.testing.assert_frame_equal(lot.items, lot_of(model, frame, None, label="x1").items)
    with pytest.raises(RequestError, match=r"an array \(n, 3\) is wanted"):
        model.score(values[:, :2])
    learned = TableGAN(epochs=1, settings=QUICK).fit(pd.DataFrame(values), discrete_columns=[0, 2])
    assert list(learned.sample(5).columns) == [0, 1, 2]
    assert [said for said in learned.model_.modality.described().values() if "categor" in said] != []


def test_a_run_that_is_there_is_replaced_only_where_that_is_said(tmp_path):
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=120), "y": np.arange(120) % 3})
    kept = TableGAN(epochs=1, settings=QUICK, out=tmp_path / "run").fit(frame).sample(3)
    with pytest.raises(RequestError, match="run"):
        TableGAN(epochs=1, settings=QUICK, out=tmp_path / "run").fit(frame)
    again = TableGAN.load(tmp_path / "run")
    pd.testing.assert_frame_equal(again.sample(3), kept)
    again.epochs, again.settings = 1, QUICK
    again.fit(frame)
    pd.testing.assert_frame_equal(TableGAN.load(tmp_path / "run").sample(3), kept)
    TableGAN(epochs=1, settings=QUICK, out=tmp_path / "run", overwrite=True, seed=3).fit(frame)
