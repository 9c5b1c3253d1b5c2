"""What a set of pictures looks like from its headers alone, and the size and depth it is read at."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sparring.data import Fault
from sparring.data.decode import FOREIGN_ENDINGS, Look, look, unread
from sparring.data.files import Files, is_picture, read, reading
from sparring.data.labels import Table, is_table, read_table
from sparring.errors import DataError

LARGEST_INFERRED = 64
"""Longer side of the largest size that is chosen without being asked for: what two CPU cores train in minutes."""


@dataclass(frozen=True)
class Survey:
    """What was found, before any pixel is decoded.

    Attributes:
        count: pictures that can be used, as far as headers say.
        sizes: pictures by stored ``(height, width)``, most frequent first.
        modes: pictures by Pillow's name of their pixel format.
        labels: for each attribute, pictures by value.
        test: pictures in the official test split, or None where there is none.
        shape: height, width and channels that the pictures would be read at.
        depth: bits a channel.
        faults: what would be skipped.
        notes: how the data were read.
    """

    count: int
    sizes: dict[tuple[int, int], int]
    modes: dict[str, int]
    labels: dict[str, dict[str, int]]
    test: int | None
    shape: tuple[int, int, int]
    depth: int
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]


@dataclass
class Found:
    """One visit's harvest: headers by file name, tables of labels, and what was passed over."""

    looks: dict[str, Look] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def note_of_others(self) -> str | None:
        """One line on the files that are neither pictures nor tables of labels."""
        if not self.others:
            return None
        endings = ", ".join(ending or "no ending" for ending, _ in self.others.most_common(5))
        count = self.others.total()
        return f"{count} other {'file was' if count == 1 else 'files were'} ignored ({endings})"


def find(files: Files, max_pixels: int) -> Found:
    """Visits all files once and reads pictures' headers and tables of labels.

    Raises:
        DataError: a table of labels cannot be read.
    """
    found = Found()
    limit = largest_file(max_pixels)
    for file in files:
        ending = os.path.splitext(file.name)[1].lower()
        if is_table(file.name):
            found.tables.append(read_table(file.name, _table_bytes(file, limit)))
        elif ending in FOREIGN_ENDINGS:
            found.faults.append(Fault(file.name, unread(ending)))
        elif not is_picture(file.name):
            found.others[ending] += 1
        else:
            try:
                found.looks[file.name] = _look(file, limit, max_pixels)
            except DataError as fault:
                found.faults.append(Fault(file.name, str(fault)))
    found.faults += files.faults
    return found


def largest_file(max_pixels: int) -> int:
    """Bytes above which a file is no honest picture: 16 bits in four channels, and 16 MiB of anything else."""
    return 8 * max_pixels + 2**24


def _table_bytes(file, limit: int) -> bytes:
    try:
        return read(file, limit)
    except DataError as fault:
        raise DataError(f"'{file.name}' cannot be used: {fault}") from None


def _look(file, limit: int, max_pixels: int) -> Look:
    if file.size == 0:
        raise DataError("empty")
    if file.size > limit:
        raise DataError(f"bomb-sized: {file.size} bytes")
    with reading():
        stream = file.open()
    with stream:
        return look(stream, max_pixels)


class Shape(NamedTuple):
    """What pictures are read at."""

    height: int
    width: int
    channels: int
    depth: int


def infer_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The ``(height, width)`` at which pictures of these sizes are read where none is asked for.

    Equal sizes are kept, one aspect ratio is kept at the middle size, and other sets become squares of the middle
    shorter side; the longer side is 64 at most.
    """
    heights, widths = np.array(sizes, np.int64).T
    middle = len(sizes) // 2
    # One aspect ratio: each picture is what the middle one becomes when scaled, to the pixel.
    order = np.lexsort((heights, heights * widths))
    height, width = int(heights[order[middle]]), int(widths[order[middle]])
    alike = np.abs(heights * width - widths * height) <= max(height, width)
    if not alike.all():
        height = width = int(np.sort(np.minimum(heights, widths))[middle])
    longest = max(height, width)
    if longest > LARGEST_INFERRED:
        height = max(1, round(height * LARGEST_INFERRED / longest))
        width = max(1, round(width * LARGEST_INFERRED / longest))
    return height, width
