import io
import os
import tarfile
import threading
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sparring.data import DataSource
from sparring.data.images import Images
from sparring.data.survey import infer_size
from sparring.errors import DataError, RequestError


def picture(seed, height=8, width=8, mode="RGB"):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values).convert(mode)


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return np.asarray(image)


def classes(root, count=3):
    for kind in ("cat", "dog"):
        for i in range(count):
            save(root / kind / f"{i}.png", picture((ord(kind[0]) * 100) + i))
    return root


def pack(root, path):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(root.rglob("*")):
                archive.write(file, file.relative_to(root.parent))
    else:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(root, root.name)
    return path


def same(a, b):
    return (
        np.array_equal(a.items, b.items)
        and np.array_equal(a.digests, b.digests)
        and list(a.attributes) == list(b.attributes)
        and all(np.array_equal(a.attributes[k], b.attributes[k]) for k in a.attributes)
    )


def test_the_kind_finds_it_and_json_gives_it_back():
    images = Images(path="photos", size="48x64", label_pattern="{a}_*", background="#ff0000")
    assert DataSource.find("images") is Images
    assert DataSource.from_json(images.to_json()) == images


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(64, (64, 64)), ("64", (64, 64)), ("48x64", (48, 64)), ("48X64", (48, 64)), ("48,64", (48, 64)),
     ((48, 64), (48, 64)), ([48, 64], (48, 64)), (["48x64"], (48, 64)), (None, None)],
)  # fmt: skip
def test_a_size_is_one_number_or_height_by_width(given, wanted):
    assert Images(path="p", size=given).size == wanted


def test_a_size_can_be_overridden_from_the_command_line():
    assert Images(path="p").override("size=48x64").override("size=32x16").override("depth=16").size == (32, 16)


@pytest.mark.parametrize(
    "fields",
    [{"size": 0}, {"size": "0x4"}, {"size": "axb"}, {"size": "1x2x3"}, {"size": 5000}, {"size": 1.5}, {"size": True},
     {"fit": "squash"}, {"color": "blue"}, {"depth": 12}, {"background": "no colour"}, {"cache_mb": 0},
     {"max_pixels": 0}, {"threads": 0}, {"labels": "x"}, {"label_pattern": "x"},
     {"label_pattern": "{a}", "labels": "none"}, {"no_field": 1}],
)  # fmt: skip
def test_a_wrong_value_is_refused_at_once_in_one_line(fields):
    with pytest.raises(RequestError) as error:
        Images(path="p", **fields)
    assert "\n" not in str(error.value)


def test_a_folder_a_zip_and_a_tar_read_the_same(tmp_path):
    root = classes(tmp_path / "pets")
    plain = Images(path=root).load()
    assert plain.items.shape == (6, 8, 8, 3)
    assert plain.items.dtype == np.uint8
    assert plain.names == [f"{kind}/{i}.png" for kind in ("cat", "dog") for i in range(3)]
    assert plain.attributes["label"].tolist() == ["cat"] * 3 + ["dog"] * 3
    assert plain.modality == "image"
    assert plain.digests.dtype == "S32"
    assert not plain.faults
    assert not plain.notes
    for name in ("pets.zip", "pets.tar.gz"):
        images = Images(path=str(pack(root, tmp_path / name)))
        packed = images.load()
        assert same(plain, packed)
        assert packed.names == [f"pets/{name}" for name in plain.names]
        assert images.title() == "pets"


def test_a_folder_of_two_archives_gives_the_split(tmp_path):
    for split in ("train", "test"):
        save(tmp_path / f"src-{split}" / split / "cat" / "1.png", picture(hash(split) % 100))
        save(tmp_path / f"src-{split}" / split / "dog" / "1.png", picture(hash(split) % 100 + 1))
        (tmp_path / "set").mkdir(exist_ok=True)
        pack(tmp_path / f"src-{split}", tmp_path / "set" / f"x-{split}.tar.gz")
    data = Images(path=tmp_path / "set").load()
    assert data.test.tolist() == [True, True, False, False]
    assert data.attributes["label"].tolist() == ["cat", "dog"] * 2


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_result_does_not_depend_on_the_number_of_threads(tmp_path, threads):
    for i in range(23):
        save(tmp_path / f"{i}.png", picture(i, 5 + i, 40 - i))
    (tmp_path / "11.png").write_bytes(b"broken")
    one, many = Images(path=tmp_path, size=9).load(), Images(path=tmp_path, size=9, threads=threads).load()
    assert same(one, many)
    assert (one.names, one.faults, one.notes) == (many.names, many.faults, many.notes)


def test_no_thread_outlives_reading(tmp_path):
    classes(tmp_path)
    before = threading.active_count()
    Images(path=tmp_path, threads=4).load()
    assert threading.active_count() == before


