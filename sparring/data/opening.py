"""Opening: the source that a path, a name or an array means."""

import difflib
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparring.data import DataSource
from sparring.data.arrays import Arrays, store_arrays
from sparring.data.idx import Idx, idx_files
from sparring.errors import RequestError
from sparring.modalities import Modality

__all__ = ["NAMES", "open_data", "read_for", "store_arrays"]

NAMES = ("digits", "mnist", "fashion-mnist", "cifar10", "ring", "grid", "stacked-mnist", "words")
"""Data sets that are called by name; a folder of the same name is written with ``./`` before it."""

_TABLE = (".csv", ".tsv", ".parquet")
_CUTTING = {"window", "stride", "sequence_key", "sequence_index"}
"""What only series are asked for."""
_LATER = {
    ".txt": "text",
    ".wav": "sound", ".flac": "sound", ".mp3": "sound", ".ogg": "sound",
    ".mid": "music", ".midi": "music",
    ".mp4": "video", ".avi": "video", ".mov": "video", ".mkv": "video", ".webm": "video",
}  # fmt: skip
_BESIDE = (".csv", ".tsv", ".txt")
"""Files that often lie beside pictures: labels, read-me texts."""


def open_data(
    data: Any,
    *,
    size: int | str | tuple[int, int] | None = None,
    label_pattern: str | None = None,
    modality: str | None = None,
    folder: Path | None = None,
    **cutting: Any,
) -> DataSource:
    """The source that is meant; nothing is read yet but the names of files.

    Args:
        data: a data set's name, a path, or data in memory as :func:`~sparring.data.arrays.store_arrays` takes them.
            A name goes before a folder of the same name, and the data set's notes say so.
        size: of pictures: a number, ``"64x48"`` or (height, width); inferred where it is not given.
        label_pattern: attributes in file names, ``"{age}_{gender}_*"``.
        modality: ``"image"``, ``"points"``, ``"table"`` or ``"series"``, where the data can be read in several ways.
        folder: where data in memory are kept.
        **cutting: how series are found in the data: ``window``, ``stride``, ``sequence_key``, ``sequence_index``.

    Raises:
        RequestError: there is no such data, it can be read in several ways, or it cannot be read as asked.
    """
    if modality not in (None, "auto"):
        Modality.find(str(modality))
    asked = {"size": size, "label_pattern": label_pattern, "modality": None if modality == "auto" else modality}
    asked |= cutting
    asked = {name: value for name, value in asked.items() if value is not None}
    if isinstance(data, DataSource):
        return _with(data, asked)
    if isinstance(data, str | os.PathLike):
        return _named(os.fspath(data), asked) if os.fspath(data) in NAMES else _at(os.fspath(data), asked)
    if folder is None:
        raise RequestError("data in memory need a folder in which they are kept; give folder=")
    return _with(store_arrays(data, folder), asked)


def read_for(kind: str, source: DataSource, fields: Mapping[str, Any]) -> DataSource:
    """The source as a task wants it read: folders of pictures by the source of that name, all else as it is.

    Args:
        kind: name of a data source; empty where the task has no wish.
        source: what was opened; what both have in common is kept.
        fields: what else the task sets.

    Raises:
        RequestError: the source was told something that means nothing for the task's.
    """
    from sparring.data.images import Images

    if not kind or not isinstance(source, Images):
        return source
    wanted = DataSource.find(kind)
    common = {"path", "size", "color", "max_pixels", "cache_mb"} & set(wanted.model_fields)
    for name, field in Images.model_fields.items():
        if name not in common and getattr(source, name) != field.get_default():
            raise RequestError(f"{name}={getattr(source, name)} means nothing for {wanted.name}; leave it out")
    return wanted(**{name: getattr(source, name) for name in common} | dict(fields))


def _with(source: DataSource, asked: dict[str, Any]) -> DataSource:
    """The source with what was asked, where it has such a field."""
    for name, value in asked.items():
        if name not in type(source).model_fields:
            raise RequestError(f"{name}={value} means nothing for {source.name} ({source.title()}); leave it out")
    return source.but(**asked) if asked else source


def _named(name: str, asked: dict[str, Any]) -> DataSource:
    source = DataSource.find(name)()
    own = "points" if name in ("ring", "grid") else "image"
    _refuse_other(name, own, asked)
    return _with(source, {key: value for key, value in asked.items() if key != "modality"})


