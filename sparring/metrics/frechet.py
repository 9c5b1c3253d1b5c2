"""Fréchet distance of two Gaussians fitted to features (Dowson & Landau 1982; Heusel et al. 2017, eq. 6).

With the features of the real Inception network it is called FID; with any others the name says which.
"""

from typing import ClassVar, NamedTuple, Self

import numpy as np
from jaxtyping import Float

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import VERY_MANY, growing
from sparring.randomness import derive

Matrix = Float[np.ndarray, "d d"]
Vector = Float[np.ndarray, " d"]
Rows = Float[np.ndarray, "n d"]

RANK = 1e-10
"""Eigenvalues below this part of the greatest are taken for rounding."""


class Gaussian(NamedTuple):
    """Mean and covariance of features."""

    mean: Vector
    covariance: Matrix

    @classmethod
    def fit(cls, features: Rows) -> Self:
        """The Gaussian with the features' mean and unbiased covariance, in float64."""
        rows = np.asarray(features, np.float64)
        mean = rows.mean(0)
        centred = rows - mean
        return cls(mean, centred.T @ centred / max(1, len(rows) - 1))


class Frechet(Metric):
    """Squared Fréchet distance of the generated items' features from the reference's."""

    rank: ClassVar[int | None] = 10
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "float64, unbiased covariances, against the reference split; the value grows as counts shrink, so compare at "
        "equal counts; interval: for the distance at 100,000 items a side, by the second-order bias, extrapolated from "
        "halves, and the sampling of both sides; it reaches up to the value, which carries the bias of its counts"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Fewer than two items for each feature give a distance that is mostly bias (Chong & Forsyth 2020)."""
        least = 2 * test.features.shape[-1]
        for side, noun in ((test, "reference"), (fake, "judged")):
            if side.fault():
                return side.fault()
            if len(side.features) < least:
                return (
                    f"{len(side.features)} {noun} items are fewer than {least}, twice the features: "
                    "the distance would be biased; take kid"
                )
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        return {self.name: measured(test.features, fake.features)}


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2), real and never below 0.

    The trace of the root is that of (S1^1/2 S2 S1^1/2)^1/2, which is symmetric: its eigenvalues are real.
    """
    root = _power(first.covariance, 0.5)
    product = np.linalg.eigvalsh(_symmetric(root @ second.covariance @ root))
    roots = np.sqrt(np.clip(product, 0, None)).sum()
    between = np.square(first.mean - second.mean).sum()
    return max(0.0, float(between + np.trace(first.covariance) + np.trace(second.covariance) - 2 * roots))


class Expansion(NamedTuple):
    """The distance of two samples, expanded to second order in what sampling does to their moments.

    Attributes:
        value: the distance.
        bias: the bias of each side, times its count.
        spread: variance by the influence function, which counts that of the second order twice.
        second: variance of the second-order term.
    """

    value: float
    bias: tuple[float, float]
    spread: float
    second: float


def measured(real: Float[np.ndarray, "m d"], made: Rows) -> Reading:
    """The distance at the counts that there are, with an interval for the one at :data:`VERY_MANY` items of each side.

    The second-order bias is taken off the distance; what of the third order is left falls with the square of the count,
    and is known from what two halves of the items say (Chong and Forsyth 2020 extrapolate from many such parts).
    Without four items a feature in each half the extrapolation is left out.
    """
    whole = _expand(real, made)
    value = _corrected(whole, len(real), len(made))
    if min(len(real), len(made)) >= 4 * real.shape[1] and min(len(real), len(made)) >= 8:
        shuffled = [side[_shuffled(len(side))] for side in (real, made)]
        parts = [[side[part::2] for side in shuffled] for part in (0, 1)]
        halves = [_corrected(_expand(*part), *map(len, part)) for part in parts]
        value -= (np.mean(halves) - value) / 3
    low, high = growing(float(value), whole.spread, whole.second)
    return Reading(whole.value, min(whole.value, max(0.0, low)), max(whole.value, high))


def _corrected(found: Expansion, *counts: int) -> float:
    return found.value - sum(bias * (1 / n - 1 / VERY_MANY) for bias, n in zip(found.bias, counts, strict=True))


def _expand(real: Float[np.ndarray, "m d"], made: Rows) -> Expansion:
    gaussians = Gaussian.fit(real), Gaussian.fit(made)
    roots = [_power(each.covariance, 0.5) for each in gaussians]
    first = _expand_side(real, gaussians[0], gaussians[1], roots[1])
    other = _expand_side(made, gaussians[1], gaussians[0], roots[0])
    spread = sum(np.var(side.influence, ddof=1) / len(side.influence) for side in (first, other))
    second = 2 * (np.sqrt(first.energy) / len(real) + np.sqrt(other.energy) / len(made)) ** 2
    value = np.square(gaussians[0].mean - gaussians[1].mean).sum() - 2 * other.roots
    value += sum(np.trace(each.covariance) for each in gaussians)
    return Expansion(max(0.0, float(value)), (first.bias, other.bias), float(spread), float(second))


class _Side(NamedTuple):
    """One side's part of an expansion: influence of its rows, bias times count, mean squared second-order kernel."""

    influence: Float[np.ndarray, " n"]
    bias: float
    energy: float
    roots: float


def _expand_side(features: Rows, of: Gaussian, on: Gaussian, root: Matrix) -> _Side:
    """The derivatives of the distance in one Gaussian, applied to that side's own rows.

    With S1^1/2 S2 S1^1/2 = V diag(l) V' and y = V' S1^1/2 x, the first derivative in S2 is
    1 - S1^1/2 V l^-1/2 V' S1^1/2; the second, of y y' twice, weighs with 1 / (2 sqrt(l_i l_j) (sqrt(l_i) + sqrt(l_j))).
    """
    values, vectors = np.linalg.eigh(_symmetric(root @ of.covariance @ root))
    roots = float(np.sqrt(np.clip(values, 0, None)).sum())
    there = values > RANK * max(values[-1], 0)
    scales = np.sqrt(values[there])
    weights = 1 / (2 * np.multiply.outer(scales, scales) * np.add.outer(scales, scales))
    centred = features - of.mean
    mapped = centred @ (root @ vectors[:, there])
    squares = mapped**2
    lengths = np.square(centred).sum(1)
    influence = 2 * centred @ (of.mean - on.mean) + lengths - squares @ (1 / scales)
    own, level = np.diag(weights) * scales**2, float((np.diag(weights) * scales**4).sum())
    bias = ((squares @ weights) * squares).sum(1).mean() - level + np.trace(of.covariance)
    # The kernel of two different rows, of as many pairs as there are halves, drawn without return.
    left, right = np.array_split(_shuffled(len(features))[: len(features) // 2 * 2], 2)
    crossed = mapped[left] * mapped[right]
    kernel = ((crossed @ weights) * crossed).sum(1) - (squares[left] + squares[right]) @ own + level
    kernel += (centred[left] * centred[right]).sum(1)
    return _Side(influence, float(bias), float(np.square(kernel).mean()), roots)


def _shuffled(count: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=derive(count, "frechet"))).permutation(count)


def _symmetric(matrix: Matrix) -> Matrix:
    return (matrix + matrix.T) / 2


def _power(matrix: Matrix, exponent: float) -> Matrix:
    """A power of a symmetric matrix without negative eigenvalues, on its range alone."""
    values, vectors = np.linalg.eigh(matrix)
    there = values > RANK * max(values[-1], 0)
    powers = np.where(there, np.where(there, values, 1) ** exponent, 0)
    return (vectors * powers) @ vectors.T
