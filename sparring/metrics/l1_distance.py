"""Mean absolute difference of pictures from their truth."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float

from sparring.metrics import Better
from sparring.metrics.paired import Pixelwise


class L1Distance(Pixelwise):
    """Mean absolute difference in levels, of which white has 255: the mean over pixels, channels and pictures."""

    rank: ClassVar[int | None] = 5
    protocol: ClassVar[str] = (
        "levels of 0 to 255, those of 16 bits over 257; y is the luma of BT.601 in studio range; interval: normal, "
        "pictures drawn anew"
    )
    number: ClassVar[str] = "l1"
    within: ClassVar[tuple[float, float]] = (0.0, 255.0)
    better: ClassVar[Better] = "lower"

    def each(self, made: Float[np.ndarray, "n h w c"], truth: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, " n"]:
        return np.abs(made - truth).mean((1, 2, 3))
