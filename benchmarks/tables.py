"""Tables: what classifiers learn from synthetic rows beside real ones, detection, marginals, pairs; baselines beside.

75 % of the rows, stratified by the target, are learned from, and as many are generated; 25 % are the reference.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement
from sparring.baselines.rows import Copula, IndependentColumns
from sparring.data.tables import Tables
from sparring.metrics import Evidence, Specimens
from sparring.metrics.efficacy import Detection, Efficacy
from sparring.metrics.fidelity import Marginals, Pairs

_BOUNDS = {"F1 of the rarer class / real": ">= 0.95", "AUC / real": ">= 0.97"}


@dataclass(frozen=True)
class Set:
    """A table with the column that is predicted."""

    parts: tuple[str, ...]
    target: str


SETS = {
    "adult": Set(("adult", "adult.csv"), "income"),
    "credit-default": Set(("credit-default", "UCI_Credit_Card.csv"), "default.payment.next.month"),
}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--data", nargs="+", default=["adult"], choices=list(SETS), help="tables")
    parser.add_argument("--seeds", nargs="+", default=["0"], help="seeds, such as 0 1 2 or 0-2")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of training")
    parser.add_argument("--recipe", default="table", help="recipe")
    parser.add_argument("--refine", type=int, default=8, help="candidates of a row, for the figures of refined rows")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides, for smoke tests")
    parser.add_argument("--rows", type=int, default=0, help="learn from so many rows, for smoke tests; 0: all")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("tables", argv, asked.results)
    for name in asked.data:
        chosen = SETS[name]
        whole = Tables(path=runs.data_path(*chosen.parts)).load().items.frame  # pyright: ignore[reportAttributeAccessIssue]
        train, test = halves(whole, chosen.target, asked.rows)
        for title, made in baselines(train).items():
            add(ledger, f"{name}, {title}", figures(train, test, made, chosen.target), count=len(made))
        for seed in runs.seeds_option(asked.seeds):
            learn(ledger, name, (train, test), seed=seed, asked=asked)
    print(ledger.table())
    return 0


def learn(ledger: Ledger, name: str, sides: tuple[Any, Any], *, seed: int, asked: argparse.Namespace) -> None:
    """One run as a user starts it, and its figures."""
    import sparring

    train, test = sides
    out = asked.scratch / f"tables-{name}-{asked.recipe}-{asked.minutes:g}-{seed}"
    source = asked.scratch / f"tables-{name}-train.csv"
    source.parent.mkdir(parents=True, exist_ok=True)
    train.to_csv(source, index=False)
    options = ["--minutes", f"{asked.minutes:g}", "--seed", str(seed), "--recipe", asked.recipe]
    options += [part for setting in asked.settings for part in ("--set", setting)]
    cost = runs.train(str(source), out, *options)
    model, title = sparring.load(out), f"{name}, {asked.recipe}, {asked.minutes:g} minutes"
    known = {"seed": seed, "minutes": round(cost.minutes, 3)}
    more = cost.summary() | {"steps": model.run.records("log")[-1]["step"]}
    for refine in dict.fromkeys((1, asked.refine)):
        made = model.sample(len(train), seed=seed, refine=refine)
        found = figures(train, test, made, SETS[name].target)
        refined = f", 1 of {refine} by a classifier" if refine > 1 else ""
        add(ledger, title + refined, found, count=len(made), **known, more=more)
    ledger.add(Measurement(f"{title}: peak memory, GiB", cost.peak / 2**30, **known))


def halves(whole: Any, target: str, rows: int) -> tuple[Any, Any]:
    """Three quarters to learn from and a quarter as the reference, stratified; one split for all seeds."""
    from sklearn.model_selection import train_test_split

    numbers = np.arange(len(whole))
    train, test = train_test_split(numbers, test_size=0.25, stratify=whole[target], random_state=0)
    chosen = np.asarray(train)[: rows or None], np.asarray(test)
    return whole.iloc[chosen[0]].reset_index(drop=True), whole.iloc[chosen[1]].reset_index(drop=True)


def baselines(train: Any) -> dict[str, Any]:
    """What is made without a model."""
    side = Specimens(train)
    return {part.name: part(side, side, 0).items for part in (IndependentColumns(), Copula())}


def figures(train: Any, test: Any, made: Any, target: str) -> dict[str, tuple[float, float | None]]:
    """Each figure with what real rows reach, where that is known."""
    sides = [Evidence(frame, np.zeros((len(frame), 0))) for frame in (train, test, made)]
    learned = {name: reading.value for name, reading in Efficacy(target=target)(*sides).items()}
    real = {key: learned[f"efficacy-real-{key}"] for key in ("accuracy", "f1", "auc")}
    found: dict[str, tuple[float, float | None]] = {
        "accuracy": (learned["efficacy-accuracy"], real["accuracy"]),
        "F1 of the rarer class": (learned["efficacy-f1"], real["f1"]),
        "AUC": (learned["efficacy-auc"], real["auc"]),
        "F1 of the rarer class / real": (learned["efficacy-f1"] / real["f1"], 1.0),
        "AUC / real": (learned["efficacy-auc"] / real["auc"], 1.0),
        "detection AUC": (Detection()(*sides)["detection-auc"].value, 0.5),
    }
    for metric, key in ((Marginals(), "marginal-distance"), (Pairs(), "pair-distance")):
        found[key.replace("-", " ")] = (metric(*sides)[key].value, metric(sides[0], sides[1], sides[0])[key].value)
    return found


def add(ledger: Ledger, title: str, found: dict[str, tuple[float, float | None]], *, count: int, **known: Any) -> None:
    """Adds figures to the ledger; a bound is one of the default recipe alone."""
    for name, (value, real) in found.items():
        bound = _BOUNDS.get(name, "") if ", table," in title else ""
        ledger.add(Measurement(f"{title}: {name}", value, bound, floor=real, items=count, **known))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
