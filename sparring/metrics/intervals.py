"""95 % intervals of means and shares."""

from collections.abc import Callable
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from sparring.metrics import Reading

NORMAL = 1.959963984540054
"""Half the width of the central 95 % of a standard normal."""

VERY_MANY = 100_000
"""Items of each side whose number an interval is for where the number changes with the count."""

DISCARDED = 0.8
"""The p-value above which a number is left out where the least of several is asked for."""

Ends = tuple[np.ndarray, np.ndarray]
"""Lower and upper ends of the intervals of several numbers."""


def standard_error(*influences: np.ndarray) -> float:
    """Standard error of an estimate from each side's influence values, ``(n,)`` each (Hampel 1974)."""
    return float(np.sqrt(sum(np.var(values, ddof=1) / len(values) for values in influences if len(values) > 1)))


def around(
    value: float,
    error: float,
    *,
    within: tuple[float, float] = (-np.inf, np.inf),
    better: Literal["lower", "higher", ""] = "lower",
) -> Reading:
    """A reading with the normal interval of a standard error, cut to the values that are possible."""
    low, high = value - NORMAL * error, value + NORMAL * error
    return Reading(float(value), float(max(low, within[0])), float(min(high, within[1])), better)


def mean(
    each: np.ndarray,
    *,
    within: tuple[float, float] = (-np.inf, np.inf),
    better: Literal["lower", "higher", ""] = "lower",
) -> Reading:
    """The mean of a number of each item, ``(n,)``, with its normal interval; with none where there is one item."""
    if len(each) < 2:
        return Reading(float(each.mean()), better=better)
    return around(float(each.mean()), standard_error(each), within=within, better=better)


def growing(
    estimate: float, spread: float, second: float, width: float = NORMAL, *, along: float | None = None
) -> tuple[float, float]:
    """Ends of the interval of a squared distance, whose sampling variance grows with itself.

    At no difference the variance is that of the second-order term alone; the first-order one grows in proportion to the
    distance. The ends are the distances from which the estimate stands just as far off as 95 % allow, as in the score
    interval of a share (Wilson 1927): the variance at the estimate itself is large where the estimate is, by chance,
    and small where it is small.

    In proportion is what it would be of the same difference, larger. But chance that made the estimate too small has
    taken most from where it is greatest, and with that more of the variance than of the distance. Where it is known how
    fast the variance grows along what chance does, the upper end has the variance at the estimate and grows by that.

    Args:
        estimate: of the squared distance, without bias.
        spread: its variance by influence values, which count the second order twice.
        second: variance of the second-order term.
        width: standard deviations to either end.
        along: how fast the variance grows with the distance where chance moves both.
    """
    slope = _slope(estimate, spread, second)
    if slope + second == 0:
        return estimate, estimate
    centre = estimate + width**2 * slope / 2
    half = width * ((width * slope / 2) ** 2 + slope * max(0.0, estimate) + second) ** 0.5
    if along is None:
        return centre - half, centre + half
    moved = width**2 * along / 2
    return centre - half, estimate + moved + (moved**2 + width**2 * max(second, spread - second)) ** 0.5


def growing_to(value: float, estimate: float, spread: float, second: float, *, wider: float) -> tuple[float, float]:
    """Ends as of :func:`growing` that reach to the value, which carries the bias of its counts, as :func:`reaching`.

    Args:
        value: the squared distance that is printed.
        estimate: as of :func:`growing`, with its variances.
        spread: of the estimate.
        second: of the estimate.
        wider: Student's quantile over the normal one, where the variances are those of few groups.
    """
    low, high = growing(estimate, spread, second, NORMAL * wider)
    there = _slope(estimate, spread, second) * value + second
    if high < value and there > 0:
        beyond = NormalDist().cdf((estimate - value) / (wider * there**0.5))
        low, _ = growing(estimate, spread, second, -NormalDist().inv_cdf(0.05 - beyond) * wider)
    return min(low, value), max(high, value)


def _slope(estimate: float, spread: float, second: float) -> float:
    """How fast the variance of a squared distance grows with it."""
    first = max(0.0, spread - 2 * second)
    return first / (max(0.0, estimate) + second**0.5) if first > 0 else 0.0


def reaching(value: float, unbiased: float, error: float) -> Reading:
    """An interval around a number without bias that reaches to the value, which carries the bias of its counts.

    It misses in 5 %, at both ends together where the value is not beyond the upper one.
    """
    if error == 0:
        return Reading(value, value, value)
    beyond = NormalDist().cdf((unbiased - value) / error)
    width = NORMAL if value < unbiased + NORMAL * error else -NormalDist().inv_cdf(0.05 - beyond)
    low, high = unbiased - width * error, unbiased + width * error
    return Reading(value, min(value, max(0.0, float(low))), max(value, float(high)))


