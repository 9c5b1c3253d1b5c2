"""Clusters: groups of like items, found where the data have no labels, that a model is told in their place.

A network that is told to which group an item belongs need not find out itself where one kind ends and the next begins.
Items are made by groups in the frequency in which the data have these. Logo GAN (Sage et al. 2018), self-conditioned
GAN (Liu et al. 2020).
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from sparring.errors import RunError
from sparring.files import write_npz
from sparring.modalities.asking import Drawn, Nothing
from sparring.modalities.conditions import refuse_packed
from sparring.randomness import derive, per_sample

MOST_FITTED = 20_000
"""Items that groups are found among, at most."""
COMPONENTS = 50
"""Principal components in which items are near each other, at most."""
_NAME = "clusters.npz"
_WIDENED = 3
"""Bytes of memory that a byte of the file takes at most: it is read, and its arrays are copied to their types."""


@dataclass(frozen=True)
class Clusters:
    """The groups.

    Attributes:
        mean: of the items, ``(d,)`` with d numbers an item.
        components: principal components, ``(p, d)``.
        centres: of the groups, in these, ``(k, p)``.
        counts: items of each group among those that are learned from, ``(k,)``.
    """

    mean: Float[np.ndarray, " d"]
    components: Float[np.ndarray, "p d"]
    centres: Float[np.ndarray, "k p"]
    counts: Int[np.ndarray, " k"]

    @classmethod
    def fit(cls, encoded: Float[Tensor, "n ..."], count: int) -> Self:
        """So many groups by k-means in the principal components; every group has an item.

        Args:
            encoded: items as networks see them, more than there are groups.
            count: groups.
        """
        from sklearn.cluster import MiniBatchKMeans
        from sklearn.decomposition import PCA

        flat = encoded.flatten(1).numpy()
        found = PCA(min(COMPONENTS, *flat.shape), svd_solver="randomized", random_state=0).fit(flat)
        tries: Any = 3  # scikit-learn's own hints allow a word alone
        means = MiniBatchKMeans(count, random_state=0, n_init=tries, batch_size=4096).fit(found.transform(flat))
        parts = found.mean_, found.components_, means.cluster_centers_
        mean, components, centres = (np.asarray(part, np.float32) for part in parts)
        there = np.bincount(cls(mean, components, centres, np.zeros(count, np.int64)).codes(encoded), minlength=count)
        return cls(mean, components, centres[there > 0], there[there > 0])

    @property
    def width(self) -> int:
        """Groups: numbers that networks see of one."""
        return len(self.centres)

    def codes(self, encoded: Float[Tensor, "n ..."]) -> Int[np.ndarray, " n"]:
        """The group whose centre is nearest to each item."""
        places = (encoded.flatten(1).float().cpu() - torch.from_numpy(self.mean)) @ torch.from_numpy(self.components).T
        return torch.cdist(places, torch.from_numpy(self.centres)).argmin(1).numpy()

    def encode(self, codes: Int[np.ndarray, " n"]) -> Float[Tensor, "n k"]:
        """Groups as networks see them."""
        return one_hot(torch.from_numpy(np.asarray(codes, np.int64)), self.width).float()

    def counting(self, codes: Int[np.ndarray, " n"]) -> Self:
        """The same groups with the counts of these items."""
        return type(self)(self.mean, self.components, self.centres, np.bincount(codes, minlength=self.width))

    def save(self, folder: Path) -> None:
        """Writes them into a folder."""
        write_npz(Path(folder) / _NAME, dict(vars(self)))

    @classmethod
    def load(cls, folder: Path, width: int, numbers: int) -> Self:
        """Reads what :meth:`save` wrote.

        Args:
            folder: where they are.
            width: groups.
            numbers: that an item has.

        Raises:
            RunError: the file is missing, damaged or of other items.
        """
        path = Path(folder) / _NAME
        try:
            refuse_packed(path, _WIDENED)
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
                mean, components, centres = (
                    np.asarray(arrays[name], np.float32) for name in ("mean", "components", "centres")
                )
                counts = np.asarray(arrays["counts"], np.int64)
        except Exception as error:  # NumPy's readers raise many kinds on damaged bytes
            raise RunError(f"{path} cannot be read ({error}); the run's codec is damaged") from None
        real, found = (mean, components, centres), len(components)
        shapes = [part.shape for part in (*real, counts)]
        fitting = shapes == [(numbers,), (found, numbers), (width, found), (width,)]
        if not fitting or not all(np.isfinite(part).all() for part in real) or counts.min() < 0 or not counts.any():
            raise RunError(f"{path} does not belong to these items; the run's codec is damaged")
        return cls(mean, components, centres, counts)


class Groups(Nothing):
    """Nothing can be asked for, and each item is of a group.

    Args:
        clusters: the groups.
    """

    def __init__(self, clusters: Clusters):
        super().__init__()
        self.clusters = clusters

    def draw(self, seed: int, numbers: range, requests: Mapping[str, Any]) -> Drawn:
        super().draw(seed, numbers, requests)
        draws = per_sample("uniform", derive(seed, "cluster"), numbers, (1,)).numpy()[:, 0].astype(np.float64)
        ends = np.cumsum(self.clusters.counts)
        return Drawn({}, self.clusters.encode(np.searchsorted(ends, draws * ends[-1], side="right")))

    def own(self, encoded: Tensor, columns: Mapping[str, np.ndarray] | None) -> Sequence[Tensor | None]:
        return [self.clusters.encode(self.clusters.codes(encoded))]
