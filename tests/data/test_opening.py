import zipfile

import numpy as np
import pytest
from idxfiles import write_mnist
from PIL import Image

from sparring.data import DataSource
from sparring.data.arrays import Arrays
from sparring.data.idx import Idx
from sparring.data.images import Images
from sparring.data.opening import NAMES, open_data, read_for
from sparring.errors import RequestError


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8)).save(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_means_the_data_set_of_that_name(name):
    assert open_data(name).name == name
    assert isinstance(open_data(name), DataSource)


def test_a_name_goes_before_a_folder_and_a_path_is_written_as_one(tmp_path):
    picture(tmp_path / "digits" / "x.png")
    assert open_data("digits").name == "digits"
    assert isinstance(open_data("./digits"), Images)
    assert isinstance(open_data(tmp_path / "digits"), Images)


def test_every_form_of_pictures_and_points_is_told_by_what_is_there(tmp_path):
    picture(tmp_path / "photos" / "a" / "x.png")
    (tmp_path / "photos" / "labels.csv").write_text("file\n")
    (tmp_path / "photos" / "README.txt").write_text("x")
    with zipfile.ZipFile(tmp_path / "x.zip", "w"):
        pass
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    write_mnist(tmp_path / "idx")
    assert isinstance(open_data("photos", label_pattern="{a}_*", size="8x6"), Images)
    assert open_data("photos", size="8x6").size == (8, 6)
    assert isinstance(open_data("x.zip"), Images)
    assert open_data("x.npy", modality="points") == Arrays(path="x.npy", modality="points")
    assert open_data("idx", size=32) == Idx(path="idx", size=32)
    assert isinstance(open_data("idx/train-images-idx3-ubyte.gz"), Idx)


def test_an_ambiguous_folder_names_the_readings_and_the_flag(tmp_path):
    picture(tmp_path / "mixed" / "x.png")
    (tmp_path / "mixed" / "x.wav").touch()
    with pytest.raises(RequestError, match="as 1 pictures or as sound; --modality image"):
        open_data("mixed")
    assert isinstance(open_data("mixed", modality="image"), Images)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("x.txt", "looks like text"),
        ("a/x.wav", "looks like sound"),
        ("a/x.mid", "looks like music"),
        ("a/x.mp4", "looks like video"),
        ("x.doc", "holds .doc"),
    ],
)
def test_what_cannot_be_learned_yet_is_told_for_what_it_looks_like(file, said, tmp_path):
    path = tmp_path / "data" / file
    path.parent.mkdir(parents=True)
    path.touch()
    for data in (path, path.parent):
        with pytest.raises(RequestError, match=f"{said}.*learns pictures.*points.*tables"):
            open_data(data)


def test_a_missing_path_is_refused_with_near_names(tmp_path):
    picture(tmp_path / "photos" / "x.png")
    with pytest.raises(RequestError, match="did you mean 'photos'"):
        open_data("fotos")
    with pytest.raises(RequestError, match="did you mean 'mnist'"):
        open_data("mnits")
    with pytest.raises(RequestError, match="there is no file or folder 'a/b/c'"):
        open_data("a/b/c")


def test_one_picture_an_empty_folder_and_a_folder_of_arrays_are_refused_with_the_remedy(tmp_path):
    picture(tmp_path / "photos" / "x.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "x.npy", np.zeros((2, 2)))
    for data, said in {"photos/x.png": "give the folder", "empty": "is empty", "arrays": "arrays/x.npy"}.items():
        with pytest.raises(RequestError, match=said):
            open_data(data)


def test_what_means_nothing_for_the_data_is_refused(tmp_path):
    picture(tmp_path / "photos" / "x.png")
    for data, asked, said in [
        ("ring", {"size": 8}, "size=8 means nothing for ring"),
        ("digits", {"label_pattern": "{a}"}, "label_pattern"),
        ("ring", {"modality": "image"}, "'ring' holds points data, not image"),
        ("photos", {"modality": "points"}, "holds image data, not points"),
        ("photos", {"modality": "imag"}, "no modality is called 'imag'"),
        ("digits", {"size": "x"}, "digits.size"),
    ]:
        with pytest.raises(RequestError, match=said):
            open_data(data, **asked)


def test_data_in_memory_are_kept_in_the_given_folder(tmp_path):
    source = open_data(np.zeros((4, 8, 8), np.uint8), folder=tmp_path / "run", size=4)
    assert source.load().items.shape == (4, 4, 4, 1)
    with pytest.raises(RequestError, match="need a folder"):
        open_data(np.zeros((4, 8, 8), np.uint8))


@pytest.mark.parametrize("kind", ["pairs", "photos"])
@pytest.mark.parametrize(("field", "value"), [("label_pattern", "{age}_*"), ("fit", "letterbox"), ("depth", "16")])
def test_what_a_task_reads_otherwise_refuses_what_it_would_drop(kind, field, value):
    assert read_for(kind, Images(path="there", size=32), {}).size == (32, 32)
    with pytest.raises(RequestError, match=f"{field}=.* means nothing for {kind}; leave it out"):
        read_for(kind, Images(path="there", **{field: value}), {})
