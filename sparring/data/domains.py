"""Domains: the two sides of a translation, and which picture of one stands beside which of the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from sparring.data.content import REPORT, lowest
from sparring.data.decode import remarks
from sparring.data.images import digests
from sparring.data.labels import CLASS

FEW = 20
"""Below so many given pictures all are learned from: a share of them would be too few to judge by."""
DARK = 32
"""A domain whose values are all below this, of 255, is nearly black, as maps of class numbers are."""


@dataclass(frozen=True)
class Domain:
    """One side, as it was read.

    Attributes:
        title: what it is called.
        names: of its pictures.
        pixels: ``(n, h, w, c)``.
        test: which are in the official test split, ``(n,)``.
        folders: the innermost folder of each below the domain, ``(n,)`` of strings, empty where there is none.
        traits: of how many pictures a trait was seen.
        coloured: whether the channels of any differ.
    """

    title: str
    names: Sequence[str]
    pixels: np.ndarray
    test: np.ndarray
    folders: np.ndarray
    traits: Mapping[str, int] = field(default_factory=dict)
    coloured: bool = False

    def __len__(self) -> int:
        return len(self.names)

    @property
    def resized(self) -> bool:
        """Whether any picture had another size."""
        return bool(self.traits.get("resized") or self.traits.get("enlarged"))

    def remarks(self) -> list[str]:
        """What was found or changed in its pictures besides their size, in words."""
        found = remarks(self.traits, len(self), without=("resized", "enlarged"))
        most = int(self.pixels.max()) if len(self) else 0
        if 0 < most < DARK:
            found.append(f"values of 0 to {most} alone, nearly black (numbers of classes? save colours): all pictures")
        return found

    @cached_property
    def digests(self) -> np.ndarray:
        """Content hashes of its pictures, ``(n,)``."""
        return digests(self.pixels)

    def only(self, names: Sequence[str]) -> "Domain":
        """The pictures of these names, in their order; copied where that is another."""
        if list(names) == list(self.names):
            return self
        place = {name: row for row, name in enumerate(self.names)}
        rows = [place[name] for name in names]
        kept = {name: getattr(self, name)[rows] for name in ("pixels", "test", "folders")}
        return replace(self, names=list(names), **kept)

    def labels(self) -> dict[str, np.ndarray]:
        """The attribute ``label``, where every picture lies in a folder of a class; nothing where they do not."""
        classes = set(self.folders.tolist())
        return {CLASS: self.folders} if len(classes) > 1 and "" not in classes else {}

    def grey(self) -> "Domain":
        """The first channel alone."""
        return replace(self, pixels=np.ascontiguousarray(self.pixels[..., :1]))


class Partners(NamedTuple):
    """Given pictures, of domains without pairs.

    Attributes:
        rows: the one beside each made picture, ``(n,)``.
        learned: those that are learned from.
        held: how many are not, the official test split aside.
    """

    rows: np.ndarray
    learned: np.ndarray
    held: int


def partners(made: Domain, given: Domain, share: float) -> Partners:
    """Beside each made picture a given one that is not learned from, in turn, where any are held back.

    Those that an experiment reports on have given pictures of their own: the official test split, else a share of the
    rest. So have all others, which choices are made by: another share.

    Args:
        made: what is to be learned.
        given: what it is made from.
        share: of the given pictures outside of the test split, chosen by their content.
    """
    tests = np.flatnonzero(given.test) if not given.test.all() else np.arange(0)
    learned = np.setdiff1d(np.arange(len(given)), tests)
    there, count = len(learned), round(share * len(learned)) if len(learned) >= FEW else 0
    chosen, learned = lowest(learned, given.digests, count)
    reported, learned = (tests, learned) if len(tests) else lowest(learned, given.digests, count)
    # Without a test split an experiment reports on the items of the lowest digests.
    rows = np.flatnonzero(made.test)
    if count and (not len(rows) or len(rows) == len(made)):
        rows, _ = lowest(np.arange(len(made)), made.digests, int(len(made) * REPORT))
    partner = np.empty(len(made), np.int64)
    # The rest is split by digests too: in their order, the few that are chosen by have different partners.
    order = np.argsort(made.digests, kind="stable") if count else np.arange(len(made))
    told = np.isin(order, rows)
    for places, pool in ((order[told], reported), (order[~told], chosen)):
        partner[places] = np.resize(pool if len(pool) else learned, len(places))
    return Partners(partner, learned, there - len(learned))
