"""The delete-a-group jackknife of numbers that several runs share, so that what they share cancels in a difference."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from sparring.metrics import Better, Evidence, Metric

GROUPS = 20
"""Groups of the jackknife."""


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

    Attributes:
        runs: those that it can be taken of.
        refused: why not, for each of the others.
        better: which end of each number is better.
    """

    def __init__(self, metric: Metric, train: Evidence, test: Evidence, made: dict[str, Evidence]):
        reasons = {run: metric.refusal(train, test, side) for run, side in made.items()}
        self.refused = {run: reason for run, reason in reasons.items() if reason is not None}
        self.runs = [run for run in made if run not in self.refused]
        whole = {run: metric(train, test, made[run]) for run in self.runs}
        self.better: dict[str, Better] = {name: r.better for name, r in next(iter(whole.values()), {}).items()}
        self.whole = {run: {name: r.value for name, r in there.items()} for run, there in whole.items()}
        self.less: list[dict[str, dict[str, float]]] = []
        fewest = min((len(made[run]) for run in self.runs), default=0)
        for group in range(min(GROUPS, fewest) if fewest > 1 else 0):
            kept = np.arange(fewest) % GROUPS == group if metric.paired else None
            short = test if metric.paired else _rest(test, group)
            fakes = {
                run: made[run].some(np.flatnonzero(kept)) if kept is not None else _rest(made[run], group)
                for run in self.runs
            }
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

        def of(values: dict[str, dict[str, float]]) -> float:
            return values[run][name] - (values[less][name] if less is not None else 0.0)

        value, parts = of(self.whole), np.array([of(values) for values in self.less])
        if len(parts) < 2:
            return Number(value)
        # Delete-a-group jackknife (Kott 2001); a group is a random part, since samples and digests come in no order.
        error = np.sqrt((len(parts) - 1) / len(parts) * np.square(parts - parts.mean()).sum())
        half = float(student.ppf(0.975, len(parts) - 1) * error)
        return Number(value, value - half, value + half)


def _rest(side: Evidence, group: int) -> Evidence:
    """The side without every :data:`GROUPS`-th item, beginning with the group's number."""
    return side.some(np.flatnonzero(np.arange(len(side)) % GROUPS != group))
