import shutil

import numpy as np
import pytest
from PIL import Image

from sparring.data.decoding import decode_all
from sparring.data.domains import Domain
from sparring.data.files import Files
from sparring.data.form import Form
from sparring.data.images import Images
from sparring.data.pairs import Pairs
from sparring.errors import DataError, RequestError
from sparring.experiment import Experiment, read_alike, split
from sparring.modalities import Modality
from sparring.tasks.unpaired_translation import UnpairedTranslation


def save(folder, name, value, shape=(12, 10, 3)):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(shape, value, np.uint8)
    pixels[:, : shape[1] // 2] += 5
    Image.fromarray(pixels).save(path)
    return pixels


def two_folders(tmp_path, first="A", second="B", count=4):
    for number in range(count):
        save(tmp_path, f"{first}/{number}.png", 10 + number)
        save(tmp_path, f"{second}/{number}.png", 100 + number)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
@pytest.mark.parametrize("names", [("A", "B"), ("trainA", "trainB"), ("labels", "photos")])
def test_two_folders_are_paired_by_name(tmp_path, names, direction):
    two_folders(tmp_path, *names)
    data = Pairs(path=str(tmp_path), direction=direction).load()
    given, made = (10, 100) if direction == "AtoB" else (100, 10)
    rows = np.arange(4)
    assert data.items[rows][:, 0, -1, 0].tolist() == [made + row for row in rows]
    assert data.given[rows][:, 0, -1, 0].tolist() == [given + row for row in rows]


def test_side_by_side_files_are_cut_in_the_middle(tmp_path):
    left, right = np.full((8, 6, 3), 20, np.uint8), np.full((8, 6, 3), 90, np.uint8)
    for number in range(3):
        Image.fromarray(np.concatenate([left + number, right + number], 1)).save(tmp_path / f"{number}.png")
    data = Pairs(path=str(tmp_path)).load()
    assert data.items.shape == data.given.shape == (3, 8, 6, 1)
    assert (data.given[np.array([1])] == 21).all()
    assert (data.items[np.array([1])] == 91).all()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("shape", "size"), [((300, 800), 64), ((80, 60), 32), ((40, 101), 40), ((64, 128), (24, 64))])
def test_each_half_is_fitted_to_the_size_by_itself(tmp_path, shape, size, turned):
    height, width = shape[0], shape[1] // 2
    half = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    whole = Image.fromarray(np.concatenate([half, np.full((height, shape[1] % 2, 3), 7, np.uint8), half], 1))
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1
    for folder, picture in (("pairs", whole), ("halves", Image.fromarray(half))):
        (tmp_path / folder).mkdir()
        stored = picture.transpose(Image.Transpose.ROTATE_90) if turned else picture
        stored.save(tmp_path / folder / "0.png", exif=exif)
    data, alone = (
        source(path=str(tmp_path / f), size=size).load() for source, f in ((Pairs, "pairs"), (Images, "halves"))
    )
    for side in (data.given, data.items):
        np.testing.assert_array_equal(side[np.array([0])], alone.items)


def test_the_size_that_pictures_are_read_at_is_told_where_it_is_not_their_own(tmp_path):
    for number in range(3):
        save(tmp_path, f"whole/{number}.png", 10 + number, (48, 60, 3))
        save(tmp_path, f"A/{number}.png", 10 + number, (100, 80, 3))
        save(tmp_path, f"B/{number}.png", 100 + number, (100, 80, 3))
    small = Pairs(path=str(tmp_path / "whole")).load()
    assert small.resizing == ""
    assert not [note for note in small.notes if "read at" in note]
    shutil.rmtree(tmp_path / "whole")
    for aligned in (True, False):
        data = Pairs(path=str(tmp_path), aligned=aligned).load()
        assert data.resizing == "read at 64x51 (crop, Lanczos)"
        assert data.notes.count(data.resizing) == 1


