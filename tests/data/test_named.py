import io
import re
import tarfile

import numpy as np
import pytest
from idxfiles import write_mnist
from PIL import Image

from sparring.data.named import Cifar10, Digits, FashionMnist, Mnist
from sparring.errors import DataError

RECORDS = {"data_batch_1.bin": 7, "data_batch_2.bin": 5, "test_batch.bin": 4}


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("SPARRING_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def records(count):
    return np.random.default_rng(count).integers(0, 10, (count, 3073), np.uint8)


def test_digits_are_built_in_and_use_all_8_bits():
    data = Digits().load()
    assert data.items.shape == (1797, 8, 8, 1)
    assert (data.items.min(), data.items.max()) == (0, 255)
    assert sorted(set(data.attributes["label"])) == list("0123456789")
    assert data.attributes["label"][:3].tolist() == ["0", "1", "2"]
    assert data.test is None
    assert Digits(size=16).load().items.shape[1:3] == (16, 16)


@pytest.mark.parametrize("kind", [Mnist, FashionMnist])
def test_a_set_of_ones_own_goes_before_the_network(kind, tmp_path):
    write_mnist(tmp_path / "own" / kind.name)
    data = kind(mirrors=()).load()
    assert len(data) == 30
    assert data.test.sum() == 10
    assert kind().title() == kind.name


def test_a_set_of_ones_own_may_be_pictures(tmp_path):
    for split in ("train", "test"):
        for label in "ab":
            folder = tmp_path / "own" / "mnist" / split / label
            folder.mkdir(parents=True)
            Image.fromarray(np.full((5, 5), len(split), np.uint8)).save(folder / "x.png")
    data = Mnist().load()
    assert data.attributes["label"].tolist() == ["a", "b"] * 2
    assert data.test.sum() == 2


@pytest.mark.parametrize("kind", [Mnist, FashionMnist, Cifar10])
def test_without_network_and_data_the_error_names_the_way(kind):
    with pytest.raises(DataError, match=re.escape(f"'{kind.name}' and set SPARRING_DATA")):
        kind(mirrors=("http://127.0.0.1:9/",)).load()


def test_all_known_addresses_and_sums_are_whole():
    from sparring.data import named

    for remote in (*named._MNIST, *named._FASHION, named._CIFAR):
        assert re.fullmatch("md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", remote.digest)
    for part in (Mnist(), FashionMnist(), Cifar10()):
        assert all(re.fullmatch("https?://.*/", mirror) for mirror in part.mirrors)


def check_cifar(data):
    assert data.items.shape == (16, 32, 32, 3)
    assert data.test.tolist() == [False] * 12 + [True] * 4
    first = records(7)[3]
    np.testing.assert_array_equal(data.items[3, :, :, 2].ravel(), first[1 + 2048 :])
    assert (
        data.attributes["label"][3]
        == ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"][first[0]]
    )


def test_cifar_is_read_from_its_binary_archive_and_from_its_folder(tmp_path):
    folder = tmp_path / "own" / "cifar10"
    folder.mkdir(parents=True)
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, count in {"readme.html": 1, **dict(reversed(RECORDS.items()))}.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = 3073 * count
            archive.addfile(info, io.BytesIO(records(count).tobytes()))
    check_cifar(Cifar10().load())
    (folder / "cifar-10-binary.tar.gz").unlink()
    (folder / "cifar-10-batches-bin").mkdir()
    for name, count in RECORDS.items():
        (folder / "cifar-10-batches-bin" / name).write_bytes(records(count).tobytes())
    check_cifar(Cifar10().load())
    lacking = "data_batch_3.bin, data_batch_4.bin, data_batch_5.bin"
    assert Cifar10().load().notes == (f"incomplete: {lacking} not there",)
    (folder / "cifar-10-batches-bin" / "test_batch.bin").unlink()
    assert Cifar10().load().notes == (f"incomplete: {lacking}, test_batch.bin not there",)
    for name in lacking.split(", "):
        (folder / "cifar-10-batches-bin" / name).write_bytes(records(1).tobytes())
    (folder / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(records(1).tobytes())
    assert Cifar10().load().notes == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"x" * 3072, "not a multiple of 3073"), (b"", "0 bytes"), (b"\x0b" + b"x" * 3072, "the label 11")],
)
def test_damaged_cifar_files_are_refused(content, said, tmp_path):
    folder = tmp_path / "own" / "cifar10"
    folder.mkdir(parents=True)
    (folder / "data_batch_1.bin").write_bytes(content)
    with pytest.raises(DataError, match=said):
        Cifar10().load()


def test_a_damaged_cifar_archive_is_refused(tmp_path):
    folder = tmp_path / "own" / "cifar10"
    folder.mkdir(parents=True)
    (folder / "cifar-10-binary.tar.gz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="fetch it again"):
        Cifar10().load()


def test_a_folder_of_the_same_name_here_is_spoken_of(tmp_path):
    (tmp_path / "digits").mkdir()
    assert "write ./digits" in Digits().load().notes[-1]
