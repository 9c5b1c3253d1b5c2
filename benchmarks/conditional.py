"""Conditional MNIST: is the asked digit made, and can a classifier learn from generated digits alone (GAN-train)?"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.judges import Held, Judge, Real, accuracy_and_f1, digit_judge, fit_judge, labels_of, real
from benchmarks.ledger import RESULTS, Ledger, Measurement


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conditional", description=__doc__)
    parser.add_argument("--seeds", nargs="+", default=["0"], help="seeds, such as 0 1 2 or 0-2")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of training")
    parser.add_argument("--items", type=int, default=10_000, help="digits to generate for the agreement")
    parser.add_argument("--train-items", type=int, default=50_000, help="digits, generated or real, to learn from")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides, for smoke tests")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    data = real(runs.named("mnist"))
    judge = digit_judge(data)
    ledger = Ledger("conditional", argv, asked.results)
    for seed in runs.seeds_option(asked.seeds):
        out = asked.scratch / f"conditional-{asked.minutes:g}-{seed}"
        options = ["--minutes", f"{asked.minutes:g}", "--seed", str(seed)]
        options += [part for setting in asked.settings for part in ("--set", setting)]
        cost = runs.train(runs.named("mnist"), out, *options)
        common = {"seed": seed, "minutes": round(cost.minutes, 3), "more": cost.summary()}
        made = asked_for(out, asked.items, seed, data.classes)
        share = agreement(judge.classes(made.pictures), labels_of(made))
        floor = agreement(judge.classes(data.report.pictures), labels_of(data.report))
        name = f"conditional MNIST, {asked.minutes:g} minutes"
        ledger.add(Measurement(f"{name}: agreement", share, ">= 0.98", floor=floor, items=asked.items, **common))
        for figure, ratio, on_real in learned_from_generated(out, data, count=asked.train_items, seed=seed):
            label = f"{name}: GAN-train {figure} / real"
            ledger.add(Measurement(label, ratio, ">= 0.97", floor=on_real, items=asked.train_items, **common))
    print(ledger.table())
    return 0


def asked_for(run: Path, count: int, seed: int, classes: Sequence[str]) -> Held:
    """Pictures of every class in equal numbers, with the class that was asked for."""
    import sparring

    model = sparring.load(run)
    assert model.conditions is not None, "the run was trained with labels"
    attribute = next(iter(model.sample_with_conditions(1)[1]))
    share = count // len(classes)
    made = [model.sample(share, seed=seed * 1000 + i, condition={attribute: c}) for i, c in enumerate(classes)]
    return Held(np.concatenate(made), np.repeat(np.arange(len(classes)), share))


def agreement(predicted: np.ndarray, wanted: np.ndarray) -> float:
    """The share of equal labels."""
    return float(np.mean(predicted == wanted))


def learned_from_generated(run: Path, data: Real, *, count: int, seed: int) -> Iterator[tuple[str, float, float]]:
    """GAN-train: name, ratio to what real items give, and what real items give; judged on the test split.

    Generated labels are drawn from the data's own distribution; both classifiers are of one kind and seed, and learn
    from equally many items.
    """
    import sparring

    made, columns = sparring.load(run).sample_with_conditions(count, seed=seed + 1)
    labels = np.searchsorted(data.classes, next(iter(columns.values())))
    several = data.train.first(count)
    ours, theirs = (_tested(fit_judge(learned), data.report) for learned in (Held(made, labels), several))
    for figure, mine, yours in zip(("accuracy", "F1"), ours, theirs, strict=True):
        yield figure, mine / yours, yours


def _tested(judge: Judge, held: Held) -> tuple[float, float]:
    return accuracy_and_f1(judge.classes(held.pictures), labels_of(held))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
