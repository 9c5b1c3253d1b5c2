"""How near the time and memory that ``sparring check`` names come to those of the training that it speaks of."""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement

FACTOR = 1.5


@dataclass(frozen=True)
class Case:
    """Data and options of a benchmark.

    Attributes:
        parts: where the data lie below SPARRING_DATA, or a name that the library knows.
        options: of ``sparring check`` and ``sparring train`` alike.
    """

    parts: tuple[str, ...]
    options: tuple[str, ...] = ()

    @property
    def data(self) -> str:
        """What the command line is given."""
        if self.parts[0] in ("ring", "grid", "digits"):
            return self.parts[0]
        return runs.named(self.parts[0]) if self.parts[0] in ("mnist", "cifar10") else runs.data_path(*self.parts)


CASES = {
    "ring": Case(("ring",)),
    "grid": Case(("grid",)),
    "digits": Case(("digits",)),
    "mnist": Case(("mnist",), ("--unconditional",)),
    "mnist by digit": Case(("mnist",)),
    "mnist, dcgan": Case(("mnist",), ("--unconditional", "--recipe", "dcgan")),
    "cifar10": Case(("cifar10",), ("--unconditional",)),
    "faces": Case(("faces", "utkface-128.zip"), ("--size", "64", "--label-pattern", "{age}_{gender}_*")),
    "adult": Case(("adult", "adult.csv")),
    "adult, ctgan": Case(("adult", "adult.csv"), ("--recipe", "ctgan")),
    "denoising": Case(("restoration", "T91"), ("--task", "denoising")),
    "facades": Case(("facades",), ("--task", "translation")),
}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimates", description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=list(CASES), help="which cases")
    parser.add_argument("--seconds", type=float, default=40.0, help="length of a training, by the estimate")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("estimates", argv, asked.results)
    for name in asked.only:
        case, out = CASES[name], asked.scratch / "estimates" / name.replace(", ", "-").replace(" ", "-")
        told = estimate(case)
        count = max(40, min(told["steps"], round(asked.seconds / told["step"])))
        cost = runs.train(case.data, out, *case.options, "--steps", str(count))
        took, each = seconds_a_step(out), expected(told, out)
        shutil.rmtree(out)
        more = {"estimated, ms a step": round(1000 * each, 2), "measured, ms a step": round(1000 * took, 2)}
        more |= {
            "steps": count,
            "a step alone": round(1000 * told["step"], 2),
            "load_before": round(cost.load, 2),
        }
        bound = f"<= {FACTOR}"
        ledger.add(Measurement(f"{name}: time, measured and estimated apart", apart(took, each), bound, more=more))
        more = {"estimated, MiB": told["memory"] >> 20, "measured, MiB": cost.peak >> 20}
        off = apart(cost.peak, told["memory"])
        ledger.add(Measurement(f"{name}: memory, measured and estimated apart", off, bound, more=more))
    print(ledger.table())
    return 0


def estimate(case: Case) -> dict[str, Any]:
    """What ``sparring check`` expects."""
    command = [*runs.program(), "check", case.data, *case.options, "--json"]
    print("sparring", *command[1:], file=sys.stderr, flush=True)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)["forecast"]


def expected(told: dict[str, Any], out: Path) -> float:
    """What was expected of the seconds that :func:`seconds_a_step` gives, with the run's own readings and saves."""
    timing = timed(out)
    readings = sum("measured_in" in entry for entry in timing)
    saves = timing[-1]["step"] // json.loads((out / "plan.json").read_text())["save_every"]
    between = told["fit"] + told["reading"] * readings + told["save"] * saves
    return told["step"] + between / (timing[-1]["step"] - timing[0]["step"])


def timed(out: Path) -> list[dict[str, Any]]:
    """The records of ``timing.jsonl``."""
    return [json.loads(line) for line in (out / "timing.jsonl").read_text().splitlines()]


def seconds_a_step(out: Path) -> float:
    """Seconds of training over its steps, from the first record to the last: saves and numbers between count too."""
    timing = timed(out)
    first, last = timing[0], timing[-1]
    return (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])


def apart(one: float, other: float) -> float:
    """The larger over the smaller."""
    return max(one, other) / min(one, other)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
