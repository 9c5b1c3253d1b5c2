import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from sparring.data.arrays import Arrays, store_arrays
from sparring.errors import DataError, RequestError, SparringError


def load(tmp_path, array, **fields):
    np.save(tmp_path / "x.npy", array)
    return Arrays(path=tmp_path / "x.npy", **fields).load()


def load_npz(tmp_path, **columns):
    np.savez(tmp_path / "x.npz", **columns)
    return Arrays(path=tmp_path / "x.npz").load()


def pictures(count=6, channels=3):
    return np.random.default_rng(0).integers(0, 256, (count, 8, 7, channels), np.uint8)


@pytest.mark.parametrize("header", ["{'descr': '|u1', (", "{'descr'", "(" * 200, "x = 1", "{'shape': (1,}"])
def test_a_header_that_is_no_header_is_refused_in_one_line(tmp_path, header):
    text = header.encode().ljust(117) + b"\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64))
    with pytest.raises(DataError, match=r"cannot be read as NumPy's \.npy") as refusal:
        Arrays(path=tmp_path / "x.npy").load()
    assert len(str(refusal.value)) < 400


@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(5, 6), st.integers(5, 7), st.integers(5, 7), st.integers(1, 4)),
    )
)
@settings(deadline=None, max_examples=30)
def test_whole_numbers_of_8_and_16_bits_are_taken_as_they_are(tmp_path_factory, items):
    data = load(tmp_path_factory.mktemp("x"), items)
    assert data.modality == "image"
    if items.min() == 0 and items.max() == 1:
        np.testing.assert_array_equal(data.items[np.arange(len(items))], items * 255)
        assert data.notes == ("0 and 1 became 0 and 255",)
        return
    assert data.items.dtype == items.dtype
    np.testing.assert_array_equal(data.items[np.arange(len(items))], items)
    dark = items.dtype == np.uint16 and 0 < items.max() < 256
    said = (f"uint16 up to {items.max()} of 65535 is nearly black: of 8 bits it is uint8",)
    assert data.notes == (said if dark else ())


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64])
def test_pictures_of_0_and_1_are_black_and_white(kind, tmp_path):
    data = load(tmp_path, (pictures() > 9).astype(kind))
    assert data.items.dtype == np.uint8
    assert set(np.unique(data.items)) == {0, 255}


def test_pictures_of_8_bits_in_16_are_said_to_be_nearly_black(tmp_path):
    assert "nearly black" in load(tmp_path, pictures().astype(np.uint16)).notes[0]


def test_grey_pictures_without_an_axis_of_channels_get_one(tmp_path):
    assert load(tmp_path, pictures()[..., 0]).items.shape == (6, 8, 7, 1)


def test_channels_that_stand_first_are_moved_and_said_so(tmp_path):
    data = load(tmp_path, np.moveaxis(pictures(), 3, 1))
    np.testing.assert_array_equal(data.items, pictures())
    assert "moved last" in data.notes[0]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("start", [0, -1])
def test_numbers_between_0_or_minus_1_and_1_are_brought_to_8_bits_and_said_so(kind, start, tmp_path):
    items = pictures()
    items[0, 0, 0] = [0, 255, 3]
    data = load(tmp_path, (items / 255 * (1 - start) + start).astype(kind))
    np.testing.assert_array_equal(data.items, items)
    assert f"in [{start}, 1] became uint8" in data.notes[0]


def test_other_whole_numbers_and_truth_values_are_brought_to_8_or_16_bits(tmp_path):
    for kind in (np.int64, np.float32):
        data = load(tmp_path, pictures().astype(kind))
        assert data.items.dtype == np.uint8
        np.testing.assert_array_equal(data.items, pictures())
    assert load(tmp_path, pictures().astype(np.int32) * 100).items.dtype == np.uint16
    assert set(np.unique(load(tmp_path, pictures() > 9).items)) == {0, 255}


