"""What metrics of a picture beside its truth share: which channels are compared, and how much of the border is not."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from sparring.metrics import Evidence
from sparring.metrics.features import picture_fault

Channels = Literal["rgb", "y"]
"""All channels as they are, or the luma of ITU-R BT.601 in its studio range, as super-resolution is judged."""

_LUMA = np.array([65.481, 128.553, 24.966])
_CHUNK = 64


def pair_fault(side: Evidence, channels: Channels, crop: int) -> str | None:
    """Why the pictures cannot be compared with their truth, in one line, or None where they can."""
    if side.truth is None:
        return "the items have no truth to be compared with"
    fault = picture_fault(side.items) or picture_fault(side.truth)
    if fault:
        return fault
    if side.items.shape != side.truth.shape or side.items.dtype != side.truth.dtype:
        return f"pictures of shape {side.items.shape} do not match the truth's {side.truth.shape}"
    height, width, count = side.items.shape[1:]
    if channels == "y" and count not in (1, 3):
        return f"pictures of {count} channels have no luma; take channels=rgb"
    return (
        f"pictures of {height}x{width} are nothing but a border of {crop}" if min(height, width) <= 2 * crop else None
    )


def compared(pictures: np.ndarray, channels: Channels, crop: int) -> Float[np.ndarray, "n h w c"]:
    """Pictures of integers as float64 with 255 as the highest value, without their border."""
    found = pictures.astype(np.float64) * (255 / np.iinfo(pictures.dtype).max)
    if channels == "y" and pictures.shape[-1] == 3:
        found = (found @ (_LUMA / 255) + 16)[..., None]
    return found[:, crop : found.shape[1] - crop, crop : found.shape[2] - crop]


def chunks(count: int) -> list[slice]:
    """Rows to be compared at once, so that memory does not grow with their number."""
    return [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]
