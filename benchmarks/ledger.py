"""The ledger: one JSON line a measurement, appended as it comes, and read back for the table."""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite
from operator import ge, gt, le, lt
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent
RESULTS = HOME / "results"
_ORDER: dict[str, Callable[[float, float], bool]] = {"<=": le, ">=": ge, "<": lt, ">": gt}


@dataclass(frozen=True)
class Measurement:
    """One measured number.

    Attributes:
        figure: what was measured; measurements of one figure differ in their seed.
        value: the number.
        bound: what it must keep, ``"<= 1.25"``; empty where nothing is asked.
        floor: the same number for held-back real data in the place of generated ones, or None.
        items: how many generated items the number is of; 0 where it is of none.
        seed: of the run, or None.
        minutes: wall time of the training behind it, or None.
        more: what else is worth keeping.
    """

    figure: str
    value: float
    bound: str = ""
    floor: float | None = None
    items: int = 0
    seed: int | None = None
    minutes: float | None = None
    more: dict[str, Any] = field(default_factory=dict)


_PLACES = ("--results", "--scratch")
"""Options that say where files lie on one machine, which no figure depends on."""


def _without_places(arguments: Sequence[str]) -> list[str]:
    """The arguments of a script that another machine can be given too."""
    kept = list[str]()
    for before, argument in pairwise(["", *arguments]):
        if not argument.startswith(tuple(f"{place}=" for place in _PLACES)) and not {before, argument} & {*_PLACES}:
            kept.append(argument)
    return kept


class Ledger:
    """A file of measurements.

    Args:
        name: of the script; measurements go to ``results/<name>.jsonl``.
        arguments: of the script, for the command that the line names.
        folder: where the file lies.
    """

    def __init__(self, name: str, arguments: Sequence[str], folder: Path = RESULTS):
        self.path = folder / f"{name}.jsonl"
        # What was measured with other settings must not stand in for the promise.
        self.changed = " (changed settings)" if {"--set", "--steps"} & set(arguments) else ""
        module = f"benchmarks.{name.partition('-')[0]}"
        self.origin = {
            "command": shlex.join(["python", "-m", module, *_without_places(arguments)]),
            "commit": commit(),
            "machine": machine(),
        }
        self.added: list[dict[str, Any]] = []

    def add(self, measurement: Measurement) -> None:
        """Appends a measurement, on disk when this returns."""
        measurement = replace(measurement, figure=measurement.figure + self.changed)
        line = asdict(measurement) | self.origin | {"at": datetime.now(UTC).isoformat(timespec="seconds")}
        append(self.path, line)
        self.added.append(line)
        kept = keeps(measurement.value, measurement.bound)
        verdict = "" if kept is None else f"  {measurement.bound} {'kept' if kept else 'NOT KEPT'}"
        seed = "" if measurement.seed is None else f" (seed {measurement.seed})"
        print(f"{measurement.figure}{seed}: {measurement.value:.5g}{verdict}", file=sys.stderr, flush=True)

    def table(self) -> str:
        """What this process has measured, as a Markdown table."""
        return render(self.added)


def append(path: Path, line: dict[str, Any]) -> None:
    """Appends a JSON line; one that a crash cut off before is ended first, so that it does not take this one along."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        torn = file.tell() > 0 and _last_byte(file) != b"\n"
        file.write((b"\n" if torn else b"") + json.dumps(_finite(line), allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def _finite(value: Any) -> Any:
    """JSON has no infinity: what is not finite is written as text."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def read(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """The measurements of all scripts, in the order in which they were added; trajectories are left out."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        if not path.stem.endswith("-trajectory"):
            found += lines(path)
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of one file."""
    found = []
    for text in path.read_text().splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


def keeps(value: float | str, bound: str) -> bool | None:
    """Whether a value keeps a bound, ``"<= 1.25"``; None where there is no bound."""
    if not bound:
        return None
    order, limit = bound.split()
    return _ORDER[order](float(value), float(limit))


def latest(measured: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The newest measurement of each seed, by figure."""
    newest: dict[tuple[str, Any], dict[str, Any]] = {}
    for line in measured:
        newest.pop((line["figure"], line["seed"]), None)
        newest[line["figure"], line["seed"]] = line
    figures: dict[str, list[dict[str, Any]]] = {line["figure"]: [] for line in measured}
    for (figure, _), line in newest.items():
        figures[figure].append(line)
    return figures


def render(measured: Sequence[dict[str, Any]]) -> str:
    """A Markdown table, a row a figure: n is the number of runs, each with another seed."""
    head = ["figure", "bound", "mean (range)", "kept", "floor", "n", "items", "command", "commit"]
    rows = [head, ["---"] * len(head)]
    rows += [_row(figure, found) for figure, found in latest(measured).items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(figure: str, found: list[dict[str, Any]]) -> list[str]:
    values = [float(line["value"]) for line in found]
    bound = found[-1]["bound"]
    kept = sum(bool(keeps(value, bound)) for value in values)
    floors = [float(line["floor"]) for line in found if line["floor"] is not None]
    return [
        figure,
        bound,
        f"{_mean(values):.4g}" + (f" ({min(values):.4g} to {max(values):.4g})" if len(values) > 1 else ""),
        f"{kept} of {len(values)}" if bound else "",
        f"{_mean(floors):.4g}" if floors else "",
        str(len(values)),
        _each({f"{line['items']:,}" for line in found if line["items"]}),
        "<br>".join(f"`{command}`" for command in sorted({line["command"] for line in found})),
        _each({line["commit"] for line in found}),
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _each(texts: set[str]) -> str:
    return ", ".join(sorted(texts))


def commit() -> str:
    """The commit that is measured, with a ``+`` where library or benchmarks have been changed since."""
    try:
        head = _git("rev-parse", "--short=10", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "sparring", "benchmarks/*.py")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return head + ("+" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(HOME.parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def machine() -> str:
    """Processor, cores and torch's version."""
    from importlib.metadata import version

    model = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    for line in cpus.read_text().splitlines() if cpus.is_file() else []:
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {os.cpu_count()} cores, torch {version('torch')}"
