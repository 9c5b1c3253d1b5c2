"""The files of a folder or an archive, visited one after the other; archives are read where they lie."""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple, cast

from sparring.data import Fault
from sparring.data.decode import ENDINGS
from sparring.errors import DataError, RequestError

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_UNPACKED = {".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".tbz2": bz2.open, ".xz": lzma.open}
_UNPACKED[".txz"] = lzma.open
_SILENT = frozenset(["__MACOSX", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN"])
_BROKEN = (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
_BROKEN_TAR = (*_BROKEN, tarfile.TarError)


class File(NamedTuple):
    """One regular file.

    Attributes:
        name: relative to the source, with ``/`` between folders, printable.
        size: bytes.
        open: opens it for reading; good only until the next file is asked for.
    """

    name: str
    size: int
    open: Callable[[], BufferedIOBase]


def is_archive(name: str) -> bool:
    """Whether a file of this name is read as an archive."""
    return name.lower().endswith(ARCHIVE_ENDINGS)


def is_picture(name: str) -> bool:
    """Whether a file of this name is read as a picture."""
    return os.path.splitext(name)[1].lower() in ENDINGS


def stem(name: str) -> str:
    """A file's name without folders and ending, ``.tar.gz`` counted as one ending."""
    last = name.rsplit("/", 1)[-1]
    for ending in sorted(ARCHIVE_ENDINGS, key=len, reverse=True):
        if last.lower().endswith(ending) and len(last) > len(ending):
            return last[: -len(ending)]
    return os.path.splitext(last)[0]


def read(file: File, limit: int) -> bytes:
    """All bytes of a file.

    Raises:
        DataError: it is empty, longer than ``limit`` bytes or cannot be read; the message is the bare reason.
    """
    if file.size == 0:
        raise DataError("empty")
    if file.size > limit:
        raise DataError(f"bomb-sized: {file.size} bytes")
    with reading(), file.open() as stream:
        return stream.read(limit)


@contextmanager
def reading() -> Iterator[None]:
    """Makes every way in which reading a file fails a DataError whose message is the bare reason."""
    try:
        yield
    except PermissionError:
        raise DataError("may not be read (permission denied)") from None
    except _BROKEN_TAR as error:
        raise DataError(_reason(error)) from None


def _reason(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error)
    if isinstance(error, RuntimeError) and "encrypted" in text:
        return "encrypted"
    if isinstance(error, EOFError) or "end of data" in text:
        return "truncated in the archive"
    return f"unreadable ({' '.join(text.split())[:80] or type(error).__name__})"


class Files:
    """The files below a folder or in an archive, visited in the same order each time.

    A folder without a picture but with archives is read as if each archive were a folder of its name. Hidden files and
    the litter of operating systems are passed over.

    Args:
        path: a folder or an archive.
        hold: bytes that may be kept of archives that can only be read from end to end.

    Attributes:
        several: whether the first folder of each name is an archive.
        faults: what the last complete visit skipped.

    Raises:
        RequestError: there is no such path, or it is neither a folder nor an archive.
    """

    def __init__(self, path: str, hold: int = 0):
        self.path = Path(path).expanduser()
        if not self.path.exists():
            raise RequestError(f"there is no file or folder '{path}'")
        if not self.path.is_dir() and not is_archive(self.path.name):
            wish = "a folder of pictures, or a .zip or .tar.gz of one, is wanted"
            raise RequestError(f"'{path}' is one file; {wish}")
        inside, self._outside = _archives_alone(self.path)
        self.several = bool(inside)
        self.faults: list[Fault] = []
        paths = [(path, f"{_printable(path.name)}/") for path in inside] or [(self.path, "")]
        self._parts = [_part(path, prefix, hold // len(paths)) for path, prefix in paths]

    def __iter__(self) -> Iterator[File]:
        self.faults = list(self._outside)
        for part in self._parts:
            yield from part(self.faults)


_Visit = Callable[[list[Fault]], Iterator[File]]


def _part(path: Path, prefix: str, hold: int) -> _Visit:
    if path.is_dir():
        root = Path(os.path.realpath(path))
        return partial(_visit_folder, root)
    if path.name.lower().endswith(".zip"):
        return partial(_visit_zip, path, prefix)
    return _Tar(path, prefix, hold).visit


def _archives_alone(path: Path) -> tuple[list[Path], list[Fault]]:
    """The archives in a folder that has no picture, in order, and those that are links which lead out of it."""
    if not path.is_dir():
        return [], []
    root = Path(os.path.realpath(path))
    try:
        there = sorted(p for p in path.iterdir() if is_archive(p.name) and not _silent(p.name) and p.is_file())
    except OSError:  # the visit will tell why
        return [], []
    fault_of = {archive: fault for archive in there if (fault := link_fault(archive, root))}
    inside = [archive for archive in there if archive not in fault_of]
    if inside and not any(is_picture(file.name) for file in _visit_folder(root, [])):
        return inside, [Fault(_printable(archive.name), fault) for archive, fault in fault_of.items()]
    return [], []


def _visit_folder(root: Path, faults: list[Fault]) -> Iterator[File]:
    """The files below a folder, each folder's in order: however deep they lie, and whatever vanishes meanwhile."""
    waiting = [root]
    while waiting:
        path = waiting.pop()
        try:
            found = _entry(path, root)
        except OSError as error:
            found = _reason(error)
        if isinstance(found, File):
            yield found
        elif isinstance(found, str):
            faults.append(Fault(_relative(path, root), found))
        else:
            waiting += reversed(found)


def names_below(folder: Path) -> Iterator[str]:
    """Names, without their folders, of the files below a folder that are not hidden; links to folders are passed by."""
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:  # gone, or not for us; a visit will tell
            continue
        for entry in entries:
            if entry.is_dir():
                waiting += [] if entry.is_symlink() else [entry.path]
            elif not entry.name.startswith("."):
                yield entry.name


def _entry(path: Path, root: Path) -> File | list[Path] | str:
    """The file at a path, what is in the folder there, or why it is neither."""
    if fault := link_fault(path, root):
        return fault
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return [path / name for name in sorted(os.listdir(path)) if not _silent(name)]
    if not stat.S_ISREG(status.st_mode):
        return f"not a regular file ({stat.filemode(status.st_mode)[0]})"
    return File(_relative(path, root), status.st_size, partial(open, path, "rb"))


def link_fault(path: Path, root: Path) -> str | None:
    """Why a link is not followed, or None where it may be, or where it is none.

    Args:
        path: what may be a link.
        root: the resolved folder of the data.
    """
    if not path.is_symlink():
        return None
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return "a link that leads nowhere"
    if not target.is_relative_to(root):
        return "a link that leaves the folder"
    return "a link to a folder of the same data" if target.is_dir() else None


def _relative(path: Path, root: Path) -> str:
    return _printable(path.relative_to(root).as_posix())


def _visit_zip(path: Path, prefix: str, faults: list[Fault]) -> Iterator[File]:
    seen: set[str] = set()
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"'{path}' cannot be read as a zip archive: {reason}; fetch or pack it again") from None
    with archive:
        for info in archive.infolist():
            if not info.filename:
                faults.append(Fault(prefix or _printable(path.name), "a file without a name"))
                continue
            name = _inner_name(info.filename)
            linked = stat.S_ISLNK(info.external_attr >> 16)
            if info.is_dir() or _any_silent(name):
                continue
            if fault := _member_fault(name, seen, linked=linked):
                faults.append(Fault(prefix + name, fault))
                continue
            opened = cast(Callable[[], BufferedIOBase], partial(archive.open, info))
            yield File(prefix + name, info.file_size, opened)


class _Tar:
    """A tar archive, which can only be read from end to end; what fits ``hold`` is kept for the next visit."""

    def __init__(self, path: Path, prefix: str, hold: int):
        self.path, self.prefix, self.hold = path, prefix, hold
        self.files: list[File] = []
        self.faults: list[Fault] = []
        self.complete = False

    def visit(self, faults: list[Fault]) -> Iterator[File]:
        if not self.complete:
            self.files, self.faults, left = [], [], self.hold
            for member in self._members():
                kept = _Kept(member)
                yield File(member.name, member.size, kept.open)
                left -= len(kept.data or b"")
                if left >= 0:
                    self.files.append(File(member.name, member.size, kept.again))
                else:
                    self.files = []
            self.complete = left >= 0
        else:
            yield from self.files
        faults += self.faults

    def _members(self) -> Iterator[File]:
        seen: set[str] = set()
        unpacked = _UNPACKED.get(self.path.suffix.lower(), open)
        try:
            with unpacked(self.path, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    name = _inner_name(member.name)
                    if member.isdir() or _any_silent(name):
                        continue
                    fault = _member_fault(name, seen, linked=member.issym() or member.islnk())
                    if fault or not member.isreg():
                        self.faults.append(Fault(self.prefix + name, fault or "not a regular file"))
                        continue
                    opened = partial(archive.extractfile, member)
                    yield File(self.prefix + name, member.size, cast(Callable[[], BufferedIOBase], opened))
        except _BROKEN_TAR as error:
            reason = f"damaged after {len(seen)} files: {_reason(error)}"
            self.faults.append(Fault(self.prefix.rstrip("/") or _printable(self.path.name), reason))


class _Kept:
    """A member's bytes, which a stream gives once."""

    def __init__(self, file: File):
        self.file = file
        self.data: bytes | None = None

    def open(self) -> BufferedIOBase:
        if self.data is None:
            with self.file.open() as stream:
                self.data = stream.read()
        return io.BytesIO(self.data)

    def again(self) -> BufferedIOBase:
        return io.BytesIO(self.data or b"")


def _inner_name(name: str) -> str:
    """An archive's own name for a member in one form: ``/`` between folders, no ``./``, printable."""
    parts = name.replace("\\", "/").split("/")
    absolute = parts[0] == ""
    return ("/" if absolute else "") + _printable("/".join(part for part in parts if part not in ("", ".")))


def _member_fault(name: str, seen: set[str], *, linked: bool) -> str | None:
    if linked:
        return "a link in an archive"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        return "its name leads out of the archive"
    if name in seen:
        return "a second file of this name"
    seen.add(name)
    return None


def _silent(part: str) -> bool:
    return part.startswith(".") or part in _SILENT


def _any_silent(name: str) -> bool:
    return any(_silent(part) and part != ".." for part in name.split("/"))


def _printable(name: str) -> str:
    """The name with what a terminal or JSON cannot show escaped."""
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name)
