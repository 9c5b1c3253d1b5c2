"""Kernel distance (Binkowski et al. 2018, Demystifying MMD GANs, section 4), for counts of any size."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import growing, standard_error
from sparring.randomness import derive

Rows = Float[np.ndarray, "n d"]
Sums = Float[np.ndarray, " n"]

_CHUNK = 512
_SHIFTS = 8
"""Pairs of each row, by its distance in a seeded order, from which the centred kernel is told."""


class Kid(Metric):
    """Unbiased squared maximum mean discrepancy under the kernel (x.y / d + 1)^3; may be negative."""

    rank: ClassVar[int | None] = 20
    depends_on_count: ClassVar[bool] = False
    quick: ClassVar[bool] = True

    most: int = Field(
        default=10_000, ge=2, le=100_000, description="items of each side; of more, a seeded choice is taken"
    )
    seed: int = Field(default=0, ge=0, description="of that choice")

    protocol: ClassVar[str] = (
        "kernel (x.y / d + 1)^3, one unbiased estimate over all pairs, against the reference split; interval: by each "
        "item's influence and the second-order part, the first growing with the distance, upwards as fast as chance "
        "moves it with the distance, sampling of both sides; what was made from a picture of the reference is not held "
        "against that one (Gretton et al. 2012, eq. 4)"
    )

    def looked_at(self, count: int) -> int:
        return min(count, self.most)

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Two items a side are the least of which pairs can be made."""
        for side, noun in ((test, "reference"), (fake, "judged")):
            if side.fault():
                return side.fault()
            if len(side.features) < 2:
                return f"{len(side.features)} {noun} items make no pair; give at least two"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        if (made := made_from(test, fake, self.most)) is not None:
            distance = grouped_distance(test.features[made[:, :1]], fake.features[made[:, 1:]])
            return {self.name: Reading(distance.value, *distance.ends)}
        sides = [some(side.features, self.most, self.seed) for side in (test, fake)]
        within = test.once(("kernel", self.most, self.seed), lambda: own_sums(sides[0])), own_sums(sides[1])
        distance = kernel_distance(sides[0], sides[1], within)
        return {self.name: Reading(distance.value, *distance.ends)}


class KernelDistance(NamedTuple):
    """An estimate, how much each row of either side moves it, and the ends of its 95 % interval."""

    value: float
    influences: tuple[np.ndarray, np.ndarray]
    ends: tuple[float, float]


def kernel_distance(
    first: Float[np.ndarray, "m d"],
    second: Float[np.ndarray, "n d"],
    within: tuple[np.ndarray, np.ndarray] | None = None,
) -> KernelDistance:
    """The unbiased estimate of Gretton et al. 2012, eq. 3, of two samples of at least two rows.

    Args:
        first: rows of features.
        second: rows of features.
        within: what :func:`own_sums` says of both, where it is known.
    """
    within = (own_sums(first), own_sums(second)) if within is None else within
    across = _sums(first, second)
    means = [sums / (len(sums) - 1) for sums in within]
    others = [sums / count for sums, count in zip(across, (len(second), len(first)), strict=True)]
    value = means[0].mean() + means[1].mean() - 2 * others[0].mean()
    influences = [2 * (mean - other) for mean, other in zip(means, others, strict=True)]
    paired = [
        _paired(partial(_kernels, _shuffled(rows)), _shuffled(mean), _shuffled(influence))
        for rows, mean, influence in zip((first, second), means, influences, strict=True)
    ]
    curved = 2 * sum(pairs.energy / len(rows) for pairs, rows in zip(paired, (first, second), strict=True)) ** 2
    carried = 4 * sum(pairs.carried / len(rows) for pairs, rows in zip(paired, (first, second), strict=True)) ** 2
    spread = standard_error(*influences) ** 2
    ends = growing(float(value), spread, curved, along=carried / spread if spread > 0 else 0.0)
    return KernelDistance(float(value), (influences[0], influences[1]), ends)


def grouped_distance(first: Float[np.ndarray, "g a d"], second: Float[np.ndarray, "g b d"]) -> KernelDistance:
    """The unbiased estimate of Gretton et al. 2012, eq. 4, of rows that belong together in groups.

    Pictures and what was made from each are no independent samples: a row stands near those of its own group whatever
    was learned. Pairs within a group are left out, and groups are what is drawn anew.

    Args:
        first: rows of features of at least two groups.
        second: rows of the same groups.
    """
    count = len(first)
    means = _between(first, first)[0] + _between(second, second)[0] - sum(_between(first, second))
    value, influence = means.mean(), 2 * means

    mixed = _shuffled(first), _shuffled(second)

    def kernels(ahead: slice, behind: slice) -> Sums:
        held = [_mean_kernel(one[ahead], other[behind]) for one in mixed for other in mixed]
        return held[0] - held[1] - held[2] + held[3]

    pairs = _paired(kernels, *map(_shuffled, (means, influence)))
    spread = standard_error(influence) ** 2
    ends = growing(
        float(value),
        spread,
        2 * (pairs.energy / count) ** 2,
        along=4 * (pairs.carried / count) ** 2 / spread if spread > 0 else 0.0,
    )
    return KernelDistance(float(value), (influence, influence), ends)


