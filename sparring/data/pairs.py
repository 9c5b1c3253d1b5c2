"""Pairs: pictures of two domains, side by side in one file or in two folders, with or without a counterpart each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from sparring.data import Dataset, DataSource, Fault
from sparring.data.counterparts import Place, counterparts, places
from sparring.data.decode import Look, decode, quiet
from sparring.data.files import Files, read, stem
from sparring.data.form import Form
from sparring.data.images import Size, digests
from sparring.data.layout import SPLITS
from sparring.data.survey import find, infer_size, largest_file
from sparring.errors import DataError, RequestError
from sparring.randomness import derive

DOMAINS = (("A", "B"), ("trainA", "trainB"))
"""Names of the folders of two domains; ``testA`` and ``testB`` beside the second pair are the test split."""


class Pairs(DataSource):
    """Pictures of domain A and of domain B.

    Read are two folders, ``A`` and ``B`` or ``trainA`` and ``trainB`` (with ``testA`` and ``testB``), or the only two
    folders that there are; or files that hold both side by side, A on the left. All of these may lie in folders
    ``train`` and ``test`` (or ``val``), which are splits. With ``aligned`` each picture of one domain has its
    counterpart, of the same name, in the other.
    """

    path: str = Field(description="folder or archive of side-by-side pictures, or of two folders")
    size: Size = Field(default=None, description="height and width of one picture; none: their own, 64 at most")
    direction: Literal["AtoB", "BtoA"] = Field(default="AtoB", description="which domain is given and which is made")
    aligned: bool = Field(default=True, description="each picture has a counterpart; false: two sets without pairs")
    mirror: bool = Field(default=True, description="mirror both pictures of a pair, left to right, while learning")
    shift: float = Field(
        default=0.05, ge=0, le=0.5, description="largest shift of both while learning, as a share of the size"
    )
    max_pixels: int = Field(default=100_000_000, ge=1, le=178_956_970, description="larger pictures are skipped")

    @field_validator("path", mode="before")
    @classmethod
    def _text(cls, path: Any) -> Any:
        return os.fspath(path) if isinstance(path, os.PathLike) else path

    def title(self) -> str:
        return stem(Path(self.path).expanduser().resolve().name) or "pairs"

    def load(self) -> Dataset:
        faults: list[Fault] = []
        notes: list[str] = []
        with quiet():
            first, second = self._sides(faults, notes)
        if not len(first) or not len(second):
            raise self._nothing(faults)
        given, made = (second, first) if self.direction == "BtoA" else (first, second)
        moved = {"mirror": self.mirror, "shift": self.shift}
        items = Moved(made.pixels, **moved)
        partner, learned = np.arange(len(made)), None
        if not self.aligned:
            partner, learned = _partners(made, given)
        return Dataset(
            items=items,
            modality="image",
            names=made.names,
            digests=digests(made.pixels),
            test=made.test if made.test.any() and not made.test.all() else None,
            faults=tuple(faults),
            notes=(f"from {given.title} to {made.title}", *notes),
            given=Moved(given.pixels, partner=partner, free=learned, **moved),
        )

    def _nothing(self, faults: list[Fault]) -> DataError:
        return DataError(f"'{self.path}' holds no usable pair of pictures; {len(faults)} files were skipped")

    def _sides(self, faults: list[Fault], notes: list[str]) -> tuple["_Side", "_Side"]:
        files = Files(self.path)
        found = find(files, self.max_pixels)
        faults += found.faults
        if not found.looks:
            raise self._nothing(faults)
        where, said = places(sorted(found.looks), files.several)
        notes += said
        tops = sorted({place.folders[0] for place in where.values() if place.folders})
        domains = next((pair for pair in DOMAINS if set(pair) <= set(tops)), None)
        if domains is None and len(tops) == 2 and not {top.lower() for top in tops} <= SPLITS:
            domains = tops[0], tops[1]
        if domains is not None:
            return self._folders(files, found.looks, _by_domain(where, domains), faults)
        if not self.aligned:
            raise RequestError(f"'{self.path}' must hold two folders, such as trainA and trainB; it holds {tops}")
        return self._side_by_side(files, found.looks, where, faults)

    def _side_by_side(
        self, files: Files, looks: dict[str, Look], where: dict[str, Place], faults: list[Fault]
    ) -> tuple["_Side", "_Side"]:
        height, width = self.size or infer_size([(seen.height, max(1, seen.width // 2)) for seen in looks.values()])
        form = Form(height, width, max_pixels=self.max_pixels, halves=True)
        names, pixels = self._decoded(files, list(where), form, faults)
        test = np.array([where[name].test for name in names], bool)
        return _Side("left", names, pixels[:, :, :width], test), _Side("right", names, pixels[:, :, width:], test)

    def _folders(
        self, files: Files, looks: dict[str, Look], domains: dict[str, dict[str, Place]], faults: list[Fault]
    ) -> tuple["_Side", "_Side"]:
        size = self.size or infer_size([(seen.height, seen.width) for seen in looks.values()])
        form = Form(*size, max_pixels=self.max_pixels)
        sides = []
        for title, inside in domains.items():
            names, pixels = self._decoded(files, list(inside), form, faults)
            sides.append(_Side(title, names, pixels, np.array([inside[name].test for name in names], bool)))
        if not self.aligned:
            return sides[0], sides[1]
        first, second = ({n: inside[n] for n in s.names} for s, inside in zip(sides, domains.values(), strict=True))
        pairs, lonely = counterparts(first, second)
        faults += lonely
        if not pairs:
            raise DataError(
                f"no picture in {sides[0].title} has the name of one in {sides[1].title}, so there are no pairs; "
                "--task unpaired-translation learns from two folders without pairs"
            )
        return sides[0].only(list(pairs.values())), sides[1].only(list(pairs))

    def _decoded(self, files: Files, names: list[str], form: Form, faults: list[Fault]) -> tuple[list[str], np.ndarray]:
        """Those of the named pictures that can be decoded, in that form."""
        wanted, kept = set(names), {}
        for file in files:
            if file.name in wanted:
                wanted.remove(file.name)
                try:
                    kept[file.name] = decode(read(file, largest_file(self.max_pixels)), form).pixels
                except DataError as fault:
                    faults.append(Fault(file.name, str(fault)))
        faults += [Fault(name, "vanished while it was read") for name in sorted(wanted)]
        names = [name for name in names if name in kept]
        return names, np.stack([kept[name] for name in names]) if names else np.zeros(
            (0, form.height, form.width, 3), np.uint8
        )


@dataclass
class _Side:
    """One domain.

    Attributes:
        title: what it is called.
        names: of its pictures.
        pixels: ``(n, h, w, 3)``.
        test: which are in the official test split, ``(n,)``.
    """

    title: str
    names: list[str]
    pixels: np.ndarray
    test: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def only(self, names: Sequence[str]) -> "_Side":
        """The pictures of these names, in their order."""
        place = {name: row for row, name in enumerate(self.names)}
        rows = [place[name] for name in names]
        return _Side(self.title, list(names), self.pixels[rows], self.test[rows])


def _by_domain(where: dict[str, Place], domains: tuple[str, str]) -> dict[str, dict[str, Place]]:
    """The pictures of each domain; those of ``testA`` are the tests of ``trainA``."""
    told = domains == DOMAINS[1]
    inside: dict[str, dict[str, Place]] = {domain: {} for domain in domains}
    for name, place in where.items():
        top = place.folders[0] if place.folders else ""
        if told and (domain := top.replace("test", "train")) in inside:
            inside[domain][name] = place._replace(test=place.test or top.startswith("test"))
        elif top in inside:
            inside[top][name] = place
    return inside


def _partners(made: _Side, given: _Side) -> tuple[np.ndarray, np.ndarray]:
    """For each made picture a given one of the same split, in turn; and all given ones that may be learned from."""
    tests = [made.test, given.test]
    partner = np.empty(len(made), np.int64)
    learned = np.flatnonzero(~tests[1]) if not tests[1].all() else np.arange(len(given))
    for test in (False, True):
        rows = np.flatnonzero(tests[0] == test)
        pool = np.flatnonzero(tests[1] == test)
        partner[rows] = np.resize(pool if len(pool) else learned, len(rows))
    return partner, learned


class Moved:
    """Pictures that are mirrored and shifted while learning, by a key that both pictures of a pair share.

    Args:
        pixels: ``(n, h, w, c)``.
        mirror: mirror half of them.
        shift: largest shift as a share of height and width; what comes in is mirrored.
        partner: which picture stands in each row; all in their order where None.
        free: the pictures among which a key draws one, in the place of the row's; None: the row's.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        *,
        mirror: bool,
        shift: float,
        partner: np.ndarray | None = None,
        free: np.ndarray | None = None,
    ):
        self.pixels, self.mirror, self.shift, self.free = pixels, mirror, shift, free
        self.partner = np.arange(len(pixels)) if partner is None else partner
        self.shape, self.dtype = (len(self.partner), *pixels.shape[1:]), pixels.dtype
        self._lines = [np.pad(np.arange(side), round(shift * side), mode="symmetric") for side in pixels.shape[1:3]]

    def __len__(self) -> int:
        return len(self.partner)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.pixels[self.partner[rows]]

    def drawn(self, rows: np.ndarray, keys: Sequence[int]) -> np.ndarray:
        """The pictures in these rows, each moved as its key says."""
        return np.stack([self._drawn(row, key) for row, key in zip(rows.tolist(), keys, strict=True)])

    def _drawn(self, row: int, key: int) -> np.ndarray:
        # A pair shares its key and so its moves; of domains without pairs, each picture moves by itself.
        draws = np.random.Generator(np.random.Philox(key=derive(key, "moved", self.free is not None)))
        draws = draws.random(4)
        chosen = self.partner[row] if self.free is None else self.free[int(draws[3] * len(self.free))]
        picture = self.pixels[chosen]
        down, across = (
            lines[(top := int(draw * (len(lines) - side + 1))) : top + side]
            for draw, lines, side in zip(draws[:2], self._lines, picture.shape[:2], strict=True)
        )
        moved = picture[down][:, across]
        return moved[:, ::-1] if self.mirror and draws[2] < 0.5 else moved
