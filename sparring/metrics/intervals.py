"""95 % intervals of means and shares."""

from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from sparring.metrics import Reading

NORMAL = 1.959963984540054
"""Half the width of the central 95 % of a standard normal."""

VERY_MANY = 100_000
"""Items of each side whose number an interval is for where the number changes with the count."""


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
    one the least of those that hold at once for all shares that may be the smallest (:func:`inner_width`).
    """
    shares = counts / total
    low, high = _skewed_ends(shares, total, NORMAL)
    inner = _skewed_ends(shares, total, inner_width(shares, (high - low) / (2 * NORMAL)))[1].min()
    value = float(shares.min())
    return Reading(value, min(value, float(low.min())), max(value, float(inner)), "higher")


def largest_share(counts: np.ndarray, total: int) -> Reading:
    """The largest of several shares, as :func:`smallest_share`."""
    shares = counts / total
    low, high = _skewed_ends(shares, total, NORMAL)
    inner = _skewed_ends(shares, total, inner_width(-shares, (high - low) / (2 * NORMAL)))[0].max()
    value = float(shares.max())
    return Reading(value, min(value, float(inner)), max(value, float(high.max())), "lower")


def inner_width(values: np.ndarray, errors: np.ndarray) -> float:
    """Standard deviations to the inner end of the interval of the least of several numbers.

    The inner end misses where any of the numbers that truly are the least falls far below itself, so that it must hold
    for all of these at once (Sidak 1967), in 2.5 %. They are taken to be all that lie within three standard errors of
    the difference from the least that is found. The outer end, the least of all, misses in 2.5 % where the others lie
    far off, and hardly ever where several may be the least: there both ends together miss in less than 5 %.

    Args:
        values: independent estimates.
        errors: their standard errors.
    """
    least = int(values.argmin())
    several = int((values - values[least] <= 3 * np.hypot(errors, errors[least])).sum())
    return -NormalDist().inv_cdf(1 - 0.975 ** (1 / several))


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