def test_points_are_float32_and_pictures_may_be_wished_for_by_axes(tmp_path):
    data = load(tmp_path, np.arange(10.0).reshape(5, 2))
    assert (data.modality, data.items.dtype, data.items.shape) == ("points", np.float32, (5, 2))
    with pytest.raises(DataError, match=re.escape("points are (n, d), not (6, 8, 7, 3)")):
        load(tmp_path, pictures(), modality="points")
    with pytest.raises(RequestError, match="may be one picture"):
        load(tmp_path, pictures()[0])
    assert load(tmp_path, pictures()[0], modality="image").items.shape == (8, 7, 3, 1)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.full((4, 5, 5), np.nan), "4 of 4 items hold NaN or infinity, the first is 0"),
        (np.array([[1, 2], [np.inf, 0]]), "1 of 2 items hold NaN or infinity, the first is 1"),
        (np.array([[1e300, 2]]), "hold NaN or infinity"),
        (np.zeros((0, 5, 5), np.uint8), "holds no items"),
        (np.zeros(5), "holds no items"),
        (np.zeros((2, 3, 4, 5, 6)), "neither pictures"),
        (np.zeros((6, 8, 8, 7), np.uint8), "1 to 4 channels"),
        (np.full((6, 8, 8), 2.5), "are in [0, 1] or [-1, 1], not in [2.5, 2.5]"),
        (np.full((6, 8, 8), -5), "0..255 or 0..65535"),
        (np.full((6, 8, 8), 70000), "0..255 or 0..65535"),
        (np.zeros((6, 8), complex), "not real numbers"),
        (np.array([["a", "b"]]), "not real numbers"),
    ],
)
def test_numbers_that_cannot_be_used_are_refused_with_the_reason(array, said, tmp_path):
    with pytest.raises(DataError, match=re.escape(said)) as refused:
        load(tmp_path, array)
    assert "\n" not in str(refused.value)


def test_python_objects_are_never_unpickled(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}, {}]), allow_pickle=True)
    (tmp_path / "y.npy").write_bytes(pickle.dumps([1, 2]))
    np.savez(tmp_path / "z.npz", samples=np.array([{}, {}]))
    for name in ("x.npy", "y.npy", "z.npz"):
        with pytest.raises(DataError, match=f"{name}' holds Python objects, which are never unpickled"):
            Arrays(path=tmp_path / name).load()


@given(st.integers(0, 400), st.sampled_from(["x.npy", "x.npz"]))
@settings(deadline=None, max_examples=40)
def test_a_file_cut_anywhere_is_refused_in_one_line(tmp_path_factory, end, name):
    path = tmp_path_factory.mktemp("x") / name
    np.savez(path, samples=pictures()) if name.endswith("z") else np.save(path, pictures())
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(SparringError) as refused:
        Arrays(path=path).load()
    assert "\n" not in str(refused.value)


def test_a_missing_or_empty_file_is_named(tmp_path):
    (tmp_path / "x.npy").touch()
    with pytest.raises(DataError, match=r"x\.npy' is empty"):
        Arrays(path=tmp_path / "x.npy").load()
    with pytest.raises(RequestError, match="there is no file"):
        Arrays(path=tmp_path / "no.npy").load()


@pytest.mark.parametrize("key", ["samples", "images", "x", "arr_0"])
def test_npz_holds_items_and_attributes_by_name(key, tmp_path):
    data = load_npz(tmp_path, **{key: pictures(), "y": np.arange(6.0)[:, None], "kind": np.array(list("abcdef"), "S1")})
    np.testing.assert_array_equal(data.items, pictures())
    assert {name: values.tolist() for name, values in data.attributes.items()} == {
        "label": list("012345"),
        "kind": list("abcdef"),
    }


def test_npz_with_train_and_test_parts_has_a_test_split(tmp_path):
    part = {"x_train": pictures(), "y_train": np.arange(6), "x_test": pictures(2), "y_test": np.arange(2)}
    data = load_npz(tmp_path, **part)
    assert data.test.tolist() == [False] * 6 + [True] * 2
    assert data.attributes["label"].tolist() == list("01234501")


@pytest.mark.parametrize(
    ("more", "labels", "note"),
    [
        ({"x_val": pictures(2)}, True, "x_val left out"),
        ({}, False, "y_train left out, as there is no y_test"),
    ],
)
def test_arrays_beside_train_and_test_parts_are_left_out_by_name(tmp_path, more, labels, note):
    part = {"x_train": pictures(), "y_train": np.arange(6), "x_test": pictures(2), **more}
    data = load_npz(tmp_path, **part, **({"y_test": np.arange(2)} if labels else {}))
    assert ("label" in data.attributes) == labels
    assert note in data.notes


