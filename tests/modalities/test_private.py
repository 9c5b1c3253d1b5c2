import numpy as np
import pandas as pd
import pytest

from sparring.errors import DataError, RequestError
from sparring.modalities.frames import TableItems
from sparring.modalities.private import fit_privately
from sparring.privacy import Privacy

PRIVACY = Privacy(epsilon=50.0, delta=1e-5)


def frame(rows=2000):
    source = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": source.integers(17, 90, rows),
            "gain": np.where(source.random(rows) < 0.8, 0.0, source.uniform(100, 60000, rows)),
            "town": np.where(source.random(rows) < 0.7, "Ulm", "Bonn"),
            "member": source.random(rows) < 0.3,
            "note": pd.array(np.where(source.random(rows) < 0.4, None, 3), "Int64"),
        }
    )


def fitted(table, privacy=PRIVACY, kinds=None, rules=(), seed=3):
    return fit_privately(TableItems(table, kinds or {}, rules), privacy, seed)


def test_a_codec_learned_privately_brings_known_values_back():
    table = frame()
    codec = fitted(table)
    back = codec.decode(codec.encode(table))
    assert abs(codec.rows - 2000) < 30
    assert (back["town"] == table["town"]).all()
    assert (back["member"] == table["member"]).all()
    assert (back["age"] == table["age"]).all()
    assert (back["note"].isna() == table["note"].isna()).all()
    near = np.isclose(back["gain"], table["gain"], rtol=0.02, atol=1)
    assert near.mean() > 0.97
    assert (back["gain"] >= table["gain"] - 1).all(), "what is below the noisy bound is raised to it"


def test_a_value_of_a_single_row_leaves_no_trace_in_the_codec():
    table = frame()
    table.loc[7, "town"] = "Secretville"
    table.loc[7, "gain"] = 123456789.0
    codec = fitted(table)
    assert "Secretville" not in str(codec.to_json())
    assert max(column.high for column in codec.columns if column.title == "gain") < 200_000
    back = codec.decode(codec.encode(table))
    assert back["town"][7] == "Ulm", "hardly any value is unnamed: the most frequent one stands for it"
    assert back["gain"][7] < 200_000


def test_rare_values_become_nulls_where_there_are_many_of_them():
    table = frame()
    table.loc[:199, "town"] = [f"hamlet {i}" for i in range(200)]
    codec = fitted(table)
    back = codec.decode(codec.encode(table))
    assert back["town"][:200].isna().all()
    assert back["town"][200:].notna().all()


def test_what_the_user_says_is_asked_of_no_row():
    domains = {"age": "0..100", "town": "Bonn|Ulm|Trier", "gain": "0..60000", "note": "0..9"}
    told, other = (fitted(t, PRIVACY.but(domains=domains)).columns for t in (frame(), frame().iloc[:50]))
    assert told[2] == other[2]
    assert told[2].values == ("Bonn", "Ulm", "Trier")
    assert (told[0].low, told[0].high) == (0, 100)


def test_what_is_not_done_privately_is_refused():
    dated = frame().assign(day=pd.Timestamp("2020-01-01"))
    with pytest.raises(DataError, match=r"'day' .* cannot be learned privately"):
        fitted(dated)
    with pytest.raises(DataError, match="'name' has no value frequent enough"):
        fitted(frame().assign(name=[f"person {i}" for i in range(2000)]))
    with pytest.raises(RequestError, match=r"the rule 'town \+ member'"):
        fitted(frame(), rules=("town + member",))
    with pytest.raises(RequestError, match="no column is called 'tow'"):
        fitted(frame(), PRIVACY.but(domains={"tow": "a|b"}))
    with pytest.raises(RequestError, match=r"'90\.\.17' is no interval"):
        fitted(frame(), PRIVACY.but(domains={"age": "90..17"}))
    with pytest.raises(DataError, match="cannot be told within the budget"):
        fitted(frame(30)[["gain"]] + 0.5, Privacy(epsilon=0.1))


def test_identifiers_are_counted_from_nought():
    codec = fitted(frame().assign(id=np.arange(5000, 7000)), kinds={"id": "identifier"})
    assert codec.decode(codec.encode(frame().assign(id=1)))["id"].tolist()[:3] == [0, 1, 2]
