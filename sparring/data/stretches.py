"""Splits of windows: by whole series where there are many, else by time, with a gap between the parts.

Windows overlap, so that one belongs to a part only where all of its steps do. A model that gives training windows out
again so gains nothing on the others.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np

TRAIN, SELECT, REPORT, LEFT = range(4)
_SHARES = (0.75, 0.85)
"""Where learning ends, and choosing, in a stretch of time."""
_TESTED = (0.85,)
"""Where learning ends beside an official test split."""
_SEVERAL = 20
"""Series from which on whole series are held back rather than stretches of each."""
_FEWEST = 3
"""Series of which whole ones can be held back."""
_ROOM = 40
"""Windows in a row that a stretch must have room for to be split by itself."""
_NAMED = 3


@dataclass(frozen=True)
class Cut:
    """Windows as they were cut from series.

    Attributes:
        lengths: steps of each series.
        names: of the series.
        series: which each window is of, ``(windows,)``.
        offsets: first step of each window in its series, ``(windows,)``.
        window: its steps.
        stretches: in how many a series is cut, at most.
        gap: steps between two parts that belong to none.
    """

    lengths: np.ndarray
    names: list[str]
    series: np.ndarray
    offsets: np.ndarray
    window: int
    stretches: int
    gap: int

    def of(self, rows: np.ndarray) -> Self:
        """Some of the windows."""
        return replace(self, series=self.series[rows], offsets=self.offsets[rows])


def uses_of(cut: Cut, test: np.ndarray | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The use of each window, ``(windows,)`` of 0 to 3 as :func:`by_time` tells them, with notes.

    Args:
        cut: the windows.
        test: which are of an official test split, and are reported on; None: such are chosen among the others.
    """
    if test is None:
        return _split(cut, REPORT)
    found = np.full(len(test), REPORT)
    found[~test], notes = _split(cut.of(~test), SELECT)
    return found, notes


def _split(cut: Cut, last: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """The use of each window, of those up to ``last``."""
    there = np.unique(cut.series)
    whole = np.full(len(cut.lengths), TRAIN)
    if len(there) >= _SEVERAL:
        # Every twentieth series to choose by, and two of twenty to report on.
        place = (np.arange(len(there)) * 7) % 20
        whole[there[place == 0]] = SELECT
        whole[there[(place == 1) | (place == 2)]] = REPORT if last == REPORT else TRAIN
        return whole[cut.series], ()
    found, short = np.full(len(cut.series), LEFT), []
    for number in there.tolist():
        here = cut.series == number
        length = int(cut.lengths[number])
        own = by_time(cut.offsets[here], cut.window, length, stretches=cut.stretches, gap=cut.gap, last=last)
        if not set(range(last + 1)) <= set(own.tolist()):
            own[:] = TRAIN
            short.append(number)
        found[here] = own
    if not short:
        return found, ()
    if len(short) < len(there):
        return found, (_learned_whole([cut.names[number] for number in short]),)
    if len(there) < _FEWEST:
        return found, (f"too short to hold a part back: all {len(found)} windows are learned",)
    held = len(there) // 10 + 1
    for use in range(SELECT, last + 1):
        end = len(there) - (last - use) * held
        whole[there[end - held : end]] = use
    return whole[cut.series], (f"too short to hold a part of each back: {last * held} of {len(there)} series are",)


def _learned_whole(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"too short to hold a part back, and learned whole: {', '.join(names[:_NAMED])}{more}"


def by_time(  # noqa: PLR0913
    offsets: np.ndarray, window: int, length: int, *, stretches: int, gap: int, last: int = REPORT
) -> np.ndarray:
    """The use of each window of a series: 0 to learn from, 1 to choose by, 2 to report on, 3 left out.

    Args:
        offsets: first step of each window.
        window: its steps.
        length: steps of the series.
        stretches: in how many it is cut, at most; each must have room for some windows of every use.
        gap: steps between two parts that belong to none.
        last: the last use that there is: 2, or 1 where others are reported on.
    """
    count = max(1, min(stretches, length // (_ROOM * window)))
    edges = np.linspace(0, length, count + 1).astype(np.int64)
    found = np.full(len(offsets), LEFT)
    for number, (low, high) in enumerate(pairwise(edges)):
        inner = _SHARES if last == REPORT else _TESTED
        cuts = [low, *(low + np.int64((high - low) * share) for share in inner), high]
        final = number == count - 1
        for use in range(last + 1):
            begin = cuts[use] + (gap if use else 0)
            end = cuts[use + 1] - (gap if use == last and not final else 0)
            found[(offsets >= begin) & (offsets + window <= end)] = use
    return found
