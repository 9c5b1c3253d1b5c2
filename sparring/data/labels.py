"""What folders, file names and tables of labels say about pictures."""

import csv
import io
import itertools
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from sparring.data import Fault
from sparring.data.files import stem
from sparring.data.layout import SPLITS, TRAIN, Folders, natural, split_of, unwrapped_folders
from sparring.data.room import refuse_beyond_memory
from sparring.errors import DataError, RequestError

Labels = Literal["auto", "folders", "csv", "none"]
CLASS = "label"
"""The attribute that class folders give."""

MOST_ROWS = 4_000_000
"""Rows of a table of labels: thrice the pictures of ImageNet, and read in about ten seconds."""

LONGEST = 1000
"""Characters of a label: a column's labels all take as much room as its longest."""

NAMED = 1000
"""Rows of a table of labels that are named where they cannot be used."""

_AS_CLASSES = "data.labels=folders reads the folders as classes"
_AS_ONE_SET = "data.labels=none reads all of them as one set without labels"


@dataclass(frozen=True)
class Labelled:
    """The pictures that are used and what is known of them.

    Attributes:
        names: in natural order.
        attributes: ``(n,)`` strings each.
        test: whether a picture is in the official test split, ``(n,)`` bool, or None.
        faults: pictures without a label, labels without a picture.
        notes: how the folders were read.
    """

    names: list[str]
    attributes: dict[str, np.ndarray]
    test: np.ndarray | None
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]


class NamePattern:
    """``{age}_{gender}_*``: attributes in file names.

    ``{name}`` takes at least one character, up to the next literal; ``*`` takes anything; all else is literal.

    Raises:
        RequestError: the pattern names nothing, names a thing twice, or does not say where a value ends.
    """

    def __init__(self, text: str):
        pieces = [p for p in re.split(r"(\{[^{}]*\}|\*)", text) if p]
        self.text = text
        self.names = [p[1:-1].strip() for p in pieces if p[0] == "{" and p[-1] == "}"]
        literals = "".join(p for p in pieces if not _takes(p))
        if not self.names or "" in self.names or set("{}") & set(literals):
            raise RequestError(f"label pattern '{text}' must name attributes in braces, as '{{age}}_{{gender}}_*'")
        if len(set(self.names)) < len(self.names):
            raise RequestError(f"label pattern '{text}' names an attribute twice")
        for piece, after in itertools.pairwise(pieces):
            if piece[0] == "{" and _takes(after):
                raise RequestError(f"label pattern '{text}' needs a character between '{piece}' and '{after}'")
        self._regex = re.compile("".join(map(_as_regex, pieces, [*pieces[1:], ""])), re.DOTALL)

    def read(self, name: str) -> list[str] | None:
        """The values in a file name without its folders and ending, or None where it does not fit."""
        found = self._regex.fullmatch(stem(name))
        return [value.strip() for value in found.groups()] if found else None


def _takes(piece: str) -> bool:
    return piece == "*" or (piece[0] == "{" and piece[-1] == "}")


def _as_regex(piece: str, after: str) -> str:
    if piece == "*":
        return ".*"
    if not _takes(piece):
        return re.escape(piece)
    return f"((?:(?!{re.escape(after)}).)+)" if after else "(.+)"


@dataclass(frozen=True)
class Table:
    """A table of labels, ``labels.csv``.

    Attributes:
        name: of the file, relative to the source.
        columns: of attributes.
        rows: values by the file that they belong to, as written.
        faults: rows that cannot be used.
    """

    name: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]
    faults: tuple[Fault, ...] = field(default=())


def is_table(name: str) -> bool:
    """Whether a file is a table of labels."""
    return posixpath.basename(name).lower() == "labels.csv"


def read_table(name: str, data: bytes) -> Table:
    """Reads a table with a column ``file`` and one column for each attribute.

    Raises:
        DataError: it is not such a table; the message names the columns that there are. Or it has more rows than
            :data:`MOST_ROWS`, or would take more memory than there is.
    """
    rows = max(data.count(b"\n"), data.count(b"\r")) + 1
    if rows > MOST_ROWS:
        raise DataError(f"'{name}' has {rows:,} rows, more than {MOST_ROWS:,}; leave those without a picture out")
    refuse_beyond_memory(memory_of(len(data), rows), f"'{name}'", "leave rows without a picture out, or attributes")
    lines = _lines(name, data)
    header = next(lines, (1, []))[1]
    at = next((i for i, column in enumerate(header) if column.lower() == "file"), None)
    if at is None or len(header) < 2 or len(set(header)) < len(header) or "" in header:
        there = ", ".join(header) or "none"
        raise DataError(f"'{name}' needs a column 'file' and others of different names; its columns are {there}")
    columns = tuple(column for column in header if column != header[at])
    return _table(name, columns, lines, at)


