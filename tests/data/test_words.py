"""Words, with DejaVu Sans and its bold face, which come with matplotlib, in the place of a Chinese font."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest

import sparring
from sparring.data import fonts
from sparring.data.lexicon import ENGLISH_TO_CHINESE
from sparring.data.opening import open_data
from sparring.data.words import Words
from sparring.errors import DataError
from sparring.proposal import propose

STAND_INS = tuple(
    str(Path(matplotlib.get_data_path()) / "fonts/ttf" / name) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
)


@pytest.fixture
def words(tmp_path):
    """Words and counterparts that DejaVu has glyphs for."""
    file = tmp_path / "lexicon.tsv"
    file.write_text("one\tun\ntwo\tdeux\nsix\tthree\n", encoding="utf-8")
    return Words(lexicon=str(file), fonts=STAND_INS, counterpart_fonts=STAND_INS, count=60)


def test_the_lexicon_has_fifty_words_and_more_each_once():
    assert len(ENGLISH_TO_CHINESE) >= 50
    for side in zip(*ENGLISH_TO_CHINESE, strict=True):
        assert len(set(side)) == len(ENGLISH_TO_CHINESE)
    assert all(word.isascii() and all("一" <= c <= "鿿" for c in chinese) for word, chinese in ENGLISH_TO_CHINESE)


def test_pairs_are_drawn_with_labels_and_a_test_split(words):
    data = words.load()
    assert data.items.shape == data.given.shape == (60, 32, 64, 1)
    assert sorted(set(data.attributes["word"])) == ["deux", "three", "un"]
    assert np.unique(data.attributes["word"], return_counts=True)[1].tolist() == [20, 20, 20]
    assert data.test.sum() == 6
    assert len({picture.tobytes() for picture in data.given[:]}) == 60
    assert (data.items[:].max(axis=(1, 2, 3)) == 255).all()
    assert (data.items[:].min(axis=(1, 2, 3)) < 60).all()


def test_words_depend_on_the_seed_alone(words):
    first, again, other = (words.but(seed=seed).load() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.given[:], again.given[:])
    assert (first.digests == again.digests).all()
    assert not (first.digests == other.digests).any()


def test_what_is_given_is_noisy_and_what_is_wanted_is_not(words):
    clean, noisy = (words.but(noise=noise).load() for noise in (0.0, 30.0))
    np.testing.assert_array_equal(clean.items[:], noisy.items[:])
    inside = (clean.given[:] > 60) & (clean.given[:] < 200)
    difference = noisy.given[:][inside].astype(float) - clean.given[:][inside]
    assert difference.std() == pytest.approx(30, rel=0.05)


def test_the_middle_of_a_counterpart_lies_where_that_of_its_word_does(words):
    data = words.but(noise=0.0).load()
    for given, made in zip(data.given[:][..., 0], data.items[:][..., 0], strict=True):
        # Darker than the paper by half of the least contrast, .5 of full ink at the edges of letters.
        ink = [given < given.max() - 20, made < 255]
        for axis, size in ((0, 32), (1, 64)):
            (first, last), (low, high) = (np.flatnonzero(side.any(1 - axis))[[0, -1]] for side in ink)
            inside = low > 0 and high < size - 1
            assert not inside or abs((first + last) - (low + high)) <= 4


def test_each_reading_while_learning_is_a_rendering_of_its_own_of_both_sides(words):
    data, rows = words.but(noise=0.0).load(), np.zeros(40, np.int64)
    given, made = (side.drawn(rows, list(range(40))) for side in (data.given, data.items))
    assert len({picture.tobytes() for picture in given}) == 40
    assert len({picture.tobytes() for picture in made}) > 20
    np.testing.assert_array_equal(given, data.given.drawn(rows, list(range(40))))
    np.testing.assert_array_equal(given[3:5], data.given.drawn(rows[:2], [3, 4]))
    for one, other in zip(given[..., 0], made[..., 0], strict=True):
        (first, last), (low, high) = (
            np.flatnonzero(side.any(1))[[0, -1]] for side in (one < one.max() - 20, other < 255)
        )
        assert low == 0 or high == 31 or abs((first + last) - (low + high)) <= 4
    np.testing.assert_array_equal(data.items[rows], data.items[:][rows])


def test_a_reading_says_the_word_of_its_row(words):
    data = words.but(noise=0.0).load()
    labels, rows = data.attributes["word"], np.arange(60)
    made = data.items.drawn(rows, list(range(60)))[..., 0]

    def inks(pictures):
        """Counterparts without their places: the ink of those of a word is that of few faces."""
        return {int((255 - picture.astype(int)).sum()) for picture in pictures}

    for word in set(labels):
        assert inks(made[labels == word]) <= inks(data.items[:][labels == word, ..., 0])


def test_noise_is_drawn_anew_with_each_reading(words):
    clean, noisy = (words.but(noise=noise).load().given for noise in (0.0, 20.0))
    rows, keys = np.zeros(40, np.int64), list(range(40))
    paper, read = clean.drawn(rows, keys).astype(float), noisy.drawn(rows, keys).astype(float)
    inside = (paper > 60) & (paper < 195)
    assert (read - paper)[inside].std() == pytest.approx(20, rel=0.1)


def test_a_drawing_is_moved_to_where_another_is_as_near_as_there_is_room():
    drawing, other = np.zeros((2, 8, 12), np.uint8)
    drawing[1:4, 0:5], other[4:7, 8:9] = 9, 1
    moved = fonts.centred(drawing, other)
    assert moved[4:7, 6:11].all()
    assert moved.sum() == drawing.sum()
    other[:], other[7, 11] = 0, 1
    assert fonts.centred(drawing, other)[5:8, 7:12].all()
    assert (fonts.centred(np.zeros((8, 12), np.uint8), other) == 0).all()


def test_a_line_that_does_not_fit_is_drawn_smaller_and_stays_inside():
    face = fonts.Face(STAND_INS[0])
    long = fonts.line("a long line of text", face, 30, (20, 120))
    assert long.shape[0] <= 20
    assert 100 <= long.shape[1] <= 120
    assert long.max() > 100
    assert fonts.line("a line that fits nowhere", face, 30, (20, 8)).shape[1] == 8
    corner = fonts.placed(fonts.line("x", face, 16, (32, 32)), (32, 32), (1.0, 1.0))
    assert corner[:16].max() == corner[:, :16].max() == 0
    assert corner[-1].max() > 0


def test_a_font_without_the_characters_is_refused(words):
    with pytest.raises(DataError, match="no glyph for"):
        words.but(lexicon=None).load()


def test_a_file_that_is_no_font_is_refused(words, tmp_path):
    with pytest.raises(DataError, match="cannot be read as a font"):
        words.but(fonts=(str(tmp_path / "lexicon.tsv"),)).load()


@pytest.mark.parametrize("text", ["one two", "", "one\t\n"])
def test_a_lexicon_that_is_none_is_refused(words, tmp_path, text):
    (tmp_path / "wrong").write_text(text)
    with pytest.raises(DataError, match="WORD<TAB>COUNTERPART"):
        words.but(lexicon=str(tmp_path / "wrong")).load()
    with pytest.raises(DataError, match="cannot be read"):
        words.but(lexicon=str(tmp_path / "nowhere")).load()


def fontconfig(monkeypatch, said):
    monkeypatch.setattr(fonts.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=said))


def test_one_upright_face_of_a_file_is_found_that_of_the_country_first(monkeypatch):
    lines = ["/b.ttc|0|200|0|Some JP", "/b.ttc|2|200|0|Some SC", "/a.otf|0|80|0|Thin", "/a-i.otf|0|80|100|Thin"]
    fontconfig(monkeypatch, "\n".join(lines))
    assert fonts.faces("zh-cn") == (fonts.Face("/a.otf"), fonts.Face("/b.ttc", 2, bold=True))


def test_a_machine_without_a_chinese_font_is_told_which_package_brings_one(monkeypatch):
    fontconfig(monkeypatch, "")
    with pytest.raises(DataError, match="fonts-noto-cjk") as caught:
        Words(fonts=STAND_INS).load()
    assert "\n" not in str(caught.value)

    def missing(*_, **__):
        raise FileNotFoundError("fc-list")

    monkeypatch.setattr(subprocess, "run", missing)
    with pytest.raises(DataError, match="fc-list of fontconfig, which is not here"):
        Words(fonts=STAND_INS).load()


def test_words_are_called_by_name_and_learned_as_translation(words, tmp_path):
    assert isinstance(open_data("words"), Words)
    found = propose(words, task="translation", store=tmp_path)
    assert found.experiment.task.spec(found.material.spec).given == (1, 32, 64)


def test_without_a_task_counterparts_are_generated_by_their_labels(words, tmp_path):
    settings = ["training.precision=fp32", "training.layout=contiguous", "training.batch=4"]
    model = sparring.train(words, out=tmp_path / "run", recipe="dense", steps=1, settings=settings)
    assert model.sample(3, condition={"word": "deux"}).shape == (3, 32, 64, 1)
