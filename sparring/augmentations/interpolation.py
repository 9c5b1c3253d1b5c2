"""Items between items of a class: SMOTE, Chawla et al. 2002."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from sparring.augmentations import Augmentation, Draw, Means, as_column, joined, replaced, unknown
from sparring.lot import Lot
from sparring.metrics.rows import Rows
from sparring.modalities.frames import numbers
from sparring.randomness import derive

Near = Int[np.ndarray, "n k"]


class Interpolation(Augmentation):
    """A place on the line from an item to one of its nearest neighbours of the class, SMOTE (Chawla et al. 2002).

    Words of a table are the commonest among the neighbours (section 6.1, SMOTE-NC); pictures are mixed pixel by pixel.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image", "table")
    rank: ClassVar[int | None] = 20
    neighbours: int = Field(default=5, ge=1, le=1000, description="nearest items of the class that are mixed with")

    def refusal(self, real: Lot, wanted: Mapping[str, int]) -> str | None:
        few = [label for label in wanted if (real.labels == label).sum() < 2]
        return unknown(real, wanted) or (f"class '{few[0]}' has one item, which has no neighbour" if few else None)

    def __call__(self, real: Lot, wanted: Mapping[str, int], means: Means, seed: int) -> Lot:
        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name)))
        places = _places(real)
        parts = []
        for label, count in wanted.items():
            draw = Draw.of(real, label, count, source)
            near = self._near(places, draw)
            other = near[np.arange(count), source.integers(0, near.shape[1], count)]
            share = source.random(count)
            if real.is_table:
                mixed = _rows(real.items, draw.chosen, other, near=near, share=share)
            else:
                mixed = _pictures(real.items, draw.chosen, other, share)
            parts.append(replaced(real, draw.chosen, mixed))
        return joined(real, parts)

    def _near(self, places: Float[np.ndarray, "m d"], draw: Draw) -> Near:
        """Rows of the nearest items of the class, itself left out, for each item that is started from."""
        from sklearn.neighbors import NearestNeighbors

        count = min(self.neighbours, len(draw.members) - 1)
        known = places[draw.members]
        found = NearestNeighbors(n_neighbors=count + 1).fit(known).kneighbors(known, return_distance=False)
        # Of equal items another may stand first, so that the item itself is looked for.
        own = found == np.arange(len(known))[:, None]
        own[:, -1] |= ~own.any(1)
        others = found[~own].reshape(len(known), count)
        return draw.members[others[np.searchsorted(draw.members, draw.chosen)]]


def _places(real: Lot) -> Float[np.ndarray, "n d"]:
    """Where items lie: pixels, or scaled numbers and words as ones."""
    if real.is_table:
        return Rows(real.items, real.items, real.items).matrix(without=real.title)[0]
    return np.asarray(real.items).reshape(len(real), -1).astype(np.float64)


def _pictures(items: np.ndarray, first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    by = share.reshape(-1, *[1] * (items.ndim - 1))
    mixed = items[first] * (1 - by) + items[second] * by
    return np.rint(mixed).astype(items.dtype)


def _rows(frame: Any, first: np.ndarray, second: np.ndarray, *, near: Near, share: np.ndarray) -> Any:
    """Rows between rows; a number that is missing on one side is the other's."""
    sides = Rows(frame, frame, frame)
    found = frame.iloc[first].reset_index(drop=True)
    for name in frame.columns:
        column = frame[name]
        if name in sides.numeric:
            ends = [numbers(column)[rows] for rows in (first, second)]
            mixed = ends[0] * (1 - share) + ends[1] * share
            mixed = np.where(np.isnan(mixed), np.where(np.isnan(ends[0]), ends[1], ends[0]), mixed)
            found[name] = as_column(mixed, column)
        else:
            codes, words = column.factorize(use_na_sentinel=False)
            votes = np.stack([(codes[near] == code).sum(1) for code in range(len(words))], 1)
            # Ties go to the word of the row itself.
            votes = votes * 2 + (codes[first][:, None] == np.arange(len(words)))
            keep = np.unique(codes, return_index=True)[1][votes.argmax(1)]
            found[name] = column.iloc[keep].reset_index(drop=True)
    return found
