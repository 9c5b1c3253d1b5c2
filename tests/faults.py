"""Faults that tests plant: disks that are full from some operation on, and files that may not grow."""

import errno
import io
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import safetensors.torch


class Disk:
    """A disk that takes ``room`` operations of writing and is full then; reading goes on.

    Attributes:
        done: operations so far: files opened to write, folders made, syncs, renamings.
    """

    def __init__(self, room: float):
        self.room, self.done = room, 0

    def take(self) -> None:
        self.done += 1
        if self.done > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def before(self, function, writes=lambda *_, **__: True):
        """The function, which takes room first where it writes."""

        def taking(*arguments, **named):
            if writes(*arguments, **named):
                self.take()
            return function(*arguments, **named)

        return taking


def _for_writing(file, mode="r", *_, **__):
    return any(letter in mode for letter in "wax+")


@contextmanager
def disk(monkeypatch, room: float = float("inf")) -> Iterator[Disk]:
    """Makes the disk full after so many operations."""
    full = Disk(room)
    with monkeypatch.context() as patch:
        patch.setattr(io, "open", full.before(io.open, _for_writing))
        patch.setattr(os, "fsync", full.before(os.fsync))
        patch.setattr(os, "replace", full.before(os.replace))
        patch.setattr(os, "mkdir", full.before(os.mkdir))
        patch.setattr(safetensors.torch, "save_file", full.before(safetensors.torch.save_file))
        yield full


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Makes the system cut every write that would bring a file above ``size`` bytes: what fits is written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
