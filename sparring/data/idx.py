"""IDX: the format of MNIST and of the data sets made after it.

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from sparring.data import Dataset, DataSource, Fault
from sparring.data.files import link_fault
from sparring.data.images import Size, digests
from sparring.data.resizing import resized
from sparring.data.room import refuse_beyond_memory
from sparring.errors import DataError, RequestError

_FILE = re.compile(r"^(?P<set>.*?)[-_.]?(?P<what>images|labels)[-_.]idx(?P<axes>\d)-ubyte(?P<gz>\.gz)?$", re.IGNORECASE)
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_LARGEST = 2**34


class Pair(NamedTuple):
    """One set: its pictures, and its labels where there are any."""

    images: Path
    labels: Path | None
    test: bool


class Idx(DataSource):
    """A folder of IDX files, gzipped or not; the set called t10k or test is the official test split."""

    path: str = Field(description="folder of ...images-idx3-ubyte and ...labels-idx1-ubyte files, or one of the former")
    prefix: str = Field(default="", description="read only files whose name begins so, where a folder has several sets")
    size: Size = Field(default=None, description="height and width, 48x64 or 64; none: the pictures' own")

    @field_validator("path", mode="before")
    @classmethod
    def _text(cls, path: Any) -> Any:
        return os.fspath(path) if isinstance(path, os.PathLike) else path

    def title(self) -> str:
        return Path(self.path).expanduser().resolve().name.split("-images")[0] or "idx"

    def load(self) -> Dataset:
        pairs = self._pairs()
        pictures = [_pictures(pair.images) for pair in pairs]
        shapes = {images.shape[1:] for images in pictures}
        if len(shapes) > 1:
            raise DataError(
                f"'{self.path}' holds pictures of different sizes, {shapes}; choose one set with data.prefix"
            )
        labels = [
            _labels(pair.labels, len(images)) for pair, images in zip(pairs, pictures, strict=True) if pair.labels
        ]
        complete = len(labels) == len(pairs)
        items, notes = resized(np.concatenate(pictures), self.size)
        resizing = "".join(notes)
        if labels and not complete:
            notes += ("labels are left out, as not every set of pictures has them",)
        test = np.repeat([pair.test for pair in pairs], [len(images) for images in pictures])
        return Dataset(
            items=items,
            modality="image",
            names=[
                f"{p.images.name}#{row}"
                for p, images in zip(pairs, pictures, strict=True)
                for row in range(len(images))
            ],
            digests=digests(items),
            attributes={"label": np.concatenate(labels)} if complete else {},
            test=test if test.any() and not test.all() else None,
            faults=tuple(Fault(file.name, fault) for file, _, fault in _named_so(self._place()) if fault),
            notes=notes,
            resizing=resizing,
        )

    def _place(self) -> Path:
        return Path(self.path).expanduser()

    def _pairs(self) -> list[Pair]:
        """The sets in the folder, training first."""
        path = self._place()
        if not path.exists():
            raise RequestError(f"there is no file or folder '{self.path}'")
        found = idx_files(path)
        labels = {name: file for (name, what), file in found.items() if what == "labels"}
        images = {
            name: file for (name, what), file in found.items() if what == "images" and file.name.startswith(self.prefix)
        }
        if not path.is_dir():
            images = {name: file for name, file in images.items() if file == path}
        if not images:
            raise DataError(f"'{self.path}' holds no pictures in IDX files; they are called …images-idx3-ubyte[.gz]")
        pairs = [Pair(file, labels.get(name), _is_test(name)) for name, file in sorted(images.items())]
        for test in (False, True):
            several = [pair.images.name for pair in pairs if pair.test == test]
            if len(several) > 1:
                raise RequestError(
                    f"'{self.path}' holds several sets, {', '.join(several)}; choose one with data.prefix"
                )
        return sorted(pairs, key=lambda pair: pair.test)


def idx_files(path: Path) -> dict[tuple[str, str], Path]:
    """The IDX files in a folder by set and by ``"images"`` or ``"labels"``; unpacked ones go before gzipped ones.

    Args:
        path: the folder, or a file in it, which is read even if it is a link that leaves the folder.
    """
    found: dict[tuple[str, str], Path] = {}
    for file, match, fault in _named_so(path):
        if fault is None:
            found.setdefault((match["set"], match["what"].lower()), file)
    return found


def _named_so(path: Path) -> Iterator[tuple[Path, re.Match[str], str | None]]:
    """The files that are called as IDX files are, and why one of them is not read."""
    folder = path if path.is_dir() else path.parent
    root = Path(os.path.realpath(folder))
    try:
        there = sorted(folder.iterdir(), key=lambda file: file.name)
    except OSError:  # a folder that may not be read holds none
        there = []
    for file in there:
        if (match := _FILE.match(file.name)) and (file.is_file() or file.is_symlink()):
            yield file, match, None if file == path else link_fault(file, root)


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file.

    Raises:
        DataError: it is not one, or it holds less or more than its header says.
    """
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not head[3]:
                raise DataError(
                    f"'{path}' is not an IDX file: it begins with {head.hex() or 'nothing'}, not with 00000803"
                )
            sizes = file.read(4 * head[3])
            if len(sizes) < 4 * head[3]:
                raise DataError(f"'{path}' is truncated within its header; fetch it again")
            shape = struct.unpack(f">{head[3]}I", sizes)
            kind = np.dtype(_TYPES[head[2]])
            wanted = math.prod(shape) * kind.itemsize
            if wanted > _LARGEST:
                raise DataError(f"'{path}' claims {wanted} bytes ({'x'.join(map(str, shape))}); its header is damaged")
            refuse_beyond_memory(wanted, f"'{path}'", "take fewer or smaller pictures")
            data = file.read(wanted + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' cannot be read ({str(error) or 'it is truncated'}); fetch it again") from None
    if len(data) != wanted:
        fault = "goes on after them" if len(data) > wanted else f"ends after {len(data)}, it is truncated"
        raise DataError(
            f"'{path}' should hold {wanted} bytes ({'x'.join(map(str, shape))}) but {fault}; fetch it again"
        )
    return np.frombuffer(data, kind).reshape(shape)


def _pictures(path: Path) -> np.ndarray:
    images = read_idx(path)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not images.size:
        raise DataError(f"'{path}' holds {images.dtype} of shape {images.shape}, not bytes (n, height, width)")
    if images.ndim == 4 and images.shape[3] > 4:
        raise DataError(f"'{path}' holds {images.shape[3]} channels a picture; 1 to 4 can be learned")
    return images if images.ndim == 4 else images[..., None]


def _labels(path: Path, count: int) -> np.ndarray:
    labels = read_idx(path)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"'{path}' holds {labels.dtype} of shape {labels.shape}, not one whole number an item")
    if len(labels) != count:
        raise DataError(f"'{path}' holds {len(labels)} labels for {count} pictures; the files do not belong together")
    return labels.astype(str)


def _is_test(name: str) -> bool:
    return bool(re.search(r"(^|[-_.])(t10k|test)$", name.lower()))
