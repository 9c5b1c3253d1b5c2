"""Whether generated windows are training windows."""

from typing import ClassVar

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.dynamics import refusal, scaled
from sparring.metrics.memorisation import LEAST
from sparring.metrics.nearest import copying


class NearestWindow(Metric):
    """Distance of generated windows to the nearest training window, against the same of held-back ones."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 60
    audited: ClassVar[tuple[str, ...]] = ("window-copies", "window-nearness")
    depends_on_count: ClassVar[bool] = False
    protocol: ClassVar[str] = (
        "Euclidean distances of windows in the channels' deviations; numbers and intervals as of memorisation. Parts "
        "of the split lie apart in time, so that a nearness somewhat off .5 may be of the time and not of copies"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        few = min(len(train), len(test), len(fake))
        return refusal(train, test, fake) or (f"a side has {few} windows, fewer than {LEAST}" if few < LEAST else None)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        learned, held, made = (side.reshape(len(side), -1) for side in scaled(train, train, test, fake))
        return {f"window-{name}": reading for name, reading in copying(learned, held, made).items()}
