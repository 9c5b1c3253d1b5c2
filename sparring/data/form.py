"""An open picture becomes an array of a wished size, depth and number of channels."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageCms

from sparring.errors import DataError


@dataclass(frozen=True)
class Form:
    """What every picture of a set is brought to.

    Attributes:
        height: in pixels.
        width: in pixels.
        channels: 1 or 3.
        depth: bits a channel, 8 or 16.
        fit: fill the size and crop the middle, or fit all of it in and fill the bars.
        background: red, green, blue of 0 to 255, behind transparency and in bars.
        max_pixels: larger pictures are refused before they are decoded.
        halves: two pictures stand side by side, and each is brought to that size by itself.
    """

    height: int
    width: int
    channels: int = 3
    depth: int = 8
    fit: Literal["crop", "letterbox"] = "crop"
    background: tuple[int, int, int] = (255, 255, 255)
    max_pixels: int = 100_000_000
    halves: bool = False


def shaped(image: Image.Image, form: Form) -> np.ndarray:
    """The decoded picture in that form, ``(height, width, channels)`` uint8 or uint16; halves are side by side again.

    Raises:
        DataError: its values have no known range, or it is too narrow for halves; the message is the bare reason.
    """
    flat = _flat(image, form)
    if not form.halves:
        return _array(_fitted(flat, form), form)
    width, height = part_size(image.size, form)
    if not width:
        raise DataError("one pixel wide, which cannot be cut into two pictures")
    # Of an odd width the middle column belongs to neither.
    boxes = (0, 0, width, height), (image.width - width, 0, image.width, height)
    return np.concatenate([_array(_fitted(flat.crop(box), form), form) for box in boxes], 1)


def part_size(size: tuple[int, int], form: Form) -> tuple[int, int]:
    """Width and height of what is brought to the form's size in a picture of ``(width, height)``."""
    return (size[0] // 2 if form.halves else size[0]), size[1]


def _flat(image: Image.Image, form: Form) -> Image.Image:
    """The picture as opaque ``L`` or ``RGB``, or as ``F`` in units of 1/65535 where it is deeper than 8 bits."""
    mode = "L" if form.channels == 1 else "RGB"
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_sixteen_bit(np.asarray(image)))
    if image.mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB") or image
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        if image.mode in ("La", "RGBa"):
            image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, (*form.background, 255)), over).convert("RGB")
    if image.mode == "P":
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _sixteen_bit(values: np.ndarray) -> np.ndarray:
    """Deep grey as float32 of 0 to 65535."""
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 65535:
        raise DataError(f"values from {low:g} to {high:g} are outside 0 to 65535")
    scale = 1.0
    if values.dtype.kind == "f":
        scale = 65535 if high <= 1 else 257 if high <= 255 else 1
    return values.astype(np.float32) * np.float32(scale)


def growth(size: tuple[int, int], form: Form) -> float:
    """By how much a picture of ``(width, height)`` grows."""
    ratios = form.width / size[0], form.height / size[1]
    return max(ratios) if form.fit == "crop" else min(ratios)


def _fitted(image: Image.Image, form: Form) -> Image.Image:
    wanted = form.width, form.height
    if image.size == wanted:
        return image
    scale = growth(image.size, form)
    if form.fit == "crop":
        across, down = form.width / scale, form.height / scale
        left, top = max(0.0, (image.width - across) / 2), max(0.0, (image.height - down) / 2)
        box = left, top, min(image.width, left + across), min(image.height, top + down)
        return image.resize(wanted, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    small = image.resize(inner, Image.Resampling.LANCZOS, reducing_gap=3.0)
    whole = Image.new(image.mode, wanted, _bar_colour(image.mode, form.background))
    whole.paste(small, ((form.width - inner[0]) // 2, (form.height - inner[1]) // 2))
    return whole


def _bar_colour(mode: str, background: tuple[int, int, int]) -> tuple[int, int, int] | int:
    if mode == "RGB":
        return background
    grey = Image.new("RGB", (1, 1), background).convert("L").tobytes()[0]
    return grey * 257 if mode == "F" else grey


def _array(image: Image.Image, form: Form) -> np.ndarray:
    values = np.asarray(image)
    if image.mode == "F":
        values = np.clip(values, 0, 65535)
        values = np.rint(values).astype(np.uint16) if form.depth == 16 else np.rint(values / 257).astype(np.uint8)
    elif form.depth == 16:
        values = values.astype(np.uint16) * np.uint16(257)
    if values.ndim == 2:
        values = values[..., None]
    return np.broadcast_to(values, (form.height, form.width, form.channels))
