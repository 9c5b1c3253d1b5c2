"""95 % intervals of means and shares."""

from typing import Literal

import numpy as np

from sparring.metrics import Reading

NORMAL = 1.959963984540054
"""Half the width of the central 95 % of a standard normal."""


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
    draws = count if draws is None else draws
    value, weight = hits / count, NORMAL**2 / draws
    centre = (value + weight / 2) / (1 + weight)
    half = NORMAL * np.sqrt(value * (1 - value) / draws + weight / (4 * draws)) / (1 + weight)
    low, high = min(value, max(0.0, float(centre - half))), max(value, min(1.0, float(centre + half)))
    return Reading(value, low, high, better)
