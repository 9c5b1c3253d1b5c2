"""Room for items that are read: memory, or beyond some size a temporary file that nobody else can change."""

import os
import tempfile

import numpy as np
import torch

from sparring.errors import DataError
from sparring.memory import available


def space(shape: tuple[int, ...], dtype: np.dtype, mebibytes: int, otherwise: str = "") -> np.ndarray:
    """An array for items: in memory, or beyond ``mebibytes`` in a temporary file that goes away with it.

    Args:
        shape: of the array.
        dtype: of its values.
        mebibytes: that may be taken of memory.
        otherwise: another remedy where neither has room, ``"give a smaller size"``.

    Raises:
        DataError: there is no room for the temporary file.
    """
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size <= mebibytes * 2**20:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="sparring-") as file:
        try:
            # Blocks are taken now, since a full disk would otherwise kill the process when items are written.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, dtype, "w+", shape=shape)
        except OSError as error:
            raise DataError(
                f"{size >> 20} MiB of items fit neither cache_mb={mebibytes} nor '{tempfile.gettempdir()}' "
                f"({error.strerror}); {otherwise or 'make room there'}, or set another TMPDIR"
            ) from None


def refuse_beyond_memory(size: int, what: str, otherwise: str) -> None:
    """Refuses to unpack ``size`` bytes where the machine or its control group has less left.

    Args:
        size: as headers say, before anything is unpacked.
        what: is unpacked, ``"'x.npz'"``.
        otherwise: the remedy.

    Raises:
        DataError: there is less left.
    """
    left = available(torch.device("cpu"))
    if left is not None and size > left:
        raise DataError(f"{what} takes {size / 2**30:.1f} GiB of memory and {left / 2**30:.1f} are free; {otherwise}")