def share(
    hits: float, count: int, better: Literal["lower", "higher", ""] = "higher", draws: float | None = None
) -> Reading:
    """A share with its score interval (Wilson 1927).

    Args:
        hits: how many of the items.
        count: items.
        better: which end is.
        draws: independent draws that tell as much as the items, where these depend on each other.
    """
    value, draws = hits / count, count if draws is None else draws
    low, high = _score_ends(value, draws, NORMAL)
    return Reading(value, min(value, float(low)), max(value, float(high)), better)


def smallest_share(counts: np.ndarray, total: int) -> Reading:
    """The smallest of several shares, with an interval for the smallest of the true ones.

    The least of several counts lies below its own expectation. The lower end is the least of the shares' own, the upper
    one that of :func:`inner_end`.
    """
    shares = counts / total
    inner = inner_end(lambda width: _skewed_ends(shares, total, width))
    value = float(shares.min())
    low = _skewed_ends(shares, total, NORMAL)[0].min()
    return Reading(value, min(value, float(low)), max(value, inner), "higher")


def largest_share(counts: np.ndarray, total: int) -> Reading:
    """The largest of several shares, as :func:`smallest_share`."""
    shares = counts / total

    def mirrored(width: float) -> Ends:
        low, high = _skewed_ends(shares, total, width)
        return -high, -low

    value = float(shares.max())
    high = _skewed_ends(shares, total, NORMAL)[1].max()
    return Reading(value, min(value, -inner_end(mirrored)), max(value, float(high)), "lower")


def inner_end(ends: Callable[[float], Ends]) -> float:
    """The inner, upper, end of the interval of the least of several numbers.

    A bound is too small for the least where all of the numbers are greater, so that the end must hold at once for all
    of them (Sidak 1967). Those that are greater by far only make it wider: they hardly ever fall below the bound.
    Therefore p-values above :data:`DISCARDED` are discarded and the others divided by it, before Sidak's correction for
    as many as are left (Ellis, Pecanka and Goeman 2020, "Gaining power in multiple testing of interval hypotheses via
    conditionalization"): whichever are left, one whose number is greater is small no more often than one whose number
    equals the bound. The end is the greatest bound that is not rejected.

    The outer end, the least of all at 97.5 %, misses only where no p-value is left. So the inner one may miss in
    .025 / .8 of the cases where one is. Both together then miss in 5 % at most: with one number, or where the others
    are far off, in 2.5 % each, and where several are the least, the inner in 3.1 % and the outer hardly ever.

    Args:
        ends: both ends of each number's own interval, for a width in standard deviations; estimates are independent.
    """
    normal = NormalDist()
    # From this bound on a number's p-value is no longer discarded.
    joins = ends(normal.inv_cdf(DISCARDED))[0]
    order = np.argsort(joins, kind="stable")
    steps, found = [*joins[order], np.inf], -np.inf
    for left in range(1, len(order) + 1):
        width = -normal.inv_cdf(DISCARDED * (1 - (1 - 0.025 / DISCARDED) ** (1 / left)))
        held = float(ends(width)[1][order[:left]].min())
        # Each that joins makes the end wider, so that a bound may be rejected and a greater one not.
        if held >= steps[left - 1]:
            found = max(found, min(held, float(steps[left])))
    return found


def _score_ends(shares: Any, draws: float, width: float) -> tuple[Any, Any]:
    """Both ends of the score intervals of shares."""
    weight = width**2 / draws
    centre = (shares + weight / 2) / (1 + weight)
    half = width * np.sqrt(shares * (1 - shares) / draws + weight / (4 * draws)) / (1 + weight)
    return np.maximum(0, centre - half), np.minimum(1, centre + half)


def _skewed_ends(shares: np.ndarray, draws: int, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Both ends for shares, each of which misses as often as asked (Cai 2005, section 4).

    Those of the score interval do so in sum: of a small share the lower one misses more often than the upper.
    """
    squared = width**2
    moved, scaled = squared / 3 + 1 / 6, (13 * squared + 17) / 18
    product = shares * (1 - shares)
    centre = (draws * shares + moved) / (draws + 2 * moved)
    variance = product + (squared / 18 + 7 / 36 - scaled * product) / draws
    half = width * np.sqrt(np.maximum(0, variance) / draws)
    return np.maximum(0, centre - half), np.minimum(1, centre + half)
