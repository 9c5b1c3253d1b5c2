"""Baselines that answer a given picture by simple means: as it is, by its own colours, by the nearest known one."""

from typing import ClassVar

import numpy as np
import torch

from sparring.baselines import Baseline
from sparring.degradations import resize
from sparring.metrics import Specimens


def parts(judged: Specimens) -> tuple[np.ndarray, np.ndarray | None]:
    """What was given in the shape of the items, and which places were known, ``(n, h, w)``, where it has holes.

    A smaller picture is enlarged bicubically, a grey one repeated to all channels.
    """
    given, items = judged.given, judged.items
    assert given is not None, "a paired baseline answers what was given"
    known = None
    if given.shape[3] == items.shape[3] + 1:
        known, given = given[..., -1] > 0, given[..., :-1]
    if given.shape[1:3] != items.shape[1:3]:
        most = np.iinfo(given.dtype).max
        size = items.shape[1], items.shape[2]
        large = [resize(torch.from_numpy(g.astype(np.float32)).permute(2, 0, 1), size) for g in given]
        given = torch.stack(large).clamp(0, most).round().permute(0, 2, 3, 1).numpy().astype(given.dtype)
    if given.shape[3] != items.shape[3]:
        given = np.repeat(given[..., :1], items.shape[3], 3)
    return given, known


def answered(judged: Specimens, items: np.ndarray) -> Specimens:
    """Other items in the place of those that were judged."""
    return Specimens(items, judged.columns, judged.given, judged.truth)


def _refusal(judged: Specimens) -> str | None:
    return "nothing was given" if judged.given is None or judged.items.ndim != 4 else None


class Identity(Baseline):
    """The given picture as it is, enlarged bicubically where it is smaller."""

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 10
    paired: ClassVar[bool] = True

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        return _refusal(judged)

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        return answered(judged, parts(judged)[0])


class MeanColour(Baseline):
    """Holes filled with the mean colour of what is known of the picture."""

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 11
    paired: ClassVar[bool] = True

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        return _refusal(judged) or (None if parts(judged)[1] is not None else "there are no holes to fill")

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        given, known = parts(judged)
        assert known is not None
        made = given.copy()
        for picture, there in zip(made, known, strict=True):
            if there.any() and not there.all():
                picture[~there] = np.rint(picture[there].mean(0)).astype(picture.dtype)
        return answered(judged, made)


class NearestTraining(Baseline):
    """The training picture that fits best: to what is known where there are holes, else by what it was made from."""

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 12
    paired: ClassVar[bool] = True

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        if _refusal(judged) or not len(train):
            return _refusal(judged) or "there are no training items"
        return None if parts(judged)[1] is not None or train.given is not None else "training items were given nothing"

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        given, known = parts(judged)
        pool = train.items if known is not None or train.given is None else train.given
        there, asked, made = _small(pool), _small(given), given.copy()
        for row in range(len(given)):
            far = np.square(there - asked[row])
            if known is not None:
                # A place counts where all that was averaged into it is known.
                far = far * (_small(known[row][None, ..., None])[0] == 1)
            found = train.items[int(far.sum((1, 2, 3)).argmin())]
            made[row] = found if known is None else np.where(known[row][..., None], given[row], found)
        return answered(judged, made)


def _small(pictures: np.ndarray, most: int = 32) -> np.ndarray:
    """Pictures averaged down to at most so many pixels a side, float64."""
    step = max(1, -(-max(pictures.shape[1:3]) // most))
    height, width = (side // step * step for side in pictures.shape[1:3])
    cut = pictures[:, :height, :width].astype(np.float64)
    return cut.reshape(len(cut), height // step, step, width // step, step, -1).mean((2, 4))
