"""Intervals: how often the printed 95 % interval of a distance holds what very many items would give.

Worked on features that are drawn, so that the truth is known and a hundred evaluations take minutes: of a Gaussian, of
rectified mixtures of few causes, as a network's last layer gives them, and of ten clusters with spectra that fall off.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.ledger import RESULTS, Ledger, Measurement
from sparring.metrics.frechet import VERY_MANY, Gaussian, frechet_distance, measured
from sparring.metrics.intervals import NORMAL
from sparring.metrics.kernel import kernel_distance

Draw = Callable[[np.random.Generator, int, float], np.ndarray]
WIDTH = 64
"""Features."""


@dataclass(frozen=True)
class Case:
    """Features of real items at strength 0, of generated ones at another."""

    name: str
    draw: Draw
    strength: float


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


def frechet_hits(case: Case, count: int, draws: int, seed: int) -> int:
    """Draws of which the interval holds the distance at 100,000 items a side, the mean of four such."""
    source = np.random.default_rng(seed)
    truths = [
        frechet_distance(*(Gaussian.fit(case.draw(source, VERY_MANY, s)) for s in (0.0, case.strength)))
        for _ in range(4)
    ]
    found = [measured(*(case.draw(source, count, s) for s in (0.0, case.strength))) for _ in range(draws)]
    return sum(bool((r.low or 0) <= np.mean(truths) <= (r.high or 0)) for r in found)


def kernel_hits(case: Case, count: int, draws: int, seed: int) -> int:
    """The same for the kernel distance; the truth is the mean of ten pieces of 10,000 items a side."""
    source = np.random.default_rng(seed)

    def taken(size: int):
        return kernel_distance(*(case.draw(source, size, s) for s in (0.0, case.strength)))

    truth = np.mean([taken(10_000).value for _ in range(10)])
    found = [taken(count) for _ in range(draws)]
    return sum(bool(abs(each.value - truth) <= NORMAL * each.error) for each in found)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intervals", description=__doc__)
    parser.add_argument("--items", type=int, default=2000, help="items of each side in an evaluation")
    parser.add_argument("--draws", type=int, default=100, help="evaluations of each case")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("intervals", argv, asked.results)
    for name, hits in (("Fréchet distance", frechet_hits), ("kernel distance", kernel_hits)):
        for case in CASES:
            share = 100 * hits(case, asked.items, asked.draws, asked.seed) / asked.draws
            figure = f"interval of the {name} holds the truth, of 100: {case.name}"
            ledger.add(Measurement(figure, share, ">= 90", items=asked.items, seed=asked.seed))
    print(ledger.table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
