"""What the numbers that are taken while training cost: their share of a run's time, read from runs that are there."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement
from sparring.run import Run

BOUND = "<= 0.03"


def cost(run: Run) -> tuple[float, int]:
    """The share of a run's time that went into readings, that of its end too, and how many there were."""
    timing = run.records("timing")
    taken, whole = (max((record.get(of, 0.0) for record in timing), default=0.0) for of in ("measured_in", "seconds"))
    return (taken / whole if whole else 0.0), len(run.records("metrics"))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readings", description=__doc__)
    parser.add_argument(
        "runs", nargs="*", type=Path, help="folders of runs; one of MNIST is trained where none is given"
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="length of that run")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for it")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("readings", argv, asked.results)
    folders = asked.runs
    if not folders:
        folders = [asked.scratch / "readings"]
        runs.train(runs.named("mnist"), folders[0], "--minutes", f"{asked.minutes:g}", "--seed", "0")
    for folder in folders:
        share, count = cost(Run(folder))
        name = f"MNIST, {asked.minutes:g} minutes" if not asked.runs else folder.name
        figure = f"{name}: share of the time that readings take"
        ledger.add(Measurement(figure, share, BOUND, seed=0, minutes=asked.minutes, more={"readings": count}))
    print(ledger.table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
