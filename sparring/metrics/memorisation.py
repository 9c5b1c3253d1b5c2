"""Memorisation in features: whether generated items stand too near to items that were learned from."""

from typing import ClassVar

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.nearest import closest_to, copying

LEAST = 20
"""Items of a side below which shares mean nothing."""


class Memorisation(Metric):
    """Distance of generated items to their nearest training item, against the same of held-back items.

    ``copies`` that stand above their floor with a ``nearness`` of .5 are smooth items near the middle of the data, not
    copies: a copy is near to a training item and to no held-back one.
    """

    rank: ClassVar[int | None] = 60
    audited: ClassVar[tuple[str, ...]] = ("copies", "nearness")
    depends_on_count: ClassVar[bool] = False
    protocol: ClassVar[str] = (
        "Euclidean distances of features; copies: share of generated items equal to a training item, or nearer to one "
        "than all but 1 % of held-back items are that equal none, and one at least, so that without memorisation it is "
        "near .01, of n < 200 held-back items near 2 / (n + 1); nearness: share nearer to a training than to a "
        "held-back item at equal counts, .5 without memorisation; intervals: score interval of a share (Wilson), the "
        "reference items held fixed"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Every side needs some items, or the nearest one says little."""
        for side, noun in ((train, "training"), (test, "reference"), (fake, "judged")):
            if side.fault():
                return side.fault()
            if len(side.features) < LEAST:
                return f"{len(side.features)} {noun} items are fewer than {LEAST}"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        # The training side is kept with what was worked out, so that no other can get its identity.
        _, closest = test.once(("closest", id(train)), lambda: (train, closest_to(test.features, train.features)))
        return copying(train.features, test.features, fake.features, closest)
