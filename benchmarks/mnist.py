"""Unconditional MNIST by the default recipe: Fréchet distance over its floor, digit shares, memory, checkpoint."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.judges import Judge, Real, digit_judge, frechet, plain_digit_judge, real
from benchmarks.ledger import RESULTS, Ledger, Measurement

RATIO_BOUNDS = {10.0: "<= 1.25", 3.0: "<= 2.2"}
"""Of the distance over its floor, by minutes of training."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mnist", description=__doc__)
    parser.add_argument("--seeds", nargs="+", default=["0-2"], help="seeds, such as 0 1 2 or 0-2")
    parser.add_argument("--minutes", nargs="+", type=float, default=[10.0, 3.0], help="lengths of training")
    parser.add_argument("--items", type=int, default=10_000, help="digits to generate")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides, for smoke tests")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    data = real(runs.named("mnist"))
    judge = digit_judge(data)
    scales = [Scale(plain_digit_judge(data), data), Scale(judge, data)]
    ledger = Ledger("mnist", argv, asked.results)
    for minutes in asked.minutes:
        for seed in runs.seeds_option(asked.seeds):
            out = asked.scratch / f"mnist-{minutes:g}-{seed}"
            options = ["--unconditional", "--minutes", f"{minutes:g}", "--seed", str(seed)]
            options += [part for setting in asked.settings for part in ("--set", setting)]
            cost = runs.train(runs.named("mnist"), out, *options)
            made = sampled(out, asked.items, seed)
            found = [*distances(scales, made, minutes), *spread(shares(judge, made), minutes)]
            for measurement in found:
                ledger.add(_of_run(measurement, cost, seed=seed, items=asked.items))
            for measurement in weighed(out, cost, minutes):
                ledger.add(_of_run(measurement, cost, seed=seed, items=0))
    print(ledger.table())
    return 0


def sampled(run: Path, count: int, seed: int) -> np.ndarray:
    """Pictures of a run's model, ``(n, h, w, c)``."""
    import sparring

    return sparring.load(run).sample(count, seed=seed)


def shares(judge: Judge, pictures: np.ndarray) -> list[float]:
    """What share of the pictures each digit has, by the judge."""
    return (np.bincount(judge.classes(pictures), minlength=10) / len(pictures)).tolist()


class Scale:
    """A judge's distances to the test split, and its floor: the distance of the *select* split."""

    def __init__(self, judge: Judge, data: Real):
        self.judge, self.reference = judge, judge.features(data.report.pictures)
        self.floor = self.distance(data.select.pictures)

    def distance(self, pictures: np.ndarray) -> float:
        return frechet(self.judge.features(pictures), self.reference)


def distances(scales: Sequence[Scale], made: np.ndarray, minutes: float) -> list[Measurement]:
    """The ratio to the floor by each judge; the bound is that of the first."""
    found = []
    for scale in scales:
        figure = f"MNIST, {minutes:g} minutes: Fréchet distance / floor, {scale.judge.name}"
        bound = RATIO_BOUNDS.get(minutes, "") if scale is scales[0] else ""
        distance = scale.distance(made)
        more = {"distance": distance}
        found.append(Measurement(figure, distance / scale.floor, bound, floor=scale.floor, more=more))
    return found


def spread(parts: Sequence[float], minutes: float) -> list[Measurement]:
    """The extreme shares of the digits."""
    name, more = f"MNIST, {minutes:g} minutes", {"shares": [round(part, 4) for part in parts]}
    return [
        Measurement(f"{name}: smallest share of a digit", min(parts), ">= 0.07", more=more),
        Measurement(f"{name}: largest share of a digit", max(parts), "<= 0.13", more=more),
    ]


def weighed(out: Path, cost: runs.Cost, minutes: float) -> list[Measurement]:
    """Memory, checkpoint and wall time of a run."""
    name = f"MNIST, {minutes:g} minutes"
    checkpoint, parameters = runs.checkpoint_weight(out)
    sizes = {"checkpoint_bytes": checkpoint, "parameter_bytes": parameters}
    return [
        Measurement(f"{name}: peak memory, GiB", cost.peak / 2**30, "< 1.5"),
        Measurement(f"{name}: checkpoint / parameters, bytes", checkpoint / parameters, "< 5", more=sizes),
        Measurement(f"{name}: wall time, minutes", cost.minutes),
    ]


def _of_run(measurement: Measurement, cost: runs.Cost, *, seed: int, items: int) -> Measurement:
    from dataclasses import replace

    more = measurement.more | cost.summary()
    return replace(measurement, seed=seed, minutes=round(cost.minutes, 3), items=items, more=more)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
