"""Benefit: whether added items help a classifier, measured on held-back items beside other ways to add some."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int

from sparring.augmentations import Augmentation, Means
from sparring.lot import Lot
from sparring.metrics import Reading
from sparring.randomness import derive

NOTHING = "nothing"
"""The way that adds no item."""
OURS = "generated"
"""The way that is asked about."""
LEAST = 20
"""Held-back items below which nothing is measured."""
_DRAWS = 1000

Said = Int[np.ndarray, "seeds k n"]
"""Classes by number, as said by each classifier after each seed."""


@dataclass(frozen=True)
class Way:
    """What a classifier reached with items that were added in one way; means over seeds and classifiers.

    Attributes:
        name: of the augmentation.
        accuracy: share of held-back items that are classified rightly.
        rare_f1: F1 of the class with the fewest items; None where all have as many.
        macro_f1: F1 averaged over the classes.
        gain: change of the primary figure against adding nothing, with its 95 % interval; None of nothing itself.
        lead: change of the primary figure of the generated items against this way; None of theirs.
    """

    name: str
    accuracy: float
    rare_f1: float | None
    macro_f1: float
    gain: Reading | None = None
    lead: Reading | None = None


@dataclass(frozen=True)
class Benefit:
    """All ways beside each other.

    Attributes:
        ways: nothing first, then the generated items, then the others.
        rare: the class with the fewest items; None where all have as many.
        protocol: how the figures were taken.
    """

    ways: tuple[Way, ...]
    rare: str | None
    protocol: dict[str, Any] = field(default_factory=dict)

    @property
    def primary(self) -> str:
        """The figure that decides, in words."""
        return "macro F1" if self.rare is None else f"F1 of '{self.rare}'"

    @property
    def outcome(self) -> str:
        """``"helps"``, ``"harms"`` or ``"no difference"``: whether the interval of the gain leaves out zero."""
        gain = self._ours().gain
        assert gain is not None
        assert gain.low is not None
        assert gain.high is not None
        return "helps" if gain.low > 0 else "harms" if gain.high < 0 else "no difference"

    def verdict(self) -> str:
        """Whether the generated items help, in plain words."""
        change = f"{self.primary} changes by {_interval(self._ours().gain)}"
        if self.outcome == "harms":
            return f"generated items harm: {change}; do not use them"
        if self.outcome == "no difference":
            return f"generated items do not measurably help: {change}"
        rivals = [way for way in self.ways if way.lead is not None and way.name != NOTHING]
        best = max(rivals, key=self.figure, default=None)
        if best is None or best.lead is None:
            return f"generated items help: {change}"
        beaten = f"but not measurably more than {best.name}"
        if (best.lead.low or 0) > 0:
            beaten = f"and more than the best other way, {best.name}"
        elif (best.lead.high or 0) < 0:
            beaten = f"but {best.name} helps more"
        return f"generated items help: {change}; {beaten}: {_interval(best.lead)}"

    def _ours(self) -> Way:
        return next(way for way in self.ways if way.name == OURS)

    def figure(self, way: Way) -> float:
        """The primary figure of a way."""
        return way.macro_f1 if way.rare_f1 is None else way.rare_f1

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told = {"primary": self.primary, "outcome": self.outcome, "verdict": self.verdict()}
        return told | {"ways": [asdict(way) for way in self.ways], "protocol": self.protocol}

    def lines(self) -> list[str]:
        """A table for people, and the verdict."""
        rare = "" if self.rare is None else f"{f'F1 of {self.rare.strip()}'[:20]:>22}"
        lines = [f"{'added':<16}{'accuracy':>10}{rare}{'macro F1':>10}   change of {self.primary}, 95 % interval"]
        for way in self.ways:
            middle = "" if way.rare_f1 is None else f"{way.rare_f1:>22.4f}"
            gain = "" if way.gain is None else f"   {_interval(way.gain)}"
            lines.append(f"{way.name:<16}{way.accuracy:>10.4f}{middle}{way.macro_f1:>10.4f}{gain}")
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.protocol.items())
        return [*lines, self.verdict(), said]


def _interval(reading: Reading | None) -> str:
    if reading is None or reading.low is None or reading.high is None:
        return ""
    return f"{reading.value:+.4f} ({reading.low:+.4f} to {reading.high:+.4f})"


@dataclass(frozen=True)
class Course:
    """How the measuring goes.

    Attributes:
        seeds: times that each way is taken, each with other draws and another start of the classifier.
        seed: of everything that is drawn.
    """

    seeds: int = 5
    seed: int = 0


def measure(
    real: Lot, held: Lot, ways: Mapping[str, tuple[Augmentation, Mapping[str, int]]], means: Means, course: Course
) -> Benefit:
    """What classifiers reach on held-back items after learning the real ones, and these with others added.

    The intervals are of the paired difference: held-back items and seeds are both drawn anew a thousand times (Efron
    1979), so that they cover who was held back and what was drawn, not another set of real items or another model.

    Args:
        real: items to learn from.
        held: items that neither the model nor any way has seen.
        ways: by name, each with how many items it adds to each class.
        means: what they may use.
        course: how often.
    """
    said = {NOTHING: _learn(real, held, None, means, course)}
    for name, way in ways.items():
        said[name] = _learn(real, held, way, means, course)
    judge, rare = Judge.of(real, held, course.seed), rarest(real)
    found = [_way(name, said, judge, classes=len(real.counts())) for name in said]
    protocol = {"held_back": len(held), "learned_from": len(real), "seeds": course.seeds, "by": means.learner.said}
    return Benefit(tuple(found), rare, protocol)


def reached(real: Lot, held: Lot, way: tuple[Augmentation, Mapping[str, int]], means: Means, course: Course) -> float:
    """The primary figure with what one way adds, mean over seeds and classifiers; arguments are those of measure."""
    return float(Judge.of(real, held, course.seed).figures(_learn(real, held, way, means, course)).mean())


def rarest(real: Lot) -> str | None:
    """The class with the fewest items; None where all have as many."""
    counts = real.counts()
    return None if len(set(counts.values())) == 1 else min(counts, key=lambda label: counts[label])


def _learn(
    real: Lot, held: Lot, way: tuple[Augmentation, Mapping[str, int]] | None, means: Means, course: Course
) -> Said:
    """What is said of the held-back items after each seed."""
    found = []
    for number in range(course.seeds):
        seed = derive(course.seed, "paired", number)
        more = real if way is None else real.joined(way[0](real, way[1], means, seed))
        found.append(means.learner.fit(more, seed, real=len(real)).probabilities(held.items).argmax(2))
    return np.stack(found)


def _way(name: str, said: Mapping[str, Said], judge: "Judge", *, classes: int) -> Way:
    own = said[name]
    every = Judge(judge.truth, np.arange(classes), judge.seed)
    return Way(
        name,
        accuracy=float((own == judge.truth).mean()),
        rare_f1=float(judge.figures(own).mean()) if len(judge.wanted) == 1 else None,
        macro_f1=float(every.figures(own).mean()),
        gain=None if name == NOTHING else judge.difference(own, said[NOTHING]),
        lead=None if name == OURS or OURS not in said else judge.difference(said[OURS], own),
    )


@dataclass(frozen=True)
class Judge:
    """The primary figure of what was said: F1 averaged over the wanted classes.

    Attributes:
        truth: class of each held-back item by number, ``(n,)``; -1 of classes that were not learned.
        wanted: numbers of the classes that count.
        seed: of the draws.
    """

    truth: Int[np.ndarray, " n"]
    wanted: Int[np.ndarray, " c"]
    seed: int

    @classmethod
    def of(cls, real: Lot, held: Lot, seed: int) -> Self:
        """The judge of what is said of held-back items after learning real ones."""
        classes, rare = np.unique(real.labels), rarest(real)
        truth = np.searchsorted(classes, held.labels).clip(max=len(classes) - 1)
        wanted = np.arange(len(classes)) if rare is None else np.flatnonzero(classes == rare)
        return cls(np.where(classes[truth] == held.labels, truth, -1), wanted, seed)

    def figures(self, said: Said, weights: Float[np.ndarray, "b n"] | None = None) -> Float[np.ndarray, "b seeds k"]:
        """The figure after each seed, by each classifier, of held-back items with these weights; one each if None."""
        weights = np.ones((1, len(self.truth))) if weights is None else weights
        flat = said.reshape(-1, said.shape[2])
        total = np.zeros((len(weights), len(flat)))
        for number in self.wanted:
            true, told = self.truth == number, flat == number
            both = weights @ (told & true).T
            either = weights @ told.T + (weights @ true)[:, None]
            total += 2 * both / np.maximum(either, 1e-12)
        return (total / len(self.wanted)).reshape(len(weights), *said.shape[:2])

    def difference(self, first: Said, second: Said) -> Reading:
        """The paired difference of the figure, with its bootstrap interval over seeds and held-back items."""
        source = np.random.Generator(np.random.Philox(key=derive(self.seed, "bootstrap")))
        value = float(self.figures(first).mean() - self.figures(second).mean())
        count, draws = len(self.truth), []
        for _ in range(10):
            weights = source.multinomial(count, np.full(count, 1 / count), _DRAWS // 10).astype(np.float64)
            seeds = source.integers(0, len(first), (len(weights), len(first)))
            apart = (self.figures(first, weights) - self.figures(second, weights)).mean(2)
            draws.append(np.take_along_axis(apart, seeds, 1).mean(1))
        low, high = np.quantile(np.concatenate(draws), [0.025, 0.975])
        return Reading(value, float(low), float(high), "higher")
