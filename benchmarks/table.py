"""Renders all results as one Markdown table."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.ledger import RESULTS, read, render


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the .jsonl files")
    parser.add_argument("--commit", default="", help="only what was measured at commits that begin so")
    asked = parser.parse_args(argv)
    measured = [line for line in read(asked.results) if line["commit"].startswith(asked.commit)]
    if not measured:
        print(f"no measurement is in {asked.results}", file=sys.stderr)
        return 1
    print(render(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
