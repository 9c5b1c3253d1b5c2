"""What a run's files say, read back without trust: a run may be a stranger's, or damaged."""

import json
from collections.abc import Sequence
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

LARGEST_JSON = 2**24
"""Bytes of a JSON file of a run, written or read; the largest tells of skipped files, for which a quarter is kept."""


def read_json(path: Path) -> Any:
    """What a JSON file says, of no more bytes than a run writes.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read.
    """
    return json.loads(read_bounded(path, LARGEST_JSON).decode("utf-8"))


def listed(faults: Sequence[Sequence[str]]) -> list[list[str]]:
    """Skipped files as a run tells of them: as many as a quarter of a JSON file holds, and how many more there are."""
    kept, room = list[list[str]](), LARGEST_JSON // 4
    for fault in faults:
        kept.append(list(fault))
        room -= len(json.dumps(kept[-1], indent=1)) + 16  # deeper indents
        if room < 0:
            return [*kept[:-1], ["…", f"{len(faults) - len(kept) + 1:,} more files were skipped"]]
    return kept


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
