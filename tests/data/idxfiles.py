"""Writes data in the form of MNIST's files."""

import gzip
import struct
from pathlib import Path

import numpy as np


def idx_bytes(array, code=0x08):
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(path: Path, array, code=0x08) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = idx_bytes(array, code)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_mnist(folder: Path, train=20, test=10, size=(6, 5), gz=True):
    """A small set; pictures of digit d have the mean 20 d."""
    source = np.random.default_rng(0)
    for name, count in {"train": train, "t10k": test}.items():
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = source.integers(0, 9, (count, *size), np.uint8) + 20 * labels[:, None, None]
        ending = ".gz" if gz else ""
        write_idx(folder / f"{name}-images-idx3-ubyte{ending}", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte{ending}", labels)
    return folder
