"""Pairs: pictures of two domains, side by side in one file or in two folders, with or without a counterpart each."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from sparring.data import Dataset, DataSource, Fault
from sparring.data.decode import Look, decode, quiet
from sparring.data.files import Files, read, stem
from sparring.data.form import Form
from sparring.data.images import Size, digests
from sparring.data.survey import find, infer_size, largest_file
from sparring.errors import DataError, RequestError
from sparring.randomness import derive

DOMAINS = (("A", "B"), ("trainA", "trainB"))
"""Names of the folders of two domains; ``testA`` and ``testB`` beside the second pair are the test split."""


class Pairs(DataSource):
    """Pictures of domain A and of domain B.

    Read are two folders, ``A`` and ``B`` or ``trainA`` and ``trainB`` (with ``testA`` and ``testB``), or the only two
    folders that there are; or files that hold both side by side, A on the left. With ``aligned`` each picture of
    one domain has its counterpart, of the same name, in the other.
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
        with quiet():
            first, second, test = self._sides(faults)
        if not len(first) or not len(second):
            raise DataError(f"'{self.path}' holds no usable pair of pictures; {len(faults)} files were skipped")
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
            test=test,
            faults=tuple(faults),
            notes=(f"from {given.title} to {made.title}",),
            given=Moved(given.pixels, partner=partner, free=learned, **moved),
        )

    def _sides(self, faults: list[Fault]) -> tuple["_Side", "_Side", np.ndarray | None]:
        files = Files(self.path)
        found = find(files, self.max_pixels)
        faults += found.faults
        tops = sorted({name.split("/")[0] for name in found.looks if "/" in name})
        folders = next((pair for pair in DOMAINS if set(pair) <= set(tops)), tuple(tops) if len(tops) == 2 else None)
        if folders is None or folders == ("test", "train"):
            if not self.aligned:
                raise RequestError(f"'{self.path}' must hold two folders, such as trainA and trainB; it holds {tops}")
            return self._side_by_side(files, found.looks, faults)
        return self._folders(files, found.looks, folders, faults)

    def _side_by_side(
        self, files: Files, looks: dict[str, Look], faults: list[Fault]
    ) -> tuple["_Side", "_Side", np.ndarray | None]:
        height, width = self.size or infer_size([(seen.height, max(1, seen.width // 2)) for seen in looks.values()])
        names, pixels = self._decoded(files, sorted(looks), (height, 2 * width), faults)
        test = np.array([name.split("/")[0] == "test" for name in names])
        left, right = _Side("left", names, pixels[:, :, :width]), _Side("right", names, pixels[:, :, width:])
        return left, right, test if test.any() and not test.all() else None

    def _folders(
        self, files: Files, looks: dict[str, Look], folders: Sequence[str], faults: list[Fault]
    ) -> tuple["_Side", "_Side", np.ndarray | None]:
        size = self.size or infer_size([(seen.height, seen.width) for seen in looks.values()])
        sides = []
        for folder in folders:
            inside = [n for n in sorted(looks) if n.split("/")[0] in (folder, folder.replace("train", "test"))]
            sides.append(_Side(folder, *self._decoded(files, inside, size, faults)))
        if self.aligned:
            sides = _matched(sides[0], sides[1], faults)
        test = np.array([name.startswith("test") for name in sides[0 if self.direction == "BtoA" else 1].names])
        return sides[0], sides[1], test if folders == DOMAINS[1] and test.any() else None

    def _decoded(
        self, files: Files, names: list[str], size: tuple[int, int], faults: list[Fault]
    ) -> tuple[list[str], np.ndarray]:
        """Those of the named pictures that can be decoded, RGB, at that size."""
        wanted, kept = set(names), {}
        form = Form(*size, max_pixels=self.max_pixels)
        for file in files:
            if file.name in wanted:
                wanted.remove(file.name)
                try:
                    kept[file.name] = decode(read(file, largest_file(self.max_pixels)), form).pixels
                except DataError as fault:
                    faults.append(Fault(file.name, str(fault)))
        faults += [Fault(name, "vanished while it was read") for name in sorted(wanted)]
        names = [name for name in names if name in kept]
        return names, np.stack([kept[name] for name in names]) if names else np.zeros((0, *size, 3), np.uint8)


class _Side:
    """One domain: its title, its pictures' names and pixels ``(n, h, w, 3)``."""

    def __init__(self, title: str, names: list[str], pixels: np.ndarray):
        self.title, self.names, self.pixels = title, names, pixels

    def __len__(self) -> int:
        return len(self.names)

    def keys(self) -> list[str]:
        """What a picture is called in both domains: its name without ending, and whether it is for tests."""
        return [f"{name.startswith('test')}/{stem(name)}" for name in self.names]

    def only(self, keys: Sequence[str]) -> "_Side":
        """The pictures of these keys, in their order."""
        place = {key: row for row, key in enumerate(self.keys())}
        rows = [place[key] for key in keys]
        return _Side(self.title, [self.names[row] for row in rows], self.pixels[rows])


def _matched(first: _Side, second: _Side, faults: list[Fault]) -> list[_Side]:
    """Both domains in one order; pictures without a counterpart become faults."""
    there = [set(first.keys()), set(second.keys())]
    for side, others in ((first, there[1]), (second, there[0])):
        lonely = [name for name, key in zip(side.names, side.keys(), strict=True) if key not in others]
        faults += [Fault(name, "has no counterpart in the other folder") for name in lonely]
    both = [key for key in dict.fromkeys(first.keys()) if key in there[1]]
    if not both:
        raise DataError(
            f"no picture in {first.title} has the name of one in {second.title}, so there are no pairs; "
            "--task unpaired-translation learns from two folders without pairs"
        )
    return [first.only(both), second.only(both)]


def _partners(made: _Side, given: _Side) -> tuple[np.ndarray, np.ndarray]:
    """For each made picture a given one of the same split, in turn; and all given ones that may be learned from."""
    tests = [np.array([name.startswith("test") for name in side.names]) for side in (made, given)]
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
