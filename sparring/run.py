"""The run folder: names, writing and reading back. The only state that the library, the CLI and the web page share.

Files are written aside, synced and renamed; a checkpoint is a folder that is renamed whole and holds the checksums of
its files. Logs are appended to, and are safe on disk before the checkpoint that relies on them. What a crash left
half-written is removed when the run goes on. Nothing is ever unpickled.
"""

import json
import re
import shutil
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from sparring import checkpoint
from sparring.errors import RunError
from sparring.files import append_line, remove_asides, remove_folder, rewrite_lines, sync_file, write_atomic
from sparring.ownership import locked, refuse_links
from sparring.stored import LARGEST_JSON, is_sound, parsed, read_json, refuse_long

LOGS = ("log", "timing", "metrics")
"""What is appended to while a run goes on, one record a line."""

Restored = tuple[dict[str, Tensor], dict[str, Any], list[str]] | None
"""Tensors and counters of a checkpoint, and what was found damaged on the way to it; None where there is none."""

_KEPT_DATA = re.compile(r"[0-9a-f]{16}\.(np[yz]|parquet)")
_SPARE_BYTES = 2**20


class Run:
    """A run's folder.

    Args:
        folder: where it is or will be.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    @property
    def experiment(self) -> Path:
        """What is needed to run again."""
        return self.folder / "experiment.json"

    @property
    def plan(self) -> Path:
        """Length and measured settings."""
        return self.folder / "plan.json"

    @property
    def codec(self) -> Path:
        """The folder of what the modality learned of the data."""
        return self.folder / "codec"

    @property
    def generator(self) -> Path:
        """Every averaged module that sampling needs."""
        return self.folder / "generator.safetensors"

    @property
    def evaluation(self) -> Path:
        """The newest evaluation by all default metrics, and what it judged."""
        return self.folder / "evaluation.json"

    @property
    def suspects(self) -> Path:
        """The picture of generated items that are suspiciously near to training items."""
        return self.folder / "suspects.png"

    @property
    def best(self) -> Path:
        """The folder of the model that was best by a number on held-back items."""
        return self.folder / "best"

    @property
    def report(self) -> Path:
        """The page that tells of the run."""
        return self.folder / "report.html"

    @property
    def data(self) -> Path:
        """The folder of data that were given in memory."""
        return self.folder / "data"

    @property
    def saved(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        """The folder of pictures from the same latents."""
        return self.folder / "samples"

    def log(self, name: str) -> Path:
        """``log.jsonl``, ``timing.jsonl`` or ``metrics.jsonl``."""
        return self.folder / f"{name}.jsonl"

    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return self.experiment.is_file()

    def strangers(self) -> list[str]:
        """What lies where a run would write, in a folder that holds none."""
        names = ["checkpoints", "plan.json", "generator.safetensors", *(f"{log}.jsonl" for log in LOGS)]
        return [] if self.exists() else [name for name in names if (self.folder / name).exists()]

    def refuse_links(self) -> None:
        """Refuses a run that would be read from or written to elsewhere, as :func:`sparring.ownership.refuse_links`."""
        refuse_links(self.folder)

    def clear(self, keep: Path | None = None) -> None:
        """Removes what an earlier run left, and nothing else.

        What makes the folder a run goes last, so that an interrupted removal is seen as one.

        Args:
            keep: a file of data that the next run learns from.
        """
        for folder in (
            self.saved,
            self.codec,
            self.samples,
            self.best,
            self.folder / "features",
            self.folder / "tensorboard",
        ):
            remove_folder(folder)
        for log in LOGS:
            self.log(log).unlink(missing_ok=True)
        for file in self.data.glob("*"):
            if _KEPT_DATA.fullmatch(file.name) and (keep is None or file.resolve() != keep.resolve()):
                file.unlink()
        for file in (self.report, self.evaluation, self.suspects, self.generator, self.plan, self.experiment):
            file.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Removes what a process that was killed left half-written; only for the one that holds the lock."""
        for folder in (self.folder, self.saved, self.codec, self.samples, self.best, self.data):
            remove_asides(folder)

    def lock(self) -> AbstractContextManager[None]:
        """Keeps a second process out; the lock does not survive its owner."""
        return locked(self.folder)

    def write(self, path: Path, value: dict[str, Any]) -> None:
        """Writes a JSON file of the run.

        Raises:
            RunError: it would be longer than what is read back.
        """
        text = json.dumps(value, indent=1, allow_nan=False) + "\n"
        if len(text) > LARGEST_JSON:
            raise RunError(f"{path} would have {len(text)} bytes, more than the {LARGEST_JSON} that are read back")
        with write_atomic(path) as aside:
            aside.write_text(text)

    def read(self, path: Path) -> dict[str, Any]:
        """Reads a JSON file of the run.

        Raises:
            RunError: it is missing or damaged.
        """
        try:
            value = read_json(path)
        except FileNotFoundError:
            raise RunError(f"{path} is missing; is {self.folder} the folder of a run?") from None
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path} cannot be read: {error}") from None
        if not isinstance(value, dict):
            raise RunError(f"{path} does not hold an object")
        return value

    def append(self, log: str, record: dict[str, Any]) -> None:
        """Adds a record to ``log.jsonl``, ``timing.jsonl`` or ``metrics.jsonl``."""
        append_line(self.log(log), json.dumps(record))

    def records(self, log: str) -> list[dict[str, Any]]:
        """The records of a log; a line that a crash cut off, or that no run writes, is left out."""
        path = self.log(log)
        if not path.is_file():
            return []
        refuse_long(path)
        lines = path.read_bytes().splitlines()
        there = [entry for line in lines if (entry := parsed(line)) is not None and is_sound(entry)]
        return [entry for entry in there if log != "metrics" or "metrics" in entry]

    def cut(self, step: int) -> None:
        """Cuts every log, and the pictures, back to what was known when ``step`` steps were done."""
        for log in LOGS:
            path = self.log(log)
            if not path.is_file():
                continue
            refuse_long(path)
            rewrite_lines(path, lambda line: (entry := parsed(line)) is not None and entry["step"] <= step)
        self.remove_pictures(lambda drawn: drawn > step)

    def remove_pictures(self, where: Callable[[int], bool]) -> None:
        """Removes pictures by the steps that they are called by."""
        for path in self.samples.glob("*"):
            if path.stem.isdecimal() and where(int(path.stem)):
                path.unlink()

    def checkpoints(self) -> list[Path]:
        """Complete checkpoints, oldest first; the name is the number of steps done."""
        folder = self.saved
        return sorted(p for p in folder.glob("[0-9]*") if p.name.isdigit()) if folder.is_dir() else []

    def refuse_full_disk(self, size: int) -> None:
        """Refuses to begin to write ``size`` bytes where there is no room for them.

        Raises:
            RunError: there is less room on the disk of the run.
        """
        free = shutil.disk_usage(self.folder).free
        if free < size + _SPARE_BYTES:
            raise RunError(
                f"{self.folder}: a checkpoint needs {(size + _SPARE_BYTES) / 2**20:.1f} MiB of room and "
                f"{free / 2**20:.1f} MiB are free; make room, then go on with --resume"
            )

    def save(self, step: int, tensors: dict[str, Tensor], counters: dict[str, Any]) -> Path:
        """Writes a checkpoint.

        Raises:
            RunError: it cannot be written; those that were there still are.
        """
        for log in LOGS:
            if self.log(log).is_file():
                sync_file(self.log(log))
        final = self.saved / f"{step:08d}"
        with write_atomic(final) as aside:
            checkpoint.write(aside, tensors, counters)
            remove_folder(final)
        return final

    def prune(self, step: int, keep: int, well: int, planned: Callable[[int], bool] | None = None) -> None:
        """Removes checkpoints but for that of ``step``, the last ``keep`` planned ones and the last of up to ``well``.

        Later ones, which were damaged or were gone back from, are removed too.

        Args:
            step: steps done.
            keep: planned checkpoints of at most so many steps that stay.
            well: steps up to which all was well.
            planned: whether a checkpoint of so many steps was planned; others, of Ctrl-C, give way to the next.
        """
        there = self.checkpoints()
        known = [path for path in there if planned is None or planned(int(path.name))]
        good = [path for path in known if int(path.name) <= well][-1:]
        good += [path for path in known if int(path.name) <= step][-keep:]
        good += [path for path in there if int(path.name) == step]
        for old in there:
            if old not in good:
                remove_folder(old)

    def forget(self, step: int) -> None:
        """Removes the checkpoints of more than ``step`` steps, the newest first."""
        for path in reversed(self.checkpoints()):
            if int(path.name) > step:
                remove_folder(path)

    def restore(self, well: int | None = None, planned: Callable[[int], bool] | None = None) -> Restored:
        """The newest checkpoint that is whole, with what was found damaged on the way; None where there is none.

        Args:
            well: steps that it has at most, where it is to be gone back to; the start always can be.
            planned: whether a checkpoint of so many steps may be taken.
        """
        damaged: list[str] = []
        there = [path for path in self.checkpoints() if planned is None or planned(int(path.name))]
        for path in reversed([p for p in there if well is None or int(p.name) <= well]):
            try:
                return *checkpoint.read(path), damaged
            except checkpoint.Damage as error:
                damaged.append(f"{path} is damaged and left out: {error}")
        if damaged and well is None:
            raise RunError("; ".join(damaged) + "; no whole checkpoint is left: --overwrite begins anew")
        return None

    def good(self, well: int, planned: Callable[[int], bool], tried: Collection[int]) -> Restored:
        """What is gone back to: the newest whole and planned checkpoint of at most ``well`` steps; None: the start.

        Args:
            well: steps up to which all was well.
            planned: whether a checkpoint of so many steps was planned.
            tried: steps that were gone back to before; where that did not help, an older one is taken, if there is one.
        """
        kept = self.restore(well, planned)
        if kept is not None and kept[1]["step"] in tried:
            return self.restore(kept[1]["step"] - 1, planned) or kept
        return kept

    def write_tensors(self, path: Path, tensors: dict[str, Tensor]) -> None:
        """Writes named tensors as safetensors."""
        with write_atomic(path) as aside:
            checkpoint.save_tensors(aside, tensors)

    def read_tensors(self, path: Path) -> dict[str, Tensor]:
        """Reads named tensors.

        Raises:
            RunError: the file is missing or damaged.
        """
        try:
            return safetensors.torch.load_file(path)
        except FileNotFoundError:
            raise RunError(f"{path} is missing; the run has not saved a model yet: go on with --resume") from None
        except (OSError, safetensors.SafetensorError) as error:
            raise RunError(f"{path} cannot be read: {error}") from None
