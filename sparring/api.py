"""The library's verbs: train, sample, score, evaluate, check. The command line does nothing that these cannot."""

import importlib
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sparring.applying import Applied, Job, apply_files, plan
from sparring.augmenting import Wish
from sparring.benefit import Course
from sparring.board import Board
from sparring.data import DataSource, Decoded
from sparring.enlarged import Enlarged, enlarge
from sparring.errors import RequestError, RunError
from sparring.evaluation import Evaluation
from sparring.experiment import Experiment
from sparring.leaks import refuse_selection
from sparring.learning import refuse_run_in_the_way
from sparring.learning import steps as play
from sparring.limits import Limits
from sparring.metrics import Metric
from sparring.model import Model, load
from sparring.processes import is_first
from sparring.proposal import propose
from sparring.record import Record
from sparring.run import Run
from sparring.tasks.picture import PictureTask


class Interrupted(RunError):
    """Training was interrupted, and saved; the message says how to go on (exit 130)."""

    exit_code: ClassVar[int] = 130


def train(  # noqa: PLR0913
    data: str | Path | DataSource | Decoded,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    images: int | None = None,
    until: str | None = None,
    auto_batch: bool = False,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    plugin: Sequence[str] = (),
    on_record: Callable[[Record], None] | None = None,
    **proposing: Any,
) -> Model:
    """Learns the likeness of the data.

    Args:
        data: a path, a name, a source, or pictures as an array ``(n, h, w[, c])`` or a list of pictures.
        out: the run's folder; ``runs/<data>-<task>-<n>`` where it is not given.
        minutes: stop after so many minutes; the length is planned so that schedules end there.
        steps: stop after so many generator updates.
        images: stop when the discriminator has seen so many real items.
        until: stop when a metric on the *select* split keeps a bound, ``"frechet<20"``.
        auto_batch: compute a batch in parts where memory would not hold it, with the gradients of the whole batch but
            for what depends on neighbours in it (batch norm, packs, minibatch deviation) and for dropout.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        resume: go on where the run in ``out`` stopped.
        overwrite: remove the run that is in ``out``.
        plugin: modules with parts of your own, imported first.
        on_record: is called with every record.
        **proposing: what :func:`sparring.propose` takes: ``recipe``, ``size``, ``seed``, ``settings``, ``private`` with
            ``epsilon`` and ``delta``, and others.

    Returns:
        The trained model.

    Raises:
        RequestError: an unknown name, field or value, or ``out`` holds a run already.
        DataError: the data cannot be used.
        RunError: ``out`` is in use or cannot be written.
        TrainingError: a loss is not finite.
        Interrupted: Ctrl-C or SIGTERM came; everything is saved.
    """
    limits = Limits(minutes, steps, images, until, auto_batch)
    import_plugins(plugin)
    folder = Path(out) if out is not None else default_out(data, proposing.get("task") or "generation")
    refuse_run_in_the_way(Run(folder), resume=resume, overwrite=overwrite)
    if proposing.get("private"):
        refuse_selection(until)
    goes_on = resume and not overwrite and Run(folder).exists()
    proposal = propose(data, store=Run(folder).data, overwrite=overwrite, **proposing)
    records = play(
        proposal.experiment,
        folder,
        limits=limits if goes_on or proposing.get("epochs") is None else _within_epochs(limits, proposal.experiment),
        device=device,
        resume=resume,
        overwrite=overwrite,
        material=proposal.material,
    )
    with _interruptible() as interrupted, Board(folder, resume=resume) as board:
        for record in records:
            if is_first():
                board(record)
            if on_record is not None:
                on_record(record)
            if interrupted.is_set():
                records.close()
                done = (
                    f"stopped and saved after step {record.step:,}" if record.step else "stopped before the first step"
                )
                raise Interrupted(f"{done}; go on with --resume --out {folder}")
    return load(folder)


def _within_epochs(limits: Limits, experiment: Experiment) -> Limits:
    """Limits that end a fresh run after its epochs too: minutes alone would plan what fits into them."""
    images = experiment.training.images
    return replace(limits, images=images if limits.images is None else min(limits.images, images))


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a step is finished before the run is saved."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(*_: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def default_out(data: Any, task: str) -> Path:
    """The first free folder ``runs/<data>-<task>-<n>``.

    Raises:
        RequestError: several processes train together, and might not agree on what is free.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RequestError("several processes must agree on the run's folder; give --out")
    name = "data"
    if isinstance(data, DataSource):
        name = data.title()
    elif isinstance(data, str | Path):
        name = Path(data).name.split(".")[0] or "data"
    return next(p for n in itertools.count(1) if not (p := Path("runs") / f"{name}-{task}-{n}").exists())


def import_plugins(modules: Sequence[str]) -> None:
    """Imports modules with a user's own parts, from the current folder too."""
    for name in (modules,) if isinstance(modules, str) else modules:
        if "" not in sys.path and str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise RequestError(f"plugin '{name}' cannot be imported: {error}") from None


def next_command(run: str | Path) -> str:
    """The command that uses what a run has learned."""
    asks = isinstance(load(run).experiment.task, PictureTask)
    return f"sparring apply {run} INPUT -o PATH" if asks else f"sparring sample {run} -n 16"


