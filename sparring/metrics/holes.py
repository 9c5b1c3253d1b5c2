"""Figures of what was filled in alone, for pictures that were given with holes."""

from typing import ClassVar

import numpy as np

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import mean
from sparring.metrics.paired import pair_fault
from sparring.metrics.psnr import HIGHEST


class HolePsnr(Metric):
    """PSNR over the holes alone: what was known would flatter every model; the mean over pictures."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 4
    depends_on_count: ClassVar[bool] = False
    paired: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "mean squared error over unknown places and all channels of each picture, peak 255 or 65535, at most 100 dB; "
        "interval: normal, pictures drawn anew"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Holes are told by a last channel of what was given."""
        fault = pair_fault(fake, "rgb", 0)
        if fault:
            return fault
        if fake.given is None or fake.given.shape[:3] != fake.items.shape[:3]:
            return "nothing was given with holes"
        if fake.given.shape[3] != fake.items.shape[3] + 1:
            return "nothing was given with holes"
        return None if (fake.given[..., -1] == 0).any() else "no picture has a hole"

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.given is not None
        assert fake.truth is not None
        most, each = np.iinfo(fake.truth.dtype).max, []
        for made, truth, given in zip(np.asarray(fake.items[:]), fake.truth, fake.given, strict=True):
            hole = given[..., -1] == 0
            if hole.any():
                error = np.square((made[hole].astype(float) - truth[hole]) / most).mean()
                each.append(-10 * np.log10(max(error, 10 ** (-HIGHEST / 10))))
        found = np.array(each)
        return {"hole-psnr": mean(found, within=(-np.inf, HIGHEST), better="higher")}
