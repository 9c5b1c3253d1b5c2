"""What ``sparring evaluate`` takes for 10,000 samples of MNIST with all default metrics: wall time and peak memory."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import runs
from benchmarks.ledger import Ledger, Measurement

COUNT = 10_000
SECONDS = "<= 120"
MEMORY = "< 3"


def cost(run: Path, count: int) -> runs.Cost:
    """Evaluates a run as a process of its own, the fitting of features included."""
    shutil.rmtree(run / "features", ignore_errors=True)
    return runs.called("evaluate", str(run), "--count", str(count))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluating", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="samples")
    asked, folders = runs.given(parser, argv, minutes=1.0)
    ledger = Ledger("evaluating", argv, asked.results)
    for folder in folders:
        taken = cost(folder, asked.count)
        name = "MNIST" if not asked.runs else folder.name
        figure = f"{name}: evaluating {asked.count:,} samples with all default metrics"
        common = {"items": asked.count, "seed": 0, "more": taken.summary()}
        ledger.add(Measurement(f"{figure}, seconds", 60 * taken.minutes, SECONDS, **common))
        ledger.add(Measurement(f"{figure}: peak memory, GiB", taken.peak / 2**30, MEMORY, **common))
    print(ledger.table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
