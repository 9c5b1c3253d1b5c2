"""What the numbers that are taken while training cost: their share of a run's time, read from runs that are there."""

import argparse
import sys
from collections.abc import Sequence

from benchmarks import runs
from benchmarks.ledger import Ledger, Measurement
from sparring.run import Run

BOUND = "<= 0.03"


def cost(run: Run) -> tuple[float, int]:
    """The share of a run's time that went into readings, that of its end too, and how many there were."""
    timing = run.records("timing")
    taken, whole = (max((record.get(of, 0.0) for record in timing), default=0.0) for of in ("measured_in", "seconds"))
    return (taken / whole if whole else 0.0), len(run.records("metrics"))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readings", description=__doc__)
    asked, folders = runs.given(parser, argv, minutes=3.0)
    ledger = Ledger("readings", argv, asked.results)
    for folder in folders:
        share, count = cost(Run(folder))
        name = f"MNIST, {asked.minutes:g} minutes" if not asked.runs else folder.name
        figure = f"{name}: share of the time that readings take"
        ledger.add(Measurement(figure, share, BOUND, seed=0, minutes=asked.minutes, more={"readings": count}))
    print(ledger.table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
