"""The contract of the tasks from pictures to pictures."""

import numpy as np
import pytest
import torch

from sparring.data.reader import Reader
from sparring.degradations import GaussianNoise, Rectangles
from sparring.errors import RequestError
from sparring.modalities.image import Image
from sparring.tasks import Task
from sparring.tasks.colorization import Colorization
from sparring.tasks.denoising import Denoising
from sparring.tasks.generation import Generation
from sparring.tasks.inpainting import Inpainting
from sparring.tasks.picture import PictureTask, Restoration, prepared, refuse_other_settings, takes_strength
from sparring.tasks.super_resolution import SuperResolution
from sparring.types import Batch, DataSpec

TASKS = sorted(name for name, task in Task.parts().items() if issubclass(task, PictureTask))
RESTORATIONS = [name for name in TASKS if issubclass(Task.find(name), Restoration)]


def reader(channels=3, size=16, seed=0):
    items = np.random.default_rng(0).integers(0, 256, (6, size, size, channels), np.uint8)
    return Reader(items, np.arange(6), Image.fit(items), None, seed)


def spec(channels=3, size=16):
    return DataSpec((channels, size, size), given=(channels, size, size))


@pytest.mark.parametrize("name", RESTORATIONS)
def test_a_batch_has_the_shapes_that_the_networks_are_told(name):
    task = Task.find(name)()
    told = task.spec(DataSpec((3, 16, 16)))
    batch = task.batch(reader().batch(0, slice(0, 4)))
    assert batch.target.shape == (4, *told.shape)
    assert batch.condition.shape == (4, *told.given)
    assert (batch.mask is not None) == task.masked
    assert told.given[0] == task.channels(DataSpec((3, 16, 16))) + task.masked


@pytest.mark.parametrize("name", RESTORATIONS)
def test_numbers_are_held_against_what_the_networks_are_taught(name):
    task, read = Task.find(name)(), reader()
    target = task.batch(read.at(np.arange(6))).target
    taught = read.modality.decode(target.expand(-1, 3, -1, -1)).astype(int)
    wanted = task.wanted(read.items)
    assert wanted.dtype == np.uint8
    assert np.abs(wanted.astype(int) - taught).max() <= 1


@pytest.mark.parametrize("name", RESTORATIONS)
def test_an_example_depends_on_its_position_alone(name):
    task = Task.find(name)()
    whole = task.batch(reader().batch(0, slice(0, 6)))
    part = task.batch(reader().batch(2, slice(1, 3)))
    assert torch.equal(whole.condition[3:5], part.condition)
    again = task.batch(reader().batch(6, slice(0, 6)))
    other = task.batch(reader(seed=1).batch(0, slice(0, 6)))
    if name not in ("colorization", "decolorization", "super-resolution"):
        difference = whole.condition[:, :, :, :] - whole.target if not task.masked else whole.mask
        assert not torch.equal(difference, (again.condition - again.target) if not task.masked else again.mask)
        assert not torch.equal(difference, (other.condition - other.target) if not task.masked else other.mask)


@pytest.mark.parametrize("name", TASKS)
def test_the_task_plays_its_default_game(name):
    task = Task.find(name)()
    assert task.game.players(task.spec(spec()))["generator"]
    with pytest.raises(RequestError, match=name):
        task.spec(DataSpec((2,)))


def test_known_noise_is_what_was_added():
    task = Denoising(noise=(GaussianNoise(low=25, high=25),))
    batch = task.batch(reader(1, 48).batch(0, slice(0, 6)))
    assert ((batch.condition - batch.target) * 127.5).std().item() == pytest.approx(25, rel=0.03)


def test_noise_is_cut_as_in_a_file_where_nothing_is_set():
    black = np.zeros((6, 32, 32, 1), np.uint8)
    read = Reader(black, np.arange(6), Image.fit(black), None, 0)
    given = Denoising().batch(read.batch(0, slice(0, 6))).condition
    assert given.min() >= -1
    levels = (given + 1) * 127.5
    torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)
    assert levels.mean() > 2
    free = Denoising(noise=(GaussianNoise(low=25, high=25),)).batch(read.batch(0, slice(0, 6))).condition
    assert free.min() < -1.2


