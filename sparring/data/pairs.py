"""Pairs: pictures of two domains, side by side in one file or in two folders, with or without a counterpart each."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from sparring.data import Dataset, DataSource, Fault
from sparring.data.counterparts import Place, counterparts, places
from sparring.data.decode import Look, quiet
from sparring.data.decoding import decode_all
from sparring.data.domains import Domain, partners
from sparring.data.files import Files, stem
from sparring.data.form import Form
from sparring.data.images import Size
from sparring.data.layout import SPLITS
from sparring.data.moved import Moved
from sparring.data.survey import find, infer_size
from sparring.errors import DataError, RequestError

DOMAINS = (("A", "B"), ("trainA", "trainB"))
"""Names of the folders of two domains; ``testA`` and ``testB`` beside the second pair are the test split."""
_ALIKE = 1.1
"""Files of pairs have one shape: the ratio of width to height of one is at most so many times that of another."""


class Pairs(DataSource):
    """Pictures of domain A and of domain B.

    Read are two folders, ``A`` and ``B`` or ``trainA`` and ``trainB`` (with ``testA`` and ``testB``), or the only two
    folders that there are; or files that hold both side by side, A on the left. All of these may lie in folders
    ``train`` and ``test`` (or ``val``), which are splits. With ``aligned`` each picture of one domain has its
    counterpart, of the same name, in the other; where all of those that are made lie in folders of classes, these are
    their labels.
    """

    before: ClassVar[dict[str, Any]] = {"color": "rgb", "held": 0.0, "labels": "none"}

    path: str = Field(description="folder or archive of side-by-side pictures, or of two folders")
    size: Size = Field(default=None, description="height and width of one picture; none: their own, 64 at most")
    direction: Literal["AtoB", "BtoA"] = Field(default="AtoB", description="which domain is given and which is made")
    aligned: bool = Field(default=True, description="each picture has a counterpart; false: two sets without pairs")
    color: Literal["auto", "grey", "rgb"] = Field(
        default="auto", description="channels; auto: grey where all pictures of both domains are grey"
    )
    labels: Literal["auto", "none"] = Field(
        default="auto", description="auto: of pairs, the folders of classes that made pictures lie in"
    )
    held: float = Field(
        default=0.1,
        ge=0,
        le=0.3,
        description="without pairs: share of the given pictures to choose by, and to report on where there is no test "
        "split, that are not learned from",
    )
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
        if self.color == "auto" and first.pixels.shape[3] == 3 and not first.coloured and not second.coloured:
            first, second = first.grey(), second.grey()
        given, made = (second, first) if self.direction == "BtoA" else (first, second)
        moved = {"mirror": self.mirror, "shift": self.shift}
        items = Moved(made.pixels, **moved)
        height, width = made.pixels.shape[1:3]
        resized = first.resized or second.resized
        resizing = f"read at {height}x{width} (crop, Lanczos)" if resized else ""
        partner, learned = np.arange(len(made)), None
        if not self.aligned:
            partner, learned, held = partners(made, given, self.held)
            notes += [f"{held:,} of {len(given):,} pictures of {given.title} are not learned from"] if held else []
        return Dataset(
            items=items,
            modality="image",
            names=made.names,
            digests=made.digests,
            # Of domains without pairs the label of what is wanted says nothing of what is given.
            attributes=made.labels() if self.aligned and self.labels == "auto" else {},
            test=made.test if made.test.any() and not made.test.all() else None,
            faults=tuple(faults),
            notes=(f"from {given.title} to {made.title}", *([resizing] if resizing else []), *notes),
            resizing=resizing,
            given=Moved(given.pixels, partner=partner, free=learned, **moved),
        )

    def _nothing(self, faults: list[Fault]) -> DataError:
        return DataError(f"'{self.path}' holds no usable pair of pictures; {len(faults)} files were skipped")

    def _sides(self, faults: list[Fault], notes: list[str]) -> tuple[Domain, Domain]:
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
            return self._folders(files, found.looks, _by_domain(where, domains), faults, notes)
        if not self.aligned:
            there = ", ".join(tops) or "none"
            raise RequestError(f"'{self.path}' must hold two folders, such as trainA and trainB; its folders: {there}")
        return self._side_by_side(files, found.looks, where, faults, notes)

    def _side_by_side(
        self, files: Files, looks: dict[str, Look], where: dict[str, Place], faults: list[Fault], notes: list[str]
    ) -> tuple[Domain, Domain]:
        height, width = self.size or infer_size([(seen.height, max(1, seen.width // 2)) for seen in looks.values()])
        form = replace(self._form((height, width), looks), halves=True)
        both = self._domain("both", files, where, form, faults)
        left, right = both.pixels[:, :, :width], both.pixels[:, :, width:]
        ratios = [seen.width / seen.height for seen in looks.values()]
        unlike = max(ratios) > _ALIKE * min(ratios)
        notes += ["each file is cut in the middle" + ", but their shapes differ: are these pairs?" * unlike]
        notes += both.remarks()
        return replace(both, title="left", pixels=left), replace(both, title="right", pixels=right)

    def _folders(
        self,
        files: Files,
        looks: dict[str, Look],
        domains: dict[str, dict[str, Place]],
        faults: list[Fault],
        notes: list[str],
    ) -> tuple[Domain, Domain]:
        used = {name: looks[name] for inside in domains.values() for name in inside}
        form = self._form(self.size or infer_size([(seen.height, seen.width) for seen in used.values()]), used)
        first, second = (self._domain(title, files, inside, form, faults) for title, inside in domains.items())
        notes += [f"{said} of {side.title}" for side in (first, second) for said in side.remarks()]
        if not self.aligned:
            return first, second
        there = ({name: domains[side.title][name] for name in side.names} for side in (first, second))
        pairs, lonely = counterparts(*there)
        faults += lonely
        if not pairs:
            raise DataError(
                f"no picture in {first.title} has the name of one in {second.title}, so there are no pairs; "
                "--task unpaired-translation learns from two folders without pairs"
            )
        return first.only(list(pairs.values())), second.only(list(pairs))

    def _form(self, size: tuple[int, int], looks: dict[str, Look]) -> Form:
        grey = self.color == "grey" or (self.color == "auto" and all(seen.grey for seen in looks.values()))
        return Form(*size, channels=1 if grey else 3, max_pixels=self.max_pixels)

    def _domain(self, title: str, files: Files, where: dict[str, Place], form: Form, faults: list[Fault]) -> Domain:
        """Those of the pictures in these places that can be decoded."""
        names, width = list(where), form.width * (2 if form.halves else 1)
        room = np.empty((len(names), form.height, width, form.channels), np.uint8)
        seen = decode_all(files, names, form, into=room)
        faults += seen.faults
        names = [names[row] for row in seen.rows]
        test = np.array([where[name].test for name in names], bool)
        inner = [where[name].folders if form.halves else where[name].folders[1:] for name in names]
        folders = np.array([path[-1] if path else "" for path in inner], np.str_)
        return Domain(title, names, seen.items, test, folders, seen.traits, seen.coloured)


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