def coloured(folder, name):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_are_grey_where_those_of_both_domains_are(tmp_path, mode, aligned):
    for side, value in (("A", 10), ("B", 100)):
        for number in range(3):
            save(tmp_path, f"{side}/{number}.png", value + number)
            Image.open(tmp_path / f"{side}/{number}.png").convert(mode).save(tmp_path / f"{side}/{number}.png")
    data = Pairs(path=str(tmp_path), aligned=aligned).load()
    assert data.items.shape == data.given.shape == (3, 12, 10, 1)
    assert data.items[np.arange(3)][:, 0, -1, 0].tolist() == [100, 101, 102]
    rgb = Pairs(path=str(tmp_path), aligned=aligned, color="rgb").load()
    assert rgb.items.shape == rgb.given.shape == (3, 12, 10, 3)
    coloured(tmp_path, "A/2.png")
    mixed = Pairs(path=str(tmp_path), aligned=aligned).load()
    assert mixed.items.shape == mixed.given.shape == (3, 12, 10, 3)
    grey = Pairs(path=str(tmp_path), aligned=aligned, color="grey").load()
    assert grey.items.shape == grey.given.shape == (3, 12, 10, 1)


def test_colours_of_pictures_that_are_not_used_do_not_matter(tmp_path):
    two_folders(tmp_path)
    coloured(tmp_path, "C/0.png")
    assert Pairs(path=str(tmp_path)).load().items.shape[3] == 1


def test_stored_pairs_that_do_not_say_how_they_were_read_are_read_as_before(tmp_path):
    two_folders(tmp_path)
    stored = Experiment(data=Pairs(path=str(tmp_path))).to_json()
    assert Experiment.from_json(stored).data.color == "auto"
    del stored["data"]["color"], stored["data"]["held"], stored["data"]["labels"]
    assert Experiment.from_json(stored).data.load().items.shape[3] == 3
    assert Experiment.from_json(stored).data.held == 0
    assert Experiment.from_json(stored).data.labels == "none"


@pytest.mark.parametrize(
    "layout", ["{side}/{kind}/{number}.png", "train/{side}/{kind}/{number}.png", "{kind}/{number}.png"]
)
def test_folders_of_classes_are_labels_of_what_is_made(tmp_path, layout):
    for number in range(6):
        for side in ("A", "B"):
            kind = ("cats", "dogs", "birds")[number % 3]
            save(tmp_path, layout.format(side=side, kind=kind, number=number), number)
    data = Pairs(path=str(tmp_path)).load()
    kinds = data.attributes["label"].tolist()
    assert kinds == [("cats", "dogs", "birds")[shade % 3] for shade in data.items[np.arange(6)][:, 0, -1, 0]]
    if "{side}" in layout:
        assert Pairs(path=str(tmp_path), aligned=False).load().attributes == {}


def test_one_folder_or_pictures_beside_folders_are_no_labels(tmp_path):
    for side in ("A", "B"):
        save(tmp_path, f"{side}/cats/0.png", 0)
        save(tmp_path, f"{side}/cats/1.png", 1)
    assert Pairs(path=str(tmp_path)).load().attributes == {}
    for side in ("A", "B"):
        save(tmp_path, f"{side}/dogs/2.png", 2)
    assert set(Pairs(path=str(tmp_path)).load().attributes) == {"label"}
    assert Pairs(path=str(tmp_path), labels="none").load().attributes == {}
    for side in ("A", "B"):
        save(tmp_path, f"{side}/3.png", 3)
    assert Pairs(path=str(tmp_path)).load().attributes == {}


def test_pictures_that_keep_their_order_are_not_copied():
    pixels = np.arange(3 * 12, dtype=np.uint8).reshape(3, 2, 2, 3)
    domain = Domain("A", ["a", "b", "c"], pixels, np.array([False, False, True]), np.array(["x", "y", "z"]))
    assert domain.only(["a", "b", "c"]).pixels is pixels
    turned = domain.only(["c", "a"])
    np.testing.assert_array_equal(turned.pixels, pixels[[2, 0]])
    assert turned.test.tolist() == [True, False]
    assert turned.folders.tolist() == ["z", "x"]


