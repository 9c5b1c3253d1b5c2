"""PNG files of 16 bits in several channels, which Pillow reads at 8: decoded here, exactly.

Source: PNG specification, third edition, sections 5, 9 and 11.2. Interlaced files are left to Pillow.
"""

import struct
import zlib

import numpy as np

from sparring.errors import DataError

_START = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def deep_png(data: bytes, max_pixels: int) -> np.ndarray | None:
    """The pixels ``(h, w, c)`` uint16 of a PNG of 16 bits without interlacing; None where the file is another.

    Raises:
        DataError: it is damaged or too large; the message is the bare reason.
    """
    if not data.startswith(_START) or len(data) < 33:
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    if depth != 16 or interlaced or colour not in _CHANNELS:
        return None
    if width * height > max_pixels:
        raise DataError(f"bomb-sized: {height}x{width} pixels are more than max_pixels={max_pixels}")
    step = 2 * _CHANNELS[colour]
    wanted = height * (1 + width * step)
    try:
        unpacked = zlib.decompressobj().decompress(b"".join(_chunks(data)), wanted)
    except zlib.error as error:
        raise DataError(f"corrupt ({error})") from None
    if len(unpacked) < wanted:
        raise DataError("truncated")
    lines = np.frombuffer(unpacked, np.uint8).reshape(height, 1 + width * step)
    plain = _unfiltered(lines[:, 0], lines[:, 1:].reshape(height, width, step))
    return plain.reshape(height, -1).view(">u2").astype(np.uint16).reshape(height, width, -1)


def _chunks(data: bytes):
    """The contents of the chunks that hold pixels."""
    place = len(_START)
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            yield data[place + 8 : place + 8 + length]
        place += 12 + length


def _unfiltered(kinds: np.ndarray, filtered: np.ndarray) -> np.ndarray:
    """Undoes the filters of all rows, ``(h, w, bytes)``, along anti-diagonals.

    A byte depends on its left, upper and upper left neighbours, which lie on the two diagonals before.
    """
    height, width, step = filtered.shape
    if kinds.max(initial=0) > 4:
        raise DataError("corrupt (unknown filter)")
    plain = np.zeros((height + 1, width + 1, step), np.uint8)
    for diagonal in range(height + width - 1):
        rows = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        columns = diagonal - rows
        left, above, corner = plain[rows + 1, columns], plain[rows, columns + 1], plain[rows, columns]
        kind = kinds[rows][:, None]
        mean = ((left.astype(np.uint16) + above) // 2).astype(np.uint8)
        guess = np.select(
            [kind == 1, kind == 2, kind == 3, kind == 4], [left, above, mean, _paeth(left, above, corner)]
        )
        plain[rows + 1, columns + 1] = filtered[rows, columns] + guess.astype(np.uint8)
    return np.ascontiguousarray(plain[1:, 1:])


def _paeth(left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """The neighbour that is nearest to left + above - corner; section 9.4."""
    a, b, c = (side.astype(np.int16) for side in (left, above, corner))
    far = [np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)]
    return np.where((far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], above, corner))
