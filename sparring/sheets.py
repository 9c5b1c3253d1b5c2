"""Contact sheets side by side, each with its caption, as one picture."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sparring.files import write_atomic
from sparring.modalities import Modality

_MARGIN, _LETTERS = 12, 20


class Captioned(NamedTuple):
    """Items with the words that stand above them."""

    caption: str
    items: np.ndarray


def write_sheets(modality: Modality, columns: Sequence[Captioned], path: Path) -> None:
    """Writes the modality's preview of each column's items beside the others as PNG."""
    sheets = [_preview(modality, column.items) for column in columns]
    font = ImageFont.load_default(_LETTERS)
    widths = [max(sheet.width, int(font.getlength(c.caption))) for sheet, c in zip(sheets, columns, strict=True)]
    height = max(sheet.height for sheet in sheets) + _LETTERS + 3 * _MARGIN
    whole = Image.new("RGB", (sum(widths) + _MARGIN * (len(widths) + 1), height), "white")
    pen, left = ImageDraw.Draw(whole), _MARGIN
    for sheet, column, width in zip(sheets, columns, widths, strict=True):
        pen.text((left, _MARGIN), column.caption, fill="black", font=font)
        whole.paste(sheet, (left, _LETTERS + 2 * _MARGIN))
        left += width + _MARGIN
    with write_atomic(Path(path)) as aside:
        whole.save(aside, "PNG")


def _preview(modality: Modality, items: np.ndarray) -> Image.Image:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sheet.png"
        modality.preview(items, file)
        with Image.open(file) as sheet:
            return sheet.convert("RGB")
