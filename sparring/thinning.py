"""Thinning: how a long run's logs and pictures stay within stated numbers and spread over the whole run.

What stays is a function of the steps done, and what is left out once is left out of every later state too: a run that
was killed after its files had been thinned ends with the files of one that nothing stopped.
"""

from collections.abc import Callable
from math import ceil

from sparring.files import rewrite_lines
from sparring.plan import Plan
from sparring.run import Run
from sparring.settings import Training
from sparring.stored import Entry, parsed

ALARMS = 100
"""Alarms that are never left out, the first ones."""


def thin(run: Run, plan: Plan, training: Training, *, step: int) -> None:
    """Thins logs and pictures of a long run, before the planned checkpoint of ``step`` is written.

    Logs are thinned up to the oldest checkpoint, so that a run that goes back to it finds what its detectors look at.
    It is done now and then, and at the end.

    Args:
        run: its folder.
        plan: how often entries and pictures are written.
        training: how many of them stay.
        step: steps done.
    """
    thin_pictures(run, newest=step, every=plan.save_every, most=training.keep_pictures)
    grain, before = plan.log_every * max(1, training.keep_records // 8), (step - 1) // plan.save_every * plan.save_every
    if step // grain == before // grain and step < plan.length():
        return
    oldest = next((saved for path in run.checkpoints() if plan.saves(saved := int(path.name))), 0)
    if oldest // plan.log_every <= training.keep_records // 2:
        return
    apart = ceil(training.watch_every / plan.log_every) * plan.log_every
    seen = oldest - apart * max((detector.window() for detector in training.watch), default=0)
    for log in (log for log in ("log", "timing") if run.log(log).is_file()):
        dense = spread(newest=oldest, every=plan.log_every, most=training.keep_records)
        rewrite_lines(run.log(log), _staying(dense, seen))


def _staying(dense: Callable[[int], bool], seen: int) -> Callable[[bytes], bool]:
    """Which lines of a log stay: those of a step that does, what detectors look at, alarms and changes."""
    alarms = 0

    def stays(line: bytes) -> bool:
        nonlocal alarms
        entry: Entry | None = parsed(line)
        if entry is None:
            return False
        alarms += "alarm" in entry
        told = "changes" in entry or ("alarm" in entry and alarms <= ALARMS)
        return told or dense(entry["step"]) or ("signs" in entry and entry["step"] > seen)

    return stays


def spread(*, newest: int, every: int, most: int) -> Callable[[int], bool]:
    """Which steps stay of a log: the newest ``most / 2`` entries, and as many at most evenly spread before them.

    Args:
        newest: the step up to which is thinned; what comes later stays.
        every: steps from one entry to the next.
        most: entries that stay.
    """
    dense = newest - most // 2 * every
    apart = every * stride(newest // every, max(1, most // 2))
    return lambda step: step > dense or step % apart == 0


def stride(count: int, most: int) -> int:
    """The least power of two that has at most ``most`` multiples among the numbers 1 to ``count``."""
    found = 1
    while count // found > most:
        found *= 2
    return found


def thin_pictures(run: Run, *, newest: int, every: int, most: int) -> None:
    """Leaves at most ``most`` planned pictures and the newest, evenly spread over the steps that they are called by."""
    apart = every * stride(newest // every, most)
    run.remove_pictures(lambda step: step < newest and step % apart != 0)
