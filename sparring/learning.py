"""Learning: plays an experiment in a run's folder, step by step, and yields records.

Pausing is not asking for the next record; closing the iterator saves a checkpoint.
"""

import os
import time
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from sparring.codec import SPLITS, Codec, keep_codec, read_experiment
from sparring.data.content import REPORT
from sparring.errors import RequestError, RunError
from sparring.experiment import Experiment, Material, gather, gather_privately, private_codec
from sparring.leaks import refuse_selection
from sparring.limits import Bound, Limits
from sparring.measuring import Measuring
from sparring.memory import told_when_it_runs_out
from sparring.modalities.conditions import ConditionTable
from sparring.privacy import is_kept, keep_secret, secret, secret_seed
from sparring.processes import end_with_parent, is_first
from sparring.provenance import provenance
from sparring.run import Run
from sparring.session import Record, Session
from sparring.stored import listed


def steps(  # noqa: PLR0913
    experiment: Experiment,
    out: str | Path,
    *,
    limits: Limits | None = None,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    material: Material | None = None,
) -> Generator[Record, None, None]:
    """Plays an experiment and yields a record every few steps.

    Args:
        experiment: what to play.
        out: the run's folder.
        limits: when to stop.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        resume: go on where the run in ``out`` stopped; start where there is none.
        overwrite: remove the run that is in ``out``; a private one gets another secret.
        material: what the experiment works on, where it has been read already.

    Raises:
        RequestError: ``out`` holds a run already, or one of another experiment.
        RunError: ``out`` is in use, damaged, or was begun with other data.
        TrainingError: a loss is not finite.
    """
    joined, threads = not dist.is_initialized(), torch.get_num_threads()
    where = choose_device(device)
    try:
        limits, run = limits or Limits(), Run(out)
        if experiment.training.privacy is not None:
            refuse_selection(limits.until)
        material = material or _gathered(experiment, run, overwrite=overwrite)
        _refuse_place(run, experiment)
        if limits.until is not None:
            Measuring(run, experiment, material).refuse(Bound.parse(limits.until))
        with run.lock() if is_first() else nullcontext():
            if is_first():
                _begin(run, experiment, material, resume=resume, overwrite=overwrite)
            if dist.is_initialized():
                dist.barrier()
            material = _as_begun(run, material)
            with told_when_it_runs_out(experiment.training.batch, experiment.training.accumulate):
                session = Session(run, experiment, material, limits, where)
                if resume and not session.engine.step_number:
                    session.notes.insert(0, f"{run.folder} holds no checkpoint to go on from: starts at the first step")
                yield from session.play()
            if joined and dist.is_initialized():
                # A process that leaves the group while another still talks to it is aborted.
                dist.barrier()
    finally:
        torch.set_num_threads(threads)
        if joined and dist.is_initialized():
            _leave()


def _refuse_place(run: Run, experiment: Experiment) -> None:
    """Refuses to put a run where a file is, or among the data that it learns from.

    Raises:
        RequestError: the folder cannot or should not be made.
    """
    folder = run.folder.resolve()
    taken = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if taken.is_file():
        raise RequestError(f"--out {run.folder}: {taken} is a file; choose a folder")
    path = getattr(experiment.data, "path", None)
    data = None if path is None else Path(path).expanduser().resolve()
    if data is not None and data.is_dir() and folder.is_relative_to(data):
        raise RequestError(
            f"--out {run.folder} lies in the data {path}, and what is drawn there would be read as data; choose another"
        )


def _as_begun(run: Run, material: Material) -> Material:
    """The material in the codec that networks learn by, though another version of the package might fit another."""
    stored = Codec.from_json(run.read(run.codec / "codec.json")).modality
    return material if stored == material.modality else replace(material, modality=stored)