def test_a_truncated_png_and_other_bad_files_are_skipped_by_name_and_reason(tmp_path):
    kept = [save(tmp_path / f"{i}.png", picture(i)) for i in (1, 3)]
    whole = io.BytesIO()
    picture(2, 30, 30).save(whole, "PNG")
    (tmp_path / "2.png").write_bytes(whole.getvalue()[:-200])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "phone.heic").write_bytes(b"x")
    save(tmp_path / "bomb.png", Image.new("1", (101, 100)))
    data = Images(path=tmp_path, max_pixels=10_000, size=8).load()
    assert data.names == ["1.png", "3.png"]
    assert np.array_equal(data.items, np.stack(kept))
    assert {fault.file: fault.reason.split(" (")[0].split(":")[0] for fault in data.faults} == {
        "2.png": "truncated",
        "empty.jpg": "empty",
        "text.jpg": "not a picture, or its first bytes are damaged",
        "phone.heic": ".heic pictures are not read; convert them to PNG or JPEG",
        "bomb.png": "bomb-sized",
    }


def test_labels_and_splits_stay_beside_their_pictures_when_one_is_skipped(tmp_path):
    for split in ("train", "test"):
        classes(tmp_path / split)
    whole = (tmp_path / "test" / "cat" / "1.png").read_bytes()
    (tmp_path / "test" / "cat" / "1.png").write_bytes(whole[:-60])
    data = Images(path=tmp_path).load()
    assert len(data) == 11
    assert data.attributes["label"].tolist() == [name.split("/")[1] for name in data.names]
    assert data.test.tolist() == [name.startswith("test") for name in data.names]


def test_a_folder_without_a_usable_picture_is_one_clear_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"x")
    with pytest.raises(
        DataError, match=r"holds no usable picture: 2 skipped \(a\.png: empty; b\.png: not a pic"
    ) as error:
        Images(path=tmp_path).load()
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="holds no usable picture"):
        Images(path=tmp_path).survey()


def test_damage_that_only_decoding_finds_is_the_same_error(tmp_path):
    save(tmp_path / "a.png", picture(1, 30, 30))
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-300])
    with pytest.raises(DataError, match=r"holds no usable picture: 1 skipped \(a\.png: truncated\)"):
        Images(path=tmp_path).load()


def test_a_folder_of_other_files_says_what_it_holds(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b").write_text("x")
    with pytest.raises(DataError, match=r"holds no picture \(2 other files were ignored \(\.txt, no ending\)\)"):
        Images(path=tmp_path).load()


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="it is empty"):
        Images(path=tmp_path).load()


def test_ignored_files_are_one_note(tmp_path):
    classes(tmp_path)
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "dog" / "info.txt").write_text("x")
    assert Images(path=tmp_path).load().notes == ("2 other files were ignored (.md, .txt)",)


def test_what_was_changed_is_noted_with_counts(tmp_path):
    save(tmp_path / "1.png", picture(1, mode="RGBA"))
    save(tmp_path / "2.png", picture(2, mode="P"))
    save(tmp_path / "3.png", picture(3, 4, 4))
    save(tmp_path / "4.jpg", picture(4, mode="CMYK"))
    notes = " | ".join(Images(path=tmp_path, size=8).load().notes)
    for said in (
        "transparency, composited on white: 1 of 4 pictures",
        "a palette, read as its colours: 1 of 4",
        "smaller than the size, enlarged: 1 of 4",
        "CMYK or Lab, converted to RGB: 1 of 4",
        "read at 8x8 (crop, Lanczos)",
    ):
        assert said in notes


def test_grey_pictures_stay_grey_and_one_of_colour_makes_all_rgb(tmp_path):
    grey = save(tmp_path / "1.png", picture(1, mode="L"))
    assert np.array_equal(Images(path=tmp_path).load().items[0, ..., 0], grey)
    assert Images(path=tmp_path, color="rgb").load().items.shape == (1, 8, 8, 3)
    save(tmp_path / "2.png", picture(2))
    both = Images(path=tmp_path).load()
    assert both.items.shape == (2, 8, 8, 3)
    assert np.array_equal(both.items[0], grey[..., None].repeat(3, -1))
    assert Images(path=tmp_path, color="grey").load().items.shape == (2, 8, 8, 1)


def test_grey_that_is_stored_as_rgb_is_grey(tmp_path):
    save(tmp_path / "1.png", picture(1, mode="L").convert("RGB"))
    assert Images(path=tmp_path).load().items.shape == (1, 8, 8, 1)
    save(tmp_path / "0.png", picture(0))
    assert Images(path=tmp_path).load().items.shape == (2, 8, 8, 3)


def test_a_coloured_background_makes_grey_pictures_rgb(tmp_path):
    save(tmp_path / "1.png", picture(1, 8, 4, mode="L"))
    data = Images(path=tmp_path, size=8, fit="letterbox", background="red").load()
    assert data.items[0, 0, 0].tolist() == [255, 0, 0]


