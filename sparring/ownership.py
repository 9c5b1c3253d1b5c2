"""Whose a run's folder is: its files are no links, and while one process trains there a lock keeps others out."""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sparring.errors import RunError
from sparring.files import make_folder, writing

FOLDERS = ("codec", "best", "data", "checkpoints", "samples", "features", "tensorboard")
"""Folders that a run writes into its own."""

FILES = (
    *("experiment.json", "plan.json", "evaluation.json", "generator.safetensors", "suspects.png", "report.html"),
    *("log.jsonl", "timing.jsonl", "metrics.jsonl", "lock"),
)
"""Files that a run writes into its folder."""


def refuse_links(run: Path) -> None:
    """Refuses a run that would be read from or written to elsewhere: in its place are links, pipes or devices.

    The run's folder itself may be a link.

    Raises:
        RunError: one is there; the message names it.
    """
    odd = [run / name for name in FOLDERS if _is_other(run / name, stat.S_ISDIR)]
    odd += [run / name for name in FILES if _is_other(run / name, stat.S_ISREG)]
    for name in () if odd else FOLDERS:
        for place, folders, files in os.walk(run / name):
            odd += [path for path in map(Path(place).joinpath, (*folders, *files)) if path.is_symlink()]
    if odd:
        raise RunError(
            f"{odd[0]} is a link or of another kind than a run's: its files and folders are its own; put what belongs "
            "there in its place, or choose another --out"
        )


def _is_other(path: Path, kind: Callable[[int], bool]) -> bool:
    """Whether there is something that is not of that kind; a link never is."""
    try:
        return not kind(path.lstat().st_mode)
    except OSError:
        return False


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Keeps a second process out; the lock does not survive its owner.

    Raises:
        RunError: another holds it, the disk knows no locks, or the run's files are links.
    """
    refuse_links(run)
    with _opened(run / "lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{run}: another process trains here; wait for it or choose another --out") from None
        except OSError as error:
            raise RunError(f"{run} cannot be locked: {error.strerror}; choose an --out on a disk that can") from None
        yield


def _opened(path: Path) -> IO[bytes]:
    with writing(path.parent):
        make_folder(path.parent)
        # No link is followed, and nothing emptied.
        return open(path, "ab", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o666))