def has_held_back(run: str | Path) -> bool:
    """Whether a run's data left items to report on, so that it can be evaluated by itself."""
    split = Run(run).read(Run(run).experiment).get("splits", {}).get("report", {})
    return bool(split.get("count"))


def sample(run: str | Path, n: int = 64, *, best: bool = False, **asked: Any) -> Decoded:
    """New items of a run's model, the last or the best, as :meth:`sparring.Model.sample` gives them."""
    return load(run, best=best).sample(n, **asked)


def score(run: str | Path | Model, data: str | Path | DataSource | np.ndarray) -> Mapping[str, float] | np.ndarray:
    """What :meth:`sparring.Model.score` says of each item: by name for a path or source, ``(n,)`` for an array."""
    model = run if isinstance(run, Model) else load(run)
    if isinstance(data, np.ndarray):
        return model.score(data)
    read = model.read(data)
    known = set(model.asking.titles()) <= set(read.attributes)
    verdicts = model.score(read.items[np.arange(len(read))], read.attributes if known else None)
    return dict(zip(read.names, verdicts.tolist(), strict=True))


def apply(  # noqa: PLR0913
    run: str | Path,
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    mask: str | Path | None = None,
    overwrite: bool = False,
    best: bool = False,
    on_file: Callable[[int, int, Path], None] | None = None,
    **asked: Any,
) -> Applied:
    """Restores or translates files with a run's model; failures are named and the rest is done.

    Args:
        run: the run's folder.
        inputs: pictures, and folders that are searched for them.
        out: a folder, or, for one picture, a file.
        mask: holes to be filled in, white: a file for all, or a folder with one of each picture's name.
        overwrite: replace files that are there; inputs never are.
        best: take the model that was best on held-back items, not the last.
        on_file: is called before each picture with its number, how many there are, and its path.
        **asked: ``tile``, ``seed``, ``strength``, ``scale`` and ``turns`` of :class:`~sparring.restoring.Restorer`.

    Raises:
        RequestError: the model is none of pictures from pictures, there is no such input, or an output is in the way.
    """
    restorer = load(run, best=best).restorer(**asked)
    wanted = [inputs] if isinstance(inputs, str | Path) else inputs
    jobs = plan(wanted, out, mask, masked=restorer.task.masked)
    done = itertools.count(1)

    def tell(job: Job) -> None:
        if on_file is not None:
            on_file(next(done), len(jobs), job.source)

    return apply_files(restorer, jobs, overwrite=overwrite, on_file=tell)


def augment(  # noqa: PLR0913
    run: str | Path,
    data: str | Path | DataSource,
    out: str | Path,
    *,
    label: str | None = None,
    factor: float | None = None,
    balance: bool = False,
    seeds: int = 5,
    seed: int = 0,
) -> Enlarged:
    """Balances or enlarges a labelled set by a run's items, and measures on held-back items whether that helps.

    Args:
        run: the run's folder.
        data: pictures with labels, or a table, as the run's own data were.
        out: a folder or file that is not there yet, outside of the data.
        label: the attribute or column that is the class; found out where it is not given.
        factor: so many times as many items.
        balance: as many of each class as of the commonest first; so too where there is no factor.
        seeds: times that each way is measured.
        seed: of everything that is drawn.

    Raises:
        RequestError: the data are not of the run's form, nothing is to be added, or ``out`` is in the way.
        DataError: the data have no labels, a single class, or a class of one item.
    """
    folder = Path(out)
    read = Path(data).expanduser().resolve() if isinstance(data, str | Path) else None
    if read is not None and read.is_dir() and read in [folder.resolve(), *folder.resolve().parents]:
        raise RequestError(f"{out} lies in the data; give another -o")
    model = load(run)
    wish = Wish(factor, balance, Course(seeds, seed))
    return enlarge(model, model.read(data), folder, label=label, wish=wish)


def evaluate(  # noqa: PLR0913
    run: str | Path,
    *,
    against: str | Path | DataSource | None = None,
    metrics: Sequence[str | Metric] = (),
    features: str | None = None,
    weights: str | Path | None = None,
    count: int | None = None,
    beside: str | Path | None = None,
    best: bool = False,
) -> Evaluation:
    """Judges a run's model with floors, intervals and protocol.

    Args:
        run: its folder.
        against: other data to compare with; the run's own held-back items where not given.
        metrics: metrics or their names; the default ones where none are named.
        features: name of the features, such as ``inception``; those that suit the data where none are named.
        weights: file of the weights of such features; found or fetched once where not given.
        count: generated items; as many as the reference holds where not given.
        beside: another run of the same task, whose numbers stand in a column of their own, such as one that was
            trained without a discriminator (``game.adversary=0``). The report shows it until the next evaluation.
        best: judge the model that was best on held-back items while training, instead of the last.

    Raises:
        RequestError: no metric or features have that name, or the features do not suit the data.
        DataError: no items are held back to compare with.
        RunError: the folder holds no trained model.
    """
    judge = load(run, best=best).evaluate
    described = {"features": features, "weights": weights}
    return judge(against=against, metrics=metrics, **described, count=count, beside=beside)