def test_sixteen_bits_are_kept_where_all_pictures_have_them(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (8, 8)).astype(np.uint16)
    save(tmp_path / "1.png", Image.fromarray(deep))
    data = Images(path=tmp_path).load()
    assert data.items.dtype == np.uint16
    assert np.array_equal(data.items[0, ..., 0], deep)
    assert not data.notes
    save(tmp_path / "2.png", picture(2, mode="L"))
    both = Images(path=tmp_path).load()
    assert both.items.dtype == np.uint8
    assert both.notes == ("16 bits a channel, reduced to 8: 1 of 2 pictures",)


def test_equal_pictures_have_equal_digests_whatever_their_files(tmp_path):
    save(tmp_path / "1.png", picture(1))
    save(tmp_path / "2.bmp", picture(1))
    save(tmp_path / "3.png", picture(3))
    one, two, three = Images(path=tmp_path).load().digests
    assert one == two != three


def test_a_small_budget_of_memory_changes_nothing_and_leaves_no_file(tmp_path, monkeypatch):
    for i in range(12):
        save(tmp_path / "data" / f"{i}.png", picture(i, 200, 200))
    (tmp_path / "data" / "5.png").write_bytes(b"broken")
    (tmp_path / "room").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "room"))
    kept, mapped = (Images(path=tmp_path / "data", size=200, cache_mb=mb).load() for mb in (100, 1))
    assert isinstance(mapped.items, np.memmap)
    assert not isinstance(kept.items, np.memmap)
    assert not os.listdir(tmp_path / "room")
    assert same(kept, mapped)
    assert np.array_equal(mapped.items[np.array([3, 0])], kept.items[[3, 0]])


def test_a_full_disk_is_one_error(tmp_path, monkeypatch):
    save(tmp_path / "1.png", picture(1, 700, 700))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"fit neither cache_mb=1 nor .*No space left"):
        Images(path=tmp_path, size=700, cache_mb=1).load()


def test_a_survey_says_what_loading_gives(tmp_path):
    for split in ("train", "test"):
        classes(tmp_path / split)
    save(tmp_path / "train" / "dog" / "9.png", picture(9, 20, 10, "P"))
    (tmp_path / "train" / "dog" / "8.png").write_bytes(b"")
    survey, data = Images(path=tmp_path).survey(), Images(path=tmp_path).load()
    assert survey.count == len(data) == 13
    assert survey.sizes == {(8, 8): 12, (20, 10): 1}
    assert survey.modes == {"RGB": 12, "P": 1}
    assert survey.labels == {"label": {"cat": 6, "dog": 7}}
    assert survey.test == data.test.sum() == 6
    assert survey.shape == data.items.shape[1:]
    assert survey.faults == data.faults == (("train/dog/8.png", "empty"),)


def test_attributes_come_from_names_or_from_a_table(tmp_path):
    save(tmp_path / "18_f_x.png", picture(1))
    save(tmp_path / "30_m_y.png", picture(2))
    named = Images(path=tmp_path, label_pattern="{age}_{gender}_*").load()
    assert {k: v.tolist() for k, v in named.attributes.items()} == {"age": ["18", "30"], "gender": ["f", "m"]}
    (tmp_path / "labels.csv").write_text("file,hair\n18_f_x.png,red\n30_m_y.png,grey\n")
    assert Images(path=tmp_path).load().attributes["hair"].tolist() == ["red", "grey"]
    assert Images(path=tmp_path, labels="none").load().attributes == {}


def test_a_table_inside_an_archive_is_used(tmp_path):
    save(tmp_path / "set" / "a.png", picture(1))
    (tmp_path / "set" / "labels.csv").write_text("file,hair\na.png,red\n")
    assert Images(path=pack(tmp_path / "set", tmp_path / "set.tar.gz")).load().attributes["hair"].tolist() == ["red"]


def test_files_that_vanish_between_the_visits_are_faults(tmp_path, monkeypatch):
    classes(tmp_path)
    form = Images._form
    monkeypatch.setattr(Images, "_form", lambda *a: (os.remove(tmp_path / "cat" / "0.png"), form(*a))[1])
    data = Images(path=tmp_path).load()
    assert len(data) == 5
    assert data.faults == (("cat/0.png", "vanished while it was read"),)


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ([(28, 28)] * 3, (28, 28)),
        ([(128, 128)], (64, 64)),
        ([(256, 512)] * 2, (32, 64)),
        ([(30, 40), (60, 80), (15, 20)], (30, 40)),
        ([(600, 800), (1200, 1600)], (48, 64)),
        ([(50, 100), (100, 50), (40, 44)], (50, 50)),
        ([(500, 333), (500, 375), (640, 480)], (64, 64)),
        ([(1, 1000)], (1, 64)),
    ],
)
def test_the_size_is_inferred_from_the_pictures(sizes, wanted):
    assert infer_size(sizes) == wanted


@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), min_size=1, max_size=20))
def test_an_inferred_size_is_usable_and_does_not_depend_on_the_order(sizes):
    height, width = infer_size(sizes)
    assert 1 <= min(height, width) <= max(height, width) <= 64
    assert infer_size(sizes[::-1]) == (height, width)
