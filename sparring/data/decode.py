"""One picture's bytes become an array of a wished size, whatever mode, depth or orientation they are stored in."""

import io
import logging
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BufferedIOBase
from typing import IO, NamedTuple, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from sparring.data.form import Form, growth, part_size, shaped
from sparring.errors import DataError

ENDINGS = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".bmp",
        ".dib",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".jp2",
        ".avif",
        ".ico",
    ]
)
"""Endings of files that are read as pictures."""
FOREIGN_ENDINGS = frozenset(
    [".heic", ".heif", ".svg", ".psd", ".tga", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".exr", ".hdr", ".jxl"]
)
"""Endings of pictures that are not read, and are reported."""


def unread(ending: str) -> str:
    """Why a picture of such an ending is not read."""
    return f"{ending} pictures are not read; convert them to PNG or JPEG"


# A closed list: some of Pillow's other readers run programs (EPS) or accept almost any bytes (TGA).
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF", "ICO")
_GREY = frozenset(["1", "L", "LA", "La", "F"])
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112

TRAITS = {
    "transparent": "transparency, composited on {background}",
    "turned": "turned as their EXIF orientation says",
    "deep": "16 bits a channel, reduced to 8",
    "deep colour": "colour of 16 bits a channel, of which 8 were read",
    "float": "floating-point values, taken as fractions of 1, 255 or 65535 by their largest",
    "animated": "several frames, of which the first was used",
    "palette": "a palette, read as its colours",
    "print": "CMYK or Lab, converted to RGB",
    "enlarged": "smaller than the size, enlarged",
    "resized": "larger than the size, reduced",
}
"""What reading may find or change in a picture."""
WHITE = "white"
"""What transparent pictures lie on where a source does not say it."""


def remarks(
    traits: Mapping[str, int], count: int, *, background: str = WHITE, without: Collection[str] = ()
) -> list[str]:
    """What was found or changed, in words, each with the number of pictures.

    Args:
        traits: of how many pictures each was seen.
        count: of all pictures.
        background: what transparent ones lie on.
        without: traits that are not told.
    """
    seen = [(said, traits[trait]) for trait, said in TRAITS.items() if traits.get(trait) and trait not in without]
    return [f"{said.format(background=background)}: {number} of {count} pictures" for said, number in seen]


class Look(NamedTuple):
    """What a picture's header says.

    Attributes:
        height: in pixels, after turning as EXIF says.
        width: likewise.
        mode: Pillow's name of the pixel format.
        grey: whether it has no colour channels.
        deep: whether it can be read at 16 bits.
        traits: keys of :data:`TRAITS`.
    """

    height: int
    width: int
    mode: str
    grey: bool
    deep: bool
    traits: frozenset[str]


