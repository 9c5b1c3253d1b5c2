"""A checkpoint: a folder with the state of a run as safetensors, its counters as JSON, and the checksums of both."""

import errno
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy
import safetensors.torch
from torch import Tensor

from sparring.errors import RunError
from sparring.stored import read_json

STATE, COUNTERS, CHECKSUMS = "state.safetensors", "counters.json", "checksums.json"

_DAMAGE = (OSError, ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError)
_PASSING = frozenset(
    getattr(errno, name)
    for name in ("EMFILE", "ENFILE", "ENOMEM", "EACCES", "EPERM", "ESTALE", "ETIMEDOUT")
    if hasattr(errno, name)
)
"""What keeps a file from being read now and says nothing of what is in it."""


class Damage(Exception):
    """A checkpoint is not whole; the message says why."""


def write(folder: Path, tensors: dict[str, Tensor], counters: dict[str, Any]) -> None:
    """Fills a new folder with a checkpoint."""
    folder.mkdir()
    save_tensors(folder / STATE, tensors)
    (folder / COUNTERS).write_text(json.dumps(counters))
    sums = {path.name: checksum(path) for path in sorted(folder.iterdir())}
    (folder / CHECKSUMS).write_text(json.dumps(sums))


def read(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What a checkpoint holds.

    Raises:
        Damage: a file does not match its checksum, or does not hold what it should.
        RunError: it cannot be read now, and may well be whole.
    """
    try:
        return _read(folder)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno in _PASSING:
            raise RunError(f"{folder} cannot be read now: {error.strerror}; mend that, then go on") from None
        raise Damage(str(error)) from None


def _read(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    sums = read_json(folder / CHECKSUMS)
    for name in (STATE, COUNTERS):
        if checksum(folder / name) != sums[name]:
            raise Damage(f"{folder / name} does not match its checksum")
    counters = read_json(folder / COUNTERS)
    whole = isinstance(counters, dict) and all(isinstance(counters.get(k), int) for k in ("step", "images", "position"))
    if not whole or counters["step"] != int(folder.name):
        raise Damage(f"{folder / COUNTERS} does not hold the counters of step {int(folder.name)}")
    return safetensors.torch.load_file(folder / STATE), counters


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes named tensors as safetensors.

    Raises:
        OSError: they cannot be written.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.touch()
    mode = path.stat().st_mode & 0o777
    try:
        _write(path, plain)
        # It lets nobody but the owner read; a model may be read by whoever may read the rest of the run.
        path.chmod(mode)
    except safetensors.SafetensorError as error:  # the system's errors come as text
        found = re.search(r"os error (\d+)", str(error))
        code = int(found[1]) if found else errno.EIO
        raise OSError(code, os.strerror(code)) from None


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    """As arrays where numpy has their types: of tensors safetensors 0.8 loses some bytes in each call."""
    try:
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    except TypeError:  # bfloat16 and its like
        safetensors.torch.save_file(tensors, path)
    else:
        safetensors.numpy.save_file(arrays, path)


def checksum(path: Path) -> str:
    """The content hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
