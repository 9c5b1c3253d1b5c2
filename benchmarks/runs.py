"""Training runs as a user starts them, with their cost; what a run weighs; where data lie."""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.ledger import HOME, RESULTS

SCRATCH = HOME / "scratch"
"""Runs and pictures, outside of version control."""


@dataclass(frozen=True)
class Cost:
    """What a run took.

    Attributes:
        minutes: wall time of the whole command.
        peak: largest resident memory of its processes, in bytes.
        load: the machine's load average when it was started; well above 0, something else ran too.
    """

    minutes: float
    peak: int
    load: float

    def summary(self) -> dict[str, float]:
        """For a measurement."""
        return {"peak_gib": round(self.peak / 2**30, 3), "load_before": round(self.load, 2)}


def data_path(*parts: str) -> str:
    """A path below the folder that SPARRING_DATA names.

    Raises:
        SystemExit: the variable is not set, or there is no such file; the message says so.
    """
    root = os.environ.get("SPARRING_DATA")
    if not root:
        raise SystemExit(
            "SPARRING_DATA is not set; set it to the folder that holds the data sets, with mnist/, cifar10/, faces/ "
            "and anime-faces/ below it"
        )
    path = Path(root, *parts)
    if not path.exists():
        raise SystemExit(
            f"SPARRING_DATA={root} has no {'/'.join(parts)}; set it to the folder that holds the data sets"
        )
    return str(path)


def named(name: str) -> str:
    """The name of a data set, which is in SPARRING_DATA and will not be fetched."""
    data_path("mnist" if name == "stacked-mnist" else name)
    return name


def program() -> list[str]:
    """The command ``sparring`` of this environment; its module where the package has not been installed."""
    script = Path(sys.executable).with_name("sparring")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "sparring.cli"]


def given(
    parser: argparse.ArgumentParser, argv: Sequence[str], *, minutes: float
) -> tuple[argparse.Namespace, list[Path]]:
    """The options of a script that measures runs, and those runs: the ones given, else one of MNIST that it trains.

    Args:
        parser: of the options of its own.
        argv: what it was told.
        minutes: length of the run that is trained, where no other is asked for.
    """
    parser.add_argument("runs", nargs="*", type=Path, help="folders of runs; without any, one of MNIST is trained")
    parser.add_argument("--minutes", type=float, default=minutes, help="length of that run")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="folder for it")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    if asked.runs:
        return asked, asked.runs
    folder = asked.scratch / parser.prog.rpartition(".")[2]
    train(named("mnist"), folder, "--minutes", f"{asked.minutes:g}", "--seed", "0")
    return asked, [folder]


def train(data: str, out: Path, *options: str) -> Cost:
    """Runs ``sparring train`` as a process of its own.

    Raises:
        SystemExit: it failed; its messages have been shown.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    return called("train", data, "--out", str(out), "--overwrite", *options)


def called(*arguments: str) -> Cost:
    """Runs a command of ``sparring`` as a process of its own.

    Raises:
        SystemExit: it failed; its messages have been shown.
    """
    command = [*program(), *arguments]
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"the load average is {load:.1f}: something else runs here, and times will be worse", file=sys.stderr)
    print("sparring", *arguments, file=sys.stderr, flush=True)
    begun = time.monotonic()
    with ended_with_us(subprocess.Popen(command, stdout=sys.stderr)) as process:
        peak = watch_memory(process)
    minutes = (time.monotonic() - begun) / 60
    if process.returncode:
        raise SystemExit(f"sparring {' '.join(arguments)} failed with exit code {process.returncode}")
    return Cost(minutes, peak, load)


@contextmanager
def ended_with_us(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """Ends a process when this one is interrupted or told to end, so that it does not train on behind the next run."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield process
    finally:
        signal.signal(signal.SIGTERM, before)
        if process.poll() is None:
            process.kill()
            process.wait()


def watch_memory(process: subprocess.Popen, every: float = 0.25) -> int:
    """Waits for a process, and returns the largest resident memory of it and its children together, in bytes."""
    peak, over = 0, threading.Event()
    waiter = threading.Thread(target=lambda: (process.wait(), over.set()), daemon=True)
    waiter.start()
    while True:
        peak = max(peak, _resident(process.pid))
        if over.wait(every):
            waiter.join()
            return peak


def _resident(pid: int) -> int:
    try:
        process = psutil.Process(pid)
        total = process.memory_info().rss
        # The kernel's own high-water mark does not miss what comes and goes between two looks.
        status = Path(f"/proc/{pid}/status")
        marks = [line.split() for line in status.read_text().splitlines()] if status.is_file() else []
        total = max([total, *(int(words[1]) * 1024 for words in marks if words[0] == "VmHWM:")])
        return total + sum(child.memory_info().rss for child in process.children(recursive=True))
    except (psutil.Error, OSError):
        return 0


def checkpoint_weight(run: Path) -> tuple[int, int]:
    """Bytes of a run's newest checkpoint, and of all its players' parameters."""
    import sparring
    from sparring.codec import outlined

    model = sparring.load(run)
    newest = model.run.checkpoints()[-1]
    players = outlined(model.experiment, model.codec)
    parameters = sum(weight.numel() * weight.element_size() for weight in players.parameters())
    return sum(file.stat().st_size for file in newest.iterdir()), parameters


def seeds_option(values: Sequence[str]) -> list[int]:
    """Seeds as written: ``0 1 2`` or ``0-9``."""
    found: list[int] = []
    for value in values:
        first, dash, last = value.partition("-")
        found += range(int(first), int(last) + 1) if dash else [int(first)]
    return found
