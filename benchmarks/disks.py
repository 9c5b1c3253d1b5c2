"""Disks that are full from some operation on, in this process alone."""

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import safetensors.torch


class Disk:
    """A disk that takes ``room`` operations of writing and is full then; reading goes on.

    Attributes:
        done: operations so far: files opened to write, folders made, syncs, renamings, files of tensors.
    """

    def __init__(self, room: float):
        self.room, self.done = room, 0

    def take(self) -> None:
        """One operation."""
        self.done += 1
        if self.done > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def before(self, function: Callable[..., Any], writes: Callable[..., bool] = lambda *_, **__: True) -> Any:
        """The function, which takes room first where it writes."""

        def taking(*arguments: Any, **named: Any) -> Any:
            if writes(*arguments, **named):
                self.take()
            return function(*arguments, **named)

        return taking


def _for_writing(_: Any, mode: str = "r", *__: Any, **___: Any) -> bool:
    return any(letter in mode for letter in "wax+")


@contextmanager
def disk(room: float = float("inf")) -> Iterator[Disk]:
    """Makes the disk full after so many operations, in this process."""
    full = Disk(room)
    with ExitStack() as patches:
        patches.enter_context(patch.object(io, "open", full.before(io.open, _for_writing)))
        patches.enter_context(patch("builtins.open", full.before(open, _for_writing)))
        for name in ("fsync", "replace", "mkdir"):
            patches.enter_context(patch.object(os, name, full.before(getattr(os, name))))
        saving = full.before(safetensors.torch.save_file)
        patches.enter_context(patch.object(safetensors.torch, "save_file", saving))
        yield full
