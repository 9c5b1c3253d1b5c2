"""Intervals of distances that no sampling takes to 0: largest differences over witnesses.

Total variation, Kolmogorov's and Wasserstein's distance, and means of absolute differences are the difference in the
mean of a witness, the one that tells the two sides apart best (Sriperumbudur et al. 2012, section 2). Chosen by the
items that it is judged on, it fits their chance too, and the distance stands above that of very many items, at no
difference by several times its spread. Chosen on one half and judged on the other it cannot stand above it on average.
The interval therefore reaches from the lower end of the second number, with what chance adds at very many items, to
the upper end of the first: of a great difference both are the same, and of none it reaches down to 0.

Between them a chosen witness takes the sign of many a difference the wrong way. How much of the distance that costs is
known of a sum of absolute differences: of one of t standard errors, a sign chosen on half the items finds the part
erf(t / 2). How great the differences are tells the distribution of t under which those that are found are likeliest
(Laird 1978). Few great differences and many small ones look much alike, and the first are found whole: of distributions
that are all but as likely, the one with the most differences of 0 is taken, made so by adding some (Stephens 2017 adds
them likewise). What the witness found is stretched by that. Differences that are 0 in most groups, as shares of rare
classes are, tell nothing of their size and are not stretched.

The lower end misses in up to 5 % of simulated draws of 400 differences, and 9 % of 1,500, of which any part is there.
Where most of them are, each of about one standard error, or in tables with many rare classes, it hardly ever does.
"""

from collections.abc import Callable, Sequence
from math import pi
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import erf

from sparring.metrics import Reading
from sparring.metrics.intervals import NORMAL, VERY_MANY

GROUPS = 20
"""Groups of either side that are moved between halves together."""
_SPLITS = 8
"""Partings into halves that are averaged over."""
WIDTH = 2.093024054408263
"""Student's quantile for the freedom of the groups, half the width of the central 95 %."""

_ALLOWED = 3.0
"""By how much the logarithm of the likelihood may lie below the greatest for the sake of differences of 0.

At 0.5 the lower end would miss in up to 13 % of simulated draws of 400 differences of which a part is there, and in up
to 29 % of those of 1,500; it would stand a tenth higher at most, mostly by hardly a twentieth.
"""
_SIZED = 6
"""Groups in which a difference must be there for its size in standard errors to take more than a few values."""
_ROUNDS = 50
"""Steps of expectation and maximisation to a distribution of differences, from that with fewer of 0."""
_SIZES = np.linspace(0, 7, 50)
"""Standard errors that a difference may truly be great."""
_SEEN = np.arange(0.05, 8, 0.1)
"""The same of those that are found, in bins."""
_LIKELY = np.exp(-((_SEEN[:, None] - _SIZES) ** 2) / 2) + np.exp(-((_SEEN[:, None] + _SIZES) ** 2) / 2)
"""Density of the second at the first, of either sign, times a constant."""
_KEPT = _SIZES * erf(_SIZES / 2)
"""What the sign that half of the items choose finds of each on average."""

Differences = Float[np.ndarray, " k"]
"""Signed differences of two sides: of shares, correlations, distribution functions."""
Parts = Float[np.ndarray, "groups k"]
"""The same of each group alone, so that their mean is that of all."""
Witness = Callable[[Differences], Differences]
"""Weights of differences by which their sum is the distance."""


