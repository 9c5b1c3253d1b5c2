"""Content: items are told apart by what they hold, whatever their order or number."""

import numpy as np

REPORT = 0.1
"""Share of items to report on, where the data have no split of their own."""


def lowest(rows: np.ndarray, digests: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows with the ``count`` lowest digests, equal ones with them, and the others; none where most are equal."""
    if count == 0:
        return rows[:0], rows
    ranked = np.sort(digests[rows])
    chosen = digests[rows] <= ranked[count - 1]
    if chosen.sum() > len(rows) / 2:
        return rows[:0], rows
    return rows[chosen], rows[~chosen]
