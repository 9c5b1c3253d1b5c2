import gzip
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from idxfiles import idx_bytes, write_idx, write_mnist

from sparring.data.idx import Idx, read_idx
from sparring.data.opening import open_data
from sparring.errors import DataError, RequestError, SparringError


@pytest.mark.parametrize("gz", [True, False])
def test_a_folder_of_idx_files_gives_pictures_labels_and_the_test_split(gz, tmp_path):
    data = Idx(path=write_mnist(tmp_path, gz=gz)).load()
    assert data.items.shape == (30, 6, 5, 1)
    assert data.items.dtype == np.uint8
    assert data.attributes["label"].tolist() == [str(i % 10) for i in [*range(20), *range(10)]]
    assert data.test.tolist() == [False] * 20 + [True] * 10
    assert (data.items.reshape(30, -1).mean(1) // 20).astype(int).astype(str).tolist() == data.attributes[
        "label"
    ].tolist()
    assert len(set(data.digests.tolist())) == 30
    assert data.names[20].startswith("t10k-images")


@given(arrays.arrays(st.sampled_from([np.uint8, ">i4", ">f4"]), arrays.array_shapes(max_dims=4, max_side=4)))
@settings(deadline=None, max_examples=30)
def test_an_array_comes_back_from_its_idx_file(tmp_path_factory, array):
    code = {"u1": 0x08, "i4": 0x0C, "f4": 0x0D}[array.dtype.str[1:]]
    path = write_idx(tmp_path_factory.mktemp("idx") / "x", array, code)
    np.testing.assert_array_equal(read_idx(path), array)


@given(st.binary(max_size=60), st.booleans())
@settings(deadline=None, max_examples=60)
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, data, gz):
    path = tmp_path_factory.mktemp("idx") / ("train-images-idx3-ubyte" + ".gz" * gz)
    path.write_bytes(data)
    refused = None
    try:
        read_idx(path)
    except SparringError as error:
        refused = str(error)
    assert refused is None or ("\n" not in refused and path.name in refused)


def test_one_file_means_its_set_alone(tmp_path):
    write_mnist(tmp_path)
    data = Idx(path=tmp_path / "t10k-images-idx3-ubyte.gz").load()
    assert len(data) == 10
    assert data.test is None
    assert "label" in data.attributes


def test_files_that_are_links_out_of_the_folder_are_not_read_unless_they_are_given(tmp_path):
    for folder in ("data", "outside"):
        (tmp_path / folder).mkdir()
        write_idx(tmp_path / folder / "train-images-idx3-ubyte", np.ones((3, 4, 4), np.uint8))
    write_idx(tmp_path / "outside" / "train-labels-idx1-ubyte", np.arange(3, dtype=np.uint8))
    for name, target in {"train-labels-idx1-ubyte": "train-labels", "t10k-images-idx3-ubyte": "train-images"}.items():
        (tmp_path / "data" / name).symlink_to(next((tmp_path / "outside").glob(f"{target}*")))
    found = Idx(path=tmp_path / "data").load()
    assert (len(found), found.attributes) == (3, {})
    assert dict(found.faults) == dict.fromkeys(
        ["t10k-images-idx3-ubyte", "train-labels-idx1-ubyte"], "a link that leaves the folder"
    )
    given = open_data(str(tmp_path / "data" / "t10k-images-idx3-ubyte")).load()
    assert given.names[0].startswith("t10k")


def test_pictures_without_labels_are_read_without(tmp_path):
    write_idx(tmp_path / "train-images.idx3-ubyte", np.ones((3, 4, 4), np.uint8))
    data = Idx(path=tmp_path).load()
    assert data.attributes == {}
    assert data.test is None


def test_labels_of_one_set_only_are_left_out_and_said_so(tmp_path):
    (write_mnist(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    data = Idx(path=tmp_path).load()
    assert data.attributes == {}
    assert "labels are left out" in data.notes[0]


def test_several_sets_are_refused_until_one_is_chosen(tmp_path):
    for name in ("emnist-letters", "emnist-digits"):
        write_idx(tmp_path / f"{name}-train-images-idx3-ubyte", np.zeros((3, 4, 4), np.uint8))
    with pytest.raises(RequestError, match=r"several sets.*data\.prefix"):
        Idx(path=tmp_path).load()
    assert len(Idx(path=tmp_path, prefix="emnist-d").load()) == 3


GOOD = idx_bytes(np.ones((3, 4, 4), np.uint8))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "begins with nothing"),
        (b"\x89PNG" + GOOD, "begins with 89504e47"),
        (GOOD[:9], "truncated within its header"),
        (GOOD[:-1], "should hold 48 bytes (3x4x4) but ends after 47, it is truncated"),
        (GOOD + b"x", "but goes on after them"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "its header is damaged"),
        (idx_bytes(np.zeros((0, 4, 4), np.uint8)), "not bytes (n, height, width)"),
        (idx_bytes(np.zeros(4, np.uint8)), "not bytes (n, height, width)"),
        (idx_bytes(np.zeros((1, 2, 2, 5), np.uint8)), "5 channels"),
        (idx_bytes(np.zeros((1, 2, 2), ">f4"), 0x0D), "not bytes"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name_and_fault(content, said, tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match=re.escape(said)) as refused:
        Idx(path=tmp_path).load()
    assert "train-images-idx3-ubyte" in str(refused.value)


def test_a_truncated_gzip_is_refused(tmp_path):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(GOOD)[:-9])
    with pytest.raises(DataError, match="fetch it again"):
        Idx(path=tmp_path).load()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(GOOD)
    with pytest.raises(DataError, match="cannot be read"):
        Idx(path=tmp_path).load()


def test_labels_that_do_not_belong_are_refused(tmp_path):
    write_idx(write_mnist(tmp_path) / "train-labels-idx1-ubyte.gz", np.zeros(7, np.uint8))
    with pytest.raises(DataError, match="7 labels for 20 pictures"):
        Idx(path=tmp_path).load()


def test_sets_of_different_sizes_are_refused(tmp_path):
    write_idx(write_mnist(tmp_path) / "t10k-images-idx3-ubyte.gz", np.zeros((10, 3, 3), np.uint8))
    with pytest.raises(DataError, match="different sizes"):
        Idx(path=tmp_path).load()


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(DataError, match="no pictures in IDX files"):
        Idx(path=tmp_path).load()
    with pytest.raises(RequestError, match="no file or folder"):
        Idx(path=tmp_path / "no").load()


def test_pictures_are_brought_to_a_wished_size(tmp_path):
    data = Idx(path=write_mnist(tmp_path), size="8x8").load()
    assert data.items.shape == (30, 8, 8, 1)
    assert "6x5 were brought to 8x8" in data.notes[0]
