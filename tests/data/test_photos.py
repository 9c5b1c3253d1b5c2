import numpy as np
import pytest
from PIL import Image

from sparring.data.photos import Crops, Photos
from sparring.errors import DataError
from sparring.experiment import split


def save(folder, name, shape, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def test_pictures_keep_their_size_and_the_middle_is_the_item(tmp_path):
    wide = save(tmp_path, "a.png", (80, 200, 3))
    save(tmp_path, "b.png", (300, 90, 3))
    data = Photos(path=str(tmp_path), size=64).load()
    assert data.items.shape == (2, 64, 64, 3)
    np.testing.assert_array_equal(data.items[np.array([0])][0], wide[8:72, 68:132])
    assert any("crops of 64x64" in note for note in data.notes)


def test_crops_are_drawn_by_their_key_from_everywhere():
    picture = np.arange(100 * 120, dtype=np.uint32).reshape(100, 120, 1)
    crops = Crops([picture], (32, 32), "none")
    rows = np.zeros(300, np.int64)
    found = crops.drawn(rows, range(300))
    np.testing.assert_array_equal(found[7], crops.drawn(rows[:1], [7])[0])
    corners = found[:, 0, 0, 0]
    assert corners.min() // 120 < 5
    assert corners.max() // 120 > 63
    assert len(set(corners.tolist())) > 250
    inside = picture[corners[7] // 120 :, corners[7] % 120 :][:32, :32]
    np.testing.assert_array_equal(found[7], inside)


@pytest.mark.parametrize(("turns", "ways"), [("none", 1), ("mirror", 2), ("all", 8)])
def test_crops_are_turned_as_asked(turns, ways):
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 1), np.uint8)
    found = Crops([picture], (16, 16), turns).drawn(np.zeros(200, np.int64), range(200))
    assert len({crop.tobytes() for crop in found}) == ways


def test_a_picture_that_is_too_small_is_filled_by_mirroring(tmp_path):
    small = save(tmp_path, "a.png", (20, 70, 3))
    save(tmp_path, "b.png", (100, 100, 3))
    item = Photos(path=str(tmp_path), size=64).load().items[0]
    assert item.shape == (64, 64, 3)
    np.testing.assert_array_equal(item[22:42], small[:, 3:67])
    np.testing.assert_array_equal(item[21], small[0, 3:67])


@pytest.mark.parametrize(
    ("shapes", "size"), [([(48, 40)] * 2, (48, 40)), ([(300, 300)] * 2, (64, 64)), ([(50, 90), (50, 80)], (50, 50))]
)
def test_the_crop_follows_the_pictures_where_none_is_asked(tmp_path, shapes, size):
    for number, shape in enumerate(shapes):
        save(tmp_path, f"{number}.png", shape)
    assert Photos(path=str(tmp_path)).load().items.shape[1:] == (*size, 1)


def test_pictures_can_be_reduced_first(tmp_path):
    save(tmp_path, "a.png", (80, 160, 3))
    data = Photos(path=str(tmp_path), shorter=40, size=40).load()
    assert data.items.pictures[0].shape == (40, 80, 3)


def test_folders_of_a_split_are_the_split(tmp_path):
    for number in range(90):
        save(tmp_path, f"train/{number}.png", (8, 8), number)
    for number in range(20):
        save(tmp_path, f"test/{number}.png", (8, 8), 1000 + number)
    data = Photos(path=str(tmp_path)).load()
    assert data.test.sum() == 20
    assert {data.names[row].split("/")[0] for row in split(data).report} == {"test"}


def test_damaged_files_are_named_and_the_rest_is_read(tmp_path):
    save(tmp_path, "a.png", (8, 8))
    (tmp_path / "b.png").write_bytes(b"no picture")
    data = Photos(path=str(tmp_path)).load()
    assert len(data) == 1
    assert [fault.file for fault in data.faults] == ["b.png"]
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match=r"b\.png"):
        Photos(path=str(tmp_path)).load()


