"""How series move: correlations over time and between channels, marginals, spectra; each against held-back windows."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.data import Items
from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.witness import (
    GROUPS,
    Parts,
    absolute,
    largest_of,
    mean_of,
    stretches,
    without_each,
    witnessed,
)

LEAST = 4
"""Windows of a side below which nothing is said."""
_BINS = 256
"""Parts of equal counts into which a channel's values are cut for a witness."""

Scaled = Float[np.ndarray, "n t c"]
Sums = Float[np.ndarray, "n k 3"]
"""For each window and correlation: the sum of products, and of squares of either factor."""
_COVERS = (
    "interval: for very many windows, from a witness chosen on one half and judged on the other, stretched by what it "
    "is expected to miss, up to the value's own end; twenty stretches of windows of both sides; too narrow where "
    "windows of different stretches are alike"
)


def refusal(train: Evidence, test: Evidence, fake: Evidence, *, steps: int = 2) -> str | None:
    """Why windows cannot be compared, in one line, or None."""
    shapes = [windows(side.items).shape for side in (train, test, fake)]
    for (count, *rest), noun in zip(shapes, ("training", "reference", "judged"), strict=True):
        if count < LEAST:
            return f"{count} {noun} windows are fewer than {LEAST}"
        if rest != list(shapes[0][1:]):
            return f"{noun} windows of {rest} are not of {list(shapes[0][1:])} like the training windows"
    return None if shapes[0][1] >= steps else f"windows have fewer than {steps} steps"


def windows(items: Items) -> np.ndarray:
    """Series ``(n, t, c)``, or ``(n, t)`` of one channel, with three axes."""
    found = np.asarray(items[:])
    return found[..., None] if found.ndim == 2 else found.reshape(len(found), found.shape[1], -1)


def scaled(train: Evidence, *sides: Evidence) -> list[np.ndarray]:
    """Windows ``(n, t, c)`` in the deviations of each channel from its mean among the training windows."""
    learned = windows(train.items).astype(np.float64)
    mean, deviation = learned.mean((0, 1)), learned.std((0, 1))
    # A channel that only rounding moves is a constant one.
    constant = deviation <= 1e-9 * np.maximum(np.abs(mean), 1e-300)
    return [
        ((windows(side.items).astype(np.float64) - mean) / np.where(constant, 1.0, deviation)).clip(-1e6, 1e6)
        for side in sides
    ]


class Autocorrelation(Metric):
    """Mean difference of the autocorrelations, of the values and of their changes from step to step."""

    lags: int = Field(default=12, ge=1, description="steps apart, at most")

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 10
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "mean over lags and channels of the absolute difference, around each side's own means; the value grows as "
        f"counts shrink; {_COVERS}"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return refusal(train, test, fake, steps=2)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        sides = scaled(train, test, fake)
        found = {"autocorrelation-error": _difference([_lagged(side, self.lags) for side in sides])}
        if sides[0].shape[1] > 2:
            changes = [_lagged(np.diff(side, axis=1), self.lags) for side in sides]
            found["autocorrelation-error-changes"] = _difference(changes)
        return found


class CrossCorrelation(Metric):
    """Mean difference of the correlations of all pairs of channels, of the values and of their changes."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 20
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "mean over pairs of channels of the absolute difference of their correlations in the same step, 0 where there "
        "is one channel; interval as of autocorrelation"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        sides = scaled(train, test, fake)
        if sides[0].shape[2] < 2:
            return {"cross-correlation-error": Reading(0.0)}
        found = {"cross-correlation-error": [_crossed(side) for side in sides]}
        found["cross-correlation-error-changes"] = [_crossed(np.diff(side, axis=1)) for side in sides]
        return {name: _difference(sums) for name, sums in found.items()}


class ChannelWasserstein(Metric):
    """Wasserstein distance of each channel's values, in its deviations among the training windows."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 30
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        f"first Wasserstein distance of all steps together; mean and largest over channels; {_COVERS}"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        real, made = scaled(train, test, fake)
        found = [wasserstein(real[..., i].ravel(), made[..., i].ravel()) for i in range(real.shape[2])]
        parts = [_binned(real[..., i], made[..., i]) for i in range(real.shape[2])]
        kept = [part for part in parts if part is not None]
        whole = np.concatenate(kept, 1) if len(kept) == len(found) else None
        over, counts = ([absolute] * len(kept), [part.shape[1] for part in kept]), (len(real), len(made))
        return {
            "channel-wasserstein": witnessed(whole, mean_of(*over), float(np.mean(found)), counts),
            "channel-wasserstein-largest": witnessed(whole, largest_of(*over), float(np.max(found)), counts),
        }


