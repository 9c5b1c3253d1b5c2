"""Nearest neighbours among features, chunk by chunk."""

import numpy as np
from jaxtyping import Float

from sparring.metrics import Evidence

CHUNK = 1024
"""Rows whose distances are held in memory at once."""
_ROUNDING = 1e-12


def neighbour_fault(test: Evidence, fake: Evidence, neighbours: int) -> str | None:
    """Why items have no such neighbours, in one line, or None where they have."""
    for side, noun in ((test, "reference"), (fake, "judged")):
        if side.fault():
            return side.fault()
        if len(side.features) <= neighbours:
            return (
                f"{len(side.features)} {noun} items are too few to have {neighbours} neighbours each; "
                "take kid, which needs two"
            )
    return None


def reach(rows: Float[np.ndarray, "m d"], neighbours: int) -> Float[np.ndarray, " m"]:
    """Squared distance of each row to its k-th nearest other row."""
    found = np.empty(len(rows))
    for start in range(0, len(rows), CHUNK):
        there = distances(rows[start : start + CHUNK], rows)
        here = np.arange(len(there))
        there[here, here + start] = np.inf
        found[start : start + CHUNK] = np.partition(there, neighbours - 1, axis=1)[:, neighbours - 1]
    return found


def distances(first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
    """Squared distances; what only rounding keeps from 0 is 0, so that equal rows are equal."""
    norms = np.square(first).sum(1)[:, None] + np.square(second).sum(1)
    found = norms - 2 * first @ second.T
    found[found < _ROUNDING * norms] = 0
    return found
