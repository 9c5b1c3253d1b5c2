import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sparring.data.decode import decode, look, quiet
from sparring.data.form import Form
from sparring.errors import DataError

MANY = 100_000_000


def encoded(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def refusal(read, *arguments):
    """The reason of a refusal, or None."""
    try:
        read(*arguments)
    except DataError as error:
        return str(error)
    return None


def noise(height, width, channels=3, top=256, dtype=np.uint8):
    values = np.random.default_rng(height * 41 + width).integers(0, top, (height, width, channels))
    return values.astype(dtype).squeeze(-1) if channels == 1 else values.astype(dtype)


def in_mode(mode, height, width):
    if mode == "I;16":
        return Image.fromarray(noise(height, width, 1, 65536, np.uint16))
    if mode == "I":
        return Image.fromarray(noise(height, width, 1, 65536, np.int32))
    if mode == "F":
        return Image.fromarray(noise(height, width, 1).astype(np.float32) / 255)
    colour = Image.fromarray(noise(height, width))
    if mode == "LAB":
        return Image.frombytes("LAB", colour.size, colour.tobytes())
    return colour.convert(mode)


MODES = {
    "1": "PNG", "L": "PNG", "LA": "PNG", "P": "PNG", "RGB": "PNG", "RGBA": "PNG", "I;16": "PNG", "I": "TIFF",
    "F": "TIFF", "CMYK": "TIFF", "YCbCr": "TIFF", "LAB": "TIFF",
}  # fmt: skip


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(MODES)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.builds(
        Form,
        height=st.integers(1, 40),
        width=st.integers(1, 40),
        channels=st.sampled_from([1, 3]),
        depth=st.sampled_from([8, 16]),
        fit=st.sampled_from(["crop", "letterbox"]),
    ),
)
def test_any_mode_and_size_becomes_the_asked_size_and_depth(mode, size, form):
    data = encoded(in_mode(mode, *size), MODES[mode])
    picture = decode(data, form)
    assert picture.pixels.shape == (form.height, form.width, form.channels)
    assert picture.pixels.dtype == (np.uint16 if form.depth == 16 else np.uint8)
    seen = look(io.BytesIO(data), MANY)
    assert (seen.height, seen.width) == size


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_cut_at_any_byte_a_picture_is_decoded_or_refused_with_a_reason(form):
    data = encoded(Image.fromarray(noise(5, 7)), form)
    with quiet():
        for length in range(len(data)):
            part = data[:length]
            for reason in (refusal(decode, part, Form(4, 4)), refusal(look, io.BytesIO(part), MANY)):
                assert reason is None or (reason and "\n" not in reason)
        assert decode(data, Form(4, 4)).pixels.shape == (4, 4, 3)


@settings(max_examples=150)
@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP"]), st.integers(0, 10_000), st.binary(min_size=1, max_size=4)
)
def test_damaged_bytes_never_escape_as_another_error(form, place, damage):
    data = bytearray(encoded(Image.fromarray(noise(9, 8)), form))
    place %= len(data)
    data[place : place + len(damage)] = damage
    with quiet():
        assert refusal(decode, bytes(data), Form(8, 8, max_pixels=10_000)) != ""


def test_a_picture_of_the_asked_size_keeps_its_pixels():
    values = noise(6, 5)
    assert np.array_equal(decode(encoded(Image.fromarray(values)), Form(6, 5)).pixels, values)


def test_sixteen_bit_grey_keeps_its_values_and_is_reduced_by_rounding():
    values = noise(6, 5, 1, 65536, np.uint16)
    data = encoded(Image.fromarray(values))
    assert np.array_equal(decode(data, Form(6, 5, 1, 16)).pixels[..., 0], values)
    assert np.array_equal(decode(data, Form(6, 5, 1, 8)).pixels[..., 0], np.rint(values / 257).astype(np.uint8))
    assert look(io.BytesIO(data), MANY).deep


def test_eight_bits_become_sixteen_by_the_full_range():
    data = encoded(Image.fromarray(np.array([[0, 1, 255]], np.uint8)))
    assert decode(data, Form(1, 3, 1, 16)).pixels.ravel().tolist() == [0, 257, 65535]


def test_sixteen_bit_pictures_are_resized_as_finely_as_they_are_stored():
    ramp = np.linspace(20_000, 20_060, 32).astype(np.uint16)[None].repeat(32, 0)
    small = decode(encoded(Image.fromarray(ramp)), Form(16, 16, 1, 16)).pixels[8, :, 0].astype(int)
    assert len(set(small)) == 16
    assert np.abs(small[2:-2] - (ramp[0, 4:-4:2] / 2.0 + ramp[0, 5:-3:2] / 2.0)).max() <= 1.5


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_composited_on_the_background(mode):
    if mode == "P":
        image = Image.new("P", (2, 2), 0)
        image.putpalette([10, 20, 30])
        data = encoded(image, transparency=0)
    else:
        data = encoded(Image.new(mode, (2, 2), (0,) * len(mode)))
    picture = decode(data, Form(2, 2, background=(1, 200, 3)))
    assert picture.pixels.reshape(-1, 3).tolist() == [[1, 200, 3]] * 4
    assert "transparent" in picture.traits


