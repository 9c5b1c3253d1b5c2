"""Large tables: a million rows sampled, and a column of 5,000 categories learned and sampled; time and memory."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement
from benchmarks.tables import SETS

GIB = 2**30


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows to sample; fewer for smoke tests")
    parser.add_argument("--categories", type=int, default=5_000, help="different words of the wide column")
    parser.add_argument("--train-steps", type=int, default=200, help="length of each training")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs and files")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("large", argv, asked.results)
    many_rows(ledger, asked)
    many_categories(ledger, asked)
    print(ledger.table())
    return 0


def many_rows(ledger: Ledger, asked: argparse.Namespace) -> None:
    """A short run of adult, and its rows written to one file."""
    run, made = asked.scratch / "large-rows", asked.scratch / "large-rows.csv"
    runs.train(runs.data_path(*SETS["adult"].parts), run, "--steps", str(asked.train_steps), "--seed", "0")
    cost = runs.called("sample", str(run), "-n", str(asked.rows), "-o", str(made), "--overwrite")
    with made.open("rb") as file:
        written = sum(1 for _ in file) - 1
    if written != asked.rows:
        raise SystemExit(f"{made}: {written:,} rows were written, not {asked.rows:,}")
    title = f"adult, {asked.rows:,} rows sampled"
    known = {"items": asked.rows, "seed": 0, "more": cost.summary() | {"file_bytes": made.stat().st_size}}
    ledger.add(Measurement(f"{title}: seconds", 60 * cost.minutes, "< 60", **known))
    ledger.add(Measurement(f"{title}: peak memory, GiB", cost.peak / GIB, "< 2", **known))
    made.unlink()


def many_categories(ledger: Ledger, asked: argparse.Namespace) -> None:
    """A column of many words, the commoner by Zipf's law, beside a number that depends on the word."""
    import pandas as pd

    source, run, made = (asked.scratch / f"large-categories{end}" for end in (".csv", "", "-made.csv"))
    pd.DataFrame(dict(zip(("word", "size"), words(asked.categories), strict=True))).to_csv(source, index=False)
    options = ("--set", 'data.kinds={"word":"categorical"}', "--steps", str(asked.train_steps), "--seed", "0")
    trained = runs.train(str(source), run, *options)
    sampled = runs.called("sample", str(run), "-n", "10000", "-o", str(made), "--overwrite")
    title = f"a column of {asked.categories:,} categories"
    for what, cost in (("training", trained), ("sampling 10,000 rows", sampled)):
        known = {"seed": 0, "more": cost.summary()}
        ledger.add(Measurement(f"{title}, {what}: peak memory, GiB", cost.peak / GIB, "< 4", **known))
        ledger.add(Measurement(f"{title}, {what}: seconds", 60 * cost.minutes, **known))
    found = set(pd.read_csv(made, dtype={"word": str})["word"])
    known_words = set(pd.read_csv(source, dtype={"word": str})["word"])
    ledger.add(Measurement(f"{title}: different ones among 10,000 rows", len(found), items=10_000, seed=0))
    ledger.add(Measurement(f"{title}: ones that the data do not hold", len(found - known_words), "<= 0", items=10_000))


def words(count: int, rows_each: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """So many different words, each at least once, in ten times as many rows; and a number beside each."""
    source = np.random.default_rng(0)
    chances = 1 / np.arange(1, count + 1)
    codes = np.concatenate([np.arange(count), source.choice(count, count * (rows_each - 1), p=chances / chances.sum())])
    codes = source.permutation(codes)
    return np.char.add("w", codes.astype(str)), np.round(codes / count + source.normal(0, 0.1, len(codes)), 3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
