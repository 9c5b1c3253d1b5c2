"""What ``sparring train`` shows while it works: what was found, what is trained, and how far it is."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from sparring import wording
from sparring.codec import Codec, outlined, read_experiment
from sparring.errors import RunError
from sparring.experiment import Experiment
from sparring.plan import Plan
from sparring.record import Record
from sparring.run import Run

PAUSE = 10.0
"""Seconds between two lines where no line can be redrawn."""


class Progress:
    """Shows records: on a terminal one line that is redrawn, elsewhere plain lines :data:`PAUSE` seconds apart.

    Args:
        out: the run's folder, which says what was found and what is trained.
        recipe: the name that was asked for, if any.
    """

    def __init__(self, out: Path, recipe: str | None):
        self.out, self.recipe = out, recipe
        self.view: _View | None = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, record: Record) -> None:
        if self.view is None:
            for line in beginning(self.out, self.recipe):
                _say(line)
            self.view = _Bar() if sys.stderr.isatty() else _Lines()
        self.view.show(record)

    def __exit__(self, *raised: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.view is not None:
            self.view.close()


class Counter:
    """Names the picture that is worked on: on a terminal in one line that is redrawn, elsewhere a line each."""

    def __enter__(self) -> Self:
        return self

    def __call__(self, number: int, count: int, path: Path) -> None:
        line = f"{number} of {count}: {path}"
        print(f"\r\x1b[K{line}" if sys.stderr.isatty() else line, end=_end(), file=sys.stderr, flush=True)

    def __exit__(self, *raised: type[BaseException] | BaseException | TracebackType | None) -> None:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _end() -> str:
    return "" if sys.stderr.isatty() else "\n"


def beginning(out: Path, recipe: str | None) -> list[str]:
    """What a run found and what it trains, a line each."""
    run = Run(out)
    described, experiment = run.read(run.experiment), read_experiment(run)
    codec = Codec.from_json(run.read(run.codec / "codec.json"))
    plan = Plan.from_json(run.read(run.plan))
    players = outlined(experiment, codec)
    try:
        counts = {name: split["count"] for name, split in described["splits"].items()}
        skipped = wording.skipped(described["skipped"])
        notes = list(described["notes"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RunError(f"{run.experiment} does not say what was found ({type(error).__name__}: {error})") from None
    return [
        f"found    {wording.usage(counts, codec.modality.spec().shape)}",
        *([f"labels   {', '.join(experiment.task.attributes)}"] if experiment.task.attributes else []),
        *(f"note     {note}" for note in [*notes, *_risks(experiment, codec)]),
        *skipped,
        f"trains   {recipe or 'the default recipe'}: {wording.game(experiment.task.game)}",
        f"players  {wording.parameters(players)}",
        f"length   {plan.length():,} steps of {plan.images_per_step} items in {plan.computing()}",
    ]


def _risks(experiment: Experiment, codec: Codec) -> Sequence[str]:
    task = experiment.task
    return task.risks(codec.spec(task))


def speed(record: Record) -> str:
    """Images a second and the time that is left, where they are known."""
    if not (record.images_per_second and record.step):
        return ""
    left = (record.steps - record.step) * record.images / record.step / record.images_per_second
    return f"{record.images_per_second:,.0f} images/s, {wording.duration(left)} left"


def losses(record: Record) -> str:
    """The terms; one that is called as its turn is named once."""
    said = []
    for name, value in record.terms.items():
        turn, _, term = name.partition("/")
        said.append(f"{term or turn} {value:.3g}")
    return ", ".join(said)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _View(Protocol):
    def show(self, record: Record) -> None: ...
    def close(self) -> None: ...


class _Lines:
    """Plain lines, for files and pipes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock, self.next = clock, -math.inf

    def show(self, record: Record) -> None:
        if record.note is not None:
            _say(record.note)
        elif record.terms and (self.clock() >= self.next or record.step >= record.steps):
            parts = [f"step {record.step:,} of {record.steps:,}", losses(record), speed(record)]
            _say(", ".join(part for part in parts if part))
            self.next = self.clock() + PAUSE

    def close(self) -> None:
        pass


_BAR = 20
"""Columns of a terminal that the bar takes."""


class _Bar:
    """One line on a terminal, drawn again with every record; nothing runs beside the training."""

    def __init__(self):
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars

        said = TextColumn("{task.description}", markup=False)
        self.bars = Bars(BarColumn(_BAR), said, console=Console(stderr=True), auto_refresh=False)
        self.bars.start()
        self.task = self.bars.add_task("", total=None)

    def show(self, record: Record) -> None:
        console = self.bars.console
        if record.note is not None:
            console.print(record.note, markup=False, highlight=False)
        if record.note is not None or not record.terms:
            return
        said = f"{record.step:,}/{record.steps:,}"
        for part in (*speed(record).split(", "), *losses(record).split(", ")):
            longer = f"{said}, {part}" if part else said
            if len(longer) >= console.width - _BAR - 1:
                break
            said = longer
        self.bars.update(self.task, completed=record.step, total=record.steps, description=said, refresh=True)

    def close(self) -> None:
        self.bars.stop()
