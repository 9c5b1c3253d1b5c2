"""Augmentation: whether generated items help a classifier of few labelled ones, beside other ways to add as many.

Chosen beforehand: the primary figure is F1 of the rarer class on adult cut to 500 rows, balanced, and macro F1 on MNIST
with 20 labelled pictures a class, six times as many; ten paired seeds. Each seed draws its own few items of the
training side, trains its own model on them and chooses its own filter by inner splits of them; the test side takes part
in nothing but the figures. Intervals are Student's of the paired differences.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement, latest, lines
from benchmarks.tables import SETS as TABLES
from benchmarks.tables import halves
from sparring.augmentations import Means
from sparring.augmenting import Wish, choose_filter, compare
from sparring.benefit import NOTHING, OURS, Benefit, Course
from sparring.learners import learner_of
from sparring.lot import Lot
from sparring.lots import maker_of

ROWS, PICTURES = 500, 20
FIGURES = {"accuracy": "accuracy", "rare_f1": "F1 of the rarer class", "macro_f1": "macro F1"}


@dataclass(frozen=True)
class Setting:
    """How one data set is cut, enlarged and learned.

    Attributes:
        title: in the figures.
        primary: the figure that decides.
        wish: how much is added.
        steps: of the model.
    """

    title: str
    primary: str
    wish: Wish
    steps: int


SETTINGS = {
    "adult": Setting("adult, 500 rows", "F1 of the rarer class", Wish(balance=True), 600),
    "mnist": Setting("MNIST, 20 a class", "macro F1", Wish(factor=6), 600),
}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.augmentation", description=__doc__)
    parser.add_argument("--data", nargs="+", default=list(SETTINGS), choices=list(SETTINGS), help="data sets")
    parser.add_argument(
        "--seeds", nargs="+", default=["0-9"], help="seeds, such as 0 1 2 or 0-9; 'none': the table alone"
    )
    parser.add_argument("--steps", type=int, default=0, help="length of training; 0: as was chosen beforehand")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides, for smoke tests")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("augmentation", argv, asked.results)
    for name in asked.data:
        for seed in [] if asked.seeds == ["none"] else runs.seeds_option(asked.seeds):
            real, test = SIDES[name](seed)
            add(ledger, SETTINGS[name].title, taken(name, real, test, seed=seed, asked=asked), seed)
    print("\n\n".join(table(SETTINGS[name], lines(ledger.path)) for name in asked.data))
    return 0


def adult(seed: int) -> tuple[Lot, Lot]:
    """500 of the training rows, and the test rows of ``benchmarks.tables``."""
    from sparring.data.tables import Tables

    chosen = TABLES["adult"]
    whole: Any = Tables(path=runs.data_path(*chosen.parts)).load().items
    train, test = halves(whole.frame, chosen.target, 0)
    rows = np.random.default_rng(seed).permutation(len(train))[:ROWS]
    return Lot.of_rows(train.iloc[rows], chosen.target), Lot.of_rows(test, chosen.target)


def mnist(seed: int) -> tuple[Lot, Lot]:
    """20 training pictures of each digit, and the test pictures."""
    from benchmarks.judges import real

    data = real("mnist")
    assert data.train.labels is not None
    assert data.report.labels is not None
    source = np.random.default_rng(seed)
    rows = [source.permutation(np.flatnonzero(data.train.labels == digit))[:PICTURES] for digit in range(10)]
    few = np.concatenate(rows)
    columns = [{"label": side.astype(str)} for side in (data.train.labels[few], data.report.labels)]
    return Lot(data.train.pictures[few], columns[0], "label"), Lot(data.report.pictures, columns[1], "label")


SIDES = {"adult": adult, "mnist": mnist}


def taken(name: str, real: Lot, test: Lot, *, seed: int, asked: argparse.Namespace) -> Benefit:
    """One model of the few items, its filter, and every way's figures on the test side."""
    import sparring

    setting, out = SETTINGS[name], asked.scratch / f"augmentation-{name}-{seed}"
    training: dict[str, Any] = {"out": out, "seed": seed, "overwrite": True, "steps": asked.steps or setting.steps}
    training["settings"] = list(asked.settings)
    if real.is_table:
        model = sparring.train(real.items, **training)
    else:
        model = sparring.train(real.items, labels={real.title: real.labels.tolist()}, **training)
    wish = Wish(setting.wish.factor, setting.wish.balance, Course(1, seed))
    learner = learner_of(model.modality.name)
    assert learner is not None
    means = Means(learner, maker_of(model))
    return compare(real, test, choose_filter(real, wish, means), means, wish)


def add(ledger: Ledger, title: str, found: Benefit, seed: int) -> None:
    """Adds every way's figures; beside each the same of nothing added."""
    nothing = next(way for way in found.ways if way.name == NOTHING)
    for way in found.ways:
        for field, figure in FIGURES.items():
            if getattr(way, field) is None:
                continue
            beside = None if way.name == NOTHING else getattr(nothing, field)
            more = {"filter": found.protocol["filter"]} if way.name == OURS else {}
            value = getattr(way, field)
            ledger.add(Measurement(f"{title}, {way.name}: {figure}", value, floor=beside, seed=seed, more=more))


def table(setting: Setting, measured: Sequence[dict[str, Any]]) -> str:
    """All ways of a data set with the primary figure's paired changes, as Markdown; ways against those of one seed."""
    found = {figure: {line["seed"]: float(line["value"]) for line in of} for figure, of in latest(measured).items()}
    start = f"{setting.title}, "
    ended = f": {setting.primary}"
    names = [f[len(start) : -len(ended)] for f in found if f.startswith(start) and f.endswith(ended)]
    if not names:
        return f"{setting.title}: nothing measured yet"
    figures = [figure for figure in FIGURES.values() if f"{start}{NOTHING}: {figure}" in found]
    head = ["added", *figures, "change of the primary figure", "generated against it", "n"]
    rows = [head, ["---"] * len(head)]
    primary = {name: found[f"{start}{name}: {setting.primary}"] for name in names}
    for name in names:
        means = [f"{np.mean(list(found[f'{start}{name}: {figure}'].values())):.4f}" for figure in figures]
        gain = "" if name == NOTHING else paired(primary[name], primary[NOTHING])
        lead = "" if name == OURS else paired(primary[OURS], primary[name])
        rows.append([name, *means, gain, lead, str(len(primary[name]))])
    return f"{setting.title} (primary: {setting.primary})\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def paired(first: dict[int, float], second: dict[int, float]) -> str:
    """Mean difference over the seeds that both have, with Student's 95 % interval."""
    from scipy.stats import t

    apart = np.array([first[seed] - second[seed] for seed in sorted(set(first) & set(second))])
    if len(apart) < 2:
        return f"{apart.mean():+.4f} (one seed)"
    half = float(t.ppf(0.975, len(apart) - 1)) * apart.std(ddof=1) / np.sqrt(len(apart))
    return f"{apart.mean():+.4f} ({apart.mean() - half:+.4f} to {apart.mean() + half:+.4f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
