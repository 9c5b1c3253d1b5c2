"""Registration of pairs that are known to lie on each other, or not."""

import numpy as np
import pytest
from PIL import Image

from sparring import recipes
from sparring.errors import RequestError
from sparring.networks.encoder_decoder import EncoderDecoder
from sparring.penalties import R1
from sparring.proposal import propose
from sparring.registration import REGISTERED, registered, registration
from sparring.tasks.denoising import Denoising
from sparring.tasks.translation import Translation
from sparring.terms import Contrast

SIDE = 32


def shapes(count=64, seed=0, side=SIDE):
    """Rectangles of random greys in random places, ``(n, side, side, 1)``."""
    source = np.random.default_rng(seed)
    pictures = np.full((count, side, side, 1), 255, np.uint8)
    for picture in pictures:
        for _ in range(4):
            top, left = source.integers(0, side * 3 // 4, 2)
            tall, wide = source.integers(side // 8, side // 3, 2)
            picture[top : top + tall, left : left + wide] = source.integers(0, 200)
    return pictures


def strokes(which, places):
    """One of six drawings of 12x12 strokes a picture, at these places."""
    drawings = np.where(np.random.default_rng(5).random((12, 12, 12)) < 0.35, 0, 255).astype(np.uint8)
    pictures = np.full((len(which), SIDE, SIDE, 1), 255, np.uint8)
    for picture, number, (top, left) in zip(pictures, which, places, strict=True):
        picture[top : top + 12, left : left + 12, 0] = drawings[number]
    return pictures


def outlines(pictures):
    values = pictures.astype(int)
    edge = (np.diff(values, axis=1, append=values[:, -1:]) != 0) | (
        np.diff(values, axis=2, append=values[:, :, -1:]) != 0
    )
    return np.where(edge, 0, 255).astype(np.uint8)


def noisy(pictures):
    noise = 40 * np.random.default_rng(1).standard_normal(pictures.shape)
    return (pictures + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "made",
    [
        lambda p: 255 - p,
        outlines,
        noisy,
        lambda p: np.repeat(p, 3, 3),
        lambda p: p.repeat(2, 1).repeat(2, 2),
        lambda p: p.astype(np.uint16) * 257,
    ],
    ids=["inverted", "outlines", "noisy", "in colour", "enlarged", "16 bits"],
)
def test_what_was_made_of_the_given_lies_on_it(made):
    given = shapes()
    assert registration(given, made(given)) > 5 * REGISTERED
    assert registration(made(given), given) > 5 * REGISTERED


def test_other_pictures_do_not_lie_on_each_other():
    assert abs(registration(shapes(256), shapes(256, seed=1))) < REGISTERED


def test_other_drawings_in_the_same_places_do_not_lie_on_each_other_and_equal_ones_do():
    source = np.random.default_rng(2)
    which, places = source.integers(0, 6, 256), source.integers(0, SIDE - 12, (256, 2))
    given = strokes(which, places)
    assert registration(given, strokes(which + 6, places)) < REGISTERED
    assert registration(given, strokes(which, places)) > 5 * REGISTERED


def test_a_few_pairs_of_the_rows_that_may_be_looked_at_tell():
    given, others = shapes(80), shapes(80, seed=1)
    made = np.concatenate([255 - given[:40], others[40:]])
    assert registered(given, made, np.arange(40))
    assert not registered(given, made, np.arange(40, 80))
    assert registered(given, made, np.arange(0))


@pytest.mark.parametrize("shape", [(4, 1, 1, 1), (4, 2, 3, 3), (3, 200, 90, 1)], ids=str)
def test_pictures_of_any_size_can_be_held_against_each_other(shape):
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert np.isfinite(registration(pictures, pictures))
    assert registration(np.zeros(shape, np.uint8), pictures) == 0


def folder_of_pairs(folder, given, made):
    for side, pictures in (("A", given), ("B", made)):
        (folder / side).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture[..., 0]).save(folder / side / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Folders of pairs that lie on each other, and of some that do not."""
    folder, given = tmp_path_factory.mktemp("pairs"), shapes(60)
    return folder_of_pairs(folder / "on", given, outlines(given)), folder_of_pairs(folder / "off", given, shapes(60, 1))


def with_r1(task, side, gamma=0.1):
    """The task whose discriminator has R1, as strong for each patch of 8x8 pixels."""
    return task.but(game=task.game.but(penalties=(R1(gamma=gamma * side**2 / 64),)))


def test_pairs_that_do_not_lie_on_each_other_are_redrawn_and_others_get_the_tasks_own_game(pairs):
    on, off = (propose(str(folder), task="translation").experiment for folder in pairs)
    facts = recipes.Facts("image", (1, SIDE, SIDE), 60, task="translation")
    assert on.task == with_r1(Translation(), SIDE)
    assert on.training == recipes.restoration(facts)[1]
    assert isinstance(off.task.game.network, EncoderDecoder)
    assert (off.task, off.training) == recipes.redrawing(facts)


def test_the_recipe_that_is_asked_for_goes_before_what_the_pairs_say(pairs):
    on, off = pairs
    asked = propose(str(off), task="translation", recipe="restoration").experiment.task
    assert asked == with_r1(Translation(), SIDE)
    redrawn = propose(str(on), task="translation", recipe="redrawing").experiment.task.game
    assert isinstance(redrawn.network, EncoderDecoder)
    assert redrawn.adversary > 0
    assert Contrast() in redrawn.terms, "blends of signs learn which they are"
    assert redrawn.warm <= 0.8, "the discriminator learns for a real part of a run"


def test_restorations_play_their_own_game_whatever_their_pairs_are(pairs):
    assert propose(str(pairs[1] / "A"), task="denoising").experiment.task == with_r1(Denoising(), SIDE, 0.01)
    assert recipes.default(recipes.Facts("image", (1, 8, 8), 60, task="denoising"))[0] == with_r1(Denoising(), 8, 0.01)


def test_redrawing_is_refused_where_there_are_no_pairs():
    with pytest.raises(RequestError, match="'redrawing' is for tasks from pictures to pictures, not for 'style'"):
        recipes.redrawing(recipes.Facts("image", (1, 8, 8), 60, task="style"))
