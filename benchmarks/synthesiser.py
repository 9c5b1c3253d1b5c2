"""The rival of tables: ctgan 0.12.1 at its defaults, in an environment of its own, on the rows and by the judges of
``benchmarks.tables``.

ctgan is not open source, so it is no dependency of the project: this script alone installs it, where it is measured.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import runs
from benchmarks.ledger import HOME, RESULTS, Ledger, Measurement
from benchmarks.tables import SETS, add, figures, halves

VERSION = "0.12.1"
FEW = 12
"""Different whole numbers of a column up to which ctgan is told that they are choices."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthesiser", description=__doc__)
    parser.add_argument("--data", nargs="+", default=list(SETS), choices=list(SETS), help="tables")
    parser.add_argument("--seeds", nargs="+", default=["0"], help="seeds, such as 0 1 2 or 0-2")
    parser.add_argument("--epochs", type=int, default=300, help="as its default; fewer for smoke tests")
    parser.add_argument("--rows", type=int, default=0, help="learn from so many rows, for smoke tests; 0: all")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for its environment and files")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("synthesiser", argv, asked.results)
    interpreter = environment(asked.scratch / f"ctgan-{VERSION}")
    for name in asked.data:
        for seed in runs.seeds_option(asked.seeds):
            learn(ledger, name, seed=seed, interpreter=interpreter, asked=asked)
    print(ledger.table())
    return 0


def environment(folder: Path) -> Path:
    """The Python of an environment with ctgan and the torch of this one; made where there is none.

    Raises:
        SystemExit: it cannot be installed; pip's words have been shown.
    """
    import torch

    interpreter = folder / "bin" / "python"
    if interpreter.exists() and subprocess.run([str(interpreter), "-c", "import ctgan"], check=False).returncode == 0:
        return interpreter
    release = torch.__version__.partition("+")[0]
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(interpreter), "-m", "pip", "install", "--quiet", f"torch=={release}", f"ctgan=={VERSION}"],
    )
    for step in steps:
        if subprocess.run(step, stdout=sys.stderr, check=False).returncode:
            raise SystemExit(f"{' '.join(step)} failed; the rival cannot be measured here")
    return interpreter


def learn(ledger: Ledger, name: str, *, seed: int, interpreter: Path, asked: argparse.Namespace) -> None:
    """One training and sampling as a process of its own, its figures, time and memory."""
    from sparring.data.tables import Tables

    chosen = SETS[name]
    whole: Any = Tables(path=runs.data_path(*chosen.parts)).load().items
    train, test = halves(whole.frame, chosen.target, asked.rows)
    given, made = (asked.scratch / f"ctgan-{name}-{seed}-{side}.csv" for side in ("train", "made"))
    choices = discrete(train)
    filled(train, choices).to_csv(given, index=False)
    program = [str(interpreter), str(HOME / "fit_ctgan.py"), str(given), str(made), str(asked.epochs), str(seed)]
    begun = time.monotonic()
    with runs.ended_with_us(subprocess.Popen([*program, *choices], stdout=sys.stderr)) as process:
        peak = runs.watch_memory(process)
    minutes = (time.monotonic() - begun) / 60
    if process.returncode:
        raise SystemExit(f"ctgan failed on {name} with exit code {process.returncode}")
    rows: Any = Tables(path=str(made)).load().items
    known = {"seed": seed, "minutes": round(minutes, 3)}
    title = f"{name}, ctgan {VERSION}, {asked.epochs} epochs"
    add(ledger, title, figures(train, test, as_read(rows.frame, train), chosen.target), count=len(rows.frame), **known)
    ledger.add(Measurement(f"{title}: wall time, minutes", minutes, **known))
    ledger.add(Measurement(f"{title}: peak memory, GiB", peak / 2**30, **known))


def discrete(frame: Any) -> list[str]:
    """Columns of words, and of few different whole numbers."""
    from pandas.api.types import is_numeric_dtype

    def few(column: Any) -> bool:
        return column.nunique() <= FEW and bool((column.dropna() % 1 == 0).all())

    return [name for name in frame.columns if not is_numeric_dtype(frame[name].dtype) or few(frame[name])]


def filled(frame: Any, choices: Sequence[str]) -> Any:
    """The frame with a word for what is missing among choices, as ctgan refuses nulls."""
    given = frame.copy()
    for name in choices:
        if given[name].isna().any():
            given[name] = given[name].astype(object).fillna("?")
    return given


def as_read(made: Any, train: Any) -> Any:
    """Rows with the columns in the order and in the types of the learned ones, the word for missing ones taken back."""
    rows = made[list(train.columns)].copy()
    for name in train.columns:
        if train[name].isna().any():
            rows[name] = rows[name].where(rows[name].astype(str) != "?")
        rows[name] = rows[name].astype(train[name].dtype)
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
