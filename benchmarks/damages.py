"""Damaged inputs: pictures, arrays, tables, IDX files and archives, cut off at every byte or changed at random."""

import gzip
import io
import random
import resource
import struct
import tarfile
import time
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
from PIL import Image

from benchmarks.ledger import Ledger, Measurement
from sparring.data import DataSource
from sparring.data.arrays import Arrays
from sparring.data.files import is_archive
from sparring.data.idx import Idx
from sparring.data.images import Images
from sparring.data.tables import ENDINGS as TABLES
from sparring.data.tables import Tables
from sparring.errors import SparringError
from sparring.modalities import Modality

SLOW = 10.0
"""Seconds that no input may take, by the wall clock and of the processor."""

AGAIN = 3
"""Times that an input is read, at most, which took longer by the wall clock: one that hangs hangs each time, while a
shared machine that stops all its processes stops them once."""

MEMORY = 300.0
"""MiB by which no input may let memory grow; what reading imports counts too."""


def damages(ledger: Ledger, scratch: Path, draw: random.Random, *, count: int) -> None:
    """Reads inputs with random damages; what is raised must be one of sparring's own errors."""
    kinds = originals()
    names = [draw.choice(list(kinds)) for _ in range(count)]
    tried = Tried(scratch / "damaged")
    for name in names:
        tried(name, damaged(kinds[name], draw))
    tried.tell(ledger, "damaged inputs")


def truncations(ledger: Ledger, scratch: Path, *, every: int) -> None:
    """Reads each input cut off at every byte, or at some of them."""
    tried = Tried(scratch / "cut")
    for name, data in originals().items():
        for end in range(0, len(data), every):
            tried(name, data[:end])
    tried.tell(ledger, "inputs cut off" if every == 1 else f"inputs cut off at one byte of {every}")


class Took(NamedTuple):
    """What reading an input took.

    Attributes:
        wall: seconds by the wall clock, the least of its readings.
        processor: seconds of the processor, the most of its readings.
        input: which one.
    """

    wall: float
    processor: float
    input: str


class Tried:
    """What became of inputs.

    Args:
        folder: where each is written before it is read.
    """

    def __init__(self, folder: Path):
        self.folder, self.outcomes = folder, Counter[str]()
        self.longest, self.busiest = Took(0, 0, ""), Took(0, 0, "")
        self.faults, self.again, self.count = list[str](), list[str](), 0
        self.before = _peak()
        self.hungriest = (0.0, "")

    def __call__(self, name: str, data: bytes) -> None:
        called = f"{name}, {len(data)} bytes"
        self.count += 1
        peak = _peak()
        took = self._once(name, data, called)
        self.hungriest = max(self.hungriest, (round(_peak() - peak, 1), called))
        for _ in range(AGAIN - 1):
            if took.wall <= SLOW:
                break
            self.again.append(f"{called}: {took.wall:.1f} s")
            more = self._once(name, data, called)
            took = Took(min(took.wall, more.wall), max(took.processor, more.processor), called)
        self.longest = max(self.longest, took)
        self.busiest = max(self.busiest, took, key=lambda each: each.processor)

    def _once(self, name: str, data: bytes, called: str) -> Took:
        begun, busy = time.monotonic(), time.process_time()
        try:
            read(self.folder, name, data)
            self.outcomes["read"] += 1
        except SparringError as error:
            self.outcomes["refused"] += 1
            if len(str(error).splitlines()) > 1:
                self.faults.append(f"{called}: a message of several lines")
        except Exception as error:
            self.outcomes["failed"] += 1
            self.faults.append(f"{called}: {type(error).__name__}: {str(error)[:120]}")
        return Took(time.monotonic() - begun, time.process_time() - busy, called)

    def tell(self, ledger: Ledger, what: str) -> None:
        """Adds the figures."""
        grown = _peak() - self.before
        more: dict[str, Any] = {"inputs": self.count, **self.outcomes, "faults": self.faults[:20]}
        more |= {"longest": self.longest._asdict(), "busiest": self.busiest._asdict(), "read again": self.again[:20]}
        more["raised the peak most, MiB"] = self.hungriest
        ledger.add(Measurement(f"{what} that end in a traceback", len(self.faults), "<= 0", more=more))
        ledger.add(Measurement(f"{what}: the longest, seconds", self.longest.wall, f"< {SLOW:g}", more=more))
        busiest = Measurement(f"{what}: the busiest, seconds of the processor", self.busiest.processor, f"< {SLOW:g}")
        ledger.add(replace(busiest, more=more))
        ledger.add(Measurement(f"{what}: growth of memory, MiB", grown, f"< {MEMORY:g}", more=more))


