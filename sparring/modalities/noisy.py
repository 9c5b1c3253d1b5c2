"""What may be said of private columns: noisy counts, values frequent enough to be named, bounds.

Each question is asked of all rows at once; a row more or less changes one count by one, so that the two-sided geometric
noise of Ghosh et al. 2009 makes it epsilon-differentially private. A value that is not known beforehand is named where
its noisy count passes a threshold that a single row's reaches with chance delta (Korolova et al. 2009).
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np

from sparring.randomness import hidden

_EXPONENTS = range(-20, 41)
"""Numbers below 2^-20 count as 0, and from 2^40 on as 2^40."""


@dataclass(frozen=True)
class Questions:
    """A budget for one question, and the secret that its noise is drawn from.

    Attributes:
        epsilon: of one question.
        delta: of one question that names values.
        seed: a secret.
    """

    epsilon: float
    delta: float
    seed: int

    def noise(self, count: int, name: str) -> np.ndarray:
        """Draws of the two-sided geometric distribution, ``(count,)`` int64."""
        source = np.random.Generator(np.random.Philox(key=hidden(self.seed, "noisy", name)))
        ends = source.geometric(-math.expm1(-self.epsilon), (2, count))
        return ends[0] - ends[1]

    @property
    def threshold(self) -> int:
        """The least noisy count of a value that is named."""
        return 1 + math.ceil(math.log(1 / self.delta) / self.epsilon)

    def count(self, rows: int, name: str) -> int:
        """How many rows there are, at least one."""
        return max(1, rows + int(self.noise(1, name)[0]))

    def frequent(self, values: Iterable[Hashable], name: str) -> dict[Hashable, int]:
        """Values that may be named, with their noisy counts, frequent ones first."""
        counts = sorted(Counter(values).items(), key=lambda pair: str(pair[0]))
        noisy = [
            (value, count + int(draw))
            for (value, count), draw in zip(counts, self.noise(len(counts), name), strict=True)
        ]
        named = [(value, count) for value, count in noisy if count >= self.threshold]
        return dict(sorted(named, key=lambda pair: (-pair[1], str(pair[0]))))

    def bounds(self, values: np.ndarray, name: str) -> tuple[float, float] | None:
        """Powers of two, or their negatives, between which almost all numbers lie; zero is left out of account.

        None where no range of numbers has a count that the noise could not have made, but in one of a thousand cases.
        """
        size = np.abs(values)
        there = size >= 2.0 ** _EXPONENTS[0]
        steps = np.floor(np.log2(size[there])).astype(np.int64).clip(_EXPONENTS[0], _EXPONENTS[-1]) - _EXPONENTS[0]
        above = values[there] > 0
        # Bins from the most negative numbers to the largest.
        bins = np.where(above, len(_EXPONENTS) + steps, len(_EXPONENTS) - 1 - steps)
        noisy = np.bincount(bins, minlength=2 * len(_EXPONENTS)) + self.noise(2 * len(_EXPONENTS), name)
        hit = np.flatnonzero(noisy >= math.log(2 * len(_EXPONENTS) * 1000) / self.epsilon)
        if not len(hit):
            return None
        return _ends(int(hit[0]))[0], _ends(int(hit[-1]))[1]


def _ends(place: int) -> tuple[float, float]:
    """Lowest and highest number of a bin."""
    half = len(_EXPONENTS)
    if place >= half:
        exponent = place - half + _EXPONENTS[0]
        return 2.0**exponent, 2.0 ** (exponent + 1)
    exponent = half - 1 - place + _EXPONENTS[0]
    return -(2.0 ** (exponent + 1)), -(2.0**exponent)
