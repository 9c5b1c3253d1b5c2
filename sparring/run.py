"""The run folder: names, writing and reading back. The only state that the library, the CLI and the web page share.

Files are written aside, synced and renamed; a checkpoint is a folder that is renamed whole and holds the checksums of
its files. Nothing is ever unpickled.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from sparring.errors import RunError
from sparring.files import sync_folder, write_atomic


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
    def data(self) -> Path:
        """The folder of data that were given in memory."""
        return self.folder / "data"

    @property
    def samples(self) -> Path:
        """The folder of pictures from the same latents."""
        return self.folder / "samples"

    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return self.experiment.is_file()

    def clear(self, keep: Path | None = None) -> None:
        """Removes what an earlier run left, and nothing else.

        Args:
            keep: a file of data that the next run learns from.
        """
        for file in ("experiment.json", "plan.json", "generator.safetensors", "report.html"):
            (self.folder / file).unlink(missing_ok=True)
        for log in self.folder.glob("*.jsonl"):
            log.unlink()
        for folder in ("checkpoints", "codec", "samples", "features"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
        for file in self.data.glob("*"):
            if keep is None or file.resolve() != keep.resolve():
                file.unlink()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps a second process out; the lock does not survive its owner."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(
                    f"{self.folder}: another process trains here; wait for it or choose another --out"
                ) from None
            yield

    def write(self, path: Path, value: dict[str, Any]) -> None:
        """Writes a JSON file of the run."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomic(path) as aside:
            aside.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")

    def read(self, path: Path) -> dict[str, Any]:
        """Reads a JSON file of the run.

        Raises:
            RunError: it is missing or damaged.
        """
        try:
            value = json.loads(path.read_text())
        except FileNotFoundError:
            raise RunError(f"{path} is missing; is {self.folder} the folder of a run?") from None
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path} cannot be read: {error}") from None
        if not isinstance(value, dict):
            raise RunError(f"{path} does not hold an object")
        return value

    def append(self, log: str, record: dict[str, Any]) -> None:
        """Adds a record to ``log.jsonl``, ``timing.jsonl`` or ``metrics.jsonl``."""
        with (self.folder / f"{log}.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")

    def records(self, log: str) -> list[dict[str, Any]]:
        """The records of a log; a line that a crash cut off is left out."""
        path = self.folder / f"{log}.jsonl"
        found = []
        for line in path.read_text().splitlines() if path.is_file() else []:
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found

    def cut(self, step: int) -> None:
        """Cuts every log back to what was known when ``step`` steps were done."""
        for path in self.folder.glob("*.jsonl"):
            kept = [r for r in self.records(path.stem) if r["step"] <= step]
            with write_atomic(path) as aside:
                aside.write_text("".join(json.dumps(record) + "\n" for record in kept))

    def checkpoints(self) -> list[Path]:
        """Complete checkpoints, oldest first; the name is the number of steps done."""
        folder = self.folder / "checkpoints"
        return sorted(p for p in folder.glob("[0-9]*") if p.name.isdigit()) if folder.is_dir() else []

    def save(self, step: int, tensors: dict[str, Tensor], counters: dict[str, Any], keep: int = 2) -> Path:
        """Writes a checkpoint and removes all but the last ``keep``."""
        final = self.folder / "checkpoints" / f"{step:08d}"
        aside = final.with_name(f".{final.name}.partial")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
            safetensors.torch.save_file(plain, aside / "state.safetensors")
            (aside / "counters.json").write_text(json.dumps(counters))
            sums = {p.name: _checksum(p) for p in sorted(aside.iterdir())}
            (aside / "checksums.json").write_text(json.dumps(sums))
            for path in aside.iterdir():
                _sync(path)
            sync_folder(aside)
            shutil.rmtree(final, ignore_errors=True)
            os.replace(aside, final)
            sync_folder(final.parent)
        except OSError as error:
            shutil.rmtree(aside, ignore_errors=True)
            raise RunError(f"{final}: the checkpoint cannot be written: {error.strerror or error}") from None
        for old in self.checkpoints()[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
        return final

    def restore(self) -> tuple[dict[str, Tensor], dict[str, Any], list[str]] | None:
        """The newest checkpoint that is whole, with what was found damaged on the way; None where there is none."""
        damaged: list[str] = []
        for path in reversed(self.checkpoints()):
            try:
                sums = json.loads((path / "checksums.json").read_text())
                for name in ("state.safetensors", "counters.json"):
                    if _checksum(path / name) != sums[name]:
                        raise RunError(f"{path / name} does not match its checksum")
                tensors = safetensors.torch.load_file(path / "state.safetensors")
                return tensors, json.loads((path / "counters.json").read_text()), damaged
            except (OSError, ValueError, KeyError, TypeError, RunError, safetensors.SafetensorError) as error:
                damaged.append(f"{path} is damaged and left out: {error}")
        if damaged:
            raise RunError("; ".join(damaged) + "; no whole checkpoint is left")
        return None

    def write_tensors(self, path: Path, tensors: dict[str, Tensor]) -> None:
        """Writes named tensors as safetensors."""
        with write_atomic(path) as aside:
            safetensors.torch.save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, aside)

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


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
