import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import restoration
from sparring.metrics import Evidence
from sparring.metrics.psnr import Psnr


def planes(seed):
    return np.random.default_rng(seed).integers(0, 256, (30, 26)).astype(np.float64)


def test_the_ratio_is_that_of_the_library_on_luma_without_its_border():
    made, true = planes(0), planes(1)
    rgb = [np.repeat(plane[None, ..., None], 3, 3).astype(np.uint8) for plane in (made, true)]
    side = Evidence(rgb[0], np.zeros((1, 0)), truth=rgb[1])
    expected = Psnr(channels="y", crop=restoration.SCALE)(side, side, side)["psnr-y"].value
    assert restoration.psnr(*restoration.bordered(made, true)) == pytest.approx(expected, abs=1e-3)


def test_test_pictures_come_in_the_order_of_their_names(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    (tmp_path / "restoration" / "Set5").mkdir(parents=True)
    for value in (30, 10, 20):
        Image.new("RGB", (4, 4), (value,) * 3).save(tmp_path / "restoration" / "Set5" / f"{value}.png")
    assert [int(picture[0, 0]) for picture in restoration.pictures("Set5", "L", 2)] == [10, 20]


def test_every_figure_is_trained_by_known_options():
    from sparring.cli import _spread, app

    for data, options, _ in restoration.FIGURES.values():
        words = ["train", "+".join(data), *options, *restoration.ADVERSARIES["off"]]
        assert app.parse_args(_spread(words), print_error=False, exit_on_error=False)[1].arguments


def test_what_lies_around_a_hole_stays_inside_of_the_picture():
    pictures = np.arange(2 * 64 * 64).reshape(2, 64, 64, 1)
    known = np.full((2, 64, 64), 255)
    known[0, 20:44, 12:36] = known[1, 40:64, 0:24] = 0
    found = restoration.around(pictures, known)
    np.testing.assert_array_equal(found[0], pictures[0, 12:52, 4:44])
    np.testing.assert_array_equal(found[1], pictures[1, 24:64, 0:40])


def test_several_sets_are_put_together_into_one_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "a.png")
    assert restoration.folder_of(("one",), tmp_path / "scratch") == str(tmp_path / "one")
    for _ in range(2):
        together = Path(restoration.folder_of(("one", "two"), tmp_path / "scratch"))
        assert sorted(str(p.relative_to(together)) for p in together.rglob("*.png")) == ["one/a.png", "two/a.png"]
