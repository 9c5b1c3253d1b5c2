"""Equal counts: what a metric is asked about has as many items as what stands beside it.

The value of most metrics changes with the count of items, the Fréchet distance by its bias: a floor of half as many
items would flatter every model.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from sparring.metrics import Evidence, Metric

QUARTER = 0.25
"""Share of the judged items that a floor must have for all to be taken at its count: intervals are then at most twice
as wide. A floor of fewer is left out."""


@dataclass(frozen=True)
class Entrants:
    """What a metric is asked about: what is judged, and what is put in its place.

    Attributes:
        fake: what is judged.
        floor: real items, or None where there are none.
        others: baselines and other models, by name.
        reason: why there is no floor though there are real items for one, or ``""``.
    """

    fake: Evidence
    floor: Evidence | None = None
    others: dict[str, Evidence] = field(default_factory=dict)
    reason: str = ""

    def even(self, metric: Metric, train: Evidence, test: Evidence, *, asked: bool = False) -> "Entrants":
        """The same at one count, where the metric's value depends on it: that of the fewer, or without a floor.

        What cannot have as many items is left out.

        Args:
            metric: is asked.
            train: what was learned from.
            test: the reference.
            asked: whether the count of judged items was asked for: it is then kept.
        """
        if not (metric.depends_on_count and metric.judging):
            return self
        count, floor = len(self.fake), self.floor
        reason = "" if floor is None else _shortage(metric, (train, test, self.fake), floor, asked=asked)
        floor = None if reason else floor
        count = count if floor is None else min(count, len(floor))
        return Entrants(
            thinned(self.fake, count),
            None if floor is None else thinned(floor, count),
            {name: thinned(other, count) for name, other in self.others.items() if len(other) >= count},
            reason,
        )


def _shortage(metric: Metric, sides: tuple[Evidence, Evidence, Evidence], floor: Evidence, *, asked: bool) -> str:
    """Why nothing is taken at the count of a floor of fewer items, in one line, or ``""`` where it is."""
    train, test, fake = sides
    held, count = len(floor), len(fake)
    if held >= count:
        return ""
    if asked:
        return f"{held:,} real items are there for it, not the {count:,} that were asked for"
    if held < QUARTER * count or metric.refusal(train, test, thinned(fake, held)) is not None:
        return f"{held:,} real items are too few beside {count:,}"
    return ""


def thinned(side: Evidence, count: int) -> Evidence:
    """So many items of a side, spread evenly over it."""
    if count >= len(side):
        return side
    return side.once(("thinned", count), lambda: side.some(np.linspace(0, len(side) - 1, count).astype(np.int64)))


def told(taken: Iterable[tuple[Metric, Entrants]], usual: int) -> dict[str, str]:
    """Which metrics were taken at another count than the usual one, and which have no floor and why; for a protocol.

    Args:
        taken: each metric with what it was asked about.
        usual: items that were generated.
    """
    counts: dict[str, list[str]] = {}
    reasons: dict[str, list[str]] = {}
    for metric, entrants in taken:
        count = metric.looked_at(len(entrants.fake))
        if count != usual:
            counts.setdefault(f"{count:,}", []).append(metric.name)
        if entrants.reason:
            reasons.setdefault(entrants.reason, []).append(metric.name)
    found = {
        "taken_at": "; ".join(f"{count} items: {', '.join(names)}" for count, names in counts.items()),
        "without_floor": "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items()),
    }
    return {what: text for what, text in found.items() if text}