def witnessed(
    parts: Parts | None,
    witness: Witness,
    value: float,
    counts: tuple[int, int],
    *,
    summed: bool | np.ndarray = True,
) -> Reading:
    """A distance with its interval, for its value at :data:`VERY_MANY` items of both sides.

    Args:
        parts: differences of each of :data:`GROUPS` groups; None where there are too few items to make them.
        witness: of the distance.
        value: the distance of all items.
        counts: items of either side.
        summed: of which differences the absolute values are summed.
    """
    if parts is None:
        return Reading(value)
    summed = np.broadcast_to(summed, parts.shape[1])
    sized = summed & ((parts != 0).sum(0) >= _SIZED)
    stretched, chosen = np.where(sized, shortfall(parts[:, sized]), 1.0), _Chosen(parts, witness)
    judged, drawn = chosen.judged(stretched), parts @ (stretched * chosen.moved(summed))
    whole = parts @ witness(parts.mean(0))
    # At no difference, where chance adds most, what it adds falls with the root of the counts.
    left = min(1.0, (2 / VERY_MANY / sum(1 / count for count in counts)) ** 0.5)
    least = judged.mean() + left * max(0.0, value - judged.mean())
    error = ((_error(judged) ** 2 + _error(drawn) ** 2) / 2) ** 0.5
    high = value + WIDTH * _error(whole)
    return Reading(value, min(value, max(0.0, float(least - _width(least, high, error) * error))), float(high))


class _Chosen:
    """Witnesses that halves of the groups choose.

    Args:
        parts: differences of each group.
        witness: of the distance.

    Attributes:
        weights: for each group the mean of the witnesses that it had no part in.
        magnitude: mean absolute weight of each difference over all of them.
    """

    def __init__(self, parts: Parts, witness: Witness):
        self.parts, self.weights = parts, np.zeros(parts.shape)
        self.magnitude = np.zeros(parts.shape[1])
        order, half = np.random.Generator(np.random.Philox(key=0)), GROUPS // 2
        for _ in range(_SPLITS):
            shuffled = order.permutation(GROUPS)
            for chosen, others in ((shuffled[:half], shuffled[half:]), (shuffled[half:], shuffled[:half])):
                found = witness(parts[chosen].mean(0))
                self.weights[others] += found / _SPLITS
                self.magnitude += np.abs(found) / (2 * _SPLITS)

    def judged(self, stretched: np.ndarray) -> Float[np.ndarray, " groups"]:
        """What they find in each group, judged by the witnesses that it had no part in."""
        return (self.parts * self.weights) @ stretched

    def moved(self, summed: np.ndarray) -> Differences:
        """By how much what they find moves with each difference, where the choice moves with it.

        Of a summed difference of t standard errors signs chosen on halves find t (2 F(t) - 1) - 2 f(t) on average over
        the halves, F and f being the normal distribution function and density; this is its derivative, times the weight
        of the difference. The choice of others is taken for fixed.
        """
        errors, mean = _error(self.parts), self.parts.mean(0)
        sizes = np.divide(np.abs(mean), errors, out=np.full(len(mean), np.inf), where=errors > 0)
        there = summed & np.isfinite(sizes)
        found = self.weights.mean(0)
        t = sizes[there]
        each = erf(t / 2**0.5) + 4 * t * np.exp(-(t**2) / 2) / (2 * pi) ** 0.5
        found[there] = np.sign(mean[there]) * self.magnitude[there] * each
        return found


def shortfall(parts: Parts) -> float:
    """The sum of absolute differences over what signs chosen on half of the items are expected to find of it."""
    errors = parts.std(0, ddof=1) / GROUPS**0.5
    there = errors > 0
    sizes, errors = np.abs(parts.mean(0)[there]) / errors[there], errors[there]
    if len(sizes) == 0:
        return 1.0
    place = np.minimum(sizes / (_SEEN[1] - _SEEN[0]), len(_SEEN) - 1).astype(int)
    counts = np.bincount(place, minlength=len(_SEEN))
    # Beyond the last bin a difference is as great as it is found.
    weights = np.bincount(place, errors * np.maximum(1, sizes / _SEEN[-1]), len(_SEEN))
    prior, added, most, found = np.full(len(_SIZES), 1 / len(_SIZES)), 0.0, -np.inf, 1.0
    while added <= len(sizes):
        prior = _likeliest(counts, prior, added)
        each = _LIKELY * prior
        likelihood = float(counts @ np.log(each.sum(1)))
        most = max(most, likelihood)
        if likelihood < most - _ALLOWED:
            break
        found, added = _missed(weights @ (each / each.sum(1, keepdims=True))), max(0.5, 2 * added)
    return found


