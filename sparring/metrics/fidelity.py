"""Fidelity of tables: how far columns, and pairs of columns, are from the reference's."""

from itertools import combinations
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.rows import Rows, refusal
from sparring.metrics.witness import (
    Parts,
    Witness,
    absolute,
    groups,
    largest,
    largest_of,
    mean_of,
    shares_of,
    witnessed,
)
from sparring.modalities.frames import numbers

Codes = Int[np.ndarray, " n"]

_POINTS = 512
"""Points at which distribution functions are compared for an interval."""
_COVERS = (
    "interval: for very many rows, from a witness chosen on one half and judged on the other, of sums of absolute "
    "differences stretched by what it is expected to miss, up to the value's own end; twenty groups of rows of both "
    "sides"
)


class Marginals(Metric):
    """Distance of each column's distribution: total variation of words, Kolmogorov's distance of numbers, of nulls."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 10
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "mean and largest over the columns; words by total variation distance, the 50 commonest told apart; numbers by "
        "the largest difference of distribution functions, nulls standing below all; the value grows as counts "
        f"shrink; {_COVERS}"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Tables of as many columns are compared."""
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        rows = Rows.of(train, test, fake)
        columns = [_number(rows, name) for name in rows.numeric] + [_shares(*rows.codes(name)) for name in rows.words]
        if not columns:
            return {name: Reading(0.0) for name in ("marginal-distance", "marginal-distance-largest")}
        values, over = [each.value for each in columns], _over(columns)
        parts, counts = _together(columns), rows.counts
        summed = np.repeat([witness is absolute for witness in over[0]], over[1]) if parts is not None else True
        return {
            "marginal-distance": witnessed(parts, mean_of(*over), float(np.mean(values)), counts, summed=summed),
            "marginal-distance-largest": witnessed(
                parts, largest_of(*over), float(np.max(values)), counts, summed=summed
            ),
        }


class Pairs(Metric):
    """Distance of the joint distribution of each pair of columns, numbers in ten quantiles of the training rows."""

    most: int = Field(default=300, ge=1, description="pairs that are looked at, evenly among all")

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 20
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "mean over pairs of the total variation distance of their contingency tables; numbers in ten quantiles of the "
        "training rows, null a class; more pairs than the bound are thinned evenly; the value grows as counts shrink; "
        f"{_COVERS}"
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
        if not pairs:
            return {"pair-distance": Reading(0.0)}
        found = [_shares(a[0] * 1000 + b[0], a[1] * 1000 + b[1]) for a, b in pairs]
        value = float(np.mean([each.value for each in found]))
        return {"pair-distance": witnessed(_together(found), mean_of(*_over(found)), value, rows.counts)}


class Coverage(Metric):
    """Share of the reference's words and of the numbers' range that is made at all."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 30
    protocol: ClassVar[str] = (
        "mean over columns: the share of the reference's words that are made, and of ten quantiles of the training "
        "rows; no interval: whether a rare word occurs is no average, and rows that were not drawn tell nothing of it"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Tables of as many columns are compared."""
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        rows = Rows.of(train, test, fake)
        pairs = [rows.codes(name) for name in (*rows.numeric, *rows.words)]
        found = [np.isin(np.unique(real), np.unique(made)).mean() for real, made in pairs]
        return {"category-coverage": Reading(float(np.mean(found or [1.0])), better="higher")}


class _Distance(NamedTuple):
    """The distance of one column or pair: its differences by groups, or None, and what they are taken together by."""

    value: float
    parts: Parts | None
    witness: Witness


def _over(found: list[_Distance]) -> tuple[list[Witness], list[int]]:
    return [each.witness for each in found], [each.parts.shape[1] for each in found if each.parts is not None]


def _together(found: list[_Distance]) -> Parts | None:
    parts = [each.parts for each in found if each.parts is not None]
    return np.concatenate(parts, 1) if len(parts) == len(found) else None


def _number(rows: Rows, name: str) -> _Distance:
    """Kolmogorov's distance of a column of numbers."""
    real, made = (np.nan_to_num(numbers(side[name]), nan=-np.inf) for side in (rows.test, rows.fake))
    # Between the points of a fine grid the distribution functions hardly move.
    points = np.unique(np.quantile(np.concatenate([real, made]), np.linspace(0, 1, _POINTS), method="lower"))
    below = [_shares_within(np.searchsorted(points, side, "left"), len(points) + 1) for side in (real, made)]
    parts = None
    if below[0] is not None and below[1] is not None:
        parts = np.cumsum(below[1] - below[0], 1)[:, :-1]
    return _Distance(kolmogorov(real, made), parts, largest)


def kolmogorov(real: Float[np.ndarray, " m"], made: Float[np.ndarray, " n"]) -> float:
    """Largest difference of two distribution functions."""
    every = np.concatenate([real, made])
    below = [np.searchsorted(np.sort(side), every, "right") / len(side) for side in (real, made)]
    return float(np.abs(below[0] - below[1]).max())


def _shares(real: Int[np.ndarray, " m"], made: Codes) -> _Distance:
    """Total variation distance: half the summed difference of the shares of classes."""
    classes, which = np.unique(np.concatenate([real, made]), return_inverse=True)
    sides = which[: len(real)], which[len(real) :]
    real_shares, made_shares = (np.bincount(side, minlength=len(classes)) / len(side) for side in sides)
    parts = [_shares_within(side, len(classes)) for side in sides]
    apart = None if parts[0] is None or parts[1] is None else (parts[1] - parts[0]) / 2
    return _Distance(float(np.abs(made_shares - real_shares).sum() / 2), apart, absolute)


def _shares_within(codes: Codes, classes: int) -> Parts | None:
    group = groups(len(codes))
    return None if group is None else shares_of(codes, group, classes)
