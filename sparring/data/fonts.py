"""Fonts: files that fontconfig finds for a language, and text drawn with them."""

import subprocess
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sparring.errors import DataError

BOLD = 180
"""Weight from which fontconfig calls a face demi-bold or bolder."""

_MOST = 12
"""Faces of a language that are taken, so that a machine with many fonts learns from as few as another."""

_REMEDY = {
    "zh": "on Debian, apt-get install fonts-noto-cjk brings one",
    "en": "on Debian, apt-get install fonts-dejavu",
}


class Face(NamedTuple):
    """One face of a font file.

    Attributes:
        file: its path.
        number: which of the faces of the file.
        bold: whether it is a bold one.
    """

    file: str
    number: int = 0
    bold: bool = False


def faces(language: str) -> tuple[Face, ...]:
    """One upright face of each scalable font file that fontconfig has for a language, in the order of their paths.

    Args:
        language: as fontconfig names it, ``zh-cn``.

    Raises:
        DataError: fontconfig is not installed, or has no such font; the message says what brings one.
    """
    remedy = _REMEDY.get(language.partition("-")[0], "install one")
    form = "%{file}|%{index}|%{weight}|%{slant}|%{family[0]}\n"
    try:
        said = subprocess.run(
            ["fc-list", "--format", form, f":lang={language}:scalable=true"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        raise DataError(
            f"fonts for '{language}' are found by fc-list of fontconfig, which is not here; {remedy}"
        ) from None
    found: dict[str, tuple[int, Face]] = {}
    for line in sorted(set(said.splitlines())):
        file, index, weight, slant, family = line.split("|", 4)
        # Collections hold the faces of several countries and widths; that of the asked one goes first.
        order = 2 * ("Mono" in family) + (language == "zh-cn" and not family.endswith(("SC", "CN", "GB")))
        plain = weight.isdigit() and index.isdigit() and int(index) < 2**16 and slant == "0"
        if plain and (file not in found or order < found[file][0]):
            found[file] = order, Face(file, int(index), int(weight) >= BOLD)
    if not found:
        raise DataError(f"fontconfig has no font for '{language}' (fc-list :lang={language}); {remedy}")
    every = [face for _, (_, face) in sorted(found.items())]
    return tuple(every[i] for i in np.linspace(0, len(every) - 1, min(len(every), _MOST)).astype(int))


@lru_cache(maxsize=512)
def font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """A face at a size in pixels.

    Raises:
        DataError: the file cannot be read as a font.
    """
    try:
        return ImageFont.truetype(face.file, size, face.number)
    except OSError as error:
        raise DataError(f"'{face.file}' cannot be read as a font ({error}); give a TrueType or OpenType file") from None


def refuse_missing(face: Face, texts: Sequence[str]) -> None:
    """Refuses a face that draws a box in the place of a character.

    Raises:
        DataError: it does; the message names the character.
    """

    def shape(character: str) -> bytes:
        return placed(line(character, face, 24, (48, 48)), (48, 48), (0.0, 0.0)).tobytes()

    box = shape("\U0010fffd")
    for character in sorted({c for text in texts for c in text if not c.isspace()}):
        if shape(character) == box:
            raise DataError(f"'{face.file}' has no glyph for '{character}'; give a font that has")


def line(text: str, face: Face, tall: int, room: tuple[int, int]) -> np.ndarray:
    """A text in one line, white on black, cut to its box, ``(h, w)`` uint8.

    Args:
        text: the line.
        face: what it is drawn with.
        tall: size of the font in pixels; smaller where the line would not fit.
        room: height and width that it must fit into; what still does not is cut off.
    """
    height, width = room
    left, top, right, bottom = (round(edge) for edge in font(face, tall).getbbox(text))
    while tall > 4 and (right - left > width or bottom - top > height):
        tall -= 1
        left, top, right, bottom = (round(edge) for edge in font(face, tall).getbbox(text))
    picture = Image.new("L", (min(right - left, width), min(bottom - top, height)))
    ImageDraw.Draw(picture).text((-left, -top), text, fill=255, font=font(face, tall))
    return np.asarray(picture)


def placed(ink: np.ndarray, size: tuple[int, int], place: tuple[float, float]) -> np.ndarray:
    """A drawing on black paper of a size, ``(h, w)``.

    Args:
        ink: the drawing, no larger than the paper.
        size: of the paper.
        place: where the drawing's box lies between top and bottom, and between left and right, in [0, 1].
    """
    top, left = (round(at * (whole - part)) for at, whole, part in zip(place, size, ink.shape, strict=True))
    paper = np.zeros(size, np.uint8)
    paper[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return paper


def centred(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A drawing ``(h, w)``, moved by whole pixels to where another of that size is: the middles of their ink meet.

    As near as the picture has room for; what is else 0 is no ink.
    """
    for axis in (0, 1):
        (first, last), (low, high) = (_ink(drawing, axis) for drawing in (picture, other))
        wanted = round((low + high - last - first) / 2)
        picture = np.roll(picture, min(max(wanted, -first), picture.shape[axis] - 1 - last), axis)
    return picture


def _ink(picture: np.ndarray, axis: int) -> tuple[int, int]:
    """The first and the last line along an axis in which something is drawn; where nothing is, the whole axis."""
    lines = np.flatnonzero(picture.any(1 - axis))
    return (int(lines[0]), int(lines[-1])) if len(lines) else (0, picture.shape[axis] - 1)
