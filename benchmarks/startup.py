"""How fast ``sparring --help`` answers, and what a short MNIST run needs of memory and disk."""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="how often help is asked for")
    parser.add_argument("--minutes", type=float, default=1.0, help="length of the run; 0 leaves it out")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for the run")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("startup", argv, asked.results)
    taken = [help_seconds() for _ in range(asked.times)]
    more = {"fastest": min(taken), "slowest": max(taken), "times": len(taken)}
    ledger.add(Measurement("sparring --help, seconds, median", statistics.median(taken), "< 0.5", more=more))
    if asked.minutes:
        out = asked.scratch / "startup"
        options = ["--unconditional", "--minutes", f"{asked.minutes:g}", "--seed", "0"]
        cost = runs.train(runs.named("mnist"), out, *options)
        checkpoint, parameters = runs.checkpoint_weight(out)
        name = f"MNIST, {asked.minutes:g} minutes"
        common = {"seed": 0, "minutes": round(cost.minutes, 3), "more": cost.summary()}
        ledger.add(Measurement(f"{name}: peak memory, GiB", cost.peak / 2**30, "< 1.5", **common))
        ledger.add(Measurement(f"{name}: checkpoint / parameters, bytes", checkpoint / parameters, "< 5", **common))
    print(ledger.table())
    return 0


def help_seconds() -> float:
    """Wall time of one ``sparring --help``."""
    begun = time.monotonic()
    subprocess.run([*runs.program(), "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
