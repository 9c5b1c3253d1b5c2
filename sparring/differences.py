"""Differences between runs in a number, and which of them are real."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from sparring.jackknife import Number, Taken, beyond_chance


@dataclass(frozen=True)
class Difference:
    """A number of the second run less that of the first.

    Attributes:
        metric: the number's name.
        first: name of a run.
        second: name of another.
        number: the difference with its interval, which is that of this difference by itself.
        better: which end of the number is better, ``""`` where neither is.
        chance: how likely a difference at least so great would be where there is none; None where it cannot be said.
        real: whether it is beyond chance among all that are looked at.
    """

    metric: str
    first: str
    second: str
    number: Number
    better: str
    chance: float | None = None
    real: bool = False

    def line(self) -> str:
        """The finding in one line."""
        value, ends = self.number.value, span(self.number)
        if not self.real:
            return f"{self.metric}: {self.second} and {self.first} are not told apart{ends}"
        side = "below" if value < 0 else "above"
        said = ""
        if self.better:
            said = ", which is better" if (value < 0) == (self.better == "lower") else ", which is worse"
        return f"{self.metric}: {self.second} is {side} {self.first} by {abs(value):.3g}{said}{ends}"


def span(number: Number) -> str:
    """A number's interval in brackets, or nothing."""
    return "" if number.low is None or number.high is None else f" ({number.low:.3g} to {number.high:.3g})"


def between_pairs(name: str, number: str, taken: Taken) -> list[Difference]:
    """A number's differences between every pair of runs."""
    better = taken.better[number]
    return [
        Difference(name, a, b, taken.number(number, b, less=a), better, taken.chance(number, b, less=a))
        for a, b in combinations(taken.runs, 2)
    ]


def settled(differences: Sequence[Difference]) -> list[Difference]:
    """The differences, each told whether it is beyond chance among all of them."""
    real = beyond_chance([each.chance for each in differences])
    return [replace(each, real=told) for each, told in zip(differences, real, strict=True)]