def memory_of(size: int, rows: int) -> int:
    """Bytes of memory that a table of labels takes at most while it is read.

    Args:
        size: bytes of the file; a cell of two letters is three of them, and a string and a place in a tuple in memory.
        rows: lines of the file; each is a name, a tuple and an entry of a dictionary.
    """
    return 24 * size + 300 * rows


def _lines(name: str, data: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, with their numbers, one by one: all at once would take several times the memory.

    Raises:
        DataError: the bytes are no text, or no table.
    """
    try:
        data.decode("utf-8-sig")
        head = data[: data.find(b"\n") % (len(data) + 1)].decode("utf-8-sig")
        with io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="") as text:
            for number, row in enumerate(csv.reader(text, delimiter=max(",;\t", key=head.count)), 1):
                if any(cells := [cell.strip() for cell in row]):
                    yield number, cells
    except UnicodeDecodeError as error:
        raise DataError(f"'{name}' is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except csv.Error as error:
        raise DataError(f"'{name}' is not a table: {error}") from None


def _table(name: str, columns: tuple[str, ...], lines: Iterable[tuple[int, list[str]]], at: int) -> Table:
    rows: dict[str, tuple[str, ...]] = {}
    faults = _Named(name)
    for number, row in lines:
        place = f"{name}:{number}"
        if len(row) != len(columns) + 1:
            faults.add(Fault(place, f"has {len(row)} columns instead of {len(columns) + 1}"))
            continue
        file = posixpath.normpath(row[at].replace("\\", "/"))
        values = tuple(row[:at] + row[at + 1 :])
        if (longest := max(map(len, values))) > LONGEST:
            faults.add(Fault(place, f"has a label of {longest:,} characters, more than {LONGEST:,}"))
            continue
        if rows.setdefault(file, values) != values:
            faults.add(Fault(place, f"labels '{row[at]}' a second time and differently"))
    return Table(name, columns, rows, tuple(faults))


class _Named:
    """Faults of a table's rows, of which the first are named and the others counted: there may be millions."""

    def __init__(self, table: str):
        self.table, self.first, self.more = table, list[Fault](), 0

    def add(self, fault: Fault) -> None:
        if len(self.first) < NAMED:
            self.first.append(fault)
        else:
            self.more += 1

    def __iter__(self) -> Iterator[Fault]:
        yield from self.first
        if self.more:
            yield Fault(self.table, f"{self.more:,} more of its rows cannot be used")


@dataclass(frozen=True)
class Question:
    """How pictures are to be labelled.

    Attributes:
        source: what the user called the data, for messages.
        labels: where labels come from.
        pattern: of file names, or None.
        several: whether the first folder of each name is an archive.
    """

    source: str
    labels: Labels = "auto"
    pattern: str | None = None
    several: bool = False


def label(names: Sequence[str], tables: Sequence[Table], asked: Question) -> Labelled:
    """Labels pictures and finds their splits.

    Raises:
        RequestError: the folders can be read in several ways; the message names them and the field that chooses.
        DataError: no picture has a label.
    """
    ordered = sorted(names, key=natural)
    folders = dict(zip(ordered, unwrapped_folders(ordered, asked.several), strict=True))
    if asked.labels == "csv" and not tables:
        raise RequestError(f"'{asked.source}' has no labels.csv, which data.labels=csv asks for")
    by_name = asked.pattern is not None or (bool(tables) and asked.labels in ("auto", "csv"))
    by_folder = not by_name and asked.labels != "none"
    faults: list[Fault] = []
    if by_folder:
        _refuse_ambiguity(folders, asked)
        folders, faults = _without_loose(folders)
    split, folders, notes = split_of(folders)
    if by_folder:
        _refuse_loose(folders, asked)
        folders, more = _without_loose(folders)
        values = {name: {CLASS: path[0].strip()} if path else {} for name, path in folders.items()}
    elif by_name:
        values, more = _by_pattern(folders, asked.pattern) if asked.pattern else _by_tables(folders, tables)
        if not values:
            reasons = "; ".join(f"{file}: {reason}" for file, reason in more[:2])
            raise DataError(f"no picture of '{asked.source}' has a label ({reasons})")
    else:
        values, more = {name: {} for name in folders}, []
    test = None if split is None else np.array([split[name] for name in values], bool)
    return Labelled(list(values), _gathered(values), test, (*faults, *more), tuple(notes))


def _refuse_ambiguity(folders: dict[str, Folders], asked: Question) -> None:
    tops = {path[0] for path in folders.values() if path}
    low = {top.lower() for top in tops}
    if asked.labels == "folders":
        if not tops:
            raise RequestError(f"'{asked.source}' has no class folders, which data.labels=folders asks for")
        return
    if {"traina", "trainb"} <= low:
        raise RequestError(
            f"'{asked.source}' holds {_shown(tops)}: two sets to translate between, which is another task, or classes: "
            f"{_AS_CLASSES}, {_AS_ONE_SET}"
        )
    _refuse_loose(folders, asked)
    if low & TRAIN and low & (SPLITS - TRAIN) and low - SPLITS:
        raise RequestError(
            f"'{asked.source}' holds {_shown(tops)}, splits or classes: {_AS_CLASSES}, {_AS_ONE_SET}; "
            "for splits, give a folder that holds train and test alone"
        )


def _refuse_loose(folders: dict[str, Folders], asked: Question) -> None:
    loose = sum(not path for path in folders.values())
    if asked.labels == "auto" and 0 < loose < len(folders):
        shown = _shown({path[0] for path in folders.values() if path})
        raise RequestError(
            f"'{asked.source}' holds {loose} pictures beside the folders {shown}: {_AS_CLASSES} and leaves those "
            f"pictures out, {_AS_ONE_SET}"
        )


def _shown(folders: set[str]) -> str:
    return ", ".join(sorted(folders, key=natural)[:4]) + (", …" if len(folders) > 4 else "")


def _without_loose(folders: dict[str, Folders]) -> tuple[dict[str, Folders], list[Fault]]:
    """The pictures in folders, where there are some, and a fault for each of the others."""
    if not any(folders.values()):
        return folders, []
    faults = [Fault(name, "beside the class folders") for name, path in folders.items() if not path]
    return {name: path for name, path in folders.items() if path}, faults


def _by_pattern(names: dict[str, Folders], text: str) -> tuple[dict[str, dict[str, str]], list[Fault]]:
    pattern = NamePattern(text)
    read = {name: pattern.read(name) for name in names}
    faults = [Fault(name, f"its name does not fit '{text}'") for name, found in read.items() if found is None]
    found = {name: dict(zip(pattern.names, values, strict=True)) for name, values in read.items() if values is not None}
    return found, faults


def _by_tables(names: dict[str, Folders], tables: Sequence[Table]) -> tuple[dict[str, dict[str, str]], list[Fault]]:
    """Values by picture; a row names its file relative to the table, or by a name that is the only one below it."""
    if len({table.columns for table in tables}) > 1:
        raise DataError(f"'{tables[0].name}' and '{tables[1].name}' have different columns")
    found: dict[str, dict[str, str]] = {}
    faults: list[Fault] = []
    for table in tables:
        faults += table.faults
        folder = posixpath.dirname(table.name)
        below = [name for name in names if not folder or name.startswith(folder + "/")]
        last = Counter(map(posixpath.basename, below))
        only = {os.path.basename(name): name for name in below if last[posixpath.basename(name)] == 1}
        missing = _Named(table.name)
        for file, values in table.rows.items():
            exact = posixpath.join(folder, file)
            name = exact if exact in names else only.get(file)
            if name is None:
                missing.add(Fault(file, f"has a row in {table.name} and no picture"))
            else:
                found[name] = dict(zip(table.columns, values, strict=True))
        faults += missing
    faults += [Fault(name, f"has no row in {tables[0].name}") for name in names if name not in found]
    return {name: found[name] for name in names if name in found}, faults


def _gathered(values: dict[str, dict[str, str]]) -> dict[str, np.ndarray]:
    columns = next(iter(values.values()), {})
    return {column: np.array([row[column] for row in values.values()]) for column in columns}
