"""Arrays: pictures or points in ``.npy`` and ``.npz`` files, or in memory."""

import hashlib
import os
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from pydantic import Field, field_validator

from sparring.data import Dataset, DataSource
from sparring.data.decode import turned
from sparring.data.form import Form, shaped
from sparring.data.images import Size, digests
from sparring.data.resizing import resized
from sparring.data.room import refuse_beyond_memory, space
from sparring.errors import DataError, RequestError
from sparring.files import write_npy, write_npz

_ITEMS = ("samples", "images", "x", "data", "arr_0")
_SPLIT = (("x_train", "y_train"), ("x_test", "y_test"))
_HELD_MB = 1024
_LABELS = ("label", "labels", "y")
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, OverflowError, RuntimeError, MemoryError)
# NumPy reads the header of an array as Python's literals.
_BROKEN = (*_UNREADABLE, zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError)

Notes = tuple[str, ...]


class Arrays(DataSource):
    """A ``.npy`` or ``.npz`` file of pictures ``(n, h, w[, c])`` or points ``(n, d)``; ``.npz`` may hold labels too."""

    path: str = Field(description=".npy file, or .npz with samples, images or x and attributes such as labels or y")
    modality: Literal["auto", "image", "points"] = Field(
        default="auto", description="what the numbers are; auto: by their axes"
    )
    size: Size = Field(default=None, description="height and width of pictures, 48x64 or 64; none: their own")

    @field_validator("path", mode="before")
    @classmethod
    def _text(cls, path: Any) -> Any:
        return os.fspath(path) if isinstance(path, os.PathLike) else path

    def title(self) -> str:
        return Path(self.path).expanduser().resolve().stem or "arrays"

    def load(self) -> Dataset:
        arrays, notes = read_arrays(Path(self.path).expanduser())
        items, attributes, test, more = divided(arrays, self.path)
        modality, fitted = _modality(items, self.modality, self.path), ()
        if modality == "points":
            if self.size is not None:
                raise RequestError(f"size: '{self.path}' holds points, which have no height and width")
            items = _points(items, self.path)
        else:
            items, changed = as_pictures(items, self.path)
            items, fitted = resized(items, self.size)
            more += changed + fitted
        return Dataset(
            items=items,
            modality=modality,
            names=[f"{Path(self.path).name}#{row}" for row in range(len(items))],
            digests=digests(items),
            attributes=attributes,
            test=test,
            notes=notes + more,
            resizing="".join(fitted),
        )


def store_arrays(array: Any, folder: Path, labels: Any = None) -> Arrays:
    """Keeps data in memory in a folder, so that a run can be gone on with.

    Args:
        array: pictures ``(n, h, w[, c])`` or points ``(n, d)`` as an array or tensor, or a list of pictures.
        folder: where the file is written, called after its content, so that it never takes the place of other data.
        labels: one per item, or one sequence per attribute by its name.

    Raises:
        RequestError: the pictures in a list differ in size, or the labels in number.
    """
    items = _stacked(array)
    columns = labels if isinstance(labels, Mapping) else {} if labels is None else {"label": labels}
    attributes = {str(name): _words(_one_each(values, str(name)), str(name)) for name, values in columns.items()}
    for name, values in attributes.items():
        if name in _ITEMS:
            raise RequestError(f"an attribute cannot be called '{name}', which names the items; rename it")
        if len(values) != len(items):
            raise RequestError(f"'{name}' has {len(values)} values for {len(items)} items; give one an item")
    if items.dtype == object:
        raise RequestError("the data hold Python objects, not numbers; give an array of one shape and type")
    path = Path(folder) / f"{_content(items, attributes)}{'.npz' if attributes else '.npy'}"
    if path.is_file():
        return Arrays(path=str(path))
    if attributes:
        write_npz(path, {"samples": items, **attributes})
    else:
        write_npy(path, items)
    return Arrays(path=str(path))


def _content(items: np.ndarray, attributes: Mapping[str, np.ndarray]) -> str:
    """A hash of the data."""
    digest = hashlib.blake2b(f"{items.dtype.str}{items.shape}".encode(), digest_size=8)
    digest.update(np.ascontiguousarray(items).data)
    for name, values in attributes.items():
        digest.update("\0".join([name, *values.tolist()]).encode())
    return digest.hexdigest()


def _one_each(values: Any, name: str) -> np.ndarray:
    """Values of an attribute, ``(n,)``, of an array that may have a second axis of one.

    Raises:
        RequestError: there are several an item.
    """
    found = np.asarray(_plain(values))
    found = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
    if found.ndim != 1:
        raise RequestError(
            f"'{name}' of shape {found.shape} is not one value an item; give the classes' names or numbers, (n,)"
        )
    return found


def _plain(values: Any) -> Any:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values