def test_pictures_are_decoded_into_the_array_that_is_given(tmp_path):
    two_folders(tmp_path, count=3)
    (tmp_path / "A/1.png").write_bytes(b"no picture")
    room = np.zeros((3, 12, 10, 3), np.uint8)
    seen = decode_all(Files(str(tmp_path)), [f"A/{number}.png" for number in range(3)], Form(12, 10), into=room)
    assert np.shares_memory(seen.items, room)
    assert seen.items[:, 0, -1, 0].tolist() == [10, 12]
    assert seen.rows.tolist() == [0, 2]
    assert [fault.file for fault in seen.faults] == ["A/1.png"]


def test_a_picture_too_narrow_for_halves_is_named(tmp_path):
    save(tmp_path, "0.png", 10)
    save(tmp_path, "1.png", 10, (8, 1, 3))
    data = Pairs(path=str(tmp_path)).load()
    assert len(data) == 1
    assert data.faults == (("1.png", "one pixel wide, which cannot be cut into two pictures"),)


def composite(folder, name, left, right):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.repeat(np.array([[left] * 4 + [right] * 4], np.uint8), 6, 0)).convert("RGB").save(path)


@pytest.mark.parametrize("wrapper", ["", "maps/"])
@pytest.mark.parametrize("held", ["test", "val"])
def test_side_by_side_files_keep_their_folders_of_splits(tmp_path, wrapper, held):
    for number in range(3):
        composite(tmp_path, f"{wrapper}train/{number}.png", 10 + number, 100 + number)
        composite(tmp_path, f"{wrapper}{held}/{number}.png", 50 + number, 150 + number)
    data = Pairs(path=str(tmp_path)).load()
    given, made = (side[np.arange(6)][:, 0, 0, 0] for side in (data.given, data.items))
    assert sorted(zip(given.tolist(), made.tolist(), strict=True)) == [
        (value, value + 90 if value < 50 else value + 100) for value in (10, 11, 12, 50, 51, 52)
    ]
    assert given[data.test].tolist() == [50, 51, 52]


def test_domains_within_folders_of_splits_are_paired_within_these(tmp_path):
    for number in range(3):
        save(tmp_path, f"train/A/{number}.png", 10 + number)
        save(tmp_path, f"train/B/{number}.png", 100 + number)
        save(tmp_path, f"test/A/{number}.png", 50 + number)
        save(tmp_path, f"test/B/{number}.png", 150 + number)
    data = Pairs(path=str(tmp_path)).load()
    given, made = (side[np.arange(6)][:, 0, -1, 0].astype(int) for side in (data.given, data.items))
    assert set((made - given)[~data.test].tolist()) == {90}
    assert set((made - given)[data.test].tolist()) == {100}


def test_a_domain_whose_name_begins_with_test_is_no_split(tmp_path):
    two_folders(tmp_path, "sketches", "testimonies")
    assert len(Pairs(path=str(tmp_path)).load()) == 4
    data = Pairs(path=str(tmp_path), aligned=False, mirror=False, shift=0).load()
    assert data.test is None
    assert len(set(data.given.drawn(np.zeros(200, np.int64), range(200))[:, 0, -1, 0].tolist())) == 4


def test_pictures_of_one_name_in_several_folders_are_told_apart_by_these(tmp_path):
    for number, folder in enumerate(("s1", "s2")):
        save(tmp_path, f"A/{folder}/1.png", 10 + number)
        save(tmp_path, f"B/{folder}/1.png", 100 + number)
    data = Pairs(path=str(tmp_path)).load()
    assert (data.items[np.arange(2)] - data.given[np.arange(2)] == 90).all()
    (tmp_path / "B/s1/1.png").unlink()
    data = Pairs(path=str(tmp_path)).load()
    assert data.names == ["B/s2/1.png"]
    assert data.given[np.array([0])][0, 0, -1, 0] == 11
    assert [fault.file for fault in data.faults] == ["A/s1/1.png"]


