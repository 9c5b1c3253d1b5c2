"""Pictures that are arrays already, brought to another size."""

import numpy as np
from PIL import Image


def resized(items: np.ndarray, size: tuple[int, int] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Pictures ``(n, h, w, c)`` of another size: the middle is cropped to the aspect ratio, then Lanczos; with a note.

    Args:
        items: uint8 or uint16.
        size: the wished (height, width); None leaves all as it is.
    """
    count, height, width, channels = items.shape
    if size is None or size == (height, width):
        return items, ()
    scale = min(height / size[0], width / size[1])
    down, across = size[0] * scale, size[1] * scale
    top, left = (height - down) / 2, (width - across) / 2
    box = (left, top, left + across, top + down)
    most = np.iinfo(items.dtype).max
    made = np.empty((count, *size, channels), items.dtype)
    for number in range(count):
        for channel in range(channels):
            plane = Image.fromarray(items[number, :, :, channel].astype(np.float32))
            smooth = np.asarray(plane.resize((size[1], size[0]), Image.Resampling.LANCZOS, box=box))
            made[number, :, :, channel] = np.clip(np.rint(smooth), 0, most)
    return made, (f"{count} pictures of {height}x{width} were brought to {size[0]}x{size[1]} (crop, Lanczos)",)