def _gathered(experiment: Experiment, run: Run, *, overwrite: bool) -> Material:
    """What the experiment works on, read; where it is private, with the secret of the run."""
    privacy, read = experiment.training.privacy, experiment.data.load()
    if privacy is None:
        return gather(experiment.task, read, select_share=experiment.select)
    key = secret(None if overwrite else run.data)
    codec = private_codec(read, privacy, secret_seed(key, experiment.seed), experiment.select)
    return gather_privately(experiment.task, read, codec, experiment.select, secret=key)


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` prefers cuda to mps to cpu. Joins the processes that torchrun started."""
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.append("mps")
    if torch.cuda.is_available():
        there.append("cuda")
    if name not in (*there, "auto"):
        raise RequestError(f"device '{name}' is not there; this machine has {', '.join(there)}, or give auto")
    chosen = there[-1] if name == "auto" else name
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        end_with_parent()
        dist.init_process_group("nccl" if chosen == "cuda" else "gloo")
    if chosen == "cuda" and dist.is_initialized():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device(chosen)


def _leave() -> None:
    """Leaves the group of processes.

    Gloo's threads outlive their group, and one that still holds a tensor of the last exchange aborts the process when
    Python ends before it got Python's lock to give the tensor back. The pause lends it the lock; the command line goes
    without Python's ending altogether.
    """
    dist.destroy_process_group()
    time.sleep(0.1)


def refuse_run_in_the_way(run: Run, *, resume: bool, overwrite: bool) -> None:
    """Refuses a folder that holds a run that shall neither go on nor be removed, or has links in its place."""
    run.refuse_links()
    if run.exists() and not resume and not overwrite:
        raise RequestError(f"{run.folder} holds a run already; --resume goes on with it, --overwrite removes it")
    if strangers := run.strangers():
        raise RequestError(
            f"{run.folder} holds {strangers[0]} but no experiment.json: a run that was damaged, or files of something "
            "else; choose another --out, or move them away"
        )


def _begin(run: Run, experiment: Experiment, material: Material, *, resume: bool, overwrite: bool) -> None:
    """Makes the folder ready, or refuses it."""
    described = {
        "experiment": experiment.to_json(),
        "splits": material.splits.summary(material.data.digests),
        "skipped": listed(material.data.faults),
        "notes": list(material.data.notes),
    }
    private = experiment.training.privacy is not None
    told = described | ({"splits": _told_splits(experiment, material), "skipped": [], "notes": []} if private else {})
    refuse_run_in_the_way(run, resume=resume, overwrite=overwrite)
    run.tidy()
    if run.exists() and not overwrite:
        stored = run.read(run.codec / "codec.json") if private else None
        if stored is not None and Codec.from_json(stored).modality != material.modality:
            raise RunError(
                f"{run.folder} cannot go on: its secret is not the one that it was begun with, or its data or budget "
                "changed; give the same, or --overwrite"
            )
        _refuse_another(run, described, run.read(run.data / SPLITS) if private else None)
        _refuse_other_labels(run, material)
        return
    if private and run.exists():
        _refuse_old_secret(run, material)
    if material.secret is not None:
        # First of all, so that whatever interrupts this, no two runs have one secret.
        keep_secret(run.data, material.secret)
    if overwrite:
        path = getattr(experiment.data, "path", None)
        run.clear(keep=None if path is None else Path(path))
    if private:
        # Counts and hashes tell of rows: they stay with the data.
        run.write(run.data / SPLITS, described["splits"])
    keep_codec(run, material)
    run.write(run.experiment, told | provenance())


def _refuse_old_secret(run: Run, material: Material) -> None:
    """Refuses noise from the secret of a run that is removed: noise that is drawn twice can be taken away."""
    if material.secret is None or is_kept(run.data, material.secret):
        raise RequestError(
            f"{run.folder} holds a private run, and what was proposed has its secret, which is not used twice; "
            "give propose(overwrite=True)"
        )


def _told_splits(experiment: Experiment, material: Material) -> dict[str, Any]:
    """About how many private rows each split has, from the noisy count alone, and no hash of them."""
    rows = material.modality.counted()
    learned = 1 - REPORT - experiment.select
    shares = {"train": 1.0, "select": experiment.select / learned, "report": REPORT / learned}
    return {name: {"count": round(rows * share), "hash": "private"} for name, share in shares.items()}


def _refuse_another(run: Run, described: dict[str, Any], splits: dict[str, Any] | None) -> None:
    """Refuses to go on with other settings or other data, naming the first difference."""
    stored = run.read(run.experiment)
    splits = stored.get("splits") if splits is None else splits
    # Read and written again, so that a field that is new since then has its default.
    before = read_experiment(run).to_json()
    for path, old, new in _differences(before, described["experiment"]):
        raise RequestError(
            f"{run.folder} was begun with {path} = {old}, not {new}; give the same settings or another --out"
        )
    for name, split in described["splits"].items():
        known = splits.get(name) if isinstance(splits, dict) else None
        if known != split:
            count = known.get("count") if isinstance(known, dict) else None
            raise RunError(
                f"{run.folder} was begun with other data: its {name} split had {count} items and this one has "
                f"{split['count']}, or their content changed; restore the data or choose another --out"
            )


def _refuse_other_labels(run: Run, material: Material) -> None:
    """Refuses to go on where items are of other classes now: those that were learned would be called by other names."""
    conditions = material.conditions
    if conditions is None:
        return
    before = Codec.from_json(run.read(run.codec / "codec.json")).conditions
    rows = ConditionTable.of(conditions, material.columns(material.splits.train)).rows
    if before != conditions or not np.array_equal(ConditionTable.load(run.codec, conditions).rows, rows):
        raise RunError(
            f"{run.folder} was begun with other labels of {', '.join(conditions.titles)}: a class has another name, or "
            "items are of another class; restore them or choose another --out"
        )


def _differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(a, b, f"{path}.{number}")
    elif old != new:
        yield path, old, new
