"""Whether a long run grows: the memory of its process and the size of its folder, with very frequent saves."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy import stats

from benchmarks.ledger import RESULTS, Ledger, Measurement
from benchmarks.runs import ended_with_us, program

# Nothing is left to be measured at the start, so that the interval between saves is that of the short plan.
FIXED = ("training.precision=fp32", "training.layout=contiguous", "training.batch=16", "network.hidden=16")
OPTIONS = ("--recipe", "dense", "--device", "cpu", "--set", *FIXED)
SAVED = 10
"""Steps from one checkpoint and picture to the next."""
STATED = {"log.jsonl": 4_600, "timing.jsonl": 4_600, "samples": 102, "checkpoints": 3}
"""What docs/safety.md promises of these settings: lines (4,000, an eighth more until they are cut down, 100 alarms),
pictures and checkpoints, each with the one that is about to go."""
BLOCKS = 15
"""Means that a line is fitted to; single readings hang together too much for an interval."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="length of the run")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("long", argv, asked.results)
    with tempfile.TemporaryDirectory(prefix="sparring-long-") as scratch:
        taken = list(watched(Path(scratch) / "run", asked.minutes * 60))
        left = folder(Path(scratch) / "run")
    times, memory = np.array([(look.seconds / 60, look.memory) for look in taken]).T
    late = times > asked.minutes / 4  # the first quarter fills caches
    slope, low, high = trend(times[late], memory[late])
    more = {"interval": [round(low, 4), round(high, 4)], "MiB by the minute": by_minute(times, memory), **left}
    figure = "long run: growth of memory after its first quarter, MiB/min"
    ledger.add(Measurement(figure, slope, "< 0.02", minutes=asked.minutes, more=more))
    sizes = np.array([look.folder for look in taken])
    most = {part: max(look.parts[part] for look in taken) for part in STATED}
    more = {"MiB by the minute": by_minute(times, sizes), **left, **{f"most: {part}": n for part, n in most.items()}}
    figure = "long run: the most of its logs, pictures and checkpoints at any time, over what is stated"
    fullest = max(count / STATED[part] for part, count in most.items())
    ledger.add(Measurement(figure, fullest, "<= 1", minutes=asked.minutes, more=more))
    print(ledger.table())
    return 0


@dataclass(frozen=True)
class Look:
    """What a look at a run finds.

    Attributes:
        seconds: since its start.
        memory: resident memory of its process, in MiB.
        folder: what its folder holds, in MiB.
        parts: lines, pictures and checkpoints, by the keys of :data:`STATED`.
    """

    seconds: float
    memory: float
    folder: float
    parts: dict[str, int]


def watched(out: Path, seconds: float) -> Iterator[Look]:
    """A look each second at a run that saves often: a short plan, gone on with, keeps its interval."""
    command = [*program(), "train", "digits", "--out", str(out), *OPTIONS]
    subprocess.run([*command, "--steps", "40"], check=True, stdout=subprocess.DEVNULL)
    planned = json.loads((out / "plan.json").read_text())["save_every"]
    if planned != SAVED:
        raise SystemExit(f"the run saves every {planned} steps, not every {SAVED}")
    resumed = subprocess.Popen([*command, "--resume", "--steps", "100000000"], stdout=subprocess.DEVNULL)
    begun = time.monotonic()
    with ended_with_us(resumed) as process:
        of_process = psutil.Process(process.pid)
        while (now := time.monotonic() - begun) < seconds:
            if process.poll() is not None:
                raise SystemExit(f"the run ended by itself with {process.returncode}")
            yield Look(now, of_process.memory_info().rss / 2**20, size(out), counted(out))
            time.sleep(1)


def size(folder: Path) -> float:
    """MiB of all files; what goes away meanwhile counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(place, name)).st_size
    return total / 2**20


def counted(out: Path) -> dict[str, int]:
    """Lines of the logs, pictures and whole checkpoints."""
    lines = {name: (out / name).read_bytes().count(b"\n") for name in STATED if name.endswith(".jsonl")}
    pictures = len(list((out / "samples").glob("*.png")))
    return lines | {"samples": pictures, "checkpoints": len(list((out / "checkpoints").glob("[0-9]*")))}


def folder(out: Path) -> dict[str, float]:
    """What a run left."""
    return {
        **{f"left: {part}": count for part, count in counted(out).items()},
        "steps": max(int(path.name) for path in (out / "checkpoints").glob("[0-9]*")),
        **{f"{part}, MiB": round(size(out / part), 2) for part in ("samples", "checkpoints", "tensorboard")},
        "folder, MiB": round(size(out), 2),
    }


def trend(times: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    """Slope of a line through the means of :data:`BLOCKS` equal spans, with its 95 % interval."""
    spans = [np.mean(part) for part in np.array_split(times, BLOCKS)]
    fitted: Any = stats.linregress(spans, [np.mean(part) for part in np.array_split(values, BLOCKS)])
    wide = float(stats.t.ppf(0.975, BLOCKS - 2) * fitted.stderr)
    return float(fitted.slope), float(fitted.slope) - wide, float(fitted.slope) + wide


def by_minute(times: np.ndarray, values: np.ndarray) -> list[float]:
    """Means of single minutes."""
    minutes = times.astype(int)
    return [round(float(values[minutes == minute].mean()), 2) for minute in np.unique(minutes)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
