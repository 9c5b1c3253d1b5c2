"""Memorisation in pixels, or in the numbers of points: whether generated items are training items."""

from typing import ClassVar

import numpy as np

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.memorisation import LEAST
from sparring.metrics.nearest import SIDE, closest_to, copying, pixels


class PixelMemorisation(Metric):
    """The numbers of ``memorisation`` from the items themselves: no feature network can hide a copy here."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("image", "points")
    rank: ClassVar[int | None] = 61
    audited: ClassVar[tuple[str, ...]] = ("pixel-copies", "pixel-nearness")
    depends_on_count: ClassVar[bool] = False
    compared: ClassVar[bool] = False
    protocol: ClassVar[str] = (
        f"Euclidean distances of pixels, pictures above {SIDE} pixels a side averaged down to that; numbers and "
        "intervals as of memorisation"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Every side needs some items of numbers."""
        for side, noun in ((train, "training"), (test, "reference"), (fake, "judged")):
            if len(side.items) < LEAST:
                return f"{len(side.items)} {noun} items are fewer than {LEAST}"
            if not np.issubdtype(np.asarray(side.items[:1]).dtype, np.number):
                return f"{noun} items are no numbers"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        learned, held = (side.once("pixels", lambda side=side: pixels(side.items)) for side in (train, test))
        # The training side is kept with what was worked out, so that no other can get its identity.
        _, closest = test.once(("closest pixels", id(train)), lambda: (train, closest_to(held, learned)))
        found = copying(learned, held, pixels(fake.items), closest)
        return {f"pixel-{name}": reading for name, reading in found.items()}
