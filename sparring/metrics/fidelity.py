"""Fidelity of tables: how far columns, and pairs of columns, are from the reference's."""

from itertools import combinations
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.rows import Rows, refusal
from sparring.modalities.frames import numbers

Codes = Int[np.ndarray, " n"]


class Marginals(Metric):
    """Distance of each column's distribution: total variation of words, Kolmogorov's distance of numbers, of nulls."""

    featured: ClassVar[bool] = False
    regrouped: ClassVar[bool] = True
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 10
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "mean and largest over the columns; words by total variation distance, the 50 commonest told apart; numbers by "
        "the largest difference of distribution functions, nulls standing below all; interval: jackknife of twenty "
        "groups of both sides, at these counts"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Tables of as many columns are compared."""
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        rows = Rows.of(train, test, fake)
        found = [_kolmogorov(rows, name) for name in rows.numeric] + [_variation(*rows.codes(n)) for n in rows.words]
        return {
            "marginal-distance": Reading(float(np.mean(found or [0.0]))),
            "marginal-distance-largest": Reading(float(np.max(found or [0.0]))),
        }


class Pairs(Metric):
    """Distance of the joint distribution of each pair of columns, numbers in ten quantiles of the training rows."""

    most: int = Field(default=300, ge=1, description="pairs that are looked at, evenly among all")

    featured: ClassVar[bool] = False
    regrouped: ClassVar[bool] = True
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 20
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "mean over pairs of the total variation distance of their contingency tables; numbers in ten quantiles of the "
        "training rows, null a class; more pairs than the bound are thinned evenly; interval: jackknife of twenty "
        "groups of both sides, at these counts"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Tables of two columns and more are compared."""
        return refusal(train, test, fake) or ("there is one column only" if fake.items.shape[1] < 2 else None)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        rows = Rows.of(train, test, fake)
        codes = [rows.codes(name) for name in (*rows.numeric, *rows.words)]
        pairs = list(combinations(codes, 2))
        if len(pairs) > self.most:
            pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, self.most).astype(int)]
        found = [_variation(a[0] * 1000 + b[0], a[1] * 1000 + b[1]) for a, b in pairs]
        return {"pair-distance": Reading(float(np.mean(found or [0.0])))}


class Coverage(Metric):
    """Share of the reference's words and of the numbers' range that is made at all."""

    featured: ClassVar[bool] = False
    regrouped: ClassVar[bool] = True
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 30
    protocol: ClassVar[str] = (
        "mean over columns: the share of the reference's words that are made, and of ten quantiles of the training "
        "rows; interval: jackknife of twenty groups of both sides"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Tables of as many columns are compared."""
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        rows = Rows.of(train, test, fake)
        pairs = [rows.codes(name) for name in (*rows.numeric, *rows.words)]
        found = [np.isin(np.unique(real), np.unique(made)).mean() for real, made in pairs]
        return {"category-coverage": Reading(float(np.mean(found or [1.0])), better="higher")}


def _kolmogorov(rows: Rows, name: str) -> float:
    real, made = (np.nan_to_num(numbers(side[name]), nan=-np.inf) for side in (rows.test, rows.fake))
    return kolmogorov(real, made)


def kolmogorov(real: Float[np.ndarray, " m"], made: Float[np.ndarray, " n"]) -> float:
    """Largest difference of two distribution functions."""
    every = np.concatenate([real, made])
    below = [np.searchsorted(np.sort(side), every, "right") / len(side) for side in (real, made)]
    return float(np.abs(below[0] - below[1]).max())


def _variation(real: Int[np.ndarray, " m"], made: Int[np.ndarray, " n"]) -> float:
    """Half the summed difference of the shares of classes."""
    classes, which = np.unique(np.concatenate([real, made]), return_inverse=True)
    shares = [
        np.bincount(part, minlength=len(classes)) / len(part) for part in (which[: len(real)], which[len(real) :])
    ]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
