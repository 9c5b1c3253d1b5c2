"""Fréchet distance of two Gaussians fitted to features (Dowson & Landau 1982; Heusel et al. 2017, eq. 6).

With the features of the real Inception network it is called FID; with any others the name says which.
"""

from typing import ClassVar, NamedTuple, Self

import numpy as np
from jaxtyping import Float

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import around, standard_error

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
        "equal counts; interval: normal, by the distance's influence function, sampling of both sides at these counts"
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
        real, made = Gaussian.fit(test.features), Gaussian.fit(fake.features)
        value = frechet_distance(real, made)
        error = standard_error(_influence(test.features, of=real, on=made), _influence(fake.features, of=made, on=real))
        return {self.name: around(value, error, within=(0.0, np.inf))}


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2), real and never below 0.

    The trace of the root is that of (S1^1/2 S2 S1^1/2)^1/2, which is symmetric: its eigenvalues are real.
    """
    root = _power(first.covariance, 0.5)
    product = np.linalg.eigvalsh(_symmetric(root @ second.covariance @ root))
    roots = np.sqrt(np.clip(product, 0, None)).sum()
    between = np.square(first.mean - second.mean).sum()
    return max(0.0, float(between + np.trace(first.covariance) + np.trace(second.covariance) - 2 * roots))


def _influence(features: Rows, of: Gaussian, on: Gaussian) -> Float[np.ndarray, " n"]:
    """How much each row moves the distance: the derivative in the row's own Gaussian, applied to the row.

    The derivative of the distance in S2 is 1 - T, with T = S1^1/2 (S1^1/2 S2 S1^1/2)^-1/2 S1^1/2 the optimal map.
    """
    root = _power(on.covariance, 0.5)
    transport = root @ _power(_symmetric(root @ of.covariance @ root), -0.5) @ root
    centred = features - of.mean
    spread = np.square(centred).sum(1) - np.einsum("nd,nd->n", centred @ transport, centred)
    return 2 * centred @ (of.mean - on.mean) + spread


def _symmetric(matrix: Matrix) -> Matrix:
    return (matrix + matrix.T) / 2


def _power(matrix: Matrix, exponent: float) -> Matrix:
    """A power of a symmetric matrix without negative eigenvalues, on its range alone."""
    values, vectors = np.linalg.eigh(matrix)
    there = values > RANK * max(values[-1], 0)
    powers = np.where(there, np.where(there, values, 1) ** exponent, 0)
    return (vectors * powers) @ vectors.T