def _at(text: str, asked: dict[str, Any]) -> DataSource:
    path = Path(text).expanduser()
    if not path.exists():
        raise RequestError(_missing(text, path))
    if path.is_dir():
        return _in_folder(text, path, asked)
    ending = path.suffix.lower()
    if ending in (".npy", ".npz", *_TABLE) and (asked.get("modality") == "series" or asked.keys() & _CUTTING):
        return _sequences(text, asked)
    if ending in (".npy", ".npz"):
        return _with(Arrays(path=text), asked)
    if ending in _TABLE:
        return _table(text, asked)
    if _is_idx(path):
        return _pictures(Idx(path=text), text, asked)
    from sparring.data.files import is_archive, is_picture

    if is_archive(path.name):
        return _images(text, asked)
    if is_picture(path.name):
        raise RequestError(f"'{text}' is one picture; give the folder of many")
    raise RequestError(_not_yet(text, Counter([ending])))


def _is_idx(path: Path) -> bool:
    return path in idx_files(path).values()


def _in_folder(text: str, path: Path, asked: dict[str, Any]) -> DataSource:
    """Pictures, IDX files or one array, whichever the folder holds."""
    from sparring.data.files import is_archive, is_picture, names_below

    files = list(names_below(path))
    endings = Counter(Path(name).suffix.lower() for name in files)
    idx, pictures = bool(idx_files(path)), sum(map(is_picture, files))
    archives = sum(is_archive(name) for name in files)
    arrays = [name for name in files if name.lower().endswith((".npy", ".npz"))]
    other = sorted({what for ending, what in _LATER.items() if endings[ending] and ending not in _BESIDE})
    readings = (
        ["IDX files"] * idx + [f"{pictures} pictures"] * bool(pictures) + [f"{len(arrays)} arrays"] * bool(arrays)
    )
    if len(readings + other) > 1 and not (pictures and asked.get("modality") == "image"):
        raise RequestError(
            f"'{text}' can be read as {' or as '.join(readings + other)}; --modality image takes the pictures, else "
            "give the path of the one that is meant"
        )
    if pictures or (archives and not idx and not arrays):
        return _images(text, asked)
    if idx:
        return _pictures(Idx(path=text), text, asked)
    if arrays:
        raise RequestError(f"'{text}' holds arrays; give the path of one, such as {Path(text) / sorted(arrays)[0]}")
    if not files:
        raise RequestError(f"'{text}' is empty; give a folder of pictures")
    tables = [name for name in sorted(files) if name.lower().endswith(_TABLE)]
    if tables:
        raise RequestError(f"'{text}' holds tables; give the path of one, such as {Path(text) / tables[0]}")
    raise RequestError(_not_yet(text, endings))


def _table(text: str, asked: dict[str, Any]) -> DataSource:
    from sparring.data.tables import Tables

    _refuse_other(text, "table", asked)
    return _with(Tables(path=text), {key: value for key, value in asked.items() if key != "modality"})


def _sequences(text: str, asked: dict[str, Any]) -> DataSource:
    from sparring.data.sequences import Sequences

    _refuse_other(text, "series", asked)
    return _with(Sequences(path=text), {key: value for key, value in asked.items() if key != "modality"})


def _images(text: str, asked: dict[str, Any]) -> DataSource:
    from sparring.data.images import Images

    return _pictures(Images(path=text), text, asked)


def _pictures(source: DataSource, text: str, asked: dict[str, Any]) -> DataSource:
    _refuse_other(text, "image", asked)
    return _with(source, {key: value for key, value in asked.items() if key != "modality"})


def _refuse_other(text: str, own: str, asked: dict[str, Any]) -> None:
    if asked.get("modality", own) != own:
        raise RequestError(f"'{text}' holds {own} data, not {asked['modality']}; leave --modality out")


def _not_yet(text: str, endings: Counter[str]) -> str:
    """Why data of these endings cannot be learned from."""
    looks = Counter(
        {what: sum(n for e, n in endings.items() if _LATER.get(e) == what) for what in set(_LATER.values())}
    )
    what, count = looks.most_common(1)[0]
    seen = f"looks like {what}" if count else f"holds {', '.join(e or 'no ending' for e, _ in endings.most_common(3))}"
    learned = (
        "pictures (folders, .zip, .tar.gz, IDX, .npy, .npz), points (.npy, .npz), tables (.csv, .tsv, .parquet), "
        "series (--modality series)"
    )
    return f"'{text}' {seen}; this version learns {learned}"


def _missing(text: str, path: Path) -> str:
    """That there is nothing there, and what has nearly that name."""
    there = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, there, n=2)
    near = [str(Path(text).parent / name) for name in near] + difflib.get_close_matches(text, NAMES, n=1)
    hint = f" (did you mean {' or '.join(repr(name) for name in near)}?)" if near else ""
    return f"there is no file or folder '{text}'{hint}; data sets called by name are {', '.join(NAMES)}"
