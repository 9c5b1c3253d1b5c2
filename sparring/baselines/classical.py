"""Classical restorers: non-local means and Telea's method for holes by OpenCV, BM3D by its authors' package."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from sparring.baselines import Baseline
from sparring.baselines.given import answered, parts
from sparring.errors import MissingExtra, RequestError
from sparring.metrics import Specimens

_RADIUS = 3
"""Pixels around a place that Telea's method looks at."""


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise MissingExtra("cv2", "pictures") from None
    return cv2


def _bm3d() -> Any:
    try:
        return import_module("bm3d")
    except ImportError:
        raise RequestError("'bm3d' is not installed; pip install bm3d brings it, for non-commercial use") from None


def _refusal(judged: Specimens, package: Callable[[], Any], *, holes: bool) -> str | None:
    if judged.given is None or judged.items.ndim != 4:
        return "nothing was given"
    if judged.items.dtype != np.uint8 or judged.items.shape[3] not in (1, 3):
        return "pictures of 8 bits in one or three channels are restored"
    if judged.given.shape[:3] != judged.items.shape[:3] or (parts(judged)[1] is not None) != holes:
        return "there are no holes to fill" if holes else "there is no noise to take away"
    try:
        package()
    except RequestError as missing:
        return str(missing)
    return None


class NonLocalMeans(Baseline):
    """Non-local means, Buades et al. 2005, at the noise that is estimated in each picture; by OpenCV."""

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 13
    paired: ClassVar[bool] = True

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        same = judged.given is not None and judged.given.shape == judged.items.shape
        return _refusal(judged, _opencv, holes=False) if same else "what was given is of another kind"

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        cv2 = _opencv()
        made = []
        for picture in parts(judged)[0]:
            planes = [np.ascontiguousarray(picture[..., i]) for i in range(picture.shape[2])]
            found = [cv2.fastNlMeansDenoising(p, None, h=max(1.0, 0.8 * noise(p)), searchWindowSize=21) for p in planes]
            made.append(np.stack(found, 2))
        return answered(judged, np.stack(made))


class Bm3d(Baseline):
    """BM3D, Dabov et al. 2007, at the noise that is estimated in each picture; by the package of its authors.

    The package ``bm3d`` is free for non-commercial use alone, so that no extra brings it.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 15
    paired: ClassVar[bool] = True

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        same = judged.given is not None and judged.given.shape == judged.items.shape
        return _refusal(judged, _bm3d, holes=False) if same else "what was given is of another kind"

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        package, made = _bm3d(), []
        for picture in parts(judged)[0]:
            planes = [picture[..., i].astype(np.float64) / 255 for i in range(picture.shape[2])]
            found = [package.bm3d(plane, max(1.0, noise(plane * 255)) / 255) for plane in planes]
            made.append(np.rint(np.clip(np.stack(found, 2), 0, 1) * 255).astype(np.uint8))
        return answered(judged, np.stack(made))


class Telea(Baseline):
    """Holes filled from their border inwards, Telea 2004; by OpenCV."""

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 14
    paired: ClassVar[bool] = True

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        return _refusal(judged, _opencv, holes=True)

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        cv2 = _opencv()
        given, known = parts(judged)
        assert known is not None
        made = [
            cv2.inpaint(np.ascontiguousarray(picture), (~there).astype(np.uint8), _RADIUS, cv2.INPAINT_TELEA)
            for picture, there in zip(given, known, strict=True)
        ]
        return answered(judged, np.stack(made).reshape(judged.items.shape))


def noise(plane: np.ndarray) -> float:
    """Standard deviation of the noise of a picture ``(h, w)``: Haar's diagonal details, Donoho and Johnstone 1994."""
    height, width = (side // 2 * 2 for side in plane.shape)
    p = plane[:height, :width].astype(np.float64)
    detail = (p[::2, ::2] - p[1::2, ::2] - p[::2, 1::2] + p[1::2, 1::2]) / 2
    return float(np.median(np.abs(detail)) / 0.6745)
