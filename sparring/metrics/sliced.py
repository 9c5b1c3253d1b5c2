"""Sliced Wasserstein distance of features (Rabin et al. 2011; Karras et al. 2018, section 5, of picture patches)."""

from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import NORMAL, VERY_MANY, growing_to
from sparring.metrics.kernel import some
from sparring.randomness import derive

Projections = Float[np.ndarray, "n k"]
Ranked = Float[np.ndarray, "k n"]

_GROUPS = 20
"""Groups of either side, from whose differences variances are taken."""
_HALVINGS = 8
"""Partings of either side into halves that are averaged over."""
_WIDER = 2.093024054408263 / NORMAL
"""Student's quantile for the freedom of the groups over the normal one."""


class SlicedWasserstein(Metric):
    """Root mean square over random directions of the Wasserstein-2 distance of the projected features."""

    rank: ClassVar[int | None] = 32

    directions: int = Field(default=128, ge=1, le=10_000, description="random directions that are projected on")
    most: int = Field(
        default=10_000, ge=20, le=100_000, description="items of each side; of more, a seeded choice is taken"
    )
    seed: int = Field(default=0, ge=0, description="of that choice and of the directions")

    protocol: ClassVar[str] = (
        "equal counts of both sides, projections sorted and paired; the value grows as counts shrink, so compare at "
        "equal counts; interval: for the distance at 100,000 items a side, the bias taken off its square as halves and "
        "twentieths of each side tell it, Student's, by twenty groups of both sides and the second-order part, the "
        "first growing with the distance; it reaches up to the value, which carries the bias of its counts"
    )

    def looked_at(self, count: int) -> int:
        return min(count, self.most)

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Twenty groups of both sides are needed for an interval."""
        for side, noun in ((test, "reference"), (fake, "judged")):
            if side.fault():
                return side.fault()
            if len(side.features) < _GROUPS:
                return f"{len(side.features)} {noun} items are fewer than {_GROUPS}; take kid, which needs two"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        count = min(self.most, len(test.features), len(fake.features))
        real, made = [some(side.features, count, self.seed) for side in (test, fake)]
        real, made = [_projected(side, self.directions, self.seed) for side in (real, made)]
        value, chance = sliced_distance(real, made), _chance(real, made, self.seed)
        unbiased = value**2 - chance.added(count) + chance.added(VERY_MANY)
        ends = growing_to(value**2, unbiased, chance.spread, chance.second, wider=_WIDER)
        low, high = (float(np.sqrt(max(0.0, end))) for end in ends)
        return {self.name: Reading(value, min(value, low), max(value, high))}


def sliced_distance(first: Float[np.ndarray, "n k"], second: Float[np.ndarray, "n k"]) -> float:
    """Root mean square difference of two sides' projections, each direction sorted."""
    return float(np.sqrt(np.square(_ranked(first) - _ranked(second)).mean()))


def _ranked(side: Projections) -> Ranked:
    # Copied to rows, as sorting along them is several times faster.
    return np.sort(np.ascontiguousarray(side.T), 1)


class _Chance(NamedTuple):
    """What sampling does to the squared distance.

    Attributes:
        halves: what chance sets two sides apart, each of half the items.
        size: items in such a half.
        power: of the count with which this falls: a little less than 1, as the outermost items hardly settle.
        spread: variance by the influence of groups, which counts the second-order term twice.
        second: variance of the second-order term, and of the estimate of what chance adds.
    """

    halves: float
    size: int
    power: float
    spread: float
    second: float

    def added(self, count: int) -> float:
        """What chance adds on average at so many items of a side."""
        return self.halves * (self.size / count) ** self.power


def _chance(real: Projections, made: Projections, seed: int) -> _Chance:
    """Ranked groups and halves are to very many items what the whole side is, but farther off."""
    count, halves = len(real), sum(_between_halves(side, seed) for side in (real, made)) / 2
    apart, whole = _by_groups(real, made)
    trace, square = _moments(apart)
    if not 0 < trace * halves < np.inf:
        return _Chance(0.0, count // 2, 1.0, 0.0, 0.0)
    power = np.log(trace / halves) / np.log((count // 2) / (count // _GROUPS))
    found = _Chance(halves, count // 2, float(np.clip(power, 0.5, 1)), 0.0, 0.0)
    spread = float(np.var(2 * apart @ whole / apart.shape[1], ddof=1)) / _GROUPS
    second = 2 * square * (found.added(count) / trace) ** 2
    return found._replace(spread=spread, second=second * (1 + 1 / (2 * _HALVINGS)))


def _between_halves(side: Projections, seed: int) -> float:
    """Mean squared distance of two halves of a side."""
    source = np.random.Generator(np.random.Philox(key=derive(seed, "halves", len(side))))
    half, found = len(side) // 2, 0.0
    for _ in range(_HALVINGS):
        drawn = source.permutation(len(side))
        found += sliced_distance(side[drawn[:half]], side[drawn[half : 2 * half]]) ** 2 / _HALVINGS
    return found


def _by_groups(real: Projections, made: Projections) -> tuple[Float[np.ndarray, "g m"], Float[np.ndarray, " m"]]:
    """Differences of the ranked projections, of each group and of all items at as many ranks.

    Group i is every twentieth row: a group must not depend on the order of classes in the data.
    """
    size = len(real) // _GROUPS
    kept = [side[: size * _GROUPS] for side in (real, made)]
    apart = [np.subtract(*(_ranked(side[group::_GROUPS]) for side in kept)).ravel() for group in range(_GROUPS)]
    whole = np.subtract(*(_ranked(side) for side in kept))
    return np.stack(apart), whole.reshape(len(whole), size, _GROUPS).mean(2).ravel()


def _moments(apart: Float[np.ndarray, "g m"]) -> tuple[float, float]:
    """Trace of the covariance of groups' differences and of its square, both without bias, over their length."""
    freedom, centred = len(apart) - 1, apart - apart.mean(0)
    gram = centred @ centred.T / (apart.shape[1] * freedom)
    trace = float(np.trace(gram))
    square = (np.square(gram).sum() - trace**2 / freedom) * freedom**2 / ((freedom - 1) * (freedom + 2))
    return trace, max(0.0, float(square))


def _projected(rows: Float[np.ndarray, "n d"], directions: int, seed: int) -> Float[np.ndarray, "n k"]:
    source = np.random.Generator(np.random.Philox(key=derive(seed, "sliced", rows.shape[1])))
    drawn = source.standard_normal((rows.shape[1], directions))
    return rows @ (drawn / np.sqrt(np.square(drawn).sum(0)))
