"""Files that are either the old ones or the new ones, whole, whenever the machine stops or the disk is full."""

import errno
import os
import re
import secrets
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from sparring.errors import RequestError, RunError

_STORAGE = frozenset(
    getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO") if hasattr(errno, name)
)
_ASIDE = re.compile(r"\..*-[0-9a-f]{8}\.partial(\.[^.]*)?", re.DOTALL)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes a full, failing or read-only disk an error of one line; all other errors pass."""
    try:
        yield
    except OSError as error:
        # NumPy says how much it wrote, and no number.
        short = error.errno is None and "written" in str(error)
        if error.errno not in _STORAGE and not short:
            raise
        reason = error.strerror or os.strerror(errno.ENOSPC)
        raise RunError(f"{path} cannot be written: {reason}; make room, then try again (a run: --resume)") from None


@contextmanager
def write_atomic(path: Path) -> Iterator[Path]:
    """Gives a path beside ``path`` to write a file or a folder to, and puts it into place once it is safely on disk.

    The folder above is made where it is missing. A folder only takes the place of nothing or of an empty folder. When
    writing fails, ``path`` is as before and nothing is left beside it.

    Raises:
        RunError: the disk is full, fails or is read-only.
    """
    path = Path(path)
    with writing(path):
        make_folder(path.parent)
        aside = _beside(path)
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


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it that are missing; their names are safe on disk, where the system can.

    Raises:
        OSError: they cannot be made.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        with suppress(PermissionError):  # a folder may be written to and not be read
            sync_folder(place.parent)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.stem[:64]}-{secrets.token_hex(4)}.partial{path.suffix}")


def remove_asides(folder: Path) -> None:
    """Removes what a process that was killed left of :func:`write_atomic` and :func:`remove_folder` in a folder."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if not _ASIDE.fullmatch(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Removes a folder; where its disk has room for a name, it is there whole or not at all whenever this stops."""
    if not folder.is_dir():
        return
    aside = _beside(folder)
    try:
        os.replace(folder, aside)
    except OSError:  # even a new name may be too much for a full disk
        aside = folder
    shutil.rmtree(aside, ignore_errors=True)


def read_bounded(path: Path, most: int) -> bytes:
    """The content of a file of which nothing is known.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file (a device has no end), or longer than ``most`` bytes.
    """
    # A pipe that nobody writes to would keep an ordinary open waiting.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(number, "rb") as file:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no regular file")
        content = b"" if status.st_size > most else file.read(most + 1)
    if not status.st_size <= most >= len(content):
        raise ValueError(
            f"{max(status.st_size, len(content))} bytes are more than the {most} that a run writes at most"
        )
    return content


def append_line(path: Path, line: str) -> None:
    """Adds a line to a text file; a last line that was cut off is not gone on with.

    Raises:
        RunError: the disk is full, fails or is read-only.
    """
    with writing(path), path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(f"{line}\n".encode())


def rewrite_lines(path: Path, stays: Callable[[bytes], bool]) -> None:
    """Leaves lines out of a text file, one by one, so that a long file is never in memory as a whole.

    Raises:
        RunError: the disk is full, fails or is read-only.
    """
    with write_atomic(path) as aside, path.open("rb") as old, aside.open("wb") as new:
        new.writelines(line.rstrip(b"\n") + b"\n" for line in old if stays(line))


def sync_file(path: Path) -> None:
    """Makes a file's content safe on disk.

    Raises:
        RunError: the disk is full, fails or is read-only.
    """
    with writing(path):
        _sync_file(path)


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
