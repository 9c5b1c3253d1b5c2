import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sparring.data.opening import open_data
from sparring.data.rows import RowReader
from sparring.data.tables import Tables, store_frame
from sparring.errors import DataError, RequestError
from sparring.modalities.table import Table
from tests.tables import every_kind, planted


def written(folder, text: str | bytes, name: str = "x.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_a_file_of_each_ending_is_opened_by_its_name(tmp_path, ending):
    frame, path = every_kind(), tmp_path / f"people{ending}"
    if ending == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    source = open_data(str(path))
    read = source.load()
    assert (source.name, source.title(), read.modality) == ("tables", "people", "table")
    assert read.items.shape == frame.shape
    assert read.items[np.array([3, 1])]["id"].tolist() == [1003, 1001]
    assert read.digests.dtype == np.dtype("S32")
    assert len(set(read.digests.tolist())) == len(frame)


def test_equal_rows_have_equal_digests_and_no_others(tmp_path):
    read = Tables(path=str(written(tmp_path, "a,b\n1,x\n2,x\n1,x\n1,y\n,x\n,x\n"))).load()
    assert [read.digests.tolist().index(digest) for digest in read.digests] == [0, 1, 0, 3, 4, 4]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("\ufeffa;b\n1;2,5\n3;4,5\n", ["a", "b"]),
        ("a\tb\n1\t2\n3\t4\n", ["a", "b"]),
        ('"a,b",c\n"1,2",3\n"4,5",6\n', ["a,b", "c"]),
        ("only\n1\n2\n", ["only"]),
        ("a,b\r\n1,2\r\n3,4\r\n", ["a", "b"]),
    ],
)
def test_the_separator_is_found_and_marks_of_byte_order_are_none_of_the_name(tmp_path, text, columns):
    assert list(Tables(path=str(written(tmp_path, text))).load().items.frame) == columns


def test_letters_that_are_no_utf8_are_read_and_it_is_said(tmp_path):
    read = Tables(path=str(written(tmp_path, "town,n\nZürich,1\nUlm,2\n".encode("latin-1")))).load()
    assert read.items.frame["town"][0] == "Zürich"
    assert "Latin-1" in read.notes[0]


def test_columns_that_are_nearly_numbers_are_said_to_be_text(tmp_path):
    rows = [f'{i},"{i + 1},5{i % 7}0",{"n/d" if i == 9 else i},0{i},{"yes" if i % 2 else i}' for i in range(40)]
    path = written(tmp_path, "\n".join(["whole,price,age,code,mixed", *rows]))
    notes = Tables(path=str(path)).load().notes
    assert notes == (
        "column 'price' was read as text, as the comma of '1,500' may tell thousands or decimals apart; write points",
        "column 'age' was read as text, as 'n/d' is no number (1 such)",
    )
    assert not Tables(path=str(path), drop=("price", "age")).load().notes


def test_decimal_commas_are_read_and_written(tmp_path):
    rows = [f"{i};{i},{i % 4};1.{100 + i},5;{f'{i},250' if i else ''}" for i in range(40)]
    items = Tables(path=str(written(tmp_path, "\n".join(["whole;price;grouped;weight", *rows])))).load()
    frame = items.items.frame
    assert frame["price"].tolist() == [i + i % 4 / 10 for i in range(40)]
    assert frame["grouped"].tolist() == [1100.5 + i for i in range(40)]
    assert frame["whole"].dtype == "int64"
    assert frame["weight"].dtype.kind == "O", "1,250 may be one thousand"
    assert "column 'price' has decimal commas and is written with them" in items.notes
    codec = Table.fit(items.items)
    codec.save(frame, tmp_path / "again.csv")
    again = Tables(path=str(tmp_path / "again.csv")).load().items.frame
    assert again["price"].tolist() == frame["price"].tolist()
    assert '"1,1"' in (tmp_path / "again.csv").read_text()


