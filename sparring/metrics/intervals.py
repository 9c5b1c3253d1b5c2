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


def growing(estimate: float, spread: float, second: float) -> tuple[float, float]:
    """Ends of the interval of a squared distance, whose sampling variance grows with itself.

    At no difference the variance is that of the second-order term alone; the first-order one grows in proportion to the
    distance. The ends are the distances from which the estimate stands just as far off as 95 % allow, as in the score
    interval of a share (Wilson 1927): the variance at the estimate itself is large where the estimate is, by chance,
    and small where it is small.

    Args:
        estimate: of the squared distance, without bias.
        spread: its variance by influence values, which count the second order twice.
        second: variance of the second-order term.
    """
    above, first = max(0.0, estimate), max(0.0, spread - 2 * second)
    if first + second == 0:
        return estimate, estimate
    slope = first / (above + second**0.5)
    centre = estimate + NORMAL**2 * slope / 2
    half = NORMAL * ((NORMAL * slope / 2) ** 2 + slope * above + second) ** 0.5
    return centre - half, centre + half


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
    one the least of those that hold for all shares at once (Bonferroni).
    """
    value = float(counts.min()) / total
    low = _score_ends(counts / total, total, NORMAL)[0].min()
    high = _score_ends(counts / total, total, at_once(len(counts)))[1].min()
    return Reading(value, min(value, float(low)), max(value, float(high)), "higher")


def largest_share(counts: np.ndarray, total: int) -> Reading:
    """The largest of several shares, as :func:`smallest_share`."""
    value = float(counts.max()) / total
    low = _score_ends(counts / total, total, at_once(len(counts)))[0].max()
    high = _score_ends(counts / total, total, NORMAL)[1].max()
    return Reading(value, min(value, float(low)), max(value, float(high)), "lower")


def at_once(count: int) -> float:
    """Standard deviations beyond which none of so many normal numbers lies on one side, but in 2.5 % (Bonferroni)."""
    return -NormalDist().inv_cdf(0.025 / count)


def _score_ends(shares: Any, draws: float, width: float) -> tuple[Any, Any]:
    """Both ends of the score intervals of shares."""
    weight = width**2 / draws
    centre = (shares + weight / 2) / (1 + weight)
    half = width * np.sqrt(shares * (1 - shares) / draws + weight / (4 * draws)) / (1 + weight)
    return np.maximum(0, centre - half), np.minimum(1, centre + half)
