"""Intervals: how often the printed 95 % interval of a number holds what 100,000 items of each side would give.

Worked on features that are drawn, so that a hundred evaluations take minutes: of a Gaussian, of rectified mixtures of
few causes, as a network's last layer gives them, and of ten clusters with spectra that fall off.

What 100,000 items give is, of the Fréchet distance, the distance of so many. The other numbers are taken of at most a
bounded count of items by their protocol: theirs is the mean over as many evaluations of that count as 100,000 items
make, which an unbounded number of them would give. So is that of the kernel distance, which has no bias.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.ledger import RESULTS, Ledger, Measurement
from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.density_coverage import DensityCoverage
from sparring.metrics.frechet import VERY_MANY, Frechet, Gaussian, frechet_distance
from sparring.metrics.kernel import Kid
from sparring.metrics.precision_recall import PrecisionRecall
from sparring.metrics.sliced import SlicedWasserstein

Draw = Callable[[np.random.Generator, int, float], np.ndarray]
WIDTH = 64
"""Features."""
METRICS: tuple[Metric, ...] = (Frechet(), Kid(), PrecisionRecall(), DensityCoverage(), SlicedWasserstein())


@dataclass(frozen=True)
class Case:
    """Features of real items at strength 0, of generated ones at another."""

    name: str
    draw: Draw
    strength: float

    def sides(self, source: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Features of so many real and generated items."""
        return self.draw(source, count, 0.0), self.draw(source, count, self.strength)


def gaussian(source: np.random.Generator, count: int, strength: float) -> np.ndarray:
    return source.normal(size=(count, WIDTH)) * (1 + strength)


def rectified(source: np.random.Generator, count: int, strength: float) -> np.ndarray:
    mixing = np.random.default_rng(6).normal(size=(WIDTH // 2, WIDTH)) / np.sqrt(WIDTH / 8)
    rows = source.normal(size=(count, WIDTH // 2)) @ mixing + 0.3 * source.normal(size=(count, WIDTH)) - 0.5
    return np.maximum(0, rows) * (1 + strength)


def clusters(source: np.random.Generator, count: int, strength: float) -> np.ndarray:
    centres = np.random.default_rng(5).normal(size=(10, WIDTH)) * 0.5
    rows = source.normal(size=(count, WIDTH)) * np.arange(1, WIDTH + 1) ** -0.5
    return (centres[source.integers(0, 10, count)] + rows) * (1 + strength) + strength


CASES = [Case(f"{draw.__name__} {s:g}", draw, s) for draw in (gaussian, rectified, clusters) for s in (0.05, 0.2)]


def read(real: np.ndarray, made: np.ndarray, metrics: Sequence[Metric]) -> dict[str, Reading]:
    """All numbers of two sides."""
    sides = [Evidence(rows, rows) for rows in (real, real, made)]
    return {name: reading for metric in metrics for name, reading in metric(*sides).items()}


def truths(case: Case, source: np.random.Generator, count: int) -> dict[str, float]:
    """What 100,000 items of each side give."""
    pairs = [case.sides(source, VERY_MANY) for _ in range(2)]
    found = {"frechet": float(np.mean([frechet_distance(*map(Gaussian.fit, pair)) for pair in pairs]))}
    bounded = [metric for metric in METRICS if metric.name != Frechet.name]
    real, made = pairs[0]
    pieces = [slice(start, start + count) for start in range(0, VERY_MANY - count + 1, count)]
    taken = [read(real[piece], made[piece], bounded) for piece in pieces]
    return found | {name: float(np.mean([each[name].value for each in taken])) for name in taken[0]}


def hits(case: Case, count: int, draws: int, seed: int) -> Iterator[tuple[str, int, float, float]]:
    """For each number how many intervals hold the truth, the truth, and the mean value."""
    source = np.random.default_rng(seed)
    truth = truths(case, source, count)
    found = [read(*case.sides(source, count), METRICS) for _ in range(draws)]
    for name in found[0]:
        wanted = truth[name]
        readings = [each[name] for each in found]
        held = sum(r.low is not None and r.high is not None and r.low <= wanted <= r.high for r in readings)
        yield name, held, wanted, float(np.mean([r.value for r in readings]))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intervals", description=__doc__)
    parser.add_argument("--items", type=int, default=1000, help="items of each side in an evaluation")
    parser.add_argument("--draws", type=int, default=100, help="evaluations of each case")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)), help="numbers of the cases, from 0")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("intervals", argv, asked.results)
    for number in asked.cases:
        begun = time.monotonic()
        for name, held, truth, mean in hits(CASES[number], asked.items, asked.draws, asked.seed):
            figure = f"intervals of {name} that hold the truth, of 100: {CASES[number].name}"
            kept = {"items": asked.items, "seed": asked.seed, "more": {"truth": truth, "mean": mean}}
            ledger.add(Measurement(figure, 100 * held / asked.draws, ">= 90", **kept))
        print(f"{CASES[number].name}: {time.monotonic() - begun:.0f} seconds", file=sys.stderr)
    print(ledger.table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