def test_values_beyond_the_last_column_are_cut_off_and_it_is_said(tmp_path):
    read = Tables(path=str(written(tmp_path, "a,b\n1,2,3\n4,5,6\n7,8,9\n"))).load()
    assert read.items.frame["b"].tolist() == [2, 5, 8]
    assert read.notes == ("rows of x.csv with more values than columns were cut off after the last column",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("a,b\n", "0 rows"),
        ("a,b\n1,2\n", "1 rows, too few"),
        ("a,a\n1,2\n3,4\n", "column 'a' twice"),
        ("a,b\n,\n,\n", "no value at all"),
        ("\n\n1,2\n", "column names"),
        (b"\x00\x01\x02" * 50, "column names"),
        ("a" * 200_000 + ",b\n1,2\n3,4\n", "field larger than field limit"),
    ],
)
def test_what_is_no_table_is_one_error(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        Tables(path=str(written(tmp_path, text))).load()


def test_a_parquet_with_any_byte_of_its_texts_damaged_is_read_or_refused(tmp_path):
    """Of texts that are none, and of references beyond a column's texts, the reader says nothing by itself."""
    path, frame = tmp_path / "x.parquet", pd.DataFrame({"word": ["a", "b", "c"] * 4})
    frame["kind"] = pd.Categorical(["x", "y", "z", "x"] * 3)
    frame.to_parquet(path, index=False, compression=None)
    sound, said = path.read_bytes(), ""
    for place in range(4, 140):
        for other in (b"\xff", bytes([sound[place] ^ 15])):
            path.write_bytes(sound[:place] + other + sound[place + 1 :])
            try:
                Tables(path=str(path)).load()
            except DataError as error:
                said += str(error)
    assert "Invalid UTF8" in said
    assert "out of bounds" in said


def test_a_damaged_parquet_a_missing_file_and_an_unknown_column_are_one_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read as parquet"):
        Tables(path=str(written(tmp_path, b"PAR1nonsense", "x.parquet"))).load()
    with pytest.raises(RequestError, match="no file"):
        Tables(path=str(tmp_path / "none.csv")).load()
    with pytest.raises(RequestError, match="called 'c'"):
        Tables(path=str(written(tmp_path, "a,b\n1,2\n3,4\n")), drop=("c",)).load()


def test_a_table_that_may_not_be_read_is_one_error(tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3,4\n")

    def locked(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(DataError, match=r"x\.csv' cannot be read \(Permission denied\)"):
        Tables(path=str(tmp_path / "x.csv")).load()


def test_dates_and_decimals_of_a_parquet_and_a_frame_are_measured(tmp_path):
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(60)]
    frame = pd.DataFrame({"day": [None, *days[1:]], "price": [Decimal(n) / 4 for n in range(60)], "town": ["a"] * 60})
    frame.to_parquet(tmp_path / "x.parquet")
    for source in (Tables(path=str(tmp_path / "x.parquet")), store_frame(frame, tmp_path)):
        read = source.load().items.frame
        assert [dtype.kind for dtype in read.dtypes[:2]] == ["M", "f"]
        assert read["day"].isna().tolist() == [True, *[False] * 59]
        assert read["price"][3] == 0.75


def test_columns_that_are_dropped_are_gone(tmp_path):
    path = written(tmp_path, "a,b\n1,2\n3,4\n")
    assert list(Tables(path=str(path), drop=("a",)).load().items.frame) == ["b"]


def test_a_frame_in_memory_is_kept_by_its_content(tmp_path):
    frame = every_kind()
    first, again = store_frame(frame, tmp_path), store_frame(frame.copy(), tmp_path)
    assert first == again
    assert store_frame(frame.rename(columns={"weight": "mass"}), tmp_path) != first
    pd.testing.assert_frame_equal(first.load().items.frame, frame)
    keyed = [store_frame(frame, tmp_path, key).path for key in (5, 5, 6)]
    assert keyed[0] == keyed[1]
    assert len({first.path, *keyed}) == 3
    with pytest.raises(DataError, match="cannot be kept"):
        store_frame(pd.DataFrame({"x": [1, "a", None], "y": [{}, [], 2]}), tmp_path)


@pytest.fixture(scope="module")
def reader() -> RowReader:
    read = planted()
    table = Table.fit(read)
    from sparring.modalities.frames import TableItems

    return RowReader(TableItems(read), np.arange(2000), table, asked=table.askable(), together=0.5, seed=0)


class TestRowReader:
    def test_a_batch_depends_on_its_position_alone(self, reader):
        whole = reader.batch(700, slice(0, 64))
        part = reader.batch(690, slice(20, 40))
        assert part.target.equal(whole.target[10:30])
        assert part.condition.equal(whole.condition[10:30])

    @staticmethod
    def met(reader, batch):
        """How many of the wishes of each row its own choices meet."""
        choices, start = [], 0
        for place in reader.table.places():
            for span in place.spans:
                if span.activation == "softmax":
                    choices.append(batch.target[:, start : start + span.width])
                start += span.width
        return (torch.cat(choices, 1) * batch.condition).sum(1)

    def test_every_row_meets_its_condition(self, reader):
        batch = reader.batch(0, slice(0, 500))
        named = batch.condition.sum(1)
        assert self.met(reader, batch).equal(named)
        assert named.min() == 1
        assert 0.3 < (named > 1).float().mean() < 0.6

    def test_rare_values_are_read_by_the_logarithm_of_their_number(self, reader):
        shares = []
        for position in range(0, 20_000, 500):
            shares.append((reader.table.decode(reader.batch(position, slice(0, 500)).target)["mark"] == "rare").mean())
        # A seventh of the rows is chosen by this column, of those log(1 + 20) : log(1 + 1980) are rare, else 1 %.
        assert np.mean(shares) == pytest.approx(1 / 7 * np.log1p(20) / (np.log1p(20) + np.log1p(1980)) + 0.01, abs=0.02)

    def test_distinct_rows_come_once_and_meet_their_wishes(self, reader):
        whole, second = reader.distinct(0, 200), reader.distinct(100, 200)
        assert whole.target[100:].equal(second.target)
        assert whole.condition[100:].equal(second.condition)
        assert len({row.tobytes() for row in whole.target.numpy()}) == 200
        assert len({row.tobytes() for row in reader.batch(0, slice(0, 200)).target.numpy()}) < 200
        assert self.met(reader, whole).equal(whole.condition.sum(1))
        assert whole.condition.sum(1).min() == 1

    def test_without_columns_to_ask_for_rows_are_shuffled_without_conditions(self, reader):
        plain = RowReader(reader.items, np.arange(50), reader.table, asked=(), together=0.5, seed=0)
        batch = plain.batch(0, slice(0, 50))
        assert batch.condition is None
        starts = reader.table.decode(batch.target)["start"].sort_values().tolist()
        assert starts == reader.items.frame["start"][:50].sort_values().tolist()


def test_without_pandas_the_error_says_what_brings_it(tmp_path, monkeypatch):
    path = written(tmp_path, "a,b\n1,2\n3,4\n")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RequestError, match=r"'pandas' is not installed; pip install 'sparring\[tables\]'"):
        Tables(path=str(path)).load()
