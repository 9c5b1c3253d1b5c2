"""Changes of pictures, each by one value an item: differentiable twice, and without a loop over items."""

import io

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

Pictures = Float[Tensor, "n c h w"]
PerItem = Float[Tensor, " n"]


def _column(values: Tensor) -> Tensor:
    """One value an item, against pictures."""
    return values.view(-1, 1, 1, 1)


def brighten(items: Pictures, by: PerItem) -> Pictures:
    """All pixels plus ``by``."""
    return items + _column(by)


def saturate(items: Pictures, by: PerItem) -> Pictures:
    """Distance from grey, times ``by``; only of red, green and blue."""
    if items.shape[1] != 3:
        return items
    grey = items.mean(1, keepdim=True)
    return grey + (items - grey) * _column(by)


def contrast(items: Pictures, by: PerItem, about_mean: bool = True) -> Pictures:
    """Distance from the picture's mean or from mid-grey, times ``by``."""
    if not about_mean:
        return items * _column(by)
    mean = items.mean((1, 2, 3), keepdim=True)
    return mean + (items - mean) * _column(by)


def translate(items: Pictures, draws: Float[Tensor, "n 2"], share: float, fill: float) -> Pictures:
    """Whole-pixel shifts.

    Args:
        items: pictures.
        draws: uniform on [0, 1), for the shift down and to the right.
        share: the largest shift, as a share of height and width.
        fill: what comes in from outside.
    """
    lines, inside = [], []
    for axis, size in enumerate(items.shape[2:]):
        most = round(size * share)
        shift = (draws[:, axis, None] * (2 * most + 1)).floor().long() - most
        line = torch.arange(size, device=items.device) + shift
        lines.append(line.clamp(0, size - 1))
        inside.append((line >= 0) & (line < size))
    moved = _pick(items, lines[0][:, :, None], lines[1][:, None, :])
    return torch.where((inside[0][:, :, None] & inside[1][:, None, :])[:, None], moved, fill)


def cut(
    items: Pictures, draws: Float[Tensor, "n 2"], *, share: float, fill: float, chosen: Bool[Tensor, " n"] | None = None
) -> Pictures:
    """A rectangle around a uniform place is filled.

    Args:
        items: pictures.
        draws: uniform on [0, 1), for the middle of the rectangle.
        share: its height and width, as a share of the picture's.
        fill: what it is filled with.
        chosen: which items are cut; all where None.
    """
    inside = []
    for axis, size in enumerate(items.shape[2:]):
        length = round(size * share)
        start = (draws[:, axis, None] * (size + 1 - length % 2)).floor() - length // 2
        line = torch.arange(size, device=items.device)
        inside.append((line >= start) & (line < start + length))
    hole = inside[0][:, :, None] & inside[1][:, None, :]
    return torch.where((hole if chosen is None else hole & chosen[:, None, None])[:, None], fill, items)


def warp(items: Pictures, matrix: Float[Tensor, "n 2 2"], shift: Float[Tensor, "n 2"]) -> Pictures:
    """Bilinear samples at ``matrix @ (place - centre) + centre + shift`` in pixels, rows first; mirrored outside.

    Gathers and weights, because grid_sample has no second derivative in older releases of torch.
    """
    height, width = items.shape[2:]
    rows = torch.arange(height, device=items.device, dtype=items.dtype) - (height - 1) / 2
    columns = torch.arange(width, device=items.device, dtype=items.dtype) - (width - 1) / 2
    (low_y, high_y, part_y), (low_x, high_x, part_x) = (
        _neighbours(
            matrix[:, i, 0, None, None] * rows[:, None]
            + matrix[:, i, 1, None, None] * columns
            + shift[:, i, None, None]
            + (size - 1) / 2,
            size,
        )
        for i, size in enumerate((height, width))
    )
    upper = torch.lerp(_pick(items, low_y, low_x), _pick(items, low_y, high_x), part_x)
    lower = torch.lerp(_pick(items, high_y, low_x), _pick(items, high_y, high_x), part_x)
    return torch.lerp(upper, lower, part_y)


def _neighbours(place: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The pixels on both sides of places along an axis, mirrored into the picture, and the share of the second."""
    low = place.floor()
    pair = [(low.long() + i).remainder(2 * size) for i in range(2)]
    first, second = (torch.where(i < size, i, 2 * size - 1 - i) for i in pair)
    return first, second, (place - low)[:, None]


def _pick(items: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The pixels at ``rows`` and ``columns``, which broadcast to ``(n, h, w)``."""
    height, width = items.shape[2:]
    index = (rows * width + columns).expand(-1, height, width).flatten(1)
    picked = items.flatten(2).gather(2, index[:, None].expand(-1, items.shape[1], -1))
    return picked.view(items.shape)


def to_jpeg(picture: Float[Tensor, "c h w"], quality: int) -> bytes:
    """A grey or RGB picture in [-1, 1], rounded to 8 bits, as a JPEG file."""
    values = ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    stored = io.BytesIO()
    Image.fromarray(values[..., 0] if values.shape[2] == 1 else values).save(stored, "JPEG", quality=quality)
    return stored.getvalue()


def from_jpeg(data: bytes) -> Float[Tensor, "c h w"]:
    """A JPEG file as a picture in [-1, 1]."""
    values = np.atleast_3d(np.asarray(Image.open(io.BytesIO(data))))
    return torch.from_numpy(values.astype(np.float32) / np.float32(127.5) - np.float32(1)).permute(2, 0, 1)