def _likeliest(counts: np.ndarray, prior: np.ndarray, added: float) -> np.ndarray:
    """The distribution over :data:`_SIZES` of so many differences in each bin, with some of 0 added."""
    for _ in range(_ROUNDS):
        each = _LIKELY * prior
        prior = counts @ (each / each.sum(1, keepdims=True))
        prior[0] += added
        prior /= prior.sum()
    return prior


def _missed(weights: np.ndarray) -> float:
    """The sum of absolute differences over what is found of it, from the weight of those of each size."""
    found = float(weights @ _KEPT)
    return max(1.0, float(weights @ _SIZES) / found) if found > 0 else 1.0


def _error(each: Float[np.ndarray, "groups ..."]) -> Any:
    """Standard error of the mean over groups."""
    return each.std(0, ddof=1) / GROUPS**0.5


def _width(least: float, high: float, error: float) -> float:
    """Errors from the lower number to its end, so that both ends miss in 5 %: the upper one hardly does far above."""
    wider = WIDTH / NORMAL
    beyond = NormalDist().cdf((least - high) / (wider * error)) if error > 0 else 0.0
    return -NormalDist().inv_cdf(0.05 - min(0.025, beyond)) * wider


def groups(count: int) -> np.ndarray | None:
    """The group of each of so many items, which come in no order; None where a group would be empty."""
    return np.arange(count) % GROUPS if count >= GROUPS else None


def stretches(count: int) -> np.ndarray | None:
    """The group of each of so many items of which neighbours are alike, as overlapping windows are."""
    return np.arange(count) * GROUPS // count if count >= GROUPS else None


def shares_of(codes: np.ndarray, group: np.ndarray, classes: int) -> Parts:
    """The share of each class 0 to ``classes`` - 1 in each group."""
    counts = np.bincount(group * classes + codes, minlength=GROUPS * classes).reshape(GROUPS, classes)
    return counts / counts.sum(1, keepdims=True)


def without_each(sums: Float[np.ndarray, "groups ..."], of: Callable[[np.ndarray], np.ndarray]) -> Parts:
    """A number of sums over all items as if of each group alone: pseudo-values of the jackknife (Tukey 1958).

    Args:
        sums: of each group.
        of: the number, ``(k,)``, of the sums over any items; it must not depend on how many they are.
    """
    whole = sums.sum(0)
    left = np.stack([of(whole - each).ravel() for each in sums])
    return GROUPS * of(whole).ravel() - (GROUPS - 1) * left


def absolute(differences: Differences) -> Differences:
    """The witness of the sum of absolute differences."""
    return np.sign(differences)


def largest(differences: Differences) -> Differences:
    """The witness of the largest absolute difference."""
    found, most = np.zeros(len(differences)), int(np.abs(differences).argmax())
    found[most] = np.sign(differences[most])
    return found


def mean_of(witnesses: Sequence[Witness], widths: Sequence[int]) -> Witness:
    """The witness of the mean of distances whose differences stand one after the other, so many of each."""
    return lambda differences: np.concatenate(_each(witnesses, widths, differences)) / len(widths)


def largest_of(witnesses: Sequence[Witness], widths: Sequence[int]) -> Witness:
    """The witness of the largest of distances whose differences stand one after the other."""

    def found(differences: Differences) -> Differences:
        each, parts = _each(witnesses, widths, differences), np.split(differences, np.cumsum(widths)[:-1])
        most = int(np.argmax([weights @ part for weights, part in zip(each, parts, strict=True)]))
        return np.concatenate([weights * (place == most) for place, weights in enumerate(each)])

    return found


def _each(witnesses: Sequence[Witness], widths: Sequence[int], differences: Differences) -> list[np.ndarray]:
    parts = np.split(differences, np.cumsum(widths)[:-1])
    return [witness(part) for witness, part in zip(witnesses, parts, strict=True)]