def _stacked(array: Any) -> np.ndarray:
    """One array from an array, a tensor or a list of pictures."""
    array = _plain(array)
    if isinstance(array, Sequence) and not isinstance(array, str | bytes):
        if not len(array):
            raise RequestError("the list of data is empty; give at least two items")
        if all(isinstance(item, Image.Image) for item in array):
            array = _from_pillow(array)
        shapes = {np.shape(_plain(item)) for item in array}
        if len(shapes) > 1:
            raise RequestError(f"the items differ in shape, {sorted(shapes)[:3]}; save pictures of many sizes as files")
        array = np.stack([np.asarray(_plain(item)) for item in array])
    array = np.asarray(array)
    if array.ndim < 2:
        raise RequestError(f"an array of shape {array.shape} holds no items; pictures are (n, h, w, c), points (n, d)")
    return array


def _from_pillow(pictures: Sequence[Any]) -> list[np.ndarray]:
    """Grey where all are grey, 16 bits where all have them, else RGB; as files: turned by EXIF, composited on white."""
    pictures = [turned(picture) for picture in pictures]
    modes = {picture.mode for picture in pictures}
    if modes <= {"L", "1"}:
        return [np.asarray(picture.convert("L")) for picture in pictures]
    if all(mode.startswith("I;16") for mode in modes):
        return [np.asarray(picture).astype(np.uint16) for picture in pictures]
    return [shaped(picture, Form(picture.height, picture.width)) for picture in pictures]


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], Notes]:
    """The arrays in a ``.npy`` or ``.npz`` file by name (``arr_0`` in ``.npy``); nothing is unpickled.

    Raises:
        RequestError: there is no such file.
        DataError: it cannot be read, or holds Python objects.
    """
    if not path.is_file():
        raise RequestError(f"there is no file '{path}'")
    if not path.stat().st_size:
        raise DataError(f"'{path}' is empty")
    try:
        if path.suffix.lower() == ".npy":
            return {"arr_0": _read_npy(path)}, ()
        # NumPy leaves a damaged archive open when it opens the file itself.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            size = sum(member.file_size for member in archive.zip.infolist())
            refuse_beyond_memory(size, f"'{path}'", "save fewer or smaller items, or a .npy, which may be larger")
            # What is no array comes as bytes.
            found = {name: archive[name] for name in archive.files}
            return {name: array for name, array in found.items() if isinstance(array, np.ndarray)}, ()
    except _BROKEN as error:
        said = str(error) or type(error).__name__
        if "pickle" in said or "object" in said.lower():
            raise DataError(f"'{path}' holds Python objects, which are never unpickled; save it as numbers") from None
        reason = " ".join(said.split())[:120]
        raise DataError(f"'{path}' cannot be read as NumPy's {path.suffix}: {reason}; save or fetch it again") from None


def _read_npy(path: Path) -> np.ndarray:
    """The array, held by this process: one that is only mapped changes with its file, and ends the process with it."""
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)  # touches nothing but the header
    if not isinstance(mapped, np.memmap):
        raise ValueError("it is an archive")
    turned = mapped.flags.fnc
    held = space(mapped.shape[::-1] if turned else mapped.shape, mapped.dtype, _HELD_MB)
    with path.open("rb") as file:
        file.seek(mapped.offset)
        if file.readinto(held.reshape(-1).view(np.uint8).data) != held.nbytes:
            raise ValueError("it was cut off while it was read")
    return held.T if turned else held


def divided(
    arrays: dict[str, np.ndarray], path: str
) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray | None, Notes]:
    """Items, attributes, test split and notes, of the arrays of a file by their names.

    Raises:
        DataError: it is not said which are the items, or labels are not one for each.
    """
    test, told = None, ()
    if "x_train" in arrays and not any(name in arrays for name in _ITEMS):
        arrays, test, told = _joined(arrays, path)
    named = [name for name in _ITEMS if name in arrays]
    large = [name for name, array in arrays.items() if array.ndim > 1]
    key = named[0] if named else large[0] if len(large) == 1 else None
    if key is None:
        raise DataError(f"'{path}' holds {', '.join(arrays) or 'nothing'}; the items should be called samples")
    items = arrays[key]
    if items.ndim < 2 or not items.size:
        raise DataError(
            f"'{path}': '{key}' of shape {items.shape} holds no items; pictures are (n, h, w, c), points (n, d)"
        )
    attributes, left = {}, []
    for name, values in arrays.items():
        flat = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        if name != key and flat.ndim == 1 and len(flat) == len(items):
            attributes["label" if name in _LABELS else name] = _words(flat, name)
        elif name != key:
            left.append(name)
    if set(left) & set(_LABELS):
        raise DataError(
            f"'{path}': {left[0]} of shape {arrays[left[0]].shape} are not one label for each of {len(items)}"
        )
    return items, attributes, test, (*told, *([f"{', '.join(left)} left out: not one value an item"] if left else []))


