"""Domains: the two sides of a translation, and which picture of one stands beside which of the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Domain:
    """One side, as it was read.

    Attributes:
        title: what it is called.
        names: of its pictures.
        pixels: ``(n, h, w, c)``.
        test: which are in the official test split, ``(n,)``.
        resized: whether any picture had another size.
        coloured: whether the channels of any differ.
    """

    title: str
    names: Sequence[str]
    pixels: np.ndarray
    test: np.ndarray
    resized: bool = False
    coloured: bool = False

    def __len__(self) -> int:
        return len(self.names)

    def only(self, names: Sequence[str]) -> "Domain":
        """The pictures of these names, in their order; copied where that is another."""
        if list(names) == list(self.names):
            return self
        place = {name: row for row, name in enumerate(self.names)}
        rows = [place[name] for name in names]
        return replace(self, names=list(names), pixels=self.pixels[rows], test=self.test[rows])

    def grey(self) -> "Domain":
        """The first channel alone."""
        return replace(self, pixels=np.ascontiguousarray(self.pixels[..., :1]))


def partners(made: Domain, given: Domain) -> tuple[np.ndarray, np.ndarray]:
    """For each made picture a given one of the same split, in turn; and all given ones that may be learned from."""
    tests = [made.test, given.test]
    partner = np.empty(len(made), np.int64)
    learned = np.flatnonzero(~tests[1]) if not tests[1].all() else np.arange(len(given))
    for test in (False, True):
        rows = np.flatnonzero(tests[0] == test)
        pool = np.flatnonzero(tests[1] == test)
        partner[rows] = np.resize(pool if len(pool) else learned, len(rows))
    return partner, learned
