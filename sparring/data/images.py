"""Pictures in files: a folder or an archive of them, with labels from folders, names or a table."""

import hashlib
import os
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from PIL import ImageColor
from pydantic import BeforeValidator, Field, field_validator, model_validator

from sparring.data import Dataset, DataSource, Fault, Items
from sparring.data.decode import ENDINGS, quiet, remarks
from sparring.data.decoding import Decodings, decode_all
from sparring.data.files import Files, stem
from sparring.data.form import Form
from sparring.data.labels import Labelled, Labels, NamePattern, Question, label
from sparring.data.layout import natural
from sparring.data.room import space
from sparring.data.survey import Found, Survey, find, infer_size
from sparring.errors import DataError

_REMEDY = "give a smaller size or a larger cache_mb"


def _size(value: Any) -> Any:
    """``64``, ``"64"``, ``"48x64"`` and ``["48", "64"]`` as (height, width)."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        parts = [part.strip() for part in re.split(r"[x,]", value.lower())]
        if len(parts) > 2 or not all(part.isdecimal() for part in parts):
            raise ValueError("give a side, such as 64, or height and width, such as 48x64")
        value = [int(part) for part in parts]
    elif isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if isinstance(value, list) and len(value) == 1:
        value = value * 2
    return value


Side = Annotated[int, Field(ge=1, le=4096)]
Size = Annotated[tuple[Side, Side] | None, BeforeValidator(_size)]


class Images(DataSource):
    """Pictures from a folder, or from a zip or tar archive, of any size, mode and orientation.

    Labels come from a file name pattern, from ``labels.csv`` (a column ``file`` and one for each attribute), or from
    the folders of classes. Folders ``train`` and ``test`` are splits.
    """

    path: str = Field(description="folder, .zip or .tar.gz of pictures")
    size: Size = Field(default=None, description="height and width, 48x64 or 64; none: the pictures' own, 64 at most")
    fit: Literal["crop", "letterbox"] = Field(
        default="crop", description="crop the middle, or fit all in and fill the bars"
    )
    color: Literal["auto", "grey", "rgb"] = Field(
        default="auto", description="channels; auto: grey where all pictures are grey"
    )
    depth: Literal["auto", "8", "16"] = Field(
        default="auto", description="bits a channel; auto: 16 where all pictures have 16"
    )
    background: str = Field(default="white", description="colour behind transparency and in bars, a name or #rrggbb")
    labels: Labels = Field(
        default="auto", description="where labels come from; auto: pattern, labels.csv or class folders"
    )
    label_pattern: str | None = Field(default=None, description="attributes in file names, '{age}_{gender}_*'")
    cache_mb: int = Field(
        default=1024, ge=1, description="MiB of decoded pictures kept in memory; more go to a temporary file"
    )
    max_pixels: int = Field(
        default=100_000_000, ge=1, le=178_956_970, description="larger pictures are skipped as bombs"
    )
    threads: int = Field(default=2, ge=1, le=64, description="threads that decode; the result does not depend on it")

    @field_validator("path", mode="before")
    @classmethod
    def _text(cls, path: Any) -> Any:
        return os.fspath(path) if isinstance(path, os.PathLike) else path

    @field_validator("depth", mode="before")
    @classmethod
    def _depth(cls, depth: Any) -> Any:
        return str(depth) if isinstance(depth, int) else depth

    @field_validator("background")
    @classmethod
    def _colour(cls, background: str) -> str:
        ImageColor.getrgb(background)
        return background

    @model_validator(mode="after")
    def _one_rule(self) -> "Images":
        if self.label_pattern is not None:
            NamePattern(self.label_pattern)
            if self.labels != "auto":
                raise ValueError(f"a label_pattern and labels={self.labels} contradict each other; give one")
        return self

    def title(self) -> str:
        return stem(Path(self.path).expanduser().resolve().name) or "pictures"

    def survey(self) -> Survey:
        """What the headers say, without decoding; duplicates and damage inside of pictures are not seen.

        Raises:
            RequestError: there is no such path, or its folders can be read in several ways.
            DataError: there is no picture.
        """
        with quiet():
            found, labelled = self._find(self._files())
        looks = [found.looks[name] for name in labelled.names]
        form = self._form(found, labelled)
        other = found.note_of_others()
        return Survey(
            count=len(looks),
            sizes=dict(Counter((seen.height, seen.width) for seen in looks).most_common()),
            modes=dict(Counter(seen.mode for seen in looks).most_common()),
            labels={name: _counts(values) for name, values in labelled.attributes.items()},
            test=None if labelled.test is None else int(labelled.test.sum()),
            shape=(form.height, form.width, form.channels),
            depth=form.depth,
            faults=_sorted(found.faults + list(labelled.faults)),
            notes=labelled.notes + ((other,) if other else ()),
        )

    def load(self) -> Dataset:
        with quiet():
            files = self._files()
            found, labelled = self._find(files)
            form = self._form(found, labelled)
            decoded = self._decode(files, labelled.names, form)
        faults = _sorted(found.faults + list(labelled.faults) + decoded.faults)
        if not len(decoded.rows):
            raise self._nothing(faults, found)
        items = decoded.items
        if self.color == "auto" and form.channels == 3 and not decoded.coloured:
            items = _first_channel(items, self.cache_mb)
        return Dataset(
            items=items,
            modality="image",
            names=[labelled.names[row] for row in decoded.rows],
            digests=digests(items),
            attributes={name: values[decoded.rows] for name, values in labelled.attributes.items()},
            test=None if labelled.test is None else labelled.test[decoded.rows],
            faults=faults,
            notes=(*self._notes(decoded.traits, items, found), *labelled.notes),
            resizing="".join(self._resizing(decoded.traits, items)),
        )

    def _files(self) -> Files:
        return Files(self.path, hold=self.cache_mb * 2**18)

    def _find(self, files: Files) -> tuple[Found, Labelled]:
        found = find(files, self.max_pixels)
        if not found.looks:
            raise self._nothing(_sorted(found.faults), found)
        asked = Question(self.path, self.labels, self.label_pattern, files.several)
        return found, label(list(found.looks), found.tables, asked)

    def _nothing(self, faults: tuple[Fault, ...], found: Found) -> DataError:
        if faults:
            reasons = "; ".join(f"{file}: {reason}" for file, reason in faults[:3])
            more = "; …" if len(faults) > 3 else ""
            return DataError(f"'{self.path}' holds no usable picture: {len(faults)} skipped ({reasons}{more})")
        there = found.note_of_others() or "it is empty"
        return DataError(f"'{self.path}' holds no picture ({there}); pictures end in {', '.join(sorted(ENDINGS))}")

    def _form(self, found: Found, labelled: Labelled) -> Form:
        looks = [found.looks[name] for name in labelled.names]
        height, width = self.size or infer_size([(seen.height, seen.width) for seen in looks])
        background = ImageColor.getrgb(self.background)[:3]
        shown = self.fit == "letterbox" or any("transparent" in seen.traits for seen in looks)
        grey = all(seen.grey for seen in looks) and not (shown and len(set(background)) > 1)
        deep = self.depth == "16" or (self.depth == "auto" and all(seen.deep for seen in looks))
        channels = 1 if self.color == "grey" or (self.color == "auto" and grey) else 3
        return Form(height, width, channels, 16 if deep else 8, self.fit, background, self.max_pixels)

    def _decode(self, files: Files, names: list[str], form: Form) -> Decodings:
        shape = len(names), form.height, form.width, form.channels
        items = space(shape, np.dtype(np.uint16 if form.depth == 16 else np.uint8), self.cache_mb, _REMEDY)
        return decode_all(files, names, form, into=items, threads=self.threads)

    def _notes(self, traits: Counter[str], items: np.ndarray, found: Found) -> list[str]:
        skipped = {"deep"} if items.dtype == np.uint16 else set()
        lines = remarks(traits, len(items), background=self.background, without=skipped)
        other = found.note_of_others()
        return [*lines, *self._resizing(traits, items), *([other] if other else [])]

    def _resizing(self, traits: Counter[str], items: np.ndarray) -> list[str]:
        changed = traits["resized"] or traits["enlarged"]
        return [f"read at {items.shape[1]}x{items.shape[2]} ({self.fit}, Lanczos)"] if changed else []


def digests(items: Items) -> np.ndarray:
    """BLAKE2b of each item's shape, type and values as 32 hexadecimal digits, ``(n,)`` of dtype ``S32``."""
    start = hashlib.blake2b(repr((items.shape[1:], items.dtype.str)).encode(), digest_size=16)
    found = np.empty(len(items), "S32")
    for row in range(len(items)):
        state = start.copy()
        state.update(np.ascontiguousarray(items[row]).data)
        found[row] = state.hexdigest().encode()
    return found


def _first_channel(items: np.ndarray, cache_mb: int) -> np.ndarray:
    grey = space((*items.shape[:3], 1), items.dtype, cache_mb, _REMEDY)
    for row, item in enumerate(items):
        grey[row] = item[..., :1]
    return grey


def _counts(values: np.ndarray) -> dict[str, int]:
    return dict(sorted(Counter(values.tolist()).items(), key=lambda pair: natural(pair[0])))


def _sorted(faults: list[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(set(faults), key=lambda fault: (natural(fault.file), fault.reason)))
