"""Decoding: the named pictures of a visit are decoded by several threads into one array."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import numpy as np

from sparring.data import Fault
from sparring.data.decode import Picture, decode
from sparring.data.files import Files, read
from sparring.data.form import Form
from sparring.data.survey import largest_file
from sparring.errors import DataError

_CHUNK_BYTES, _CHUNK_FILES = 2**25, 512


@dataclass
class Decodings:
    """Pictures as they come in.

    Attributes:
        items: their pixels, ``(n, h, w, c)``; those of good rows alone when all are in.
        good: which of the named pictures could be decoded, by row.
        faults: why the others could not.
        traits: of how many pictures a trait was seen.
        coloured: whether the channels of any differ.
    """

    items: np.ndarray
    good: np.ndarray
    faults: list[Fault] = field(default_factory=list)
    traits: Counter[str] = field(default_factory=Counter)
    coloured: bool = False

    @property
    def rows(self) -> np.ndarray:
        """Good rows of the names."""
        return np.flatnonzero(self.good)

    def take(self, row: int, name: str, outcome: Picture | str) -> None:
        """Puts a picture in its row, or notes why there is none."""
        if isinstance(outcome, str):
            self.faults.append(Fault(name, outcome))
            return
        self.items[row] = outcome.pixels
        self.good[row] = True
        self.traits.update(outcome.traits)
        self.coloured |= outcome.coloured

    def compact(self) -> None:
        """Moves good rows together; a row only moves forward, so that none is overwritten before it moved."""
        for to, row in enumerate(self.rows):
            if to != row:
                self.items[to] = self.items[row]
        self.items = self.items[: len(self.rows)]


def decode_all(files: Files, names: Sequence[str], form: Form, *, into: np.ndarray, threads: int = 2) -> Decodings:
    """Decodes the pictures of these names, in their order whatever the order of the files.

    Args:
        files: are visited once.
        names: of the pictures that are wanted.
        form: what each is brought to.
        into: ``(len(names), h, w, c)``, room for all.
        threads: that decode; the result does not depend on it.
    """
    row_of = {name: row for row, name in enumerate(names)}
    decoded = Decodings(into, np.zeros(len(names), bool))
    with ThreadPoolExecutor(threads) as pool:
        for chunk in _chunks(files, row_of, largest_file(form.max_pixels)):
            share = len(chunk) // threads + 1
            shares = [chunk[at : at + share] for at in range(0, len(chunk), share)]
            for name, outcome in chain.from_iterable(pool.map(partial(_attempts, form=form), shares)):
                decoded.take(row_of[name], name, outcome)
    decoded.compact()
    return decoded


def _attempts(chunk: list[tuple[str, bytes | str]], *, form: Form) -> list[tuple[str, Picture | str]]:
    return [(name, _attempt(data, form)) for name, data in chunk]


def _attempt(data: bytes | str, form: Form) -> Picture | str:
    """The picture, or why there is none."""
    if isinstance(data, str):
        return data
    try:
        return decode(data, form)
    except DataError as fault:
        return str(fault)


def _chunks(files: Files, wanted: dict[str, int], limit: int) -> Iterator[list[tuple[str, bytes | str]]]:
    """The wanted files' bytes, or why they could not be read, a few at a time so that memory stays small."""
    chunk: list[tuple[str, bytes | str]] = []
    size = 0
    left = set(wanted)
    for file in files:
        if file.name not in left:
            continue
        left.remove(file.name)
        try:
            data = read(file, limit)
        except DataError as fault:
            data = str(fault)
        chunk.append((file.name, data))
        size += len(data)
        if size > _CHUNK_BYTES or len(chunk) >= _CHUNK_FILES:
            yield chunk
            chunk, size = [], 0
    yield chunk + [(name, "vanished while it was read") for name in sorted(left)]
