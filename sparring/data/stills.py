"""Stills: single picture files, read and written with all that they hold: size, depth, grey, alpha, orientation."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from sparring.data.decode import deep_colour, opened, quiet, turned, turned_as
from sparring.data.deep_png import deep_png
from sparring.errors import DataError, RequestError
from sparring.files import write_atomic
from sparring.modalities.image import png

LARGEST = 100_000_000
"""Pixels above which a file is refused as a bomb."""

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""Endings of files that can be written; folders get ``.png``."""


class Still(NamedTuple):
    """A picture as it is.

    Attributes:
        pixels: ``(h, w, 1)`` grey or ``(h, w, 3)`` RGB, uint8 or uint16.
        alpha: opacity ``(h, w)`` in the same type, or None where there is none.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None


def read_still(path: Path) -> Still:
    """Reads one picture file in its own depth, turned as its EXIF orientation says.

    Raises:
        DataError: it cannot be read, or not in its own depth; the message is the bare reason.
    """
    try:
        if not path.is_file():
            raise DataError("not a regular file" if path.exists() else "there is no such file")
        if (size := path.stat().st_size) > 8 * LARGEST + 2**24:
            raise DataError(f"bomb-sized: {size} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(error.strerror or str(error)) from None
    if not data:
        raise DataError("empty")
    deep = deep_png(data, LARGEST)
    with quiet(), opened(io.BytesIO(data), LARGEST) as image:
        if deep is not None:
            return split_alpha(turned_as(image, deep))
        if deep_colour(image):
            raise DataError(
                "colour of 16 bits a channel, of which 8 could be read; save it as a PNG without interlacing"
            )
        image.load()
        return split_alpha(_plain(turned(image)))


def _plain(image: Image.Image) -> np.ndarray:
    """The picture as ``(h, w, c)`` of 8 or 16 bits: grey, grey and alpha, RGB or RGBA."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise DataError(f"values from {values.min()} to {values.max()} are outside 0 to 65535")
        return values.astype(np.uint16)[..., None]
    if image.mode == "F":
        raise DataError("floating-point pictures are not restored; convert it to 8 or 16 bits")
    transparent = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("LA" if grey else "RGBA") if transparent else ("L" if grey else "RGB")
    return np.atleast_3d(np.asarray(image.convert(mode)))


def split_alpha(values: np.ndarray) -> Still:
    """Pixels ``(h, w, c)`` of 1 to 4 channels, of which the second and the fourth are alpha."""
    if values.shape[2] in (2, 4):
        return Still(values[..., :-1], values[..., -1])
    return Still(values)


def write_still(still: Still, path: Path) -> None:
    """Writes a picture file whose ending says its form; PNG keeps everything.

    Raises:
        RequestError: the ending is not one of :data:`ENDINGS`, or cannot hold 16 bits or alpha.
    """
    values = still.pixels if still.alpha is None else np.concatenate([still.pixels, still.alpha[..., None]], 2)
    ending = path.suffix.lower()
    if ending == ".png":
        data = png(values)
    elif ending not in ENDINGS:
        raise RequestError(f"'{path}': pictures end in {', '.join(ENDINGS)}, or name a folder")
    elif values.dtype == np.uint16 and (ending not in (".tif", ".tiff") or values.shape[2] > 1):
        raise RequestError(f"'{path}': {ending} cannot hold {values.shape[2]} channels of 16 bits here; write .png")
    elif still.alpha is not None and ending in (".jpg", ".jpeg", ".bmp"):
        raise RequestError(f"'{path}': {ending} cannot hold transparency; write .png")
    else:
        stored = io.BytesIO()
        image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else np.ascontiguousarray(values))
        options = {"quality": 95} if ending in (".jpg", ".jpeg", ".webp") else {}
        image.save(stored, Image.registered_extensions()[ending], **options)
        data = stored.getvalue()
    with write_atomic(path) as aside:
        aside.write_bytes(data)