def _peak() -> float:
    """MiB that this process held at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def originals() -> dict[str, bytes]:
    """Sound inputs by the name of their file, small enough for every byte to matter."""
    noise = np.random.default_rng(0)
    pixels = noise.integers(0, 255, (6, 7, 3), dtype=np.uint8)
    found: dict[str, bytes] = {}
    for form in ("png", "jpeg", "bmp", "gif", "tiff", "webp", "ppm"):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, form)
        found[f"x.{form}"] = stream.getvalue()
    stream = io.BytesIO()
    np.save(stream, noise.integers(0, 255, (5, 4, 4, 1), dtype=np.uint8))
    found["x.npy"] = stream.getvalue()
    stream = io.BytesIO()
    np.savez(stream, samples=noise.integers(0, 255, (5, 4, 4, 1), dtype=np.uint8), label=np.arange(5))
    found["x.npz"] = stream.getvalue()
    idx = struct.pack(">4B3I", 0, 0, 8, 3, 5, 4, 4) + noise.bytes(80)
    found["x-images-idx3-ubyte"] = idx
    found["y-images-idx3-ubyte.gz"] = gzip.compress(idx, mtime=0)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("a/1.png", "a/2.png", "b/3.png"):
            archive.writestr(zipfile.ZipInfo(name), found["x.png"])
    found["x.zip"] = stream.getvalue()
    for ending, mode in (("tar", "w:"), ("tar.gz", "w:gz"), ("tar.xz", "w:xz")):
        found[f"x.{ending}"] = _tar(found["x.png"], mode)
    return found | _tables()


def _tar(picture: bytes, mode: Any) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name in ("a/1.png", "b/2.png"):
            member = tarfile.TarInfo(name)
            member.size = len(picture)
            archive.addfile(member, io.BytesIO(picture))
    return stream.getvalue().rstrip(b"\0") if mode == "w:" else stream.getvalue()


def _tables() -> dict[str, bytes]:
    """A table with a column of every kind, with holes, in each form."""
    frame = pandas.DataFrame(
        {
            "name": [f"p{number}" for number in range(12)],
            "age": [20 + number * 3 for number in range(11)] + [None],
            "city": ["Köln", "Oslo", 'a "b", c'] * 4,
            "member": [True, False] * 6,
            "since": pandas.date_range("2020-01-31", periods=12, freq="36h"),
        }
    )
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    texts = {"x.csv": ",", "x.tsv": "\t"}
    return {name: frame.to_csv(index=False, sep=mark).encode() for name, mark in texts.items()} | {
        "x.parquet": stream.getvalue()
    }


def damaged(data: bytes, draw: random.Random) -> bytes:
    """The bytes with one to four damages."""
    for _ in range(draw.randint(1, 4)):
        place, length = draw.randrange(len(data) + 1), draw.choice([1, 1, 2, 4, 16])
        made_up = draw.choice([draw.randbytes(length), b"\xff" * length, b"\0" * length])
        data = draw.choice(
            [
                data[:place],
                data[:place] + made_up + data[place + length :],
                data[:place] + made_up + data[place:],
                data[:place] + data[place + length :],
                data[:place] + data[max(0, place - 32) : place] + data[place:],
            ]
        )
    return data


def read(folder: Path, name: str, data: bytes) -> None:
    """Reads and encodes the input as the command line would: a picture beside a sound one, all else by itself."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    (folder / name).write_bytes(data)
    source: DataSource
    if name.endswith((".npy", ".npz")):
        source = Arrays(path=str(folder / name))
    elif "idx" in name:
        source = Idx(path=str(folder))
    elif is_archive(name):
        source = Images(path=str(folder / name), threads=1)
    elif name.endswith(TABLES):
        source = Tables(path=str(folder / name))
    else:
        Image.new("RGB", (6, 7), "red").save(folder / "sound.png")
        source = Images(path=str(folder), threads=1)
    loaded = source.load()
    items = loaded.items[np.arange(len(loaded))]
    codec = Modality.find(loaded.modality).fit(loaded.items)
    assert len(codec.encode(items)) == len(loaded)
