"""Damaged inputs: pictures, arrays, IDX files and archives with bytes changed, cut off, doubled or made up."""

import gzip
import io
import random
import struct
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.ledger import Ledger, Measurement
from sparring.data import DataSource
from sparring.data.arrays import Arrays
from sparring.data.idx import Idx
from sparring.data.images import Images
from sparring.errors import SparringError

SLOW = 10.0
"""Seconds that no input may take."""


def damages(ledger: Ledger, scratch: Path, draw: random.Random, *, count: int) -> None:
    """Reads damaged inputs; what is raised must be one of sparring's own errors."""
    folder, kinds = scratch / "damaged", originals()
    outcomes: Counter[str] = Counter()
    slowest, faults = 0.0, []
    for number in range(count):
        name = draw.choice(list(kinds))
        data = damaged(kinds[name], draw)
        begun = time.monotonic()
        try:
            read(folder, name, data)
            outcomes["read"] += 1
        except SparringError as error:
            outcomes["refused"] += 1
            if len(str(error).splitlines()) > 1:
                faults.append(f"{number} {name}: a message of several lines")
        except Exception as error:
            faults.append(f"{number} {name}: {type(error).__name__}: {str(error)[:120]}")
        slowest = max(slowest, time.monotonic() - begun)
    more = {"inputs": count, **outcomes, "faults": faults[:20], "slowest, seconds": round(slowest, 3)}
    ledger.add(Measurement("damaged inputs that end in a traceback", len(faults), "<= 0", more=more))
    ledger.add(Measurement("slowest damaged input, seconds", slowest, f"< {SLOW:g}", more=more))


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
    return found


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
    """Reads the input as the command line would: a picture beside two sound ones, all else by itself."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    (folder / name).write_bytes(data)
    source: DataSource
    if name.endswith((".npy", ".npz")):
        source = Arrays(path=str(folder / name))
    elif "idx" in name:
        source = Idx(path=str(folder))
    elif name.endswith(".zip"):
        source = Images(path=str(folder / name), threads=1)
    else:
        Image.new("RGB", (6, 7), "red").save(folder / "sound.png")
        source = Images(path=str(folder), threads=1)
    loaded = source.load()
    loaded.items[np.arange(len(loaded))]
