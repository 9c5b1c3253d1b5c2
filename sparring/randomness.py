"""Randomness by position: what is drawn depends on a seed and on where it is drawn, never on what was drawn before.

A run can so be resumed from weights and one counter, a rank of many draws what one process would have drawn for the
same rows, and sample *i* does not depend on how many were asked for.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import index
from typing import SupportsIndex

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def derive(*key: SupportsIndex | str) -> int:
    """A 63-bit seed from a position, the same on every machine and for every type of integer."""
    return _hashed(key, 8) >> 1


def hidden(*key: SupportsIndex | str) -> int:
    """A 128-bit key of a Philox generator from a position, for draws that keep a secret which is part of it.

    A seed of :func:`derive` can be found by trying, and torch's generator keeps 32 bits of it.
    """
    return _hashed(key, 16)


def _hashed(key: tuple[SupportsIndex | str, ...], size: int) -> int:
    plain = tuple(part if isinstance(part, str) else index(part) for part in key)
    return int.from_bytes(hashlib.blake2b(repr(plain).encode(), digest_size=size).digest(), "little")


def seeds(numbers: np.ndarray, *key: SupportsIndex | str) -> np.ndarray:
    """A 63-bit seed for each of many positions below a key, ``(n,)`` int64, a hundred times faster than :func:`derive`.

    The finaliser of SplitMix64 (Steele et al. 2014, section 3) on the key's own seed and the position.
    """
    mixed = np.uint64(derive(*key)) + (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(1)).astype(np.int64)


def stream(*key: SupportsIndex | str) -> torch.Generator:
    """A fresh generator on the CPU for the position."""
    return torch.Generator().manual_seed(derive(*key))


def seed_torch(seed: int, device: torch.device) -> None:
    """Seeds torch's own generators, of the CPU and of the device.

    ``torch.manual_seed`` seeds every kind of accelerator that torch knows, there or not, which takes milliseconds: a
    fifth of a small network's step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@dataclass(frozen=True)
class Noise:
    """The randomness of one turn: every draw is made for the whole global batch, and a process takes its rows.

    Attributes:
        key: the position: seed, step, turn.
        rows: the rows of the global batch that this process computes.
        total: rows of the global batch.
        device: where draws are wanted.
        dtype: of the draws; float64 in tests of exactness.
    """

    key: tuple[int | str, ...]
    rows: slice
    total: int
    device: torch.device = torch.device("cpu")
    dtype: torch.dtype = torch.float32

    def normal(self, name: str, *shape: int) -> Tensor:
        """Standard normal draws, ``(rows, *shape)``."""
        drawn = torch.randn(self.total, *shape, generator=stream(*self.key, name), dtype=self.dtype)
        return drawn[self.rows].to(self.device)

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Uniform draws from [0, 1), ``(rows, *shape)``."""
        drawn = torch.rand(self.total, *shape, generator=stream(*self.key, name), dtype=self.dtype)
        return drawn[self.rows].to(self.device)

    def seed(self, name: str) -> int:
        """A seed for what can only be drawn by torch's own generator, such as dropout."""
        return derive(*self.key, name, self.rows.indices(self.total)[0])


def per_sample(kind: str, seed: int, numbers: Sequence[SupportsIndex], shape: tuple[int, ...]) -> Tensor:
    """Draws of which row *i* depends on the seed and ``numbers[i]`` alone, float32 ``(n, *shape)``.

    Args:
        kind: ``"normal"`` or ``"uniform"`` on [0, 1).
        seed: the user's seed.
        numbers: which samples.
        shape: of one draw.
    """
    rows = np.empty((len(numbers), *shape), np.float32)
    for row, number in zip(rows, numbers, strict=True):
        source = np.random.Generator(np.random.Philox(key=derive(seed, number)))
        row[...] = source.standard_normal(shape, np.float32) if kind == "normal" else source.random(shape, np.float32)
    return torch.from_numpy(rows)


def by_content(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """A uniform draw on [0, 1) for each row from the row's own numbers, so that it depends on nothing else."""
    bits = np.ascontiguousarray(vectors, np.float32).view(np.uint32).astype(np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**62, bits.shape[1], dtype=np.uint64) | np.uint64(1)
    mixed = (bits * factors).sum(1, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    return ((mixed ^ (mixed >> np.uint64(29))) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def by_position(seed: int, numbers: Sequence[int], width: int) -> np.ndarray:
    """Uniform draws on [0, 1), ``(len(numbers), width)`` float64; row *i* depends on the seed and ``numbers[i]`` alone.

    For consecutive numbers the counter of the generator is set to the first, so that a million rows take a second.
    """
    if not isinstance(numbers, range) or numbers.step != 1:
        rows = [by_position(seed, range(number, number + 1), width) for number in map(int, numbers)]
        return np.concatenate(rows) if rows else np.zeros((0, width))
    blocks = -(-width // 4)  # of four draws, which is how far one step of the counter reaches
    source = np.random.Philox(key=derive(seed, "by position"))
    source.advance(numbers.start * blocks)
    return np.random.Generator(source).random((len(numbers), 4 * blocks))[:, :width]


def order(count: int, seed: int, position: int, length: int) -> np.ndarray:
    """Which items stand at ``position`` to ``position + length`` of an endless shuffled reading, ``(length,)`` int64.

    Each pass over the ``count`` items is a permutation of its own, a function of the seed and the pass.
    """
    found = np.empty(length, np.int64)
    done = 0
    while done < length:
        epoch, start = divmod(position + done, count)
        take = min(length - done, count - start)
        found[done : done + take] = _permutation(count, seed, epoch)[start : start + take]
        done += take
    return found


@lru_cache(maxsize=4)
def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    """The reading order of one pass."""
    return np.random.Generator(np.random.Philox(key=derive(seed, "order", epoch))).permutation(count)