def _between(first: Float[np.ndarray, "g a d"], second: Float[np.ndarray, "g b d"]) -> tuple[Sums, Sums]:
    """Mean kernel of each group's rows of one side with the other side's of other groups, and the other way round."""
    others = len(first) - 1
    across, down = (
        sums.reshape(len(first), -1)
        for sums in _sums(first.reshape(-1, first.shape[2]), second.reshape(-1, second.shape[2]))
    )
    inner = (np.einsum("gad,gbd->gab", first, second) / first.shape[2] + 1) ** 3
    return (
        (across - inner.sum(2)).mean(1) / (others * second.shape[1]),
        (down - inner.sum(1)).mean(1) / (others * first.shape[1]),
    )


def _mean_kernel(first: Float[np.ndarray, "g a d"], second: Float[np.ndarray, "g b d"]) -> Sums:
    return ((np.einsum("gad,gbd->gab", first, second) / first.shape[2] + 1) ** 3).mean((1, 2))


def made_from(test: Evidence, fake: Evidence, most: int) -> Int[np.ndarray, "g members"] | None:
    """Rows of the reference, each with those of what was made from it, equally many; None where there are no such.

    Args:
        test: the reference.
        fake: items whose truth may be of the reference.
        most: rows of the reference, at most.
    """
    if fake.truth is None or test.items.shape[1:] != fake.truth.shape[1:]:
        return None
    made: dict[int, list[int]] = {}
    for row, truth in enumerate(fake.truth):
        made.setdefault(hash(np.ascontiguousarray(truth).tobytes()), []).append(row)
    # Of equal pictures of the reference one stands for all.
    found = [
        (row, made.pop(hash(np.ascontiguousarray(test.items[row]).tobytes()), [])) for row in range(len(test.items))
    ]
    there = [(row, rows) for row, rows in found if rows][:most]
    if len(there) < 2:
        return None
    each = min(len(rows) for _, rows in there)
    return np.array([[row, *rows[:each]] for row, rows in there])


class _Paired(NamedTuple):
    """What pairs of different rows of a side tell of the centred kernel.

    Attributes:
        energy: the root of its mean square.
        carried: the norm of the function f = E u(x) k(x, .) of the influence u.
    """

    energy: float
    carried: float


def _paired(kernels: Callable[[slice, slice], Sums], means: Sums, influence: Sums) -> _Paired:
    """Means over pairs of rows, or of groups of rows.

    Chance that moves the distance moves its witness along f. A step t moves the distance by t E u^2, and the variance
    of its first-order term, E u^2 / n, by 4 t |f|^2 / n. Both sides move the same witness, so that the norms add up.

    Args:
        kernels: of each of some rows with the one at its place among as many others.
        means: of the kernel of each row with all others.
        influence: of each row.
    """
    level = means.mean()
    means, influence = means - level, influence - influence.mean()
    found = []
    for shift in range(1, min(_SHIFTS + 1, len(means))):
        ahead, behind = slice(None, -shift), slice(shift, None)
        kernel = kernels(ahead, behind) - level - (means[ahead] + means[behind])
        found.append((np.square(kernel).mean(), (influence[ahead] * kernel * influence[behind]).mean()))
    energy, carried = np.mean(found, 0)
    return _Paired(float(energy**0.5), float(max(0.0, carried) ** 0.5))


def _kernels(rows: Rows, ahead: slice, behind: slice) -> Float[np.ndarray, " pairs"]:
    return (np.einsum("ij,ij->i", rows[ahead], rows[behind]) / rows.shape[1] + 1) ** 3


def _shuffled(rows: np.ndarray) -> np.ndarray:
    """In a seeded order, the same for all that is as long."""
    return rows[np.random.Generator(np.random.Philox(key=derive(len(rows), "pairs"))).permutation(len(rows))]


def some(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """All rows, or a seeded choice of the most that are wanted, in their order."""
    if len(rows) <= most:
        return rows
    source = np.random.Generator(np.random.Philox(key=derive(seed, "some", len(rows))))
    return rows[np.sort(source.choice(len(rows), most, replace=False))]


def own_sums(rows: Rows) -> Sums:
    """For each row the sum of the kernel over the other rows of its side."""
    return _sums(rows, rows)[0] - _own(rows)


def _own(rows: Rows) -> Sums:
    return (np.square(rows).sum(1) / rows.shape[1] + 1) ** 3


def _sums(first: Float[np.ndarray, "m d"], second: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, " m"], Sums]:
    """Sums of the kernel over the other side, for each row of the first and of the second."""
    across, down = np.empty(len(first)), np.zeros(len(second))
    one, other = (torch.from_numpy(np.ascontiguousarray(side)) for side in (first, second))
    for start in range(0, len(first), _CHUNK):
        inner = (one[start : start + _CHUNK] @ other.T).div_(first.shape[1]).add_(1)
        kernel = inner.square().mul_(inner)
        across[start : start + _CHUNK] = kernel.sum(1).numpy()
        down += kernel.sum(0).numpy()
    return across, down