class Spectrum(Metric):
    """Mean difference of the logarithms of the power at each frequency, in decades."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 40
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "periodograms with Hann's window, averaged over windows; a millionth of the reference's mean power is added; "
        f"{_COVERS}"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        powers = [_power(side) for side in scaled(train, test, fake)]
        floor = 1e-6 * max(float(powers[0].mean()), 1e-12)

        def decades(sums: np.ndarray) -> np.ndarray:
            return np.log10(sums[..., 0] / sums[..., 1] + floor).ravel()

        counted = [np.stack([power, np.ones_like(power)], -1) for power in powers]
        return {"spectrum-error": _apart(counted, decades)}


def wasserstein(real: Float[np.ndarray, " m"], made: Float[np.ndarray, " n"]) -> float:
    """First Wasserstein distance of two samples: the area between their distribution functions."""
    every = np.sort(np.concatenate([real, made]))
    below = [np.searchsorted(np.sort(side), every[:-1], "right") / len(side) for side in (real, made)]
    return float((np.abs(below[0] - below[1]) * np.diff(every)).sum())


def _power(side: Scaled) -> Float[np.ndarray, "n f c"]:
    centred = (side - side.mean(1, keepdims=True)) * np.hanning(side.shape[1] + 2)[1:-1, None]
    return np.abs(np.fft.rfft(centred, axis=1)) ** 2


def _lagged(side: Scaled, lags: int) -> Sums:
    """Products of steps that are 1, 2, … apart, and squares, for each channel."""
    centred = side - side.mean((0, 1))
    square = (centred**2).mean(1)
    products = []
    for lag in range(1, min(lags, side.shape[1] - 1) + 1):
        products.append(np.stack([(centred[:, lag:] * centred[:, :-lag]).mean(1), square, square], -1))
    return np.concatenate(products, 1)


def _crossed(side: Scaled) -> Sums:
    """Products of pairs of channels, and squares of both."""
    centred = side - side.mean((0, 1))
    squares = (centred**2).mean(1)
    first, second = np.triu_indices(side.shape[2], 1)
    products = (centred[..., first] * centred[..., second]).mean(1)
    return np.stack([products, squares[:, first], squares[:, second]], -1)


def _correlations(sums: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, " k"]:
    below = np.sqrt(np.maximum(sums[:, 1], 0) * np.maximum(sums[:, 2], 0))
    # Nothing that moves is correlated with nothing.
    return np.where(below > 1e-12, sums[:, 0] / np.maximum(below, 1e-12), 0.0).clip(-1, 1)


def _difference(sides: list[np.ndarray]) -> Reading:
    """Mean absolute difference of two sides' correlations."""
    return _apart(sides, _correlations)


def _apart(sides: list[np.ndarray], of: Callable[[np.ndarray], np.ndarray]) -> Reading:
    """Mean absolute difference of numbers of two sides' sums over windows, ``(n, ...)`` each."""
    real, made = (of(side.sum(0)) for side in sides)
    parts = [_pseudo(side, of) for side in sides]
    apart = None if parts[0] is None or parts[1] is None else parts[1] - parts[0]
    value, counts = float(np.abs(made - real).mean()), (len(sides[0]), len(sides[1]))
    return witnessed(apart, lambda apart: absolute(apart) / len(apart), value, counts)


def _pseudo(side: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> Parts | None:
    group = stretches(len(side))
    if group is None:
        return None
    return without_each(np.add.reduceat(side, np.searchsorted(group, np.arange(GROUPS)), axis=0), of)


def _binned(real: Float[np.ndarray, "m t"], made: Float[np.ndarray, "n t"]) -> Parts | None:
    """Integrals of the difference of two distribution functions over parts of the line, for each group of windows."""
    every = np.concatenate([real.ravel(), made.ravel()])
    edges = np.unique(np.quantile(every, np.linspace(0, 1, _BINS + 1)))
    sides = [_areas(side, edges) for side in (real, made)]
    return None if sides[0] is None or sides[1] is None else sides[1] - sides[0]


def _areas(side: Float[np.ndarray, "n t"], edges: Float[np.ndarray, " e"]) -> Parts | None:
    """The integral of each group's distribution function between neighbouring edges; none lies outside of them."""
    group = stretches(len(side))
    if group is None or len(edges) < 2:
        return None if group is None else np.zeros((GROUPS, 1))
    bins = len(edges) - 1
    place = np.clip(np.searchsorted(edges, side, "right") - 1, 0, bins - 1)
    key = (group[:, None] * bins + place).ravel()
    inside = np.bincount(key, (edges[place + 1] - side).ravel(), GROUPS * bins).reshape(GROUPS, bins)
    counts = np.bincount(key, minlength=GROUPS * bins).reshape(GROUPS, bins)
    before = np.cumsum(counts, 1) - counts
    return (inside + before * np.diff(edges)) / counts.sum(1, keepdims=True)