def test_inpainting_keeps_what_was_known_and_hides_what_was_not():
    task = Inpainting(holes=(Rectangles(low=0.25, high=0.5),))
    batch = task.batch(reader().batch(0, slice(0, 4)))
    picture, known = batch.condition[:, :-1], batch.condition[:, -1:]
    assert torch.equal(known, batch.mask)
    assert (picture * (1 - known)).abs().max() == 0
    finished = task.finish(torch.full_like(batch.target, 0.3), batch.condition)
    torch.testing.assert_close(finished * known, batch.target * known)
    assert (finished[(1 - known).expand_as(finished).bool()] == 0.3).all()


def test_colorization_keeps_the_brightness():
    task = Colorization()
    batch = task.batch(reader().batch(0, slice(0, 4)))
    made = torch.rand(4, 3, 16, 16)
    luma = (task.finish(made, batch.condition) * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(
        1, keepdim=True
    )
    torch.testing.assert_close(luma, batch.condition)
    with pytest.raises(RequestError, match="RGB"):
        task.spec(DataSpec((1, 16, 16)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_super_resolution_is_given_a_smaller_picture(scale):
    assert SuperResolution(scale=scale).spec(DataSpec((3, 48, 24))).given == (3, 48 // scale, 24 // scale)
    with pytest.raises(RequestError, match="--size"):
        SuperResolution(scale=scale).spec(DataSpec((3, 49, 24)))


def test_a_network_can_be_told_how_strong_the_noise_is():
    task = Denoising(told=True)
    batch = task.batch(reader(1, 48).batch(0, slice(0, 6)))
    assert batch.condition.shape == (6, *task.spec(DataSpec((1, 48, 48))).given) == (6, 2, 48, 48)
    told = batch.condition[:, 1] * 127.5
    assert (told.flatten(1).std(1) < 1e-3).all()
    added = (batch.condition[:, :1] - batch.target) * 127.5
    torch.testing.assert_close(told[:, 0, 0], added.flatten(1).std(1))
    assert told[:, 0, 0].min() > 4
    assert told[:, 0, 0].std() > 3
    assert takes_strength(task, DataSpec((1, 48, 48)))
    assert not takes_strength(Denoising(), DataSpec((1, 48, 48)))
    assert not takes_strength(Inpainting(), DataSpec((1, 48, 48)))


def test_pairs_that_the_data_hold_are_learned_from_as_they_are():
    clean, noisy = torch.rand(4, 1, 8, 8), torch.rand(4, 1, 8, 8)
    batch = Denoising().batch(Batch(clean, noisy))
    assert torch.equal(batch.condition, noisy)
    assert torch.equal(batch.target, clean)


def test_translation_without_pairs_is_refused_with_what_pairs_are():
    with pytest.raises(RequestError, match="side-by-side"):
        Task.find("translation")().spec(DataSpec((3, 16, 16)))


def test_holes_are_grey_in_what_is_prepared():
    picture, mask = torch.ones(1, 3, 4, 4), torch.ones(1, 1, 4, 4)
    mask[..., 0, 0] = 0
    assert prepared(picture, mask)[0, :, 0, 0].tolist() == [0, 0, 0, 0]
    assert prepared(picture, None) is picture


def test_only_runs_that_are_given_the_same_pictures_stand_beside_each_other():
    weak, strong = (Denoising(noise=(GaussianNoise(low=low, high=50),)) for low in (5, 20))
    names = ("first", "second")
    refuse_other_settings(weak, weak.but(game=weak.game.but(adversary=0)), names)
    refuse_other_settings(Generation(), Generation(attributes=("label",)), names)
    with pytest.raises(RequestError, match=r"first and second are given other pictures .denoising of other noise"):
        refuse_other_settings(weak, strong, names)
    for pair in ((weak, Generation()), (Generation(), weak)):
        with pytest.raises(RequestError, match=r"denoising and generation|generation and denoising"):
            refuse_other_settings(*pair, names)
