"""Tables: ``.csv``, ``.tsv`` and ``.parquet`` files, and frames in memory."""

import csv
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from sparring.data import Dataset, DataSource
from sparring.data.parquet import REMEDY, refuse_large
from sparring.data.room import refuse_beyond_memory
from sparring.data.rows import read_rows
from sparring.errors import DataError, MissingExtra, RequestError, choices
from sparring.files import write_atomic
from sparring.modalities.columns import Sort
from sparring.modalities.frames import Frame, TableItems, nearly_numbers, pandas, typed
from sparring.randomness import derive

ENDINGS = (".csv", ".tsv", ".parquet")
_NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
_SEPARATORS = ",;\t|"
_MOST_COLUMNS = 2000
_TEXT = 4
"""Bytes of memory that a byte of a table's text takes, at least, until its types are known."""


class Tables(DataSource):
    """A table, a row an item; columns are what their values say unless it is said otherwise."""

    path: str = Field(description=".csv, .tsv or .parquet file")
    separator: str | None = Field(default=None, description="between the columns of text; none: by the first line")
    kinds: dict[str, Sort] = Field(default={}, description="what columns are, where their values do not say it")
    drop: tuple[str, ...] = Field(default=(), description="columns that are left out")
    rules: tuple[str, ...] = Field(
        default=(), description="what holds in every row: 'start <= end', '0 <= age <= 120', 'city + country'"
    )

    @field_validator("path", mode="before")
    @classmethod
    def _text(cls, path: Any) -> Any:
        return os.fspath(path) if isinstance(path, os.PathLike) else path

    def title(self) -> str:
        return Path(self.path).expanduser().resolve().stem or "table"

    def load(self) -> Dataset:
        frame, notes = read_frame(self.path, self.separator, self.drop)
        path = Path(self.path)
        return Dataset(
            items=TableItems(frame, dict(self.kinds), self.rules),
            modality="table",
            names=[f"{path.name}#{row}" for row in range(len(frame))],
            digests=digests_of_rows(frame),
            notes=notes,
            reading=read_rows,
        )


def read_frame(path: str, separator: str | None, drop: Sequence[str]) -> tuple[Frame, tuple[str, ...]]:
    """A table in a file with the types that its texts stand for, and notes on what was made of it.

    Args:
        path: .csv, .tsv or .parquet file.
        separator: between the columns of text; None: by the first line.
        drop: columns that are left out.

    Raises:
        RequestError: there is no such file or column.
        DataError: it is no table, or has fewer than two rows.
    """
    place = Path(path).expanduser()
    if not place.is_file():
        raise RequestError(f"there is no file '{path}'")
    if not place.stat().st_size:
        raise DataError(f"'{path}' is empty")
    notes: tuple[str, ...] = ()
    try:
        if place.suffix.lower() == ".parquet":
            frame = _measured(_parquet(place))
        else:
            frame, notes = _text_table(place, separator)
    except (OSError, csv.Error) as error:
        said = error.strerror if isinstance(error, OSError) else f"no table: {error}"
        raise DataError(f"'{path}' cannot be read ({said})") from None
    frame.columns = [str(name) for name in frame.columns]
    for name in drop:
        if name not in frame.columns:
            raise RequestError(f"data.drop: {choices(name, 'column', list(frame.columns))}")
    frame = frame.drop(columns=list(drop))
    _refuse(frame, path)
    return frame, (*notes, *nearly_numbers(frame))


def store_frame(frame: Frame, folder: Path, key: int | None = None) -> Tables:
    """Keeps a frame in a folder, called after its content, so that a run can be gone on with.

    Args:
        frame: the table.
        folder: where it is kept.
        key: a secret of private rows: without it their name, which the experiment tells, says nothing of them.
    """
    frame = frame.reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    _refuse(frame, "the frame", in_file=False)
    frame = _measured(frame)
    digest = np.bitwise_xor.reduce(pandas().util.hash_pandas_object(_hashable(frame), index=True).to_numpy())
    content = int(digest) ^ hash_of_names(frame)
    path = Path(folder) / f"{content if key is None else derive(key, 'name', content):016x}.parquet"
    if not path.is_file():
        try:
            with write_atomic(path) as aside:
                frame.to_parquet(aside, index=False)
        except ImportError:
            raise MissingExtra("pyarrow", "tables") from None
        except (ValueError, TypeError, OSError) as error:
            raise DataError(f"the frame cannot be kept: {' '.join(str(error).split())[:160]}") from None
    return Tables(path=str(path))


