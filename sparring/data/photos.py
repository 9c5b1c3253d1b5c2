"""Photos: pictures of any size, each at its own, of which training sees random crops and judging the middle."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from sparring.data import Dataset, DataSource, Fault
from sparring.data.counterparts import counterparts, places
from sparring.data.decode import Look, decode, quiet, remarks
from sparring.data.files import Files, read, stem
from sparring.data.form import Form
from sparring.data.images import Size
from sparring.data.labels import Question, label
from sparring.data.room import space
from sparring.data.survey import Found, find, largest_file
from sparring.errors import DataError
from sparring.randomness import derive

CROP = 64
"""Height and width of a crop where none is asked for."""

WHOLE = 128
"""Pictures that all have one size of at most so many pixels a side are not cropped."""


PAIRS = (("noisy", "clean"), ("poor", "good"), ("input", "target"))
"""Names of the two folders of real pairs: what is given, and what it should have been."""


class Photos(DataSource):
    """Pictures of any size from a folder or an archive, for tasks that restore them; labels are left aside.

    A crop that a picture is too small for is filled by mirroring. Folders ``train`` and ``test`` are splits. With
    ``pairs``, folders ``noisy`` and ``clean`` (``poor`` and ``good``, ``input`` and ``target``) hold real examples:
    pictures of the same name and size, of which both are cropped at the same place.
    """

    path: str = Field(description="folder, .zip or .tar.gz of pictures")
    size: Size = Field(default=None, description="height and width of a crop; none: 64, or all where all are small")
    shorter: int | None = Field(
        default=None, ge=1, le=8192, description="pictures are reduced until their shorter side is this; none: not"
    )
    turns: Literal["none", "mirror", "all"] = Field(
        default="mirror", description="how crops are turned while learning: not, left-right, or eight ways"
    )
    color: Literal["auto", "grey", "rgb"] = Field(
        default="auto", description="channels; auto: grey where all pictures are grey"
    )
    pairs: bool = Field(default=False, description="two folders noisy and clean, or alike, are pairs")
    multiple: int = Field(default=1, ge=1, le=256, description="crops are of multiples of so many pixels a side")
    cache_mb: int = Field(
        default=1024, ge=1, description="MiB of decoded pictures that are kept in memory; more go to a temporary file"
    )
    max_pixels: int = Field(default=100_000_000, ge=1, le=178_956_970, description="larger pictures are skipped")

    @field_validator("path", mode="before")
    @classmethod
    def _text(cls, path: Any) -> Any:
        return os.fspath(path) if isinstance(path, os.PathLike) else path

    def title(self) -> str:
        return stem(Path(self.path).expanduser().resolve().name) or "photos"

    def load(self) -> Dataset:
        faults: list[Fault] = []
        traits: Counter[str] = Counter()
        with quiet():
            files = Files(self.path)
            found = find(files, self.max_pixels)
            labelled = label(list(found.looks), [], Question(self.path, "none", None, files.several))
            kept = dict(self._pictures(files, found, faults, traits))
        names = [name for name in labelled.names if name in kept]
        if not names:
            skipped = [*found.faults, *faults]
            reasons = "; ".join(f"{file}: {reason}" for file, reason in skipped[:3])
            raise DataError(f"'{self.path}' holds no usable picture: {len(skipped)} skipped ({reasons})")
        partners = self._paired(names, files.several, kept, faults)
        names = names if partners is None else list(partners)
        pictures = [kept[name] for name in names]
        test = labelled.test
        if test is not None:
            told = dict(zip(labelled.names, test, strict=True))
            test = np.array([told[name] for name in names])
        size = self.size or _crop([p.shape[:2] for p in pictures], self.multiple)
        items = Crops(pictures, size, self.turns)
        return Dataset(
            items=items,
            modality="image",
            names=names,
            digests=np.array([_digest(picture) for picture in pictures], "S32"),
            test=test,
            faults=(*found.faults, *faults),
            notes=(
                *remarks(traits, len(kept)),
                *items.notes(),
                *([f"{len(names)} pairs"] if partners else []),
                *labelled.notes,
            ),
            given=None if partners is None else Crops([kept[name] for name in partners.values()], size, self.turns),
        )

    def _paired(
        self, names: list[str], several: bool, kept: dict[str, np.ndarray], faults: list[Fault]
    ) -> dict[str, str] | None:
        """The wanted pictures with the given one of each, which is of their size; None where there are no pairs."""
        where, _ = places(names, several)
        tops = {place.folders[0] for place in where.values() if place.folders}
        folders = next((pair for pair in PAIRS if set(pair) <= tops), None) if self.pairs else None
        if folders is None:
            return None
        inside = [{name: place for name, place in where.items() if place.folders[:1] == (top,)} for top in folders]
        found, lonely = counterparts(*inside)
        faults += lonely
        other = {name: mate for name, mate in found.items() if kept[name].shape != kept[mate].shape}
        for name, mate in other.items():
            faults.append(Fault(name, f"{kept[name].shape} is not the size of {mate}"))
            faults.append(Fault(mate, f"{kept[mate].shape} is not the size of {name}"))
        if len(found) == len(other):
            raise DataError(
                f"no picture in {folders[0]} has the name and size of one in {folders[1]}, so there are no pairs"
            )
        return {name: mate for name, mate in found.items() if name not in other}

    def _pictures(
        self, files: Files, found: Found, faults: list[Fault], traits: Counter[str]
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Every picture that can be decoded, at its own size; ``traits`` and ``faults`` say of what and why not."""
        grey = self.color == "grey" or (self.color == "auto" and all(seen.grey for seen in found.looks.values()))
        forms = {name: self._form(seen, grey) for name, seen in found.looks.items()}
        total = sum(form.height * form.width * form.channels for form in forms.values())
        held = space((total,), np.dtype(np.uint8), self.cache_mb, "set data.shorter to reduce the pictures")
        at, left = 0, set(found.looks)
        for file in files:
            if file.name not in left:
                continue
            left.remove(file.name)
            try:
                data = read(file, largest_file(self.max_pixels))
                picture = decode(data, forms[file.name])
            except DataError as fault:
                faults.append(Fault(file.name, str(fault)))
                continue
            pixels = picture.pixels
            traits.update(picture.traits)
            kept = held[at : at + pixels.size].reshape(pixels.shape)
            kept[:] = pixels
            at += pixels.size
            yield file.name, kept
        faults.extend(Fault(name, "vanished while it was read") for name in sorted(left))

    def _form(self, seen: Look, grey: bool) -> Form:
        scale = min(1.0, self.shorter / min(seen.height, seen.width)) if self.shorter else 1.0
        height, width = max(1, round(seen.height * scale)), max(1, round(seen.width * scale))
        return Form(height, width, 1 if grey else 3, max_pixels=self.max_pixels)


