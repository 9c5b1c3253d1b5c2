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
them likewise). What the witness found is stretched by that. How sure it is is not known, so that where a part of very
many differences is there, of two or three standard errors, the lower end misses more often than in 2.5 %: of 400 in up
to 8 % of simulated draws, of 1,500 in up to 13 %.
"""

from collections.abc import Callable, Sequence
from math import erf

import numpy as np
from jaxtyping import Float

from sparring.metrics import Reading
from sparring.metrics.intervals import VERY_MANY

GROUPS = 20
"""Groups of either side that are moved between halves together."""
_SPLITS = 8
"""Partings into halves that are averaged over."""
WIDTH = 2.093024054408263
"""Student's quantile for the freedom of the groups, half the width of the central 95 %."""

_ALLOWED = 3.0
"""By how much the logarithm of the likelihood may lie below the greatest for the sake of differences of 0.

At 0.25 the lower end would miss in up to 20 % of simulated draws of 400 differences of which a part is there, and in up
to 42 % of those of 1,500; it would stand a tenth higher at most, mostly by hardly a twentieth.
"""
_ROUNDS = 50
"""Steps of expectation and maximisation to a distribution of differences, from that with fewer of 0."""
_SIZES = np.linspace(0, 7, 50)
"""Standard errors that a difference may truly be great."""
_SEEN = np.arange(0.05, 8, 0.1)
"""The same of those that are found, in bins."""
_LIKELY = np.exp(-((_SEEN[:, None] - _SIZES) ** 2) / 2) + np.exp(-((_SEEN[:, None] + _SIZES) ** 2) / 2)
"""Density of the second at the first, of either sign, times a constant."""
_KEPT = _SIZES * [erf(size / 2) for size in _SIZES]
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
    judged = _judged(
        parts, witness, np.where(summed, shortfall(parts[:, np.broadcast_to(summed, parts.shape[1])]), 1.0)
    )
    whole = parts @ witness(parts.mean(0))
    # At no difference, where chance adds most, what it adds falls with the root of the counts.
    left = min(1.0, (2 / VERY_MANY / sum(1 / count for count in counts)) ** 0.5)
    least = judged.mean() + left * max(0.0, value - judged.mean())
    low, high = least - _half(judged), value + _half(whole)
    return Reading(value, min(value, max(0.0, float(low))), float(high))


def _judged(parts: Parts, witness: Witness, stretched: Differences | np.ndarray) -> Float[np.ndarray, " groups"]:
    """What witnesses chosen on halves of the groups find in each group of the other half."""
    order = np.random.Generator(np.random.Philox(key=0))
    judged, half = np.zeros(GROUPS), GROUPS // 2
    for _ in range(_SPLITS):
        shuffled = order.permutation(GROUPS)
        for chosen, others in ((shuffled[:half], shuffled[half:]), (shuffled[half:], shuffled[:half])):
            judged[others] += parts[others] @ (stretched * witness(parts[chosen].mean(0))) / _SPLITS
    return judged


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


def _half(each: Float[np.ndarray, " groups"]) -> float:
    return WIDTH * float(each.std(ddof=1)) / GROUPS**0.5


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
