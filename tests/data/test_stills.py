import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sparring.data.deep_png import _unfiltered, deep_png
from sparring.data.stills import read_still, split_alpha, write_still
from sparring.errors import DataError, RequestError
from sparring.modalities.image import png


def pixels(channels, kind=np.uint8, size=(14, 11)):
    most = np.iinfo(kind).max
    return np.random.default_rng(channels).integers(0, most, (*size, channels), endpoint=True).astype(kind)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_comes_back_as_it_was(tmp_path, channels, kind):
    still = split_alpha(pixels(channels, kind))
    write_still(still, tmp_path / "a.png")
    found = read_still(tmp_path / "a.png")
    np.testing.assert_array_equal(found.pixels, still.pixels)
    assert found.pixels.dtype == kind
    assert (found.alpha is None) == (channels in (1, 3))
    if found.alpha is not None:
        np.testing.assert_array_equal(found.alpha, still.alpha)


def filtered(kinds, plain):
    """Row filters of the specification, one byte after the other."""
    height, width, step = plain.shape
    wide = np.zeros((height + 1, width + 1, step), int)
    wide[1:, 1:] = plain  # Python's integers do not wrap
    out = np.zeros_like(plain)
    for y in range(height):
        for x in range(width):
            for i in range(step):
                a, b, c = wide[y + 1, x, i], wide[y, x + 1, i], wide[y, x, i]
                p = a + b - c
                far = sorted([(abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c)])[0][2]
                out[y, x, i] = (int(plain[y, x, i]) - [0, a, b, (a + b) // 2, far][kinds[y]]) % 256
    return out


def test_all_filters_of_png_are_undone():
    plain = pixels(3, size=(10, 7))
    kinds = np.array([4, 3, 2, 1, 0, 4, 4, 3, 3, 2], np.uint8)
    np.testing.assert_array_equal(_unfiltered(kinds, filtered(kinds, plain)), plain)


def test_damaged_deep_files_are_refused_in_one_line():
    data = png(pixels(3, np.uint16))
    assert deep_png(png(pixels(3)), 1000) is None
    with pytest.raises(DataError, match="bomb"):
        deep_png(data, 10)
    for wrong in (data[:-40], data[:60] + b"\0" * 20 + data[80:]):
        with pytest.raises(DataError):
            deep_png(wrong, 1000)


def test_orientation_is_applied(tmp_path):
    plain = pixels(3, size=(6, 9))
    image = Image.fromarray(plain)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_still(tmp_path / "a.png").pixels, np.rot90(plain, -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_to_sixteen_bits_as_to_eight(tmp_path, orientation):
    image = Image.new("RGB", (9, 6))
    exif = image.getexif()
    exif[0x0112] = orientation
    said = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(said)) + b"eXIf" + said + struct.pack(">I", zlib.crc32(b"eXIf" + said))
    found = {}
    for kind in (np.uint8, np.uint16):
        data = png(pixels(3, np.uint8, (6, 9)).astype(kind))
        (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
        found[kind] = read_still(tmp_path / "a.png").pixels
        assert found[kind].dtype == kind
    np.testing.assert_array_equal(found[np.uint8], found[np.uint16])


def deep_tiff(values):
    """A TIFF of one strip without compression, of 16 bits a channel."""
    height, width, channels = values.shape
    data, bits = values.astype("<u2").tobytes(), struct.pack(f"<{channels}H", *[16] * channels)
    fields = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, 8), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 8 + len(bits)), (277, 3, 1, channels), (278, 4, 1, height), (279, 4, 1, len(data)),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    directory = struct.pack("<H", len(fields)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(bits) + len(data)) + bits + data + directory


def test_colour_that_would_lose_half_of_its_bits_is_refused(tmp_path):
    (tmp_path / "a.tif").write_bytes(deep_tiff(pixels(3, np.uint16)))
    with pytest.raises(DataError, match="16 bits a channel, of which 8 could be read"):
        read_still(tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as image:  # the file is a sound one
        assert np.array_equal(np.asarray(image), pixels(3, np.uint16) >> 8)


def test_palettes_and_one_bit_become_plain(tmp_path):
    Image.fromarray(pixels(3)).quantize(8).save(tmp_path / "p.png")
    Image.fromarray(pixels(1)[..., 0] > 100).save(tmp_path / "b.png")
    assert read_still(tmp_path / "p.png").pixels.shape == (14, 11, 3)
    assert set(np.unique(read_still(tmp_path / "b.png").pixels)) == {0, 255}


def test_what_a_form_cannot_hold_is_refused(tmp_path):
    for name, channels, kind in (("a.jpg", 4, np.uint8), ("a.jpg", 3, np.uint16), ("a.xyz", 3, np.uint8)):
        with pytest.raises(RequestError):
            write_still(split_alpha(pixels(channels, kind)), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_jpeg_can_be_written(tmp_path):
    write_still(split_alpha(np.full((8, 8, 3), 77, np.uint8)), tmp_path / "a.jpg")
    assert abs(read_still(tmp_path / "a.jpg").pixels.astype(int) - 77).max() <= 1
