"""Data sets that are called by name: digits, mnist, fashion-mnist, cifar10."""

import io
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from sparring.data import Dataset, DataSource
from sparring.data.download import Remote, cache_folder, fetch, own_folder
from sparring.data.idx import Idx, idx_files
from sparring.data.images import Images, Size, digests
from sparring.data.resizing import resized
from sparring.errors import DataError

_SIZE = "height and width, 48x64 or 64; none: the pictures' own"
_MIRRORS = "addresses that end in /, tried in this order where SPARRING_DATA does not hold the data"


class Digits(DataSource):
    """1,797 handwritten digits of 8x8 pixels, which come with scikit-learn (Alpaydin and Kaynak 1998)."""

    size: Size = Field(default=None, description=_SIZE)

    def title(self) -> str:
        return self.name

    def load(self) -> Dataset:
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        items = np.rint(np.asarray(pixels) * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
        items, notes = resized(items, self.size)
        return Dataset(
            items=items,
            modality="image",
            names=[f"digits#{row}" for row in range(len(items))],
            digests=digests(items),
            attributes={"label": np.asarray(labels).astype(str)},
            notes=notes + shadowed(self.name),
            resizing="".join(notes),
        )


class Mnist(DataSource):
    """70,000 handwritten digits of 28x28 pixels, 10,000 of them the test split (LeCun et al. 1998)."""

    size: Size = Field(default=None, description=_SIZE)
    mirrors: tuple[str, ...] = Field(
        default=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        description=_MIRRORS,
    )

    def title(self) -> str:
        return self.name

    def load(self) -> Dataset:
        return _idx_set(self.name, _MNIST, self.mirrors, self.size)


class FashionMnist(DataSource):
    """70,000 pieces of clothing of 28x28 pixels, 10,000 of them the test split (Xiao et al. 2017)."""

    size: Size = Field(default=None, description=_SIZE)
    mirrors: tuple[str, ...] = Field(
        default=(
            "https://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        description=_MIRRORS,
    )

    def title(self) -> str:
        return self.name

    def load(self) -> Dataset:
        return _idx_set(self.name, _FASHION, self.mirrors, self.size)


class Cifar10(DataSource):
    """60,000 photographs of 32x32 pixels in ten classes, 10,000 of them the test split (Krizhevsky 2009)."""

    size: Size = Field(default=None, description=_SIZE)
    mirrors: tuple[str, ...] = Field(default=("https://www.cs.toronto.edu/~kriz/",), description=_MIRRORS)

    def title(self) -> str:
        return self.name

    def load(self) -> Dataset:
        folder = own_folder(self.name)
        if folder is not None and not _cifar_source(folder):
            return _noted(Images(path=str(folder), size=self.size).load(), self.name)
        if folder is None:
            folder = fetch((_CIFAR,), cache_folder(self.name), self.mirrors)
        parts = [_records(name, data) for name, data in _batches(folder)]
        items, notes = resized(np.concatenate([part.items for part in parts]), self.size)
        test = np.concatenate([np.full(len(part.labels), part.test) for part in parts])
        return Dataset(
            items=items,
            modality="image",
            names=[f"{part.name}#{row}" for part in parts for row in range(len(part.labels))],
            digests=digests(items),
            attributes={"label": np.concatenate([part.labels for part in parts])},
            test=test if test.any() and not test.all() else None,
            notes=(*notes, *_lacking(parts), *shadowed(self.name)),
            resizing="".join(notes),
        )


def _lacking(parts: Sequence["_Records"]) -> tuple[str, ...]:
    """A note where files of the data set are not there."""
    lacking = [name for name in _CIFAR_FILES if name not in {part.name for part in parts}]
    return (f"incomplete: {', '.join(lacking)} not there",) if lacking else ()


_MNIST = tuple(
    Remote(f"{name}-ubyte.gz", f"sha256:{digest}")
    for name, digest in {
        "train-images-idx3": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }.items()
)
_FASHION = tuple(
    Remote(f"{name}-ubyte.gz", f"md5:{digest}")
    for name, digest in {
        "train-images-idx3": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1": "bb300cfdad3c16e7a12a480ee83cd310",
    }.items()
)
_CIFAR = Remote("cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530")
_CIFAR_FOLDER = "cifar-10-batches-bin"
_CIFAR_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
_CIFAR_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
_RECORD = 1 + 3 * 32 * 32
_LARGEST = 50_000 * _RECORD


def shadowed(name: str) -> tuple[str, ...]:
    """A note where a file or folder here has the name of a data set, which goes before it."""
    if not Path(name).exists():
        return ()
    return (f"'{name}' was read as the data set of that name; write ./{name} for the folder that is here",)


def _noted(data: Dataset, name: str) -> Dataset:
    return replace(data, notes=data.notes + shadowed(name))


def _idx_set(name: str, remotes: tuple[Remote, ...], mirrors: tuple[str, ...], size: Size) -> Dataset:
    folder = own_folder(name)
    if folder is None:
        folder = fetch(remotes, cache_folder(name), mirrors)
    elif not idx_files(folder):
        return _noted(Images(path=str(folder), size=size).load(), name)
    return _noted(Idx(path=str(folder), size=size).load(), name)


class _Records(NamedTuple):
    """One file of CIFAR-10's binary form."""

    name: str
    items: np.ndarray
    labels: np.ndarray
    test: bool


def _cifar_source(folder: Path) -> Path | None:
    """The archive or folder of the binary form, where a folder has it."""
    there = [folder / _CIFAR.name, folder / _CIFAR_FOLDER, folder]
    if there[0].is_file():
        return there[0]
    return next((path for path in there[1:] if (path / _CIFAR_FILES[0]).is_file()), None)


def _batches(folder: Path) -> list[tuple[str, bytes]]:
    """The content of the batch files by name."""
    source = _cifar_source(folder)
    assert source is not None
    if source.is_dir():
        return [(name, (source / name).read_bytes()) for name in _CIFAR_FILES if (source / name).is_file()]
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(source, "r:gz") as archive:
            for member in archive:
                name = Path(member.name).name
                stream = archive.extractfile(member) if member.isfile() and name in _CIFAR_FILES else None
                found.update({name: (stream or io.BytesIO()).read(_LARGEST + 1)} if stream else {})
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"'{source}' cannot be read ({error}); fetch it again") from None
    if not found:
        raise DataError(f"'{source}' holds none of {', '.join(_CIFAR_FILES)}; fetch it again")
    return [(name, found[name]) for name in _CIFAR_FILES if name in found]


def _records(name: str, data: bytes) -> _Records:
    """Records of one label byte and 3072 bytes, red, green and blue row by row."""
    if not data or len(data) % _RECORD or len(data) > _LARGEST:
        raise DataError(f"{name} holds {len(data)} bytes, not a multiple of {_RECORD}; fetch it again")
    rows = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    if rows[:, 0].max() >= len(_CIFAR_CLASSES):
        raise DataError(f"{name} holds the label {rows[:, 0].max()}, but there are ten; it is damaged")
    items = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return _Records(name, items, np.array(_CIFAR_CLASSES)[rows[:, 0]], name.startswith("test"))
