"""Pictures: 8 or 16 bits a channel outside, numbers in [-1, 1] inside."""

import csv
import io
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, UInt
from pydantic import Field
from torch import Tensor

from sparring.errors import RequestError, TrainingError
from sparring.files import write_atomic
from sparring.modalities import Modality
from sparring.types import DataSpec

Pictures = UInt[np.ndarray, "n h w c"]
Columns = dict[str, np.ndarray]

_VISIBLE = 64
"""Longer side, in pixels of a contact sheet, up to which small pictures are enlarged."""
_SHEET = 2048
"""Longer side of a sheet beyond which its pictures are no longer enlarged."""


class Image(Modality):
    """Pictures of one size, uint8 or uint16 ``(n, h, w, c)``; grey, grey with alpha, RGB or RGBA."""

    recipe: ClassVar[str] = "pyramid"
    plural: ClassVar[str] = "pictures"
    height: int = Field(ge=1, description="pixels from top to bottom")
    width: int = Field(ge=1, description="pixels from left to right")
    channels: int = Field(ge=1, le=4, description="numbers a pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA")
    depth: Literal[8, 16] = Field(description="bits a number")

    @classmethod
    def fit(cls, items: Any) -> Self:
        shape, kind = tuple(items.shape), np.dtype(items.dtype)
        if len(shape) != 4 or kind not in (np.uint8, np.uint16):
            raise RequestError(f"pictures are uint8 or uint16 (n, height, width, channels), not {kind} {shape}")
        return cls(height=shape[1], width=shape[2], channels=shape[3], depth=8 * kind.itemsize)

    def spec(self) -> DataSpec:
        return DataSpec((self.channels, self.height, self.width))

    def encode(self, items: np.ndarray) -> Float[Tensor, "n c h w"]:
        """Pictures as float32 in [-1, 1], laid out channels last.

        Raises:
            RequestError: the pictures are not of this size and integer type.
        """
        items = np.asarray(items)
        wanted, kind = (self.height, self.width, self.channels), np.dtype(f"u{self.depth // 8}")
        if items.shape[1:] != wanted or items.dtype != kind:
            size = "x".join(map(str, wanted))
            raise RequestError(f"pictures of {size} {kind} are wanted, not {items.dtype} {tuple(items.shape)}")
        whole = np.require(items, requirements=["C", "W"]) if self.depth == 8 else items.astype(np.float32)
        values = torch.from_numpy(whole).permute(0, 3, 1, 2).to(torch.float32)
        return values.mul_(2 / self._most).sub_(1)

    def decode(self, encoded: Float[Tensor, "n c h w"]) -> Pictures:
        """Pictures from numbers, which are clamped to [-1, 1] and rounded.

        Raises:
            TrainingError: a number is not finite.
        """
        values = encoded.detach()
        values = values if values.dtype == torch.float64 else values.float()
        if not torch.isfinite(values).all():
            raise TrainingError(
                "the generator made pictures with values that are not finite; its weights have diverged"
            )
        values = ((values.clamp(-1, 1) + 1) * (self._most / 2)).round().permute(0, 2, 3, 1)
        if self.depth == 8:
            return values.to(torch.uint8).contiguous().cpu().numpy()
        return np.ascontiguousarray(values.to(torch.int32).cpu().numpy().astype(np.uint16))

    @property
    def _most(self) -> int:
        return 2**self.depth - 1

    def write(self, items: np.ndarray, path: Path, ending: str, conditions: Columns) -> list[Path]:
        return _save_folder(items, path, conditions)

    def conformed(self, items: Any) -> np.ndarray:
        items, wanted = np.asarray(items), (self.height, self.width, self.channels)
        if items.ndim != 4 or items.shape[1:] != wanted:
            raise RequestError(f"pictures of {items.shape[1:]} are not of the model's form {wanted}")
        return items

    def preview(self, items: np.ndarray, path: Path) -> None:
        with write_atomic(Path(path)) as aside:
            aside.write_bytes(png(contact_sheet(items)))

    @classmethod
    def endings(cls) -> tuple[str, ...]:
        return (".png", ".npy", ".npz")


def contact_sheet(items: Pictures) -> UInt[np.ndarray, "height width c"]:
    """Pictures side by side on white, row by row in a grid that is nearly square, as 8 bits.

    Small ones are enlarged by a whole factor.
    """
    if not len(items):
        raise RequestError("there is no picture to show; ask for at least one")
    shown = (items >> 8).astype(np.uint8) if items.dtype == np.uint16 else items
    count, height, width, channels = shown.shape
    columns = math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    longest = max(columns * width, rows * height)
    factor = max(1, min(_VISIBLE // max(height, width), _SHEET // longest))
    gap = max(1, factor // 2)
    down, across = height * factor + gap, width * factor + gap
    sheet = np.full((rows * down + gap, columns * across + gap, channels), 255, np.uint8)
    for number, picture in enumerate(shown):
        top, left = number // columns * down + gap, number % columns * across + gap
        enlarged = picture.repeat(factor, 0).repeat(factor, 1)
        sheet[top : top + height * factor, left : left + width * factor] = enlarged
    return sheet


def png(picture: UInt[np.ndarray, "h w c"]) -> bytes:
    """A picture of 1 to 4 channels as PNG, exactly; Pillow writes no colours of 16 bits, so this is done here.

    Source: PNG specification, third edition, sections 5 and 11.2.
    """
    height, width, channels = picture.shape
    lines = np.ascontiguousarray(picture.astype(picture.dtype.newbyteorder(">"))).view(np.uint8).reshape(height, -1)
    # Differences to the pixel on the left ("Sub", filter 1) compress photographs far better than plain values.
    step = channels * picture.dtype.itemsize
    filtered = np.ones((height, 1 + lines.shape[1]), np.uint8)
    filtered[:, 1:] = lines
    filtered[:, 1 + step :] -= lines[:, :-step]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8 * picture.dtype.itemsize, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def _save_folder(items: Pictures, folder: Path, conditions: Columns) -> list[Path]:
    """One PNG a picture, and ``labels.csv``; a folder that is there already keeps its other files."""
    names = [f"{number:05d}.png" for number in range(len(items))] + (["labels.csv"] if conditions else [])
    if folder.is_dir() and any(folder.iterdir()):
        for name, data in zip(names, _files(items, conditions), strict=True):
            with write_atomic(folder / name) as aside:
                aside.write_bytes(data)
    else:
        with write_atomic(folder) as aside:
            aside.mkdir()
            for name, data in zip(names, _files(items, conditions), strict=True):
                (aside / name).write_bytes(data)
    return [folder / name for name in names]


def _files(items: Pictures, conditions: Columns) -> Iterator[bytes]:
    yield from (png(item) for item in items)
    if conditions:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["file", *conditions])
        for number, values in enumerate(zip(*conditions.values(), strict=True)):
            table.writerow([f"{number:05d}.png", *values])
        yield text.getvalue().encode()
