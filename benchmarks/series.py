"""Series: stocks, sines and electricity in windows of 24 steps, judged as evaluations are and as TimeGAN's authors do.

The bounds of the discriminative score are held in two protocols. *Held back*: the library's own judge, of convolutions,
against windows of other times; beside its floor. *TimeGAN's*: a recurrent judge with half as many units as channels and
2,000 updates (Yoon et al. 2019, their notebook), against windows that the model has learned from, where a copying
machine scores 0; .102 is the paper's, .176 the notebook's figure on stocks.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement

STEPS = 24


@dataclass(frozen=True)
class Set:
    """Series with the options that read them and the bounds of their scores.

    Attributes:
        path: below the folder of the data sets; empty where they are made.
        options: of the command line.
        above: discriminative score above its floor, at most; "" where none is set.
        published: score in TimeGAN's protocol, below.
    """

    path: tuple[str, ...]
    options: tuple[str, ...]
    above: str = ""
    published: str = ""


SETS = {
    "stocks": Set(("time-series", "stock_data.csv"), ("--window", "24"), "<= 0.1", "< 0.176"),
    "sines": Set((), ("--modality", "series"), "<= 0.02"),
    "ETTh1": Set(("time-series", "ETTh1.csv"), ("--window", "24", "--sequence-index", "date")),
}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.series", description=__doc__)
    parser.add_argument("--data", nargs="+", default=list(SETS), choices=list(SETS), help="series")
    parser.add_argument("--seeds", nargs="+", default=["0-2"], help="seeds, such as 0 1 2 or 0-2")
    parser.add_argument("--minutes", type=float, default=5.0, help="length of training")
    parser.add_argument("--recipe", default="series", help="recipe")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("series", argv, asked.results)
    for name in asked.data:
        for seed in runs.seeds_option(asked.seeds):
            learn(ledger, name, seed, asked)
    print(ledger.table())
    return 0


def learn(ledger: Ledger, name: str, seed: int, asked: argparse.Namespace) -> None:
    """One run as a user starts it, and its figures."""
    import sparring

    chosen = SETS[name]
    out = asked.scratch / f"series-{name}-{asked.recipe}-{asked.minutes:g}-{seed}"
    source = runs.data_path(*chosen.path) if chosen.path else str(made_sines(asked.scratch / "sines.npy"))
    options = [*chosen.options, "--minutes", f"{asked.minutes:g}", "--seed", str(seed), "--recipe", asked.recipe]
    options += [part for setting in asked.settings for part in ("--set", setting)]
    cost = runs.train(source, out, *options)
    model = sparring.load(out)
    title = f"{name}, {asked.recipe}, {asked.minutes:g} minutes"
    known = {"seed": seed, "minutes": round(cost.minutes, 3)}
    found = model.evaluate()
    for row in found.rows:
        ledger.add(Measurement(f"{title}: {row.name}", row.value, floor=row.floor, more=row.baselines, **known))
        if row.name == "discriminative-score" and row.floor is not None:
            over = Measurement(f"{title}: {row.name} above its floor", row.value - row.floor, chosen.above, **known)
            ledger.add(over)
    value, count = as_published(model)
    line = Measurement(
        f"{title}: discriminative-score, TimeGAN's protocol", value, chosen.published, items=count, **known
    )
    ledger.add(line)
    more = cost.summary() | {"steps": model.run.records("log")[-1]["step"]}
    ledger.add(Measurement(f"{title}: wall time, minutes", cost.minutes, more=more, **known))


def as_published(model) -> tuple[float, int]:
    """The discriminative score against learned windows by a tiny recurrent judge, and how many windows it had."""
    from sparring.experiment import gather_again
    from sparring.metrics import Evidence
    from sparring.metrics.discriminative import DiscriminativeScore

    material = gather_again(model.experiment, model.modality)
    learned = material.data.items[material.splits.train]
    sides = [
        Evidence(items, np.zeros((len(items), 0))) for items in (learned, learned, model.sample(len(learned), seed=7))
    ]
    judge = DiscriminativeScore(judge="recurrent", steps=2000, judges=1)
    return judge(*sides)["discriminative-score"].value, len(learned)


def made_sines(path: Path, count: int = 10_000, channels: int = 5) -> Path:
    """Sines of TimeGAN's authors: frequency and phase of each window and channel even in [0, .1], from 0 to 1."""
    source = np.random.default_rng(0)
    frequency, phase = source.uniform(0, 0.1, (2, count, 1, channels))
    values = (np.sin(frequency * np.arange(STEPS)[None, :, None] + phase) + 1) / 2
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values.astype(np.float32))
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
