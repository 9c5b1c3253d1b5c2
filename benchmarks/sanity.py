"""Sanity: faults of known size, planted into held-back MNIST, and which metric moves.

The *select* split takes the model's place, the *report* split is the reference. A number has moved where its interval
and that of the unspoilt items have no value in common.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.judges import SEED, Held, Real, labels_of, real
from benchmarks.ledger import RESULTS, Ledger, Measurement
from sparring.metrics import Evidence, Metric, Reading, ranked
from sparring.metrics.features.classifier import Classifier

Readings = dict[str, Reading]
LEARNED = 10_000
"""Training items that the features are learned from."""


@dataclass(frozen=True)
class Fault:
    """What is done to held-back items.

    Attributes:
        name: with its strength.
        plant: the spoilt items, from the unspoilt, the training items and a source of randomness.
        catches: numbers of which at least one must move.
    """

    name: str
    plant: Callable[[Held, Held, np.random.Generator], Held]
    catches: tuple[str, ...]


def blurred(held: Held, spread: float) -> Held:
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(held.pictures.astype(np.float32), (0, spread, spread, 0))
    return Held(np.rint(smooth).astype(np.uint8), held.labels)


def noisy(held: Held, level: float, source: np.random.Generator) -> Held:
    noise = source.normal(0, 255 * level, held.pictures.shape)
    return Held(np.clip(np.rint(held.pictures + noise), 0, 255).astype(np.uint8), held.labels)


def without(held: Held, digits: int) -> Held:
    """As many items, without the first digits: those of the others recur, but not often enough to tell."""
    kept = np.flatnonzero(labels_of(held) >= digits)
    return _rows(held, np.resize(kept, len(held.pictures)))


def repeated(held: Held, times: int) -> Held:
    """As many items, of which every few are the same."""
    return _rows(held, np.arange(len(held.pictures)) // times * times)


def swapped(held: Held, share: float, source: np.random.Generator) -> Held:
    labels = labels_of(held).copy()
    rows = source.permutation(len(labels))[: round(share * len(labels))]
    labels[rows] = (labels[rows] + source.integers(1, 10, len(rows))) % 10
    return Held(held.pictures, labels)


def copied(held: Held, train: Held, share: float) -> Held:
    count = round(share * len(held.pictures))
    pictures, labels = held.pictures.copy(), labels_of(held).copy()
    pictures[:count], labels[:count] = train.pictures[:count], labels_of(train)[:count]
    return Held(pictures, labels)


def _rows(held: Held, rows: np.ndarray) -> Held:
    return Held(held.pictures[rows], labels_of(held)[rows])


DISTANCES = ("frechet", "kid", "sliced-wasserstein")
AUDIT = ("copies", "pixel-copies")
FAULTS = (
    Fault("blur, 0.5 pixels", lambda held, train, source: blurred(held, 0.5), DISTANCES),
    Fault("blur, 1 pixel", lambda held, train, source: blurred(held, 1.0), DISTANCES),
    Fault("noise, 5 % of white", lambda held, train, source: noisy(held, 0.05, source), DISTANCES),
    Fault("noise, 20 % of white", lambda held, train, source: noisy(held, 0.2, source), DISTANCES),
    Fault("1 class dropped", lambda held, train, source: without(held, 1), ("class-share-smallest",)),
    Fault("5 classes dropped", lambda held, train, source: without(held, 5), ("recall", "coverage")),
    Fault("each item 2 times", lambda held, train, source: repeated(held, 2), ("coverage", "recall")),
    Fault("each item 10 times", lambda held, train, source: repeated(held, 10), ("coverage", "recall")),
    Fault("5 % of labels swapped", lambda held, train, source: swapped(held, 0.05, source), ("gan-test-accuracy",)),
    Fault("50 % of labels swapped", lambda held, train, source: swapped(held, 0.5, source), ("gan-train-accuracy",)),
    # Where only a fifth of the originals is looked at, 10 % of copies look like these 2 %.
    Fault("2 % copies of training items", lambda held, train, source: copied(held, train, 0.02), AUDIT),
    Fault("10 % copies of training items", lambda held, train, source: copied(held, train, 0.1), AUDIT),
)


class Panel:
    """The default metrics, with the features of a classifier as an evaluation fits it, of fewer items.

    Args:
        digits: MNIST by split.
        count: items of each side.
    """

    def __init__(self, digits: Real, count: int):
        learned = digits.train.first(LEARNED)
        self.fitted = Classifier(width=16, epochs=2).fit(learned.pictures, labels_of(learned), SEED)
        self.metrics = [part() for part in ranked(Metric.parts().values(), "image") if not part.paired]
        self.train, self.test = self.side(digits.train.first(count)), self.side(digits.report.first(count))

    def side(self, held: Held) -> Evidence:
        found = self.fitted.look(held.pictures)
        return Evidence(held.pictures, found.features, held.labels, found.classes, probabilities=found.probabilities)

    def numbers(self, held: Held) -> Readings:
        """Every number of items in the model's place."""
        fake, found = self.side(held), {}
        for metric in self.metrics:
            if metric.refusal(self.train, self.test, fake) is None:
                found |= metric(self.train, self.test, fake)
        return found


def moved(before: Reading, after: Reading) -> bool:
    """Whether the intervals have no value in common."""
    ends = [(r.value if r.low is None else r.low, r.value if r.high is None else r.high) for r in (before, after)]
    return ends[0][1] < ends[1][0] or ends[1][1] < ends[0][0]


def table(clean: Readings, spoilt: dict[str, Readings]) -> str:
    """Numbers down, faults across; what has moved is bold."""
    lines = [f"| number | unspoilt | {' | '.join(spoilt)} |", "|---" * (2 + len(spoilt)) + "|"]
    for name, before in clean.items():
        cells = [
            f"**{found[name].value:.3g}**" if moved(before, found[name]) else f"{found[name].value:.3g}"
            for found in spoilt.values()
        ]
        lines.append(f"| {name} | {before.value:.3g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sanity", description=__doc__)
    parser.add_argument("--items", type=int, default=5000, help="items of each side")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    digits = real(runs.named("mnist"))
    panel, held = Panel(digits, asked.items), digits.select.first(asked.items)
    clean, spoilt = panel.numbers(held), {}
    ledger = Ledger("sanity", argv, asked.results)
    for fault in FAULTS:
        found = panel.numbers(fault.plant(held, digits.train, np.random.default_rng(asked.seed)))
        spoilt[fault.name] = found
        caught = [name for name in clean if moved(clean[name], found[name])]
        expected = [name for name in fault.catches if name in caught]
        ledger.add(
            Measurement(
                f"expected numbers that move by {fault.name}",
                len(expected),
                ">= 1",
                items=asked.items,
                seed=asked.seed,
                more={"moved": caught, "expected": expected},
            )
        )
    print(table(clean, spoilt))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