def _joined(arrays: dict[str, np.ndarray], path: str) -> tuple[dict[str, np.ndarray], np.ndarray | None, Notes]:
    """``x_train``, ``y_train``, ``x_test``, ``y_test`` as one set and its test split; what is left out in a note."""
    there = [(x, y) for x, y in _SPLIT if x in arrays]
    try:
        joined = {"samples": np.concatenate([arrays[x] for x, _ in there])}
        if all(y in arrays for _, y in there):
            joined["label"] = np.concatenate([arrays[y] for _, y in there])
    except ValueError as error:
        raise DataError(f"'{path}': x_train and x_test do not fit together: {error}") from None
    test = np.repeat([False, True][: len(there)], [len(arrays[x]) for x, _ in there])
    used = {name for pair in there for name in (pair if "label" in joined else pair[:1])}
    left = [name for name in arrays if name not in used]
    lacking = next((y for x, y in there if y not in arrays), None) if any(y in arrays for _, y in there) else None
    why = f", as there is no {lacking}" if lacking else ""
    told = (f"{', '.join(left)} left out{why}",) if left else ()
    return joined, test if len(there) == 2 else None, told


def _words(values: np.ndarray, name: str) -> np.ndarray:
    """Attribute values as strings; whole numbers without a fraction."""
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.rint(values)).all():
        return np.array([str(int(value)) for value in values])
    if values.dtype.kind in "fc" and not np.isfinite(values).all():
        raise DataError(f"attribute '{name}' holds values that are not finite; leave it out or fill them in")
    return values.astype(str)


def _modality(items: np.ndarray, asked: str, path: str) -> str:
    if items.dtype.kind not in "biuf":
        raise DataError(f"'{path}' holds {items.dtype}, not real numbers; save pictures as uint8 and points as float32")
    if asked == "points" and items.ndim != 2:
        raise DataError(f"'{path}': points are (n, d), not {items.shape}")
    if asked == "points" or (asked == "auto" and items.ndim == 2):
        return "points"
    if items.ndim not in (3, 4):
        raise DataError(f"'{path}': an array {items.shape} is neither pictures (n, h, w[, c]) nor points (n, d)")
    if asked == "auto" and items.ndim == 3 and items.shape[2] in (3, 4) and items.shape[0] > 4:
        raise RequestError(
            f"'{path}': {items.shape} may be one picture, or {items.shape[0]} narrow ones; reshape it to (n, h, w, c), "
            "or say data.modality=image for narrow pictures"
        )
    return "image"


def refuse_holes(items: np.ndarray, path: str) -> None:
    """Refuses NaN and infinity in one line that names the first item with one.

    Raises:
        DataError: there are some.
    """
    good = np.isfinite(items).reshape(len(items), -1).all(1)
    if not good.all():
        bad = np.flatnonzero(~good)
        raise DataError(
            f"'{path}': {len(bad)} of {len(items)} items hold NaN or infinity, the first is {bad[0]}; take them out"
        )


def _points(items: np.ndarray, path: str) -> np.ndarray:
    refuse_holes(items, path)
    with np.errstate(over="ignore"):
        points = np.asarray(items).astype(np.float32)
    refuse_holes(points, f"{path} as float32")
    return points


def as_pictures(items: np.ndarray, path: str) -> tuple[np.ndarray, Notes]:
    """Pictures ``(n, h, w, c)`` of uint8 or uint16 from whatever numbers they are, with notes on what was changed.

    Raises:
        DataError: values are not finite or of no known range, or there are no 1 to 4 channels.
    """
    notes: Notes = ()
    if items.ndim == 3:
        items = items[..., None]
    if items.shape[3] > 4 and items.shape[1] <= 4:
        items, notes = np.moveaxis(items, 1, 3), ("channels stood before height and width, they were moved last",)
    if items.shape[3] > 4:
        raise DataError(f"'{path}': pictures have 1 to 4 channels on the last axis, not {items.shape}")
    if items.dtype.kind == "f":
        refuse_holes(items, path)
    low, high, kind = float(items.min()), float(items.max()), items.dtype.kind
    if kind == "b" or (kind in "iu" and (low, high) == (0, 1)):
        said = "true and false became 255 and 0" if kind == "b" else "0 and 1 became 0 and 255"
        return items.astype(np.uint8) * np.uint8(255), (*notes, said)
    if items.dtype in (np.uint8, np.uint16) and items.dtype.isnative:
        dark = items.dtype == np.uint16 and 0 < high < 256
        return items, notes + ((f"uint16 up to {high:g} of 65535 is nearly black: of 8 bits it is uint8",) * dark)
    if kind in "iu" or (high > 1 and low >= 0 and (items == np.rint(items)).all()):
        return _whole(items, low, high, path), (*notes, f"{items.dtype} became {'uint8' if high < 256 else 'uint16'}")
    if low < -1 or high > 1:
        raise DataError(
            f"'{path}': pictures of {items.dtype} are in [0, 1] or [-1, 1], not in [{low:g}, {high:g}]; scale them, or "
            "say --modality series where they are series (n, t, c)"
        )
    start = 0 if low >= 0 else -1
    scaled = np.rint((items.astype(np.float64) - start) * (255 / (1 - start))).astype(np.uint8)
    return scaled, (*notes, f"{items.dtype} in [{start}, 1] became uint8, 0 to 255")


def _whole(items: np.ndarray, low: float, high: float, path: str) -> np.ndarray:
    if low < 0 or high > 65535:
        raise DataError(f"'{path}': whole numbers are in 0..255 or 0..65535, not in {low:g}..{high:g}; scale them")
    return items.astype(np.uint8 if high < 256 else np.uint16)