class Crops:
    """Pictures of any size as items of one size: the middle of each, or a crop that a key chooses.

    Args:
        pictures: ``(h, w, c)`` uint8 each.
        size: height and width of a crop.
        turns: how a drawn crop is turned.
    """

    def __init__(self, pictures: Sequence[np.ndarray], size: tuple[int, int], turns: str):
        self.pictures, self.size, self.turns = pictures, size, turns
        channels = pictures[0].shape[2]
        self.shape, self.dtype = (len(pictures), *size, channels), np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: Any) -> np.ndarray:
        chosen = np.arange(len(self))[rows]
        if chosen.ndim == 0:
            return self._cut(int(chosen), 0.5, 0.5)
        return (
            np.stack([self._cut(row, 0.5, 0.5) for row in chosen.tolist()])
            if len(chosen)
            else np.zeros((0, *self.shape[1:]))
        )

    def drawn(self, rows: np.ndarray, keys: Sequence[int]) -> np.ndarray:
        """A crop of each of these pictures at a uniform place, turned."""
        return np.stack([self._drawn(row, key) for row, key in zip(rows.tolist(), keys, strict=True)])

    def _drawn(self, row: int, key: int) -> np.ndarray:
        down, across, turn = np.random.Generator(np.random.Philox(key=derive(key, "crop"))).random(3)
        ways = {"none": 1, "mirror": 2, "all": 8 if self.size[0] == self.size[1] else 2}[self.turns]
        mirrored, quarter = int(turn * ways) % 2, int(turn * ways) // 2
        crop = self._cut(row, down, across)
        return np.rot90(crop[:, ::-1] if mirrored else crop, quarter)

    def _cut(self, row: int, down: float, across: float) -> np.ndarray:
        """The crop at that share of the places where it can lie."""
        picture = self.pictures[row]
        lack = [max(0, wish - there) for wish, there in zip(self.size, picture.shape[:2], strict=True)]
        if any(lack):
            picture = np.pad(picture, [(gap // 2, gap - gap // 2) for gap in lack] + [(0, 0)], mode="symmetric")
        places = [there - wish + 1 for wish, there in zip(self.size, picture.shape[:2], strict=True)]
        top, left = int(down * places[0]), int(across * places[1])
        return picture[top : top + self.size[0], left : left + self.size[1]]

    def notes(self) -> list[str]:
        """What cropping does to these pictures, in words."""
        sizes = Counter(picture.shape[:2] for picture in self.pictures)
        if set(sizes) == {self.size}:
            return []
        heights, widths = zip(*sizes, strict=True)
        return [
            f"crops of {self.size[0]}x{self.size[1]} of pictures of {min(heights)}x{min(widths)} to "
            f"{max(heights)}x{max(widths)}"
        ]


def _crop(sizes: Sequence[tuple[int, ...]], multiple: int) -> tuple[int, int]:
    """The crop where none is asked for: a small size that all share, else a square; a multiple, where one is wanted."""

    def whole(side: int) -> int:
        return max(1, side // multiple) * multiple

    height, width = sizes[0]
    if len(set(sizes)) == 1 and max(height, width) <= WHOLE:
        return whole(height), whole(width)
    middle = int(np.median([min(size) for size in sizes]))
    side = whole(min(CROP if multiple == 1 else 4 * multiple, middle))
    return side, side


def _digest(picture: np.ndarray) -> bytes:
    state = hashlib.blake2b(repr((picture.shape, picture.dtype.str)).encode(), digest_size=16)
    state.update(np.ascontiguousarray(picture).data)
    return state.hexdigest().encode()
