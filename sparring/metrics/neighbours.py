"""Surroundings of items: balls to the k-th nearest neighbour among features, what they hold, and how sure that is.

Surroundings depend on the items around them, so that a share of items that lie in some is no share of independent
draws: its variance was 1.1 to 6 times the binomial one where it was measured. Beside the draw of what is counted, that
of the other side moves the share: without one of its items a ball is gone, and the balls that it bounded reach to their
next nearest neighbour. How much each moves it is counted (the jackknife), and so holds chance of its own; the square of
a count less the count is without it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from sparring.metrics import Evidence, Reading
from sparring.metrics.intervals import share

CHUNK = 1024
"""Rows whose distances are held in memory at once."""
_ROUNDING = 1e-12


class Balls(NamedTuple):
    """The surroundings of items.

    Attributes:
        bounds: squared distance of each item to its k-th nearest other one, ``(m,)``.
        wider: to its next nearest one, to which the ball would reach without any of the k; where there is none, the
            same.
        nearest: rows of the k nearest, ``(m, k)``.
    """

    bounds: Float[np.ndarray, " m"]
    wider: Float[np.ndarray, " m"]
    nearest: Int[np.ndarray, "m k"]


class Held(NamedTuple):
    """What balls hold.

    Attributes:
        inside: balls that hold each item, ``(n,)``.
        holds: items that each ball holds, ``(m,)``.
        error: standard error of the share of items that any ball holds, both sides drawn anew.
        spread: standard error of the mean of ``inside``.
        filled: standard error of the share of balls that hold any item.
    """

    inside: Int[np.ndarray, " n"]
    holds: Int[np.ndarray, " m"]
    error: float
    spread: float
    filled: float


def neighbour_fault(test: Evidence, fake: Evidence, neighbours: int) -> str | None:
    """Why items have no such neighbours, in one line, or None where they have."""
    if fake.truth is not None:
        return (
            "each item was made from one of the reference and lies near it, whatever was learned; kid leaves that out"
        )
    for side, noun in ((test, "reference"), (fake, "judged")):
        if side.fault():
            return side.fault()
        if len(side.features) <= neighbours:
            return (
                f"{len(side.features)} {noun} items are too few to have {neighbours} neighbours each; "
                "take kid, which needs two"
            )
    return None


def balls(rows: Float[np.ndarray, "m d"], neighbours: int) -> Balls:
    """The surroundings of each row among the others."""
    count = len(rows)
    last = min(neighbours, count - 2)
    nearest = np.empty((count, last + 1), np.int64)
    reached = np.empty((count, last + 1))
    for start in range(0, count, CHUNK):
        there = distances(rows[start : start + CHUNK], rows)
        here = np.arange(len(there))
        there[here, here + start] = np.inf
        found = np.argpartition(there, last, axis=1)[:, : last + 1]
        values = np.take_along_axis(there, found, 1)
        order = np.argsort(values, 1, kind="stable")
        nearest[start : start + CHUNK] = np.take_along_axis(found, order, 1)
        reached[start : start + CHUNK] = np.take_along_axis(values, order, 1)
    return Balls(reached[:, neighbours - 1], reached[:, last], nearest[:, :neighbours])


def held(items: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"], around: Balls) -> Held:
    """What the balls around the others hold of the items, with the standard errors of three means."""
    looked = _Looked.at(items, others, around)
    inside, holds, count = looked.inside, looked.holds, len(others)
    emptied = np.bincount(looked.last[holds == 1], minlength=len(items))
    filled = _of_bounded((holds == 0) & (looked.shell > 0), around)
    wider, lost = _of_bounded(looked.shell, around), np.bincount(looked.only[inside == 1], minlength=count)
    return Held(
        inside,
        holds,
        _error(inside > 0, [(looked.newly - lost, looked.newly + lost)]),
        _error(inside, [(wider - holds, wider + holds)]),
        _error(holds > 0, [(emptied, emptied), (filled, filled)]),
    )


def _of_bounded(gained: np.ndarray, around: Balls) -> np.ndarray:
    """What the balls that each item bounds would gain without it, ``(m,)``."""
    nearest = around.nearest
    return np.bincount(nearest.ravel(), np.repeat(gained.astype(float), nearest.shape[1]), len(nearest))


def _error(counted: np.ndarray, moves: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The standard error of the mean of what is counted.

    Args:
        counted: what is averaged.
        moves: for each draw that moves the sum, by how much it would be moved without each item, and how many single
            counts make that up, whose own chance is counted already.
    """
    variance, count = float(counted.var()) / len(counted), len(counted)
    for moved, counts in moves:
        spread = (len(moved) - 1) / len(moved) * np.square(moved - moved.mean()).sum()
        variance += max(0.0, float(spread - counts.sum())) / count**2
    return float(np.sqrt(variance))


def held_share(hits: int, count: int, error: float) -> Reading:
    """A share with a score interval (Wilson) of as many independent draws as have its standard error, at most all."""
    value = hits / count
    plain = value * (1 - value) / count
    return share(hits, count, draws=count * min(1.0, plain / error**2) if plain > 0 and error > 0 else count)


class _Looked(NamedTuple):
    """One look at all pairs.

    Attributes:
        inside: balls that hold each item.
        only: one of the balls that hold each item.
        holds: items that each ball holds.
        last: one of the items that each ball holds.
        shell: items that each ball would hold besides if it reached to the next neighbour.
        newly: items in no ball that some ball would hold without this other item.
    """

    inside: Int[np.ndarray, " n"]
    only: Int[np.ndarray, " n"]
    holds: Int[np.ndarray, " m"]
    last: Int[np.ndarray, " m"]
    shell: Int[np.ndarray, " m"]
    newly: Int[np.ndarray, " m"]

    @classmethod
    def at(cls, items: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"], around: Balls) -> "_Looked":
        """Chunk by chunk."""
        inside, only = np.empty(len(items), np.int64), np.empty(len(items), np.int64)
        holds, last, shell, newly = (np.zeros(len(others), np.int64) for _ in range(4))
        for start in range(0, len(items), CHUNK):
            rows = slice(start, start + CHUNK)
            there = distances(items[rows], others)
            within = there <= around.bounds
            inside[rows], only[rows] = within.sum(1), within.argmax(1)
            any_in = within.any(0)
            holds += within.sum(0)
            last[any_in] = within.argmax(0)[any_in] + start
            near = there <= around.wider
            shell += near.sum(0) - within.sum(0)
            outside = np.flatnonzero(inside[rows] == 0)
            newly += _newly(near[outside], around.nearest)
        return cls(inside, only, holds, last, shell, newly)


def _newly(near: Bool[np.ndarray, "c m"], nearest: Int[np.ndarray, "m k"]) -> Int[np.ndarray, " m"]:
    """How many of these items, which no ball holds, some wider ball would hold without each of the others."""
    item, ball = np.nonzero(near)
    pairs = np.repeat(item, nearest.shape[1]) * len(nearest) + nearest[ball].ravel()
    return np.bincount(np.unique(pairs) % len(nearest), minlength=len(nearest))


def distances(first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
    """Squared distances; what only rounding keeps from 0 is 0, so that equal rows are equal."""
    norms = np.square(first).sum(1)[:, None] + np.square(second).sum(1)
    found = norms - 2 * first @ second.T
    found[found < _ROUNDING * norms] = 0
    return found
