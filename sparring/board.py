"""TensorBoard: losses, scores, quick numbers and sample grids of a run, where the package is installed.

What is written lies in ``tensorboard/`` in the run's folder and is no part of the run: nothing reads it back. It cannot
be thinned once it is written: the longer a run has lasted, the less often it is added to.
"""

import importlib.util
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from PIL import Image

from sparring.record import Record

RECORDS = 4000
"""Records of losses that are written before every second one is left out; as many again before three of four are."""

PICTURES = 100
"""Likewise pictures."""

_SCORES = ("real", "fake", "held back", "separation", "gap", "largest score", "score spread")
"""Signs that are of the discriminator's scores."""


def is_there() -> bool:
    """Whether TensorBoard is installed."""
    return importlib.util.find_spec("tensorboard") is not None


class Board:
    """Writes records for TensorBoard; where that is not installed, it does nothing.

    Args:
        run: the run's folder.
        resume: whether the run goes on; what a run that begins finds there is removed.
    """

    def __init__(self, run: Path, *, resume: bool = False):
        self.folder = run / "tensorboard"
        self.resume = resume
        self.writer: Any = None
        self.records = self.pictures = self.step = 0

    def __enter__(self) -> Self:
        return self

    def __call__(self, record: Record) -> None:
        """Writes what a record holds; what cannot be written is left out, as the run does not rely on it."""
        if (record.terms or record.metrics or record.grid) and is_there():
            with suppress(OSError):
                self._write(record)

    def _write(self, record: Record) -> None:
        if record.terms:
            self.records += 1
        if (record.terms and spared(self.records, RECORDS)) or record.metrics:
            self._numbers(record)
        if record.grid is not None and record.grid.suffix == ".png" and record.grid.is_file():
            self.pictures += 1
            if spared(self.pictures, PICTURES):
                with Image.open(record.grid) as grid:
                    pixels = np.asarray(grid.convert("RGB"))
                self._opened(record.step).add_image("samples", pixels, record.step, dataformats="HWC")

    def _numbers(self, record: Record) -> None:
        writer = self._opened(record.step)
        for name, value in record.terms.items():
            writer.add_scalar(f"losses/{name}", value, record.step)
        for name, value in record.metrics.items():
            writer.add_scalar(f"metrics/{name}", value, record.step)
        for name, value in record.signs.items():
            if value is not None:
                writer.add_scalar(f"{'scores' if name in _SCORES else 'signs'}/{name}", value, record.step)
        if record.images_per_second:
            writer.add_scalar("speed/images per second", record.images_per_second, record.step)

    def _opened(self, step: int) -> Any:
        """The writer; steps beyond this one, of an interrupted sitting or before a roll-back, TensorBoard hides."""
        if self.writer is not None and step < self.step:
            self.writer.close()
            self.writer, self.resume = None, True
        self.step = step
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            if not self.resume:
                shutil.rmtree(self.folder, ignore_errors=True)
            self.writer = SummaryWriter(str(self.folder), purge_step=step)
        return self.writer

    def __exit__(self, *raised: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.writer is not None:
            with suppress(OSError):
                self.writer.close()


def spared(number: int, most: int) -> bool:
    """Whether the ``number``-th of many is written: the first ``most``, then as many with each doubling.

    What is written so grows with the logarithm of what there is.
    """
    apart = 1
    while number // apart > most:
        apart *= 2
    return number % apart == 0
