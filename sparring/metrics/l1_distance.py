"""Mean absolute difference of pictures from their truth."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import around, standard_error
from sparring.metrics.paired import Channels, chunks, compared, pair_fault


class L1Distance(Metric):
    """Mean absolute difference in levels, of which white has 255: the mean over pixels, channels and pictures."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 4
    depends_on_count: ClassVar[bool] = False
    paired: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "levels of 0 to 255, those of 16 bits over 257; y is the luma of BT.601 in studio range; interval: normal, "
        "pictures drawn anew"
    )

    channels: Channels = Field(default="rgb", description="rgb: all channels as they are; y: luma alone")
    crop: int = Field(default=0, ge=0, le=1024, description="pixels of the border that are left out on every side")

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Every picture needs its truth."""
        return pair_fault(fake, self.channels, self.crop)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.truth is not None
        each = []
        for rows in chunks(len(fake)):
            sides = (np.asarray(side[rows]) for side in (fake.items, fake.truth))
            made, truth = (compared(side, self.channels, self.crop) for side in sides)
            each.append(np.abs(made - truth).mean((1, 2, 3)))
        found = np.concatenate(each)
        name = "l1-y" if self.channels == "y" else "l1"
        return {name: around(float(found.mean()), standard_error(found), within=(0.0, 255.0), better="lower")}
