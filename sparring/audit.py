"""The pairs that an audit shows: generated items that are suspiciously near to what was learned from."""

from pathlib import Path

import numpy as np

from sparring.files import write_atomic
from sparring.metrics.nearest import nearest, pixels
from sparring.modalities.image import contact_sheet, png

SHOWN = 12
"""Pairs in the picture."""

_GAP = 1


def suspects(train: np.ndarray, held: np.ndarray, made: np.ndarray, count: int = SHOWN) -> np.ndarray | None:
    """Generated pictures with their nearest training and nearest held-back picture, the most suspicious first.

    Suspicious is what is much nearer to a training than to any held-back picture, in pixels.

    Returns:
        ``(k, 3, h, w, c)``: generated, training, held back; None where items are no pictures or a side has none.
    """
    if len(made.shape) != 4 or not min(map(len, (train, held, made))):
        return None
    known, others, judged = pixels(train), pixels(held), pixels(made)
    to_train, to_held = nearest(judged, known), nearest(judged, others)
    # Compared as logarithms of distances, with copies of held-back pictures kept finite.
    tiny = np.finfo(np.float64).tiny
    order = np.argsort(np.log(to_train.distance + tiny) - np.log(to_held.distance + tiny), kind="stable")[:count]
    return np.stack([made[order], train[to_train.row[order]], held[to_held.row[order]]], 1)


def draw_suspects(pairs: np.ndarray, path: Path) -> None:
    """Writes one picture: generated, nearest training and nearest held-back item side by side, pair after pair."""
    pairs = (pairs >> 8).astype(np.uint8) if pairs.dtype == np.uint16 else pairs
    gap = np.full((len(pairs), pairs.shape[2], _GAP, pairs.shape[4]), 255, np.uint8)
    # What belongs together stands nearer than what does not.
    apart = np.repeat(gap, 4, axis=2)
    wide = np.concatenate([pairs[:, 0], gap, pairs[:, 1], gap, pairs[:, 2], apart], axis=2)
    with write_atomic(path) as aside:
        aside.write_bytes(png(contact_sheet(wide)))
