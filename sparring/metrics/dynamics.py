"""How series move: correlations over time and between channels, marginals, spectra; each against held-back windows."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.data import Items
from sparring.metrics import Evidence, Metric, Reading
from sparring.randomness import derive

LEAST = 4
"""Windows of a side below which nothing is said."""
DRAWS = 200
"""Draws of the bootstrap."""

Scaled = Float[np.ndarray, "n t c"]
Sums = Float[np.ndarray, "n k 2"]
"""For each window and number: what is summed above and below a fraction's bar."""


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
        "mean over lags and channels of the absolute difference, around each side's own means; interval: bootstrap of "
        "windows of both sides, too narrow where windows overlap"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return refusal(train, test, fake, steps=2)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        sides = scaled(train, test, fake)
        found = {"autocorrelation-error": _difference([_lagged(side, self.lags) for side in sides], self.name)}
        if sides[0].shape[1] > 2:
            changes = [_lagged(np.diff(side, axis=1), self.lags) for side in sides]
            found["autocorrelation-error-changes"] = _difference(changes, self.name)
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
        return {name: _difference(sums, self.name) for name, sums in found.items()}


class ChannelWasserstein(Metric):
    """Wasserstein distance of each channel's values, in its deviations among the training windows."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 30
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = "first Wasserstein distance of all steps together; mean and largest over channels"

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        real, made = scaled(train, test, fake)
        found = [wasserstein(real[..., i].ravel(), made[..., i].ravel()) for i in range(real.shape[2])]
        return {
            "channel-wasserstein": Reading(float(np.mean(found))),
            "channel-wasserstein-largest": Reading(float(np.max(found))),
        }


class Spectrum(Metric):
    """Mean difference of the logarithms of the power at each frequency, in decades."""

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 40
    quick: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "periodograms with Hann's window, averaged over windows; a millionth of the reference's mean power is added"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        real, made = (_power(side) for side in scaled(train, test, fake))
        floor = 1e-6 * max(float(real.mean()), 1e-12)
        return {"spectrum-error": Reading(float(np.abs(np.log10(made + floor) - np.log10(real + floor)).mean()))}


def wasserstein(real: Float[np.ndarray, " m"], made: Float[np.ndarray, " n"]) -> float:
    """First Wasserstein distance of two samples: the area between their distribution functions."""
    every = np.sort(np.concatenate([real, made]))
    below = [np.searchsorted(np.sort(side), every[:-1], "right") / len(side) for side in (real, made)]
    return float((np.abs(below[0] - below[1]) * np.diff(every)).sum())


def _power(side: Scaled) -> Float[np.ndarray, "f c"]:
    centred = (side - side.mean(1, keepdims=True)) * np.hanning(side.shape[1] + 2)[1:-1, None]
    return (np.abs(np.fft.rfft(centred, axis=1)) ** 2).mean(0)


def _lagged(side: Scaled, lags: int) -> Sums:
    """Products of steps that are 1, 2, … apart, and squares, for each channel."""
    centred = side - side.mean((0, 1))
    square = (centred**2).mean(1)
    products = []
    for lag in range(1, min(lags, side.shape[1] - 1) + 1):
        products.append(np.stack([(centred[:, lag:] * centred[:, :-lag]).mean(1), square], -1))
    return np.concatenate(products, 1)


def _crossed(side: Scaled) -> Sums:
    """Products of pairs of channels, and the roots of their mean squares."""
    centred = side - side.mean((0, 1))
    deviations = np.sqrt((centred**2).mean((0, 1)))
    first, second = np.triu_indices(side.shape[2], 1)
    products = (centred[..., first] * centred[..., second]).mean(1)
    return np.stack([products, np.broadcast_to(deviations[first] * deviations[second], products.shape)], -1)


def _fractions(sums: Sums, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b k"]:
    above, below = (weights @ sums[..., i] for i in range(2))
    # Nothing that moves is correlated with nothing.
    return np.where(below > 1e-12, above / np.maximum(below, 1e-12), 0.0).clip(-1, 1)


def _difference(sides: list[np.ndarray], name: str) -> Reading:
    """Mean absolute difference of two sides' fractions, with the bootstrap's standard error."""
    drawn = []
    for number, sums in enumerate(sides):
        source = np.random.Generator(np.random.Philox(key=derive(number, name)))
        count = len(sums)
        shares = source.multinomial(count, np.full(count, 1 / count), DRAWS) / count
        drawn.append(_fractions(sums, np.concatenate([np.full((1, count), 1 / count), shares])))
    distances = np.abs(drawn[0] - drawn[1]).mean(1)
    value, spread = float(distances[0]), 1.96 * float(distances[1:].std())
    return Reading(value, max(0.0, value - spread), value + spread)