def test_folders_between_do_not_matter_where_names_tell_pictures_apart(tmp_path):
    save(tmp_path, "A/first/1.png", 10)
    save(tmp_path, "A/second/2.png", 11)
    save(tmp_path, "B/1.png", 100)
    save(tmp_path, "B/2.png", 101)
    assert Pairs(path=str(tmp_path)).load().names == ["B/1.png", "B/2.png"]


def test_two_files_of_one_name_are_named(tmp_path):
    two_folders(tmp_path)
    Image.fromarray(np.zeros((12, 10, 3), np.uint8)).save(tmp_path / "A/0.bmp")
    data = Pairs(path=str(tmp_path)).load()
    assert len(data) == 4
    assert list(data.faults) == [("A/0.png", "has the name of A/0.bmp, which is used")]


def test_a_folder_without_pictures_says_so(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(DataError, match="no usable pair"):
        Pairs(path=str(tmp_path)).load()


def test_a_pair_is_moved_together(tmp_path):
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(np.concatenate([pixels, pixels], 1)).save(tmp_path / f"{number}.png")
    data = Pairs(path=str(tmp_path), shift=0.2).load()
    rows = np.zeros(40, np.int64)
    given, made = data.given.drawn(rows, range(40)), data.items.drawn(rows, range(40))
    np.testing.assert_array_equal(given, made)
    assert len({picture.tobytes() for picture in made}) > 20


def test_pictures_without_a_counterpart_are_named(tmp_path):
    two_folders(tmp_path)
    save(tmp_path, "A/lonely.png", 3)
    data = Pairs(path=str(tmp_path)).load()
    assert len(data) == 4
    assert [fault.file for fault in data.faults] == ["A/lonely.png"]


def test_folders_without_pairs_are_refused_with_the_task_for_them(tmp_path):
    save(tmp_path, "A/a.png", 3)
    save(tmp_path, "B/b.png", 3)
    with pytest.raises(DataError, match="unpaired-translation"):
        Pairs(path=str(tmp_path)).load()


def test_unpaired_domains_are_joined_at_random_while_learning_and_never_across_the_split(tmp_path):
    for number in range(5):
        save(tmp_path, f"trainA/a{number}.png", 10 + number)
        save(tmp_path, f"testA/a{number}.png", 50 + number)
    for number in range(3):
        save(tmp_path, f"trainB/b{number}.png", 100 + number)
        save(tmp_path, f"testB/b{number}.png", 200 + number)
    data = Pairs(path=str(tmp_path), aligned=False, mirror=False, shift=0).load()
    assert data.test.sum() == 3
    tests = data.given[np.flatnonzero(data.test)][:, 0, -1, 0]
    assert set(tests.tolist()) <= {50, 51, 52, 53, 54}
    drawn = data.given.drawn(np.zeros(200, np.int64), range(200))[:, 0, -1, 0]
    assert set(drawn.tolist()) == {10, 11, 12, 13, 14}


def values(pictures):
    return set(pictures[:, 0, -1, 0].tolist())


def two_sets(tmp_path, *, given, made, tests=0):
    for number in range(given):
        save(tmp_path, f"trainA/{number:03}.png", number)
    for number in range(made):
        save(tmp_path, f"trainB/{number:03}.png", number)
    for number in range(tests):
        save(tmp_path, f"testA/{number:03}.png", 200 + number)
        save(tmp_path, f"testB/{number:03}.png", 200 + number)
    return Pairs(path=str(tmp_path), aligned=False, mirror=False, shift=0)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_given_pictures_that_were_learned_from_are_not_judged_by(tmp_path, direction):
    given = 130 if direction == "AtoB" else 160
    data = two_sets(tmp_path, given=130, made=160).but(direction=direction).load()
    assert data.notes[-1] == f"{given // 5} of {given} pictures of train{direction[0]} are not learned from"
    splits = split(data)
    drawn = values(data.given.drawn(np.zeros(3000, np.int64), range(3000)))
    reported, chosen = (values(data.given[rows]) for rows in (splits.report, splits.select))
    assert len(drawn) == given - given // 5
    assert min(len(reported), len(chosen)) > 10
    assert not reported & chosen
    assert not drawn & values(data.given[np.arange(len(data))])


def test_choices_are_made_by_given_pictures_that_are_neither_learned_from_nor_tests(tmp_path):
    data = two_sets(tmp_path, given=60, made=110, tests=20).load()
    splits = split(data)
    drawn = values(data.given.drawn(np.zeros(3000, np.int64), range(3000)))
    assert values(data.given[splits.report]) == set(range(200, 220))
    chosen = values(data.given[splits.select])
    assert len(chosen) == 6
    assert len(drawn) == 54
    assert not chosen & drawn
    assert "6 of 80 pictures of trainA are not learned from" in data.notes


@pytest.mark.parametrize(("given", "held"), [(19, 0.1), (30, 0.0)])
def test_few_given_pictures_are_all_learned_from(tmp_path, given, held):
    data = two_sets(tmp_path, given=given, made=110).but(held=held).load()
    assert len(values(data.given.drawn(np.zeros(3000, np.int64), range(3000)))) == given
    assert data.given[np.arange(110)][:, 0, -1, 0].tolist() == [row % given for row in range(110)]
    assert not [note for note in data.notes if "learned" in note]


def test_of_other_data_every_given_picture_is_translated(tmp_path):
    source = two_sets(tmp_path, given=30, made=30)
    codec = Modality.find("image").fit(source.load().items)
    other = read_alike(Experiment(data=source, task=UnpairedTranslation()), codec, str(tmp_path))
    assert len(values(other.given[np.arange(30)])) == 30


def test_one_folder_cannot_hold_unpaired_domains(tmp_path):
    save(tmp_path, "a.png", 3)
    with pytest.raises(RequestError, match="trainA"):
        Pairs(path=str(tmp_path), aligned=False).load()


@pytest.mark.parametrize("aligned", [True, False])
def test_what_reading_changed_in_pairs_is_told_of_the_domain(tmp_path, aligned):
    for side in "AB":
        for number in range(3):
            save(tmp_path, f"{side}/{number}.png", 90 + number)
    Image.fromarray(np.full((6, 8, 4), 99, np.uint8)).save(tmp_path / "B/1.png")
    notes = Pairs(path=str(tmp_path), aligned=aligned).load().notes
    assert "transparency, composited on white: 1 of 3 pictures of B" in notes
    assert not any("pictures of A" in note for note in notes)


def test_what_reading_changed_in_halves_is_told_once(tmp_path):
    for number in range(3):
        Image.fromarray(np.full((6, 8, 4), number, np.uint8)).save(tmp_path / f"{number}.png")
    notes = Pairs(path=str(tmp_path)).load().notes
    assert [note for note in notes if "transparency" in note] == ["transparency, composited on white: 3 of 3 pictures"]


@pytest.mark.parametrize(("widths", "asked"), [((8, 8, 8), False), ((8, 16, 6), True)])
def test_files_that_are_cut_in_two_are_told_and_unlike_shapes_are_asked_about(tmp_path, widths, asked):
    for number, width in enumerate(widths):
        Image.fromarray(np.full((6, width, 3), 50 + number, np.uint8)).save(tmp_path / f"{number}.png")
    note = next(note for note in Pairs(path=str(tmp_path)).load().notes if "cut in the middle" in note)
    assert ("are these pairs?" in note) is asked


def test_maps_of_class_numbers_are_noticed(tmp_path):
    for number in range(3):
        save(tmp_path, f"B/{number}.png", 90 + number)
        (tmp_path / "A").mkdir(exist_ok=True)
        Image.fromarray(np.arange(12 * 10, dtype=np.uint8).reshape(12, 10) % 5).save(tmp_path / f"A/{number}.png")
    notes = [note for note in Pairs(path=str(tmp_path)).load().notes if "nearly black" in note]
    assert len(notes) == 1
    assert notes[0].startswith("values of 0 to 4 alone")
    assert notes[0].endswith("of A")
