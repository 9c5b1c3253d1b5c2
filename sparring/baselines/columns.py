"""What baselines of pictures and points share: classes to fit by, and the form of the data."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float

from sparring.metrics import Specimens


def by_class(asked: Specimens, train: Specimens, least: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each combination of attributes that was asked for: the rows that ask for it, and training rows that have it.

    All training rows together stand in for the combinations that fewer than ``least`` of them have.
    """
    names = [name for name in asked.columns if name in train.columns]
    rest = np.ones(len(asked), bool)
    if names:
        wanted, there = (_joined(side.columns[name] for name in names) for side in (asked, train))
        for word in np.unique(wanted):
            known = np.flatnonzero(there == word)
            if len(known) >= least:
                rows = wanted == word
                rest &= ~rows
                yield np.flatnonzero(rows), known
    if rest.any():
        yield np.flatnonzero(rest), np.arange(len(train))


def _joined(columns: Iterable[np.ndarray]) -> np.ndarray:
    """One word for each row's combination of values."""
    return np.array(["\x1f".join(map(str, row)) for row in zip(*columns, strict=True)])


def in_form(drawn: Float[np.ndarray, "n d"], like: np.ndarray) -> np.ndarray:
    """Numbers in the shape and type of the data; those of pictures are rounded and kept within their range."""
    if np.issubdtype(like.dtype, np.integer):
        bounds = np.iinfo(like.dtype)
        drawn = np.clip(np.rint(drawn), bounds.min, bounds.max)
    return drawn.astype(like.dtype).reshape(len(drawn), *like.shape[1:])
