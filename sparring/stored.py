"""What a run's files say, read back without trust: a run may be a stranger's, or damaged."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparring.errors import RunError
from sparring.files import read_bounded
from sparring.memory import available

Entry = dict[str, Any]
"""A record of a log."""

_GROWTH = 24
"""Bytes of memory that a byte of JSON takes at most: ``{}`` and a comma are an empty dict and its place in a list."""

LARGEST_JSON = 2**24
"""Bytes of a JSON file of a run, written or read; the largest tells of skipped files, for which a quarter is kept."""


_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Number(BaseModel):
    """A number of ``metrics.jsonl``."""

    model_config = ConfigDict(strict=True)

    name: str
    value: float | None
    low: float | None
    high: float | None
    floor: float | None
    better: str
    baselines: dict[str, float | None] = {}


class _Fields(BaseModel):
    """What is gone by of a record, where it is there."""

    model_config = ConfigDict(strict=True)

    step: int = Field(ge=0)
    images: int = 0
    terms: dict[str, float] = {}
    signs: dict[str, float | None] = {}
    changes: list[str] = []
    alarm: str = ""
    note: str = ""
    seconds: _Seconds = 0.0
    measured_in: _Seconds = 0.0
    images_per_second: _Seconds = 0.0
    metrics: list[_Number] = []
    protocol: dict[str, Any] = {}
    refused: dict[str, str] = {}


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


def is_sound(entry: Entry) -> bool:
    """Whether the fields of a record are of the kinds that a run writes."""
    try:
        _Fields.model_validate(entry)
    except (ValidationError, RecursionError):
        return False
    return True