def hash_of_names(frame: Frame) -> int:
    """A number for the columns' names and types."""
    return derive(*(f"{name}:{dtype}" for name, dtype in frame.dtypes.items()))


def _parquet(path: Path) -> Frame:
    try:
        refuse_large(path)
        return pandas().read_parquet(path)
    except ImportError:
        raise MissingExtra("pyarrow", "tables") from None
    except DataError:
        raise
    except Exception as error:  # damaged bytes make its reader raise anything
        raise DataError(f"'{path}' cannot be read as parquet: {' '.join(str(error).split())[:120]}") from None


def _measured(frame: Frame) -> Frame:
    """The frame with Python's dates as pandas' dates and decimal numbers as floats, which can be measured."""
    found = {}
    for name in [name for name, dtype in frame.dtypes.items() if str(dtype) == "object"]:
        sorts = set(map(type, frame[name].dropna()))
        if sorts == {date}:
            found[name] = pandas().to_datetime(frame[name])
        elif sorts == {Decimal}:
            found[name] = frame[name].astype("float64")
    return frame.assign(**found)


def _text_table(path: Path, separator: str | None) -> tuple[Frame, tuple[str, ...]]:
    """A table of text with the types that its texts stand for, and what was made of its letters."""
    refuse_beyond_memory(_TEXT * path.stat().st_size, f"'{path}'", REMEDY)
    notes: tuple[str, ...] = ()
    encoding = "utf-8-sig"
    try:
        with path.open(encoding=encoding) as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError as error:
        encoding, notes = "latin-1", (f"{path.name} is no UTF-8 (byte {error.start}) and was read as Latin-1",)
    head = _head(path, encoding)
    if separator is None:
        separator = "\t" if path.suffix.lower() == ".tsv" else max(_SEPARATORS, key=head.count)
        separator = separator if separator in head else ","
    names = next(csv.reader([head], delimiter=separator))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"'{path}' has the column '{twice[0]}' twice; rename one")
    if len(names) > _MOST_COLUMNS:
        raise DataError(f"'{path}' has {len(names)} columns, more than {_MOST_COLUMNS}; leave some out")
    told = {"keep_default_na": False, "na_values": _NULLS, "encoding": encoding, "index_col": False}
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            frame = pandas().read_csv(path, sep=separator, dtype=str, **told)
    except (ValueError, OSError, csv.Error) as error:
        raise DataError(f"'{path}' is no table: {' '.join(str(error).split())[:160]}") from None
    if any("Length of header" in str(warning.message) for warning in warned):
        notes += (f"rows of {path.name} with more values than columns were cut off after the last column",)
    return typed(frame), notes


def _head(path: Path, encoding: str) -> str:
    with path.open(encoding=encoding, newline="") as file:
        line = file.readline(1 << 20).rstrip("\r\n")
    if not line.strip() or "\0" in line:
        raise DataError(f"'{path}' does not begin with a line of column names")
    return line


def _refuse(frame: Frame, path: str, *, in_file: bool = True) -> None:
    if not len(frame.columns):
        raise DataError(f"'{path}' has no columns")
    twice = [name for name, count in Counter(map(str, frame.columns)).items() if count > 1]
    if twice:
        raise DataError(f"'{path}' has the column '{twice[0]}' twice; rename one")
    if len(frame) < 2:
        few = f"{len(frame)} rows, too few to learn from"
        raise DataError(f"'{path}' has {few}; is the separator right?" if in_file else f"{path} has {few}; give more")
    if frame.isna().all(axis=None):
        raise DataError(f"'{path}' holds no value at all")


def _hashable(frame: Frame) -> Frame:
    """The frame with columns of mixed Python objects as text."""
    mixed = {name: frame[name].astype(str) for name, dtype in frame.dtypes.items() if dtype.kind == "O"}
    return frame.assign(**mixed) if mixed else frame


def digests_of_rows(frame: Frame) -> np.ndarray:
    """A content hash of each row, hexadecimal."""
    hashes = [
        pandas().util.hash_pandas_object(part, index=False, hash_key=key).to_numpy()
        for part, key in ((_hashable(frame), "0123456789123456"), (_hashable(frame).astype(str), "sparring of rows"))
    ]
    return np.array([f"{a:016x}{b:016x}" for a, b in zip(*hashes, strict=True)], "S32")