def test_half_transparency_mixes_with_the_background():
    data = encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 128)))
    assert abs(int(decode(data, Form(1, 1)).pixels[0, 0, 0]) - 127) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_and_counted_in_the_header(orientation, form):
    upright = noise(3, 2)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if form == "WEBP" else {}
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), form, exif=exif, **options)
    assert np.array_equal(decode(data, Form(3, 2)).pixels, upright)
    assert look(io.BytesIO(data), MANY)[:2] == (3, 2)


def test_crop_takes_the_middle_and_letterbox_shows_all():
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = 200
    data = encoded(Image.fromarray(wide))
    assert (decode(data, Form(4, 4)).pixels == 200).all()
    boxed = decode(data, Form(12, 12, fit="letterbox", background=(9, 9, 9))).pixels
    assert (boxed[:4] == 9).all()
    assert np.array_equal(boxed[4:8], wide)
    assert (boxed[8:] == 9).all()
    tall = encoded(Image.fromarray(np.ascontiguousarray(wide.transpose(1, 0, 2))))
    assert np.array_equal(
        decode(tall, Form(12, 12, fit="letterbox", background=(9, 9, 9))).pixels, np.swapaxes(boxed, 0, 1)
    )


def test_a_sharp_edge_of_sixteen_bits_does_not_wrap_around():
    edge = np.zeros((8, 8), np.uint16)
    edge[:, 4:] = 65535
    large = decode(encoded(Image.fromarray(edge)), Form(32, 32, 1, 16)).pixels[..., 0]
    assert large[:, :12].max() < 10_000
    assert large[:, 20:].min() > 55_000


def test_shrinking_averages_instead_of_skipping():
    fine = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    small = decode(encoded(Image.fromarray(fine)), Form(8, 8, 1)).pixels
    assert np.abs(small.astype(int) - 127).max() <= 4


def test_a_large_jpeg_is_shrunk_as_its_pixels_would_be():
    smooth = np.kron(noise(32, 32), np.ones((4, 4, 1))).astype(np.uint8)
    stored = encoded(Image.fromarray(smooth), "JPEG", quality=95, subsampling=0)
    from_jpeg = decode(stored, Form(32, 32)).pixels.astype(int)
    from_png = decode(encoded(Image.fromarray(smooth)), Form(32, 32)).pixels.astype(int)
    assert np.abs(from_jpeg - from_png).mean() < 4


@pytest.mark.parametrize(("height", "width", "trait"), [(3, 9, "enlarged"), (30, 90, "resized"), (5, 8, "enlarged")])
def test_a_change_of_size_is_said(height, width, trait):
    assert trait in decode(encoded(Image.fromarray(noise(height, width))), Form(8, 8)).traits


def test_a_change_of_shape_by_turning_alone_is_no_change_of_size():
    assert not decode(encoded(Image.fromarray(noise(8, 6))), Form(8, 6)).traits


def test_only_the_first_frame_of_an_animation_is_used():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    picture = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), Form(4, 4))
    assert "animated" in picture.traits
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]


def test_colour_of_sixteen_bits_is_read_at_eight_and_said():
    rows = b"".join(b"\0" + struct.pack(">6H", *[65535, 0, 256] * 2) for _ in range(2))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    picture = decode(data, Form(2, 2))
    assert "deep colour" in picture.traits
    assert picture.pixels[0, 0].tolist() == [255, 0, 1]


def test_a_picture_of_sixteen_pixels_a_side_has_no_sixteen_bits():
    assert decode(encoded(Image.new("RGB", (16, 16))), Form(16, 16)).traits == set()


def test_a_bomb_that_pillow_refuses_itself_is_named_with_its_size():
    data = bytearray(encoded(Image.new("1", (300, 200))))
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(DataError, match="bomb-sized: 3600000000 pixels are more than max_pixels=100000000"):
        look(io.BytesIO(bytes(data)), 100_000_000)


def test_a_bomb_is_refused_by_its_header():
    data = encoded(Image.new("1", (300, 200)))
    with pytest.raises(DataError, match="bomb-sized: 200x300 pixels are more than max_pixels=59999"):
        decode(data, Form(8, 8, max_pixels=59_999))
    with pytest.raises(DataError, match="bomb-sized"):
        look(io.BytesIO(data), 59_999)
    decode(data, Form(8, 8, max_pixels=60_000))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"no picture at all", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (encoded(Image.fromarray(noise(40, 40)), "JPEG")[:900], "truncated"),
        (encoded(Image.fromarray(np.full((2, 2), np.nan, np.float32)), "TIFF"), "outside 0 to 65535"),
        (encoded(Image.fromarray(np.full((2, 2), -1, np.int32)), "TIFF"), "outside 0 to 65535"),
    ],
)
def test_what_is_no_usable_picture_is_refused_with_its_reason(data, reason):
    with pytest.raises(DataError, match=reason):
        decode(data, Form(4, 4))


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_floating_point_pictures_are_read_by_their_range(top):
    data = encoded(Image.fromarray(np.array([[0, top / 2, top]], np.float32)), "TIFF")
    values = decode(data, Form(1, 3, 1)).pixels.ravel().tolist()
    assert values[0] == 0
    assert abs(values[1] - 127.5) <= 1
    assert values[2] == 255
