"""Memory: what the machine and its control group leave, what a step takes, and what is said where that is too little.

A step's need is measured on a few rows, by what the backward pass holds on to, so that nothing runs out in finding out.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from sparring.errors import TrainingError

_SPARE = 1.5
"""What gradients, temporary results and the allocator add to what the backward pass holds."""


def available(device: torch.device, root: Path = Path("/")) -> int | None:
    """Bytes that are free for this process, or None where nothing says so.

    On a device with memory of its own they are the device's, else the least of what the machine and the control groups
    (versions 1 and 2) leave.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type != "cpu":
        return None
    found = [left for left in (_machine(root), *_groups(root)) if left is not None]
    return min(found, default=None)


def _machine(root: Path) -> int | None:
    text = _text(root / "proc/meminfo")
    match = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return None if match is None else int(match[1]) * 1024


def _groups(root: Path) -> Iterator[int | None]:
    """What each control group above the process leaves; files that fill the page cache count as free."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        parts = line.split(":", 2)
        if len(parts) < 3:
            continue
        _, kinds, path = parts
        if kinds and "memory" not in kinds.split(","):
            continue
        top = root / ("sys/fs/cgroup/memory" if kinds else "sys/fs/cgroup")
        limit, usage = ("memory.limit_in_bytes", "memory.usage_in_bytes") if kinds else ("memory.max", "memory.current")
        folder = top / path.strip("/")
        for place in [folder, *folder.parents]:
            if place.is_relative_to(top):
                yield _left(place / limit, place / usage, place / "memory.stat")


def _left(limit: Path, usage: Path, stat: Path) -> int | None:
    most, used = _text(limit).strip(), _text(usage).strip()
    if not most.isdecimal() or not used.isdecimal():
        return None
    cached = re.search(r"^(?:total_)?inactive_file (\d+)", _text(stat), re.MULTILINE)
    return max(0, int(most) - int(used) + (int(cached[1]) if cached else 0))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


@contextmanager
def held_for_backward() -> Iterator[Callable[[], int]]:
    """Counts the bytes that autograd keeps for backward passes; the function that is given says the most at once."""
    count = _Count()
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: _Held(tensor, count), lambda held: held.tensor):
        yield lambda: count.largest


class _Count:
    def __init__(self):
        self.users: dict[int, int] = {}
        self.now = self.largest = 0

    def add(self, storage: torch.UntypedStorage, users: int) -> None:
        place = storage.data_ptr()
        before = self.users.get(place, 0)
        self.users[place] = before + users
        if (before == 0) != (before + users == 0):
            self.now += storage.nbytes() if users > 0 else -storage.nbytes()
            self.largest = max(self.largest, self.now)


class _Held:
    """A tensor that autograd keeps; it lets go of it when the backward pass is over."""

    def __init__(self, tensor: Tensor, count: _Count):
        self.tensor, self.count = tensor, count
        count.add(tensor.untyped_storage(), 1)

    def __del__(self):
        self.count.add(self.tensor.untyped_storage(), -1)


def needed(measured: dict[int, int], rows: int) -> int:
    """Bytes of a step over ``rows`` rows, from those of one or two smaller numbers of rows, on a straight line.

    From one number alone the line goes through zero, which is too much rather than too little.
    """
    (few, low), (more, high) = min(measured.items()), max(measured.items())
    each = max(0.0, (high - low) / (more - few)) if more > few else low / few
    return int(_SPARE * (low + each * max(0, rows - few)))


def fitting(measured: dict[int, int], batch: int, room: int) -> list[int]:
    """In how many equal parts a batch may be computed for each to fit, the fewest first; none where no part does."""
    return [n for n in range(1, batch + 1) if batch % n == 0 and needed(measured, batch // n) <= room]


def ran_out(error: BaseException) -> bool:
    """Whether an error is memory running out, of a device or of the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in said or "out of memory" in said)


@contextmanager
def told_when_it_runs_out(batch: int, accumulate: int, *, goes_on: bool = True) -> Iterator[None]:
    """Makes running out of memory an error of one line with the remedy.

    Args:
        batch: items of a turn.
        accumulate: parts in which they are computed.
        goes_on: whether there is a run that may go on.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        said = " ".join(str(error).split())
        parts = more_parts(batch, accumulate)
        resumed = f"--resume --auto-batch goes on with the batch of {batch} in as many parts as it takes; anew, "
        raise TrainingError(
            f"memory ran out ({said[:100]}); {resumed if goes_on else ''}--set training.accumulate={parts} computes it "
            f"in {parts} parts, or take a smaller training.batch"
        ) from None


def more_parts(rows: int, parts: int) -> int:
    """The next number of equal parts that is at least twice as large; single rows where there is none."""
    return next((n for n in range(2 * parts, rows + 1) if rows % n == 0), rows)