class Picture(NamedTuple):
    """A decoded picture.

    Attributes:
        pixels: ``(height, width, channels)`` uint8 or uint16, twice as wide where they are halves.
        coloured: whether its channels differ anywhere.
        traits: keys of :data:`TRAITS`.
    """

    pixels: np.ndarray
    coloured: bool
    traits: frozenset[str]


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps Pillow's warnings about odd files from the user; what matters of them is reported as traits and faults.

    To be entered once around all threads, since filters of warnings belong to the process. What libtiff itself writes
    to standard error about a damaged compressed TIFF is not held back.
    """
    nowhere = logging.NullHandler()
    logging.getLogger("PIL").addHandler(nowhere)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("PIL").removeHandler(nowhere)


def look(stream: BufferedIOBase, max_pixels: int) -> Look:
    """Reads a picture's header, without decoding its pixels.

    Raises:
        DataError: it is no picture, is damaged or too large; the message is the bare reason.
    """
    with opened(stream, max_pixels) as image:
        width, height = image.size
        if _header_orientation(image) >= 5 and image.format not in ("TIFF", "AVIF"):
            width, height = height, width
        deep = image.mode.startswith("I")
        return Look(height, width, image.mode, deep or image.mode in _GREY, deep, _traits(image))


def decode(data: bytes, form: Form) -> Picture:
    """Decodes, turns, composites, converts and resizes one picture.

    Pictures are resized with a Lanczos filter that is widened where they shrink; 16-bit ones in floating point. One
    that has the size already keeps its pixels exactly.

    Raises:
        DataError: it is no picture, is damaged or too large; the message is the bare reason.
    """
    if not data:
        raise DataError("empty")
    with opened(io.BytesIO(data), form.max_pixels) as image:
        traits = set(_traits(image))
        # A JPEG decodes at 1/2, 1/4 or 1/8 for less; twice the size is left for the filter.
        longest = max(form.height, form.width * (2 if form.halves else 1))
        image.draft(image.mode, (2 * longest, 2 * longest))
        image.load()
        upright = turned(image)
        if upright is not image:
            traits.add("turned")
        pixels, size = shaped(upright, form), part_size(upright.size, form)
        if size != (form.width, form.height):
            traits.add("enlarged" if growth(size, form) > 1 else "resized")
    coloured = form.channels == 3 and bool(np.any(pixels != pixels[..., :1]))
    return Picture(pixels, coloured, frozenset(traits))


@contextmanager
def opened(stream: BufferedIOBase, max_pixels: int) -> Iterator[Image.Image]:
    """The picture with its header read, and every way in which decoders fail made a DataError."""
    try:
        with Image.open(cast(IO[bytes], stream), formats=_formats()) as image:
            if image.width * image.height > max_pixels:
                size = f"{image.height}x{image.width}"
                raise DataError(f"bomb-sized: {size} pixels are more than max_pixels={max_pixels}")
            yield image
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        count = re.search(r"\d+", str(error))
        raise DataError(f"bomb-sized: {count[0] if count else 'its'} pixels are more than {max_pixels=}") from None
    except Exception as error:  # damaged bytes make Pillow's readers raise anything
        raise DataError(_reason(error)) from None


@cache
def _formats() -> tuple[str, ...]:
    """Those of the wished formats that this build of Pillow reads."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not a picture, or its first bytes are damaged"
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    text = " ".join(str(error).split())
    if "truncated" in text.lower():
        return "truncated"
    return f"corrupt ({text[:80] or type(error).__name__})"


def _traits(image: Image.Image) -> frozenset[str]:
    mode = image.mode
    found = {
        "transparent": mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info,
        "palette": mode in ("P", "PA"),
        "print": mode in ("CMYK", "LAB"),
        "float": mode == "F",
        "deep": mode.startswith("I"),
        "deep colour": deep_colour(image),
        # An MPO is a photograph with its own preview, not an animation.
        "animated": image.format != "MPO" and getattr(image, "is_animated", False),
    }
    return frozenset(name for name, there in found.items() if there)


def deep_colour(image: Image.Image) -> bool:
    """Whether the file holds 16 bits a channel that Pillow reads at 8."""
    stored = [str(tile[3]) for tile in getattr(image, "tile", ())]
    return image.format in ("PNG", "TIFF") and not image.mode.startswith("I") and any(";16" in kind for kind in stored)


def _header_orientation(image: Image.Image) -> int:
    """EXIF's orientation as far as the header has it; asking a PNG without EXIF would decode it."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    return _orientation(image)


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF is no reason to lose the picture
        return 1
    return found if isinstance(found, int) else 1


def turned(image: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation says."""
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def turned_as(image: Image.Image, pixels: np.ndarray) -> np.ndarray:
    """The pixels ``(h, w, c)`` of this file, read by another decoder, as its EXIF orientation says."""
    turn = _TURNS.get(_header_orientation(image))
    if turn is None:
        return pixels
    across = np.swapaxes(pixels, 0, 1)
    ways = {
        Image.Transpose.FLIP_LEFT_RIGHT: pixels[:, ::-1],
        Image.Transpose.ROTATE_180: pixels[::-1, ::-1],
        Image.Transpose.FLIP_TOP_BOTTOM: pixels[::-1],
        Image.Transpose.TRANSPOSE: across,
        Image.Transpose.ROTATE_270: across[:, ::-1],
        Image.Transpose.TRANSVERSE: across[::-1, ::-1],
        Image.Transpose.ROTATE_90: across[::-1],
    }
    return np.ascontiguousarray(ways[turn])
