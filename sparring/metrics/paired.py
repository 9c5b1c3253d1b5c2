"""What metrics of a picture beside its truth share: which channels are compared, and how much of the border is not."""

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.metrics import Better, Evidence, Metric, Reading
from sparring.metrics.features import picture_fault
from sparring.metrics.intervals import mean

Channels = Literal["rgb", "y"]
"""All channels as they are, or the luma of ITU-R BT.601 in its studio range, as super-resolution is judged."""

_LUMA = np.array([65.481, 128.553, 24.966])
_CHUNK = 64


class Pixelwise(Metric):
    """A number of each picture beside its truth, in levels of 0 to 255: the mean over pictures.

    Attributes:
        number: how the mean is called; that of the luma alone has ``-y`` behind it.
        within: its least and its greatest value.
        better: whether lower or higher values are better.
    """

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    depends_on_count: ClassVar[bool] = False
    paired: ClassVar[bool] = True
    number: ClassVar[str]
    within: ClassVar[tuple[float, float]]
    better: ClassVar[Better]

    channels: Channels = Field(default="rgb", description="rgb: all channels as they are; y: luma alone")
    crop: int = Field(default=0, ge=0, le=1024, description="pixels of the border that are left out on every side")

    @abstractmethod
    def each(self, made: Float[np.ndarray, "n h w c"], truth: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, " n"]:
        """The number of each picture; float64, 255 is the greatest value."""

    def told(self) -> str:
        return f"{'luma' if self.channels == 'y' else 'all channels'}, border of {self.crop} left out"

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Every picture needs its truth."""
        return pair_fault(fake, self.channels, self.crop)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.truth is not None
        each = []
        for rows in chunks(len(fake)):
            sides = (np.asarray(side[rows]) for side in (fake.items, fake.truth))
            each.append(self.each(*(compared(side, self.channels, self.crop) for side in sides)))
        found = np.concatenate(each)
        name = f"{self.number}-y" if self.channels == "y" else self.number
        return {name: mean(found, within=self.within, better=self.better)}


def pair_fault(side: Evidence, channels: Channels, crop: int) -> str | None:
    """Why the pictures cannot be compared with their truth, in one line, or None where they can."""
    if side.truth is None:
        return "the items have no truth to be compared with"
    fault = picture_fault(side.items) or picture_fault(side.truth)
    if fault:
        return fault
    if side.items.shape != side.truth.shape or side.items.dtype != side.truth.dtype:
        return f"pictures of shape {side.items.shape} do not match the truth's {side.truth.shape}"
    height, width, count = side.items.shape[1:]
    if channels == "y" and count not in (1, 3):
        return f"pictures of {count} channels have no luma; take channels=rgb"
    return (
        f"pictures of {height}x{width} are nothing but a border of {crop}" if min(height, width) <= 2 * crop else None
    )


def compared(pictures: np.ndarray, channels: Channels, crop: int) -> Float[np.ndarray, "n h w c"]:
    """Pictures of integers as float64 with 255 as the highest value, without their border."""
    found = pictures.astype(np.float64) * (255 / np.iinfo(pictures.dtype).max)
    if channels == "y" and pictures.shape[-1] == 3:
        found = (found @ (_LUMA / 255) + 16)[..., None]
    return found[:, crop : found.shape[1] - crop, crop : found.shape[2] - crop]


def chunks(count: int) -> list[slice]:
    """Rows to be compared at once, so that memory does not grow with their number."""
    return [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]