def test_more_than_the_memory_that_is_allowed_goes_to_a_temporary_file(tmp_path):
    kept = [save(tmp_path, f"{name}.png", (700, 800, 3), seed) for seed, name in enumerate("ab")]
    (tmp_path / "aa.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    data = Photos(path=str(tmp_path), cache_mb=1).load()
    assert [fault.file for fault in data.faults] == ["aa.png"]
    for picture, was in zip(data.items.pictures, kept, strict=True):
        assert isinstance(picture, np.memmap)
        np.testing.assert_array_equal(picture, was)
    assert not any(isinstance(picture, np.memmap) for picture in Photos(path=str(tmp_path)).load().items.pictures)


def test_no_room_for_the_temporary_file_is_told_with_the_remedy(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    save(tmp_path, "a.png", (700, 800, 3))
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(DataError, match=r"cache_mb=1.*data\.shorter"):
        Photos(path=str(tmp_path), cache_mb=1).load()


def test_equal_pictures_have_equal_digests(tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path, name, (70, 80))
    save(tmp_path, "c.png", (70, 80), 1)
    digests = Photos(path=str(tmp_path)).load().digests
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("shapes", "size"), [([(100, 75)] * 2, (96, 72)), ([(300, 300)] * 2, (96, 96)), ([(50, 90), (55, 80)], (48, 48)),
                         ([(20, 90), (20, 80)], (24, 24))]
)  # fmt: skip
def test_the_crop_is_a_multiple_where_one_is_wanted(tmp_path, shapes, size):
    for number, shape in enumerate(shapes):
        save(tmp_path, f"{number}.png", (*shape, 3), seed=number)
    assert Photos(path=str(tmp_path), multiple=24).load().items.shape[1:3] == size


def test_two_folders_of_real_pairs_are_cropped_at_the_same_place(tmp_path):
    for number in range(3):
        clean = save(tmp_path, f"clean/{number}.png", (60, 70, 3), seed=number)
        Image.fromarray(255 - clean).save(save_folder(tmp_path, "noisy") / f"{number}.png")
    save(tmp_path, "clean/lonely.png", (60, 70, 3))
    save(tmp_path, "clean/other.png", (60, 70, 3))
    save(tmp_path, "noisy/other.png", (60, 60, 3))
    data = Photos(path=str(tmp_path), size=32, turns="all", pairs=True).load()
    assert data.names == ["clean/0.png", "clean/1.png", "clean/2.png"]
    rows = np.arange(3).repeat(8)
    np.testing.assert_array_equal(data.given.drawn(rows, range(24)), 255 - data.items.drawn(rows, range(24)))
    assert {fault.file for fault in data.faults} == {"clean/lonely.png", "clean/other.png", "noisy/other.png"}
    assert len(Photos(path=str(tmp_path), size=32).load()) == 9  # all are clean pictures


def test_real_pairs_are_told_apart_by_the_folders_between(tmp_path):
    for number, folder in enumerate(("s1", "s2")):
        save(tmp_path, f"all/clean/{folder}/1.png", (40, 40, 3), number)
        save(tmp_path, f"all/noisy/{folder}/1.png", (40, 40, 3), number)
    data = Photos(path=str(tmp_path), pairs=True).load()
    assert len(data) == 2
    np.testing.assert_array_equal(data.items[np.arange(2)], data.given[np.arange(2)])
    (tmp_path / "all/clean/s1/1.png").unlink()
    data = Photos(path=str(tmp_path), pairs=True).load()
    assert data.names == ["all/clean/s2/1.png"]
    np.testing.assert_array_equal(data.items[np.arange(1)], data.given[np.arange(1)])


def test_two_folders_of_other_pictures_are_no_pairs(tmp_path):
    save(tmp_path, "clean/a.png", (40, 40, 3))
    save(tmp_path, "noisy/b.png", (40, 40, 3))
    with pytest.raises(DataError, match="no pairs"):
        Photos(path=str(tmp_path), pairs=True).load()


def save_folder(tmp_path, name):
    (tmp_path / name).mkdir(exist_ok=True)
    return tmp_path / name


def test_what_reading_changed_in_photos_is_told(tmp_path):
    save(tmp_path, "a.png", (20, 20, 3))
    save(tmp_path, "b.png", (20, 20, 4))
    notes = Photos(path=str(tmp_path)).load().notes
    assert "transparency, composited on white: 1 of 2 pictures" in notes
