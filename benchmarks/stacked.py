"""Stacked MNIST: modes found in 26,000 samples, Kullback-Leibler divergence to uniform, per-channel Fréchet distance.

A digit in each of three channels makes 1,000 modes; the digit judge reads them (Metz et al. 2017, PacGAN).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.judges import Judge, digit_judge, frechet, real
from benchmarks.ledger import RESULTS, Ledger, Measurement

OFTEN = "modes with 5 samples or more"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stacked", description=__doc__)
    parser.add_argument("--seeds", nargs="+", default=["0"], help="seeds, such as 0 1 2 or 0-2")
    parser.add_argument("--minutes", type=float, default=15.0, help="length of training")
    parser.add_argument("--items", type=int, default=26_000, help="triples to generate")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides, for smoke tests")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    digits = real(runs.named("mnist"))
    judge = digit_judge(digits)
    reference = judge.features(digits.report.pictures)
    floor = figures(judge, real_triples(digits.select.pictures, asked.items, seed=0), reference)
    ledger = Ledger("stacked", argv, asked.results)
    for seed in runs.seeds_option(asked.seeds):
        import sparring

        out = asked.scratch / f"stacked-{asked.minutes:g}-{seed}"
        options = ["--minutes", f"{asked.minutes:g}", "--seed", str(seed)]
        options += [part for setting in asked.settings for part in ("--set", setting)]
        cost = runs.train(runs.named("stacked-mnist"), out, *options)
        found = figures(judge, sparring.load(out).sample(asked.items, seed=seed), reference)
        for name, value in found.items():
            ledger.add(
                Measurement(
                    f"stacked MNIST, {asked.minutes:g} minutes: {name}",
                    value,
                    ">= 990" if name == OFTEN else "",
                    floor=floor[name],
                    items=asked.items,
                    seed=seed,
                    minutes=round(cost.minutes, 3),
                    more=cost.summary(),
                )
            )
    print(ledger.table())
    return 0


def real_triples(digits: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Triples of held-back digits ``(count, 28, 28, 3)``; each channel goes through all digits before one recurs."""
    source = np.random.default_rng(seed)
    passes = -(-count // len(digits))
    rows = [np.concatenate([source.permutation(len(digits)) for _ in range(passes)])[:count] for _ in range(3)]
    return np.concatenate([digits[channel] for channel in rows], axis=-1)


def figures(judge: Judge, triples: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """All figures of triples ``(n, 28, 28, 3)``; the distances are of as many triples as the reference has rows."""
    channels = [triples[..., i : i + 1] for i in range(3)]
    counts = mode_counts([judge.classes(channel) for channel in channels])
    found = {
        OFTEN: float((counts >= 5).sum()),
        "modes with a sample": float((counts >= 1).sum()),
        "divergence to uniform, nats": divergence_to_uniform(counts),
    }
    for i, channel in enumerate(channels):
        distance = frechet(judge.features(channel[: len(reference)]), reference)
        found[f"Fréchet distance of channel {i}"] = distance
    return found


def mode_counts(classes: Sequence[np.ndarray]) -> np.ndarray:
    """Samples of each mode, ``(1000,)``, from the digit in each of the three channels."""
    first, second, third = classes
    return np.bincount(100 * first + 10 * second + third, minlength=1_000)


def divergence_to_uniform(counts: np.ndarray) -> float:
    """Kullback-Leibler divergence of the counted distribution from the uniform one, in nats."""
    shares = counts[counts > 0] / counts.sum()
    return float((shares * np.log(shares * len(counts))).sum())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