def test_arrays_that_are_no_attributes_are_left_out_and_wrong_labels_refused(tmp_path):
    assert "extra left out" in load_npz(tmp_path, samples=pictures(), extra=np.zeros((6, 3))).notes[0]
    with pytest.raises(DataError, match="not one label for each of 6"):
        load_npz(tmp_path, samples=pictures(), labels=np.arange(5))
    with pytest.raises(DataError, match="should be called samples"):
        load_npz(tmp_path, a=pictures(), b=pictures())


def test_equal_items_have_equal_digests_and_others_do_not(tmp_path):
    items = pictures()
    items[3] = items[1]
    digests = load(tmp_path, items).digests.tolist()
    assert digests[3] == digests[1]
    assert len(set(digests)) == 5


def test_pictures_are_cropped_and_brought_to_a_wished_size(tmp_path):
    items = np.zeros((6, 8, 16, 1), np.uint16)
    items[:, :, 4:12] = 60000
    data = load(tmp_path, items, size=4)
    assert data.items.shape == (6, 4, 4, 1)
    assert (data.items > 55000).all()
    with pytest.raises(RequestError, match="no height and width"):
        load(tmp_path, np.zeros((4, 2)), size=4)


@pytest.mark.parametrize(
    "given_as",
    [
        np.asarray,
        torch.from_numpy,
        lambda items: torch.from_numpy(items).permute(0, 3, 1, 2),
        list,
        lambda items: [Image.fromarray(item) for item in items],
    ],
)
def test_data_in_memory_are_kept_in_a_folder(given_as, tmp_path):
    source = store_arrays(given_as(pictures()), tmp_path / "run", torch.arange(6))
    data = Arrays.from_json(source.to_json()).load()
    np.testing.assert_array_equal(data.items, pictures())
    assert data.attributes["label"].tolist() == list("012345")


@pytest.mark.parametrize("labels", [np.arange(6)[:, None], torch.arange(6)[:, None], [[i] for i in range(6)]])
def test_labels_in_memory_may_have_an_axis_of_one(labels, tmp_path):
    assert store_arrays(pictures(), tmp_path, labels).load().attributes["label"].tolist() == list("012345")


def test_pictures_in_memory_are_turned_and_composited_as_files_are(tmp_path):
    clear = Image.new("RGBA", (8, 8), (9, 9, 9, 0))
    turned = Image.new("RGB", (8, 8))
    turned.putpixel((0, 0), (255, 0, 0))
    turned.getexif()[0x0112] = 3
    items = store_arrays([clear, turned], tmp_path).load().items
    assert (items[0] == 255).all()
    assert items[1, 7, 7].tolist() == [255, 0, 0]
    assert items[1, 0, 0].tolist() == [0, 0, 0]


def test_grey_and_16_bit_pictures_in_memory_keep_their_depth(tmp_path):
    grey = store_arrays([Image.new("L", (8, 8), 3), Image.new("1", (8, 8), 1)], tmp_path).load()
    assert grey.items[:, 0, 0, 0].tolist() == [3, 255]
    deep = store_arrays([Image.fromarray(np.full((8, 8), 4000, np.uint16))] * 2, tmp_path).load()
    assert deep.items.dtype == np.uint16
    assert deep.attributes == {}


@pytest.mark.parametrize(
    ("array", "labels", "said"),
    [
        ([], None, "empty"),
        ([np.zeros((2, 2)), np.zeros((3, 3))], None, "differ in shape"),
        (np.zeros(3), None, "holds no items"),
        (pictures(), [1, 2], "'label' has 2 values for 6 items"),
        (pictures(), {"x": range(6)}, "cannot be called 'x'"),
        (pictures(), np.eye(6), r"'label' of shape \(6, 6\) is not one value an item"),
        (np.array([[{}]]), None, "Python objects"),
    ],
)
def test_data_in_memory_that_cannot_be_kept_are_refused(array, labels, said, tmp_path):
    with pytest.raises(RequestError, match=said):
        store_arrays(array, tmp_path, labels)
    assert not list(tmp_path.iterdir())
