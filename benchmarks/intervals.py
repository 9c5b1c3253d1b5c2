"""Intervals: how often the printed 95 % interval of a number holds what 100,000 items of each side would give.

Worked on items and features that are drawn, so that hundreds of evaluations take minutes: features of a Gaussian, of
rectified mixtures of few causes, as a network's last layer gives them, and of ten clusters with spectra that fall off;
classes and their probabilities, tables, windows of series, points of a mixture. The last table is real: SPARRING_DATA
holds adult. Each kind is taken at no difference and at one or two others.

Precision, recall, density and coverage are taken of at most a bounded count of items by their protocol, and change with
it: what they are held against is the mean over forty other evaluations of that count. So is the kernel distance, which
has no bias.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement
from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.density_coverage import DensityCoverage
from sparring.metrics.dynamics import Autocorrelation, ChannelWasserstein, CrossCorrelation, Spectrum
from sparring.metrics.fidelity import Marginals, Pairs
from sparring.metrics.frechet import Frechet
from sparring.metrics.inception_score import InceptionScore
from sparring.metrics.intervals import VERY_MANY
from sparring.metrics.kernel import Kid
from sparring.metrics.modes import MixtureModes
from sparring.metrics.precision_recall import PrecisionRecall
from sparring.metrics.predictive import PredictiveScore
from sparring.metrics.shares import ClassShares
from sparring.metrics.sliced import SlicedWasserstein

Draw = Callable[[np.random.Generator, int, float], Evidence]
"""Draws so many items of a strength."""
LEAST, MOST = ">= 90", "<= 99"
"""Of 100 intervals, how many must hold the truth: fewer, and they are too narrow; more, and they are too wide."""
WIDTH = 64
"""Features."""
CLASSES = 10
STEPS = 16
"""Of a window."""
RING = tuple((float(np.cos(a)), float(np.sin(a))) for a in np.arange(8) * np.pi / 4)

NEAR: tuple[Metric, ...] = (Kid(), PrecisionRecall(), DensityCoverage())
"""What is held against evaluations of its own count."""
OTHERS = 40
"""So many of them."""
FEATURES: tuple[Metric, ...] = (Frechet(), SlicedWasserstein(), *NEAR)


@dataclass(frozen=True)
class Case:
    """Real items are drawn at strength 0, generated ones at another.

    Attributes:
        name: of the kind of items.
        draw: draws them.
        strength: of the generated side.
        metrics: that are taken.
        many: items of each side for the truth; fewer than 100,000 where these would take gigabytes.
        times: as many draws as asked for, times this; more where evaluations are cheap.
    """

    name: str
    draw: Draw
    strength: float
    metrics: tuple[Metric, ...]
    many: int = VERY_MANY
    times: int = 1

    def sides(self, source: np.random.Generator, count: int) -> tuple[Evidence, Evidence]:
        """So many real and generated items."""
        return self.draw(source, count, 0.0), self.draw(source, count, self.strength)

    @property
    def title(self) -> str:
        """The name with the strength."""
        return f"{self.name} {self.strength:g}"


def _features(rows: np.ndarray) -> Evidence:
    return Evidence(rows, rows)


def gaussian(source: np.random.Generator, count: int, strength: float) -> Evidence:
    return _features(source.normal(size=(count, WIDTH)) * (1 + strength))


def rectified(source: np.random.Generator, count: int, strength: float) -> Evidence:
    mixing = np.random.default_rng(6).normal(size=(WIDTH // 2, WIDTH)) / np.sqrt(WIDTH / 8)
    rows = source.normal(size=(count, WIDTH // 2)) @ mixing + 0.3 * source.normal(size=(count, WIDTH)) - 0.5
    return _features(np.maximum(0, rows) * (1 + strength))


def clusters(source: np.random.Generator, count: int, strength: float) -> Evidence:
    centres = np.random.default_rng(5).normal(size=(10, WIDTH)) * 0.5
    rows = source.normal(size=(count, WIDTH)) * np.arange(1, WIDTH + 1) ** -0.5
    return _features((centres[source.integers(0, 10, count)] + rows) * (1 + strength) + strength)


def classes(source: np.random.Generator, count: int, strength: float) -> Evidence:
    """Ten classes with the probabilities of a sure classifier; with strength some are rarer. A tenth asks for any."""
    uneven = np.array([9, -9, 6, -6, 3, -3, 0, 0, 0, 0]) / 100
    drawn = source.choice(CLASSES, count, p=1 / CLASSES + strength * uneven)
    probabilities = 0.05 * source.dirichlet(np.full(CLASSES, 0.05), count) + 0.95 * np.eye(CLASSES)[drawn]
    asked = np.where(source.random(count) < 0.1, source.integers(0, CLASSES, count), drawn)
    nothing = np.zeros((count, 1))
    return Evidence(nothing, nothing, asked, drawn, probabilities=probabilities)


def rows(source: np.random.Generator, count: int, strength: float) -> Evidence:
    """Three numbers, of which two hang together, and two columns of words."""
    from pandas import DataFrame

    first, second, third = source.normal(size=(3, count))
    words = np.array(list("abcde"))[
        np.searchsorted([0.4, 0.7, 0.85, 0.95], source.random(count) * (1 - 0.2 * strength))
    ]
    frame = {
        "first": first,
        "second": (0.7 * first + 0.7 * second + 0.5 * strength).round(1),
        "third": third * (1 + strength),
        "word": words,
        "other": np.where(source.random(count) < 0.5, words, "none"),
    }
    items: Any = DataFrame(frame)
    return Evidence(items, np.zeros((count, 0)))


@cache
def _adult() -> tuple[Any, Any]:
    """The rows of adult, and as many of a Gaussian copula of them."""
    import pandas as pd

    from sparring.baselines.rows import Copula
    from sparring.metrics import Specimens

    real = pd.read_csv(runs.data_path("adult", "adult.csv"))
    return real, Copula()(Specimens(real), Specimens(real), 0).items


def adult(source: np.random.Generator, count: int, strength: float) -> Evidence:
    """Rows of adult, of which a share is replaced by those of a copula: real tables have many rare words."""
    import pandas as pd

    real, other = _adult()
    replaced = round(strength * count)
    parts = [side.iloc[source.integers(0, len(side), n)] for side, n in ((real, count - replaced), (other, replaced))]
    drawn: Any = pd.concat(parts).iloc[source.permutation(count)].reset_index(drop=True)
    return Evidence(drawn, np.zeros((count, 0)))


def windows(source: np.random.Generator, count: int, strength: float) -> Evidence:
    """Two channels of an autoregression that hang together, and less so with strength."""
    kept, common = 0.8 - 0.3 * strength, 0.6 - 0.3 * strength
    shock = source.normal(size=(count, STEPS, 3))
    found = common**0.5 * shock[..., :1] + (1 - common) ** 0.5 * shock[..., 1:]
    for step in range(1, STEPS):
        found[:, step] = kept * found[:, step - 1] + (1 - kept**2) ** 0.5 * found[:, step]
    return Evidence(found * (1 + strength / 2) + strength / 5, np.zeros((count, 0)))


def ring(source: np.random.Generator, count: int, strength: float) -> Evidence:
    """Eight modes; with strength one is rarer, one commoner, one narrower and one wider."""
    shares, spreads = np.full(8, 1 / 8), np.full(8, 0.05)
    shares[[0, 3]] += strength * np.array([-0.06, 0.06])
    spreads[[2, 5]] *= 1 + strength * np.array([-0.5, 0.3])
    mode = source.choice(8, count, p=shares)
    points = np.array(RING)[mode] + source.normal(size=(count, 2)) * spreads[mode, None]
    return Evidence(points, np.zeros((count, 0)))


SERIES: tuple[Metric, ...] = (
    Autocorrelation(),
    CrossCorrelation(),
    ChannelWasserstein(),
    Spectrum(),
    PredictiveScore(),
)
CASES = [
    *(Case(draw.__name__, draw, s, FEATURES) for draw in (gaussian, rectified) for s in (0.0, 0.1)),
    *(Case("clusters", clusters, s, FEATURES) for s in (0.0, 0.05, 0.2)),
    *(Case("classes", classes, s, (ClassShares(), InceptionScore()), times=10) for s in (0.0, 0.3, 1.0)),
    *(Case("rows", rows, s, (Marginals(), Pairs())) for s in (0.0, 0.2, 0.6)),
    *(Case("windows", windows, s, SERIES, 50_000) for s in (0.0, 0.2, 0.6)),
    *(Case("adult", adult, s, (Marginals(), Pairs())) for s in (0.0, 0.5, 1.0)),
    *(Case("ring", ring, s, (MixtureModes(centres=RING, sigma=0.05),), times=10) for s in (0.0, 0.3, 1.0)),
]


def read(train: Evidence, real: Evidence, made: Evidence, metrics: Sequence[Metric]) -> dict[str, Reading]:
    """All numbers of two sides."""
    return {name: reading for metric in metrics for name, reading in metric(train, real, made).items()}


def truths(case: Case, train: Evidence, source: np.random.Generator, count: int) -> dict[str, float]:
    """What very many items of each side give."""
    found: dict[str, float] = {}
    sides = case.sides(source, case.many)
    for metric in case.metrics:
        if metric in NEAR:
            taken = [metric(train, *case.sides(source, count)) for _ in range(OTHERS)]
        else:
            taken = [unbounded(metric)(train, *sides)]
        found |= {name: float(np.mean([each[name].value for each in taken])) for name in taken[0]}
    return found


def unbounded(metric: Metric) -> Metric:
    """The metric at very many items."""
    return metric.but(most=VERY_MANY) if isinstance(metric, SlicedWasserstein) else metric


def hits(case: Case, count: int, draws: int, seed: int) -> Iterator[tuple[str, int, float, float]]:
    """For each number with an interval how many of the draws hold the truth, the truth, and the mean value."""
    source = np.random.default_rng(seed)
    train = case.draw(source, 2 * count, 0.0)
    truth = truths(case, train, source, count)
    found = [read(train, *case.sides(source, count), case.metrics) for _ in range(draws)]
    for name in found[0]:
        wanted, readings = truth[name], [each[name] for each in found]
        ends = [(r.low, r.high) for r in readings if r.low is not None and r.high is not None]
        if len(ends) < draws:
            continue
        held = sum(low <= wanted <= high for low, high in ends)
        yield name, held, wanted, float(np.mean([r.value for r in readings]))


def table(found: dict[str, dict[str, float]]) -> str:
    """For each number, case by case, how many of 100 intervals hold the truth."""
    lines = ["| number | intervals that hold it, of 100 |", "|---|---|"]
    for name, cases in found.items():
        told = ", ".join(f"{case}: {held:.1f}" for case, held in cases.items())
        lines.append(f"| `{name}` | {told} |")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intervals", description=__doc__)
    parser.add_argument("--items", type=int, default=1000, help="items of each side in an evaluation")
    parser.add_argument(
        "--draws", type=int, default=200, help="evaluations of each case; ten times as many of classes and ring"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)), help="numbers of the cases, from 0")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger, found = Ledger("intervals", argv, asked.results), dict[str, dict[str, float]]()
    for case in (CASES[number] for number in asked.cases):
        begun, draws = time.monotonic(), case.times * asked.draws
        for name, held, truth, mean in hits(case, asked.items, draws, asked.seed):
            share = 100 * held / draws
            kept = {"items": asked.items, "seed": asked.seed, "more": {"truth": truth, "mean": mean}}
            for told, bound in (("truth, of 100", LEAST), ("truth, of 100, at most", MOST)):
                ledger.add(Measurement(f"intervals of {name} that hold the {told}: {case.title}", share, bound, **kept))
            found.setdefault(name, {})[case.title] = share
        print(f"{case.title}: {time.monotonic() - begun:.0f} seconds", file=sys.stderr)
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
