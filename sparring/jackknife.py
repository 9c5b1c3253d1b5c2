"""The delete-a-group jackknife of numbers that several runs share, so that what they share cancels in a difference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from sparring.metrics import Better, Evidence, Metric

GROUPS = 20
"""Groups of the jackknife."""
LEVEL = 0.05
"""Chance at most that any of several differences is called real and is none."""


@dataclass(frozen=True)
class Number:
    """One number of one run, or of a difference between two.

    Attributes:
        value: the estimate on all items.
        low: lower end of its 95 % interval, or None where there are too few items for one.
        high: upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


class Taken:
    """A metric's numbers of all runs, on all items and with every group left out in turn.

    Args:
        metric: is taken.
        train: what was learned from.
        test: the reference.
        made: what each run made.
        neighbours: whether items that follow each other are alike, as overlapping windows of a series are. Groups are
            then stretches of them; else they are drawn, since held-back items may stand in the order of their classes.

    Attributes:
        runs: those that it can be taken of.
        refused: why not, for each of the others.
        better: which end of each number is better.
    """

    def __init__(
        self, metric: Metric, train: Evidence, test: Evidence, made: dict[str, Evidence], *, neighbours: bool = False
    ):
        reasons = {run: metric.refusal(train, test, side) for run, side in made.items()}
        self.refused = {run: reason for run, reason in reasons.items() if reason is not None}
        self.runs = [run for run in made if run not in self.refused]
        whole = {run: metric(train, test, made[run]) for run in self.runs}
        self.better: dict[str, Better] = {name: r.better for name, r in next(iter(whole.values()), {}).items()}
        self.whole = {run: {name: r.value for name, r in there.items()} for run, there in whole.items()}
        self.less: list[dict[str, dict[str, float]]] = []
        fewest = min((len(made[run]) for run in self.runs), default=0)
        count = min(GROUPS, fewest, fewest if metric.paired else len(test)) if fewest > 1 else 0
        groups = {size: _groups(size, count, neighbours=neighbours) for size in {len(test), *map(len, made.values())}}
        for group in range(count):
            if metric.paired:
                kept = groups[fewest] == group
                short, fakes = test, {run: made[run].some(np.flatnonzero(kept)) for run in self.runs}
            else:
                kept, short = None, _rest(test, groups[len(test)], group)
                fakes = {run: _rest(made[run], groups[len(made[run])], group) for run in self.runs}
            if any(metric.refusal(train, short, fake) is not None for fake in fakes.values()):
                continue
            found = {
                run: {name: r.value for name, r in metric(train, short, fake).items()} for run, fake in fakes.items()
            }
            # A mean over pictures without a group follows from the mean of that group alone, which costs a twentieth.
            self.less.append(found if kept is None else self._left(found, float(kept.mean())))

    def _left(self, found: dict[str, dict[str, float]], share: float) -> dict[str, dict[str, float]]:
        """What is left of the means without a group that has these means and this share of the pictures."""
        return {
            run: {name: (self.whole[run][name] - share * value) / (1 - share) for name, value in there.items()}
            for run, there in found.items()
        }

    def number(self, name: str, run: str, less: str | None = None) -> Number:
        """A run's number, or how much it is above that of another run."""
        value, error, freedom = self._estimate(name, run, less)
        if error is None:
            return Number(value)
        half = float(student.ppf(0.975, freedom) * error)
        return Number(value, value - half, value + half)

    def chance(self, name: str, run: str, less: str) -> float | None:
        """How likely a difference at least so great would be where there is none; None where it cannot be said."""
        value, error, freedom = self._estimate(name, run, less)
        if error is None:
            return None
        if error == 0:
            return 1.0 if value == 0 else 0.0
        return float(2 * student.sf(abs(value) / error, freedom))

    def _estimate(self, name: str, run: str, less: str | None) -> tuple[float, float | None, int]:
        """A number with its standard error, None where there are too few groups, and the freedom of that."""

        def of(values: dict[str, dict[str, float]]) -> float:
            return values[run][name] - (values[less][name] if less is not None else 0.0)

        value, parts = of(self.whole), np.array([of(values) for values in self.less])
        if len(parts) < 2:
            return value, None, 0
        # Delete-a-group jackknife (Kott 2001).
        error = np.sqrt((len(parts) - 1) / len(parts) * np.square(parts - parts.mean()).sum())
        return value, float(error), len(parts) - 1


def beyond_chance(chances: Sequence[float | None]) -> list[bool]:
    """Which of several differences are real, with at most :data:`LEVEL` that any of them is none (Holm 1979).

    Args:
        chances: of each where there is none; None where it cannot be said.
    """
    found, order = [False] * len(chances), sorted((p, i) for i, p in enumerate(chances) if p is not None)
    for rank, (p, place) in enumerate(order):
        if p > LEVEL / (len(order) - rank):
            break
        found[place] = True
    return found


def _groups(items: int, count: int, *, neighbours: bool) -> np.ndarray:
    """The group of each of so many items, ``(items,)``."""
    if neighbours:
        return np.arange(items) * count // max(1, items)
    return np.random.Generator(np.random.Philox(key=0)).permutation(items) % max(1, count)


def _rest(side: Evidence, groups: np.ndarray, group: int) -> Evidence:
    """The side without a group."""
    return side.some(np.flatnonzero(groups != group))
