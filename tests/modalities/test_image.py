import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image as Pillow

from sparring.errors import RequestError, TrainingError
from sparring.modalities import Modality
from sparring.modalities.image import Image, contact_sheet, png


def pictures(count=5, height=4, width=6, channels=3, kind=np.uint8):
    most = np.iinfo(kind).max
    return np.random.default_rng(0).integers(0, most, (count, height, width, channels), kind, endpoint=True)


@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)),
    )
)
@settings(deadline=None, max_examples=50)
def test_a_picture_comes_back_exactly(items):
    codec = Image.fit(items)
    encoded = codec.encode(items)
    assert encoded.dtype == torch.float32
    assert encoded.shape == (len(items), *codec.spec().shape)
    back = codec.decode(encoded)
    assert back.dtype == items.dtype
    np.testing.assert_array_equal(back, items)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_value_of_the_integer_type_comes_back_and_the_ends_are_minus_one_and_one(kind):
    items = np.arange(np.iinfo(kind).max + 1).astype(kind).reshape(1, 16, -1, 1)
    codec = Image.fit(items)
    encoded = codec.encode(items)
    assert encoded.min() == -1
    assert encoded.max() == 1
    np.testing.assert_array_equal(codec.decode(encoded), items)
    np.testing.assert_array_equal(codec.decode(encoded.double()), items)


def test_encoded_pictures_are_channels_last_and_leave_the_items_alone():
    items = pictures()
    before = items.copy()
    assert Image.fit(items).encode(items).is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(items, before)


def test_items_that_may_not_be_written_are_encoded(tmp_path):
    np.save(tmp_path / "x.npy", pictures())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    codec = Image.fit(mapped)
    np.testing.assert_array_equal(codec.decode(codec.encode(mapped[1:3])), pictures()[1:3])
    np.testing.assert_array_equal(codec.decode(codec.encode(mapped[::-1])), pictures()[::-1])


def test_values_beyond_the_range_are_clamped_and_others_rounded_to_the_nearest():
    codec = Image(height=1, width=4, channels=1, depth=8)
    made = codec.decode(torch.tensor([-3.0, 3.0, -1 + 2 * 10.4 / 255, -1 + 2 * 10.6 / 255]).reshape(1, 1, 1, 4))
    assert made.ravel().tolist() == [0, 255, 10, 11]


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(TrainingError, match="not finite"):
        Image(height=1, width=1, channels=1, depth=8).decode(torch.full((1, 1, 1, 1), float("nan")))


def test_pictures_of_another_size_or_type_are_refused_with_both_sizes():
    codec = Image.fit(pictures())
    with pytest.raises(RequestError, match=r"4x6x3 uint8 are wanted, not uint8 \(5, 4, 4, 3\)"):
        codec.encode(pictures(width=4))
    with pytest.raises(RequestError, match="not uint16"):
        codec.encode(pictures(kind=np.uint16))
    with pytest.raises(RequestError, match="not float64"):
        Image.fit(np.zeros((2, 3, 3, 1)))


def test_a_fitted_codec_comes_back_from_json():
    codec = Image.fit(pictures(kind=np.uint16))
    assert Modality.from_json(codec.to_json()) == codec


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_says_what_pillow_reads(channels, tmp_path):
    item = pictures(channels=channels)[0]
    (tmp_path / "x.png").write_bytes(png(item))
    with Pillow.open(tmp_path / "x.png") as read:
        assert read.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
        np.testing.assert_array_equal(np.asarray(read).reshape(item.shape), item)


def test_a_16_bit_grey_png_is_read_exactly_by_pillow(tmp_path):
    item = pictures(channels=1, kind=np.uint16)[0]
    (tmp_path / "x.png").write_bytes(png(item))
    with Pillow.open(tmp_path / "x.png") as read:
        np.testing.assert_array_equal(np.asarray(read).astype(np.uint16), item[..., 0])


def test_a_16_bit_colour_png_has_the_right_high_bytes(tmp_path):
    item = pictures(kind=np.uint16)[0]
    (tmp_path / "x.png").write_bytes(png(item))
    with Pillow.open(tmp_path / "x.png") as read:
        np.testing.assert_array_equal(np.asarray(read), item >> 8)


def test_a_folder_holds_one_png_an_item_and_its_attributes(tmp_path):
    items, codec = pictures(), Image.fit(pictures())
    columns = {"age": np.arange(5), "name": np.array(["a,b", "c", "d", "e", 'f"'], object)}
    written = codec.save(items, tmp_path / "made", columns)
    assert [path.name for path in written] == [*(f"0000{i}.png" for i in range(5)), "labels.csv"]
    with Pillow.open(written[3]) as read:
        np.testing.assert_array_equal(np.asarray(read), items[3])
    assert written[-1].read_text().splitlines()[:2] == ["file,age,name", '00000.png,0,"a,b"']


def test_a_folder_that_is_there_keeps_its_other_files(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    Image.fit(pictures()).save(pictures(), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize(("channels", "kind"), [(1, np.uint8), (3, np.uint16)])
def test_npy_and_npz_hold_four_axes_and_the_integer_type(channels, kind, tmp_path):
    items = pictures(channels=channels, kind=kind)
    codec = Image.fit(items)
    codec.save(items, tmp_path / "x.npy")
    codec.save(items, tmp_path / "x.npz", {"file": np.array(list("abcde"), object), "age": np.arange(5)})
    with np.load(tmp_path / "x.npz", allow_pickle=False) as read:
        assert set(read.files) == {"samples", "file", "age"}
        assert read["file"].tolist() == list("abcde")
        for made in (read["samples"], np.load(tmp_path / "x.npy", allow_pickle=False)):
            assert made.dtype == kind
            np.testing.assert_array_equal(made, items)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "x.npz"]


def test_an_unknown_ending_names_those_that_there_are(tmp_path):
    with pytest.raises(RequestError, match=r"\.png, \.npy, \.npz or a folder, not \.jpg"):
        Image.fit(pictures()).save(pictures(), tmp_path / "x.jpg")
    with pytest.raises(RequestError, match="'samples' has no place"):
        Image.fit(pictures()).save(pictures(), tmp_path / "x.npz", {"samples": np.arange(5)})
    assert not list(tmp_path.iterdir())


def test_a_contact_sheet_is_nearly_square_and_shows_small_pictures_enlarged():
    items = np.zeros((9, 8, 8, 1), np.uint8)
    items[4] = 77
    sheet = contact_sheet(items)
    assert sheet.shape == (3 * 68 + 4, 3 * 68 + 4, 1)
    assert (sheet[72:136, 72:136] == 77).all()
    assert (sheet == 77).sum() == 64 * 64


def test_a_preview_shows_16_bits_as_8(tmp_path):
    items = np.full((1, 64, 64, 1), 0x1234, np.uint16)
    Image.fit(items).preview(items, tmp_path / "x.png")
    with Pillow.open(tmp_path / "x.png") as read:
        assert read.mode == "L"
        assert read.getpixel((30, 30)) == 0x12
