"""Files that are either the old ones or the new ones, whole, whenever the machine stops."""

import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sparring.errors import RequestError


@contextmanager
def write_atomic(path: Path) -> Iterator[Path]:
    """Gives a path beside ``path`` to write a file or a folder to, and puts it into place once it is safely on disk.

    The folder above is made where it is missing. A folder only takes the place of nothing or of an empty folder. When
    writing fails, ``path`` is as before and nothing is left beside it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.stem[:64]}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield aside
        for found in [aside, *aside.rglob("*")] if aside.is_dir() else [aside]:
            sync_folder(found) if found.is_dir() else _sync_file(found)
        os.replace(aside, path)
        sync_folder(path.parent)
    except BaseException:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder safe on disk, where the system can."""
    if os.name == "nt":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_npy(path: Path, array: np.ndarray) -> None:
    """Writes an array as ``.npy``, without pickles."""
    with write_atomic(path) as aside, aside.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes named arrays as ``.npz``, with any names, without pickles."""
    with write_atomic(path) as aside, zipfile.ZipFile(aside, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def write_samples(path: Path, samples: np.ndarray, conditions: Mapping[str, np.ndarray]) -> None:
    """Writes ``samples`` and one array per attribute under its name as ``.npz``.

    Raises:
        RequestError: an attribute is itself called ``samples``.
    """
    if "samples" in conditions:
        raise RequestError(f"'{path}': an attribute called 'samples' has no place beside the samples; write a folder")
    columns = {name: np.asarray(values) for name, values in conditions.items()}
    plain = {name: values.astype(str) if values.dtype == object else values for name, values in columns.items()}
    write_npz(path, {"samples": samples, **plain})


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
