"""What a run's files say, read back without trust: a run may be a stranger's, or damaged."""

import json
from pathlib import Path
from typing import Any

import torch

from sparring.errors import RunError
from sparring.files import read_bounded
from sparring.memory import available

Entry = dict[str, Any]
"""A record of a log."""

_GROWTH = 24
"""Bytes of memory that a byte of JSON takes at most: ``{}`` and a comma are an empty dict and its place in a list."""

_LARGEST_JSON = 2**24
"""Bytes of a JSON file; the largest that a run writes tells of skipped files, 10,000 of which take 1 MiB."""


def read_json(path: Path) -> Any:
    """What a JSON file says, of no more bytes than a run writes.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read.
    """
    return json.loads(read_bounded(path, _LARGEST_JSON).decode("utf-8"))


def refuse_long(log: Path) -> None:
    """Refuses a log that there may be no memory to read; how long it may be is the user's choice.

    Raises:
        RunError: there is less memory.
    """
    size, left = log.stat().st_size, available(torch.device("cpu"))
    if left is not None and size * _GROWTH > left:
        raise RunError(
            f"{log} has {size / 2**20:,.0f} MiB, and reading it may take {_GROWTH} times as much memory, which is not "
            "free; a run that keeps fewer records (training.keep_records) has a shorter one"
        )


def parsed(line: bytes) -> Entry | None:
    """The record in a line of a log; None where a crash cut it off."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("step"), int) else None
