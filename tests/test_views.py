"""The contract of every view, and each view against closed forms and other implementations."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import affine_grid, grid_sample

from sparring import pictures
from sparring.errors import RequestError
from sparring.randomness import Noise
from sparring.types import DataSpec
from sparring.views import AdaptiveAugment, DiffAugment, InstanceNoise, Pack, Sight, View

VIEWS = sorted(View.parts())
IDLE = {
    "diff-augment": DiffAugment(color=False, translation=0, cutout=0),
    "adaptive-augment": AdaptiveAugment(flip=True),
    "instance-noise": InstanceNoise(deviation=0),
    "pack": Pack(count=1),
}
STILL = ["translation", "scale", "stretch", "rotation"]


def sight_of(view, *, total=8, rows=None, name="real", strength=0.7, progress=0.0, seed=0):
    memory = view.memory()
    if memory is not None:
        memory.strength.fill_(strength)
    noise = Noise((seed,), rows or slice(0, total), total, dtype=torch.float64)
    return Sight(noise, name, progress, memory)


def batch(total=8, shape=(3, 6, 5), dtype=torch.float64):
    torch.manual_seed(0)
    return torch.rand(total, *shape, dtype=dtype) * 2 - 1, torch.eye(total, 4, dtype=dtype)


@pytest.mark.parametrize("name", VIEWS)
def test_without_strength_a_view_is_the_identity(name):
    assert name in IDLE, f"say here which fields switch '{name}' off"
    items, condition = batch()
    seen, asked = IDLE[name](items, condition, sight_of(IDLE[name], strength=0.0))
    assert torch.equal(seen, items)
    assert torch.equal(asked, condition)


@pytest.mark.parametrize("shape", [(3, 6, 5), (1, 4, 9), (2, 1, 1)], ids=str)
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_has_the_shape_that_it_says(name, shape):
    view = View.find(name)()
    items, condition = batch(shape=shape)
    seen, asked = view(items, condition, sight_of(view))
    spec = view.spec(DataSpec(shape, 4))
    assert seen.shape[1:] == spec.shape
    assert asked.shape == (seen.shape[0], spec.condition)
    assert seen.dtype == items.dtype
    assert seen.isfinite().all()
    assert view(items, None, sight_of(view))[1] is None


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_differentiable_twice(name):
    view = View.find(name)()
    items = batch(2, (3, 4, 5))[0].requires_grad_()

    def look(given):
        # Squared, so that the second derivative is not merely zero.
        return view(given, None, sight_of(view, total=2))[0].square()

    assert torch.autograd.gradcheck(look, (items,))
    assert torch.autograd.gradgradcheck(look, (items,))


@pytest.mark.parametrize("name", VIEWS)
def test_a_process_sees_what_one_process_would_have_seen(name):
    view = View.find(name)()
    items, condition = batch()
    whole, asked = view(items, condition, sight_of(view))
    part, asked_part = view(items[2:6], condition[2:6], sight_of(view, rows=slice(2, 6)))
    pack = items.shape[0] // whole.shape[0]
    assert torch.equal(part, whole[2 // pack : 6 // pack])
    assert torch.equal(asked_part, asked[2 // pack : 6 // pack])


@pytest.mark.parametrize("name", [n for n in VIEWS if n != "pack"])
def test_two_looks_draw_differently_and_one_look_repeats(name):
    view = View.find(name)()
    items, _ = batch(shape=(3, 16, 16))
    real = view(items, None, sight_of(view, name="real"))[0]
    assert torch.equal(real, view(items, None, sight_of(view, name="real"))[0])
    assert not torch.equal(real, view(items, None, sight_of(view, name="fake"))[0])
    assert not torch.equal(real, view(items, None, sight_of(view, seed=1))[0])


@pytest.mark.parametrize("name", VIEWS)
def test_the_items_themselves_are_left_alone(name):
    view = View.find(name)()
    items, condition = batch()
    before = items.clone()
    view(items, condition, sight_of(view))
    assert torch.equal(items, before)


@pytest.mark.parametrize("name", ["diff-augment", "adaptive-augment"])
def test_the_memory_layout_is_kept_and_changes_nothing(name):
    view = View.find(name)()
    items, _ = batch(shape=(3, 8, 8))
    last = items.contiguous(memory_format=torch.channels_last)
    seen = view(last, None, sight_of(view))[0]
    assert seen.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(seen, view(items, None, sight_of(view))[0])


@pytest.mark.parametrize("name", ["diff-augment", "adaptive-augment"])
def test_points_cannot_be_augmented_like_pictures(name):
    view = View.find(name)()
    with pytest.raises(RequestError, match=rf"{name} changes pictures, not items of shape \(2,\)"):
        view(torch.zeros(4, 2), None, sight_of(view, total=4))


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_reads_back_from_json_and_refuses_unknown_fields(name):
    view = View.find(name)()
    assert View.from_json(view.to_json()) == view
    assert all(field.meaning for field in view.describe())
    with pytest.raises(RequestError, match="no field is called 'strenght'"):
        View.find(name)(strenght=1)


def test_a_pack_holds_neighbours_side_by_side():
    items, condition = torch.arange(24.0).view(4, 1, 2, 3), torch.arange(8.0).view(4, 2)
    packed, asked = Pack(count=2)(items, condition, sight_of(Pack(), total=4))
    assert torch.equal(packed[1, 0], items[2, 0])
    assert torch.equal(packed[1, 1], items[3, 0])
    assert asked[1].tolist() == [4, 5, 6, 7]
    points, _ = Pack(count=4)(torch.arange(8.0).view(4, 2), None, sight_of(Pack(), total=4))
    assert points.tolist() == [list(range(8))]


def test_a_batch_that_does_not_divide_into_packs_is_refused():
    with pytest.raises(RequestError, match=r"pack\.count = 3 does not divide the 8 items of real"):
        Pack(count=3)(*batch(), sight_of(Pack()))


@pytest.mark.parametrize("name", [n for n in VIEWS if n != "pack"])
def test_views_compose_behind_a_pack(name):
    items, condition = batch()
    packed, asked = Pack(count=2)(items, condition, sight_of(Pack()))
    view = View.find(name)()
    whole = view(packed, asked, sight_of(view))[0]
    assert torch.equal(view(packed[1:3], asked[1:3], sight_of(view, rows=slice(2, 6)))[0], whole[1:3])


def test_instance_noise_fades_out_linearly():
    items = torch.zeros(64, 3, 16, 16, dtype=torch.float64)
    for progress, wanted in ((0.0, 0.2), (0.25, 0.1), (0.5, 0.0), (1.0, 0.0)):
        view = InstanceNoise(deviation=0.2, until=0.5)
        seen, _ = view(items, None, sight_of(view, total=64, progress=progress))
        assert seen.std().item() == pytest.approx(wanted, rel=0.02)


def test_instance_noise_reaches_points():
    view = InstanceNoise()
    assert view(torch.zeros(8, 2), None, sight_of(view))[0].std() > 0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 0.95), st.lists(st.floats(0, 0.999), min_size=2, max_size=2))
def test_a_translation_shifts_whole_pixels_and_fills(height, width, share, draws):
    items = torch.randn(1, 2, height, width)
    moved = pictures.translate(items, torch.tensor([draws], dtype=torch.float64), share, -1.0)
    most = [round(size * share) for size in (height, width)]
    down, right = (math.floor(u * (2 * m + 1)) - m for u, m in zip(draws, most, strict=True))
    wanted = torch.full_like(items, -1.0)
    for row in range(height):
        for column in range(width):
            if 0 <= row + down < height and 0 <= column + right < width:
                wanted[:, :, row, column] = items[:, :, row + down, column + right]
    assert torch.equal(moved, wanted)


def test_translations_reach_every_shift_equally_often():
    items = torch.zeros(6000, 1, 8, 8)
    items[:, :, 4, 4] = 1
    moved = pictures.translate(items, torch.rand(6000, 2, generator=torch.Generator().manual_seed(0)), 0.125, 0.0)
    share = moved.mean(0)[0, 3:6, 3:6]
    assert (share - 1 / 9).abs().max() < 0.02


def test_a_cut_is_a_rectangle_of_the_asked_size_that_may_leave_the_picture():
    items = torch.ones(500, 2, 8, 10)
    draws = torch.rand(500, 2, generator=torch.Generator().manual_seed(0))
    seen = pictures.cut(items, draws, share=0.5, fill=-0.5, chosen=torch.arange(500) > 0)
    assert torch.equal(seen[0], items[0])
    holes = (seen == -0.5)[:, 0]
    for hole in holes[1:]:
        rows, columns = (hole.any(axis).nonzero()[:, 0] for axis in (1, 0))
        assert hole.sum() == len(rows) * len(columns)
        assert len(rows) <= 4
        assert len(columns) <= 5
    assert holes.sum((1, 2)).max() == 20
    assert holes.sum((1, 2))[1:].min() >= 4


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.lists(st.floats(-1.5, 1.5), min_size=4, max_size=4),
    st.lists(st.floats(-4, 4), min_size=2, max_size=2),
)
def test_a_warp_is_grid_sample_with_reflection(height, width, matrix, shift):
    items = torch.randn(2, 3, height, width, dtype=torch.float64)
    turn = torch.tensor(matrix, dtype=torch.float64).view(2, 2)
    seen = pictures.warp(items, turn.expand(2, 2, 2), torch.tensor([shift, shift], dtype=torch.float64))
    # affine_grid counts columns first, in halves of the size.
    half = torch.tensor([width / 2, height / 2], dtype=torch.float64)
    moved = torch.tensor(shift[::-1], dtype=torch.float64) / half
    theta = torch.cat([turn.flip(0, 1) * half / half[:, None], moved[:, None]], 1)
    grid = affine_grid(theta.expand(2, 2, 3), list(items.shape), align_corners=False)
    wanted = grid_sample(items, grid, padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(seen, wanted, atol=1e-9, rtol=1e-9)


def test_a_quarter_turn_is_exact():
    items = torch.randn(1, 1, 5, 5, dtype=torch.float64)
    quarter = torch.tensor([[[0.0, 1.0], [-1.0, 0.0]]], dtype=torch.float64)
    assert torch.equal(pictures.warp(items, quarter, torch.zeros(1, 2, dtype=torch.float64)), items.rot90(1, (2, 3)))


def test_colour_changes_follow_their_formulas():
    items, _ = batch()
    by = torch.linspace(0, 2, 8, dtype=torch.float64)
    wide = by.view(-1, 1, 1, 1)
    torch.testing.assert_close(pictures.brighten(items, by), items + wide)
    torch.testing.assert_close(pictures.contrast(items, by, about_mean=False), items * wide)
    turned = pictures.contrast(items, by)
    torch.testing.assert_close(turned.mean((1, 2, 3)), items.mean((1, 2, 3)))
    torch.testing.assert_close(turned.std((1, 2, 3)), items.std((1, 2, 3)) * by)
    grey = pictures.saturate(items, by)
    torch.testing.assert_close(grey.mean(1), items.mean(1))
    torch.testing.assert_close(grey[0, 0], grey[0, 2])
    assert torch.equal(pictures.saturate(items[:, :2], by), items[:, :2])


@pytest.mark.parametrize("strength", [0.2, 0.8])
def test_each_change_happens_with_probability_p(strength):
    still = dict.fromkeys([*STILL, "contrast", "saturation", "cutout"], 0)
    items, _ = batch(600, (3, 2, 2))
    for field, value in {"brightness": 0.2, "contrast": 0.5, "saturation": 1.0}.items():
        view = AdaptiveAugment(**{"brightness": 0, **still, field: value})
        seen, _ = view(items, None, sight_of(view, total=600, strength=strength))
        changed = ((seen - items).abs().amax((1, 2, 3)) > 1e-12).double().mean().item()
        assert changed == pytest.approx(strength, abs=0.07)


def test_only_what_is_asked_for_happens():
    still = dict.fromkeys([*STILL, "brightness", "contrast", "saturation", "cutout"], 0)
    items, _ = batch(200, (3, 5, 6))
    for field, value in {"flip": True, "cutout": 0.5}.items():
        view = AdaptiveAugment(**{**still, field: value})
        seen, _ = view(items, None, sight_of(view, total=200, strength=0.8))
        other = items.flip(3) if field == "flip" else seen.where(seen == 0, items)
        kept, changed = ((seen - wanted).abs().amax((1, 2, 3)) < 1e-12 for wanted in (items, other))
        assert (kept | changed).all()
        assert 0 < kept.sum() < 200
    view = AdaptiveAugment(**still)
    torch.testing.assert_close(view(items, None, sight_of(view, total=200, strength=0.8))[0], items)


def test_translation_at_full_strength_moves_about_as_far_as_asked():
    still = dict.fromkeys(["scale", "stretch", "rotation", "brightness", "contrast", "saturation", "cutout"], 0)
    places = torch.linspace(-1, 1, 64, dtype=torch.float64).expand(400, 1, 64, 64)
    view = AdaptiveAugment(translation=0.05, limit=1, **still)
    seen, _ = view(places, None, sight_of(view, total=400, strength=1.0))
    moved = (seen - places)[:, 0, 32, 32] * 63 / 2
    wanted = np.hypot(0.05 * 64 / math.sqrt(3), 0.05 * 64)
    assert moved.std().item() == pytest.approx(wanted, rel=0.12)


def gap(memory, view, select, images, planned=1000):
    one = torch.ones(4)
    view.update(memory, 2 * one, select * one, 1 * one, images, planned)
    memory.settle()
    return memory.strength.item()


def test_the_strength_goes_from_zero_to_one_in_the_asked_share_of_the_run():
    view = AdaptiveAugment(speed=0.25, limit=1)
    memory = view.memory()
    found = [gap(memory, view, 1.0, images) for images in range(0, 300, 50)]
    assert found == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert gap(memory, view, 2.0, 300) == pytest.approx(0.8)
    assert gap(memory, view, 2.0, 300) == pytest.approx(0.8)


def test_the_strength_stays_within_its_limit():
    view = AdaptiveAugment(speed=0.1, limit=0.5)
    memory = view.memory()
    assert gap(memory, view, 1.0, 900) == 0.5
    assert gap(memory, view, 2.0, 9000) == 0.0


@pytest.mark.parametrize(("select", "rises"), [(1.0, True), (1.3, True), (1.5, False), (2.5, False)])
def test_the_strength_follows_the_gap_against_the_target(select, rises):
    view = AdaptiveAugment(target=0.6, speed=1)
    memory = view.memory()
    memory.strength.fill_(0.4)
    assert (gap(memory, view, select, 100) > 0.4) is rises


def test_a_discriminator_that_tells_nothing_apart_lowers_the_strength():
    view = AdaptiveAugment(speed=1)
    memory = view.memory()
    memory.strength.fill_(0.4)
    view.update(memory, torch.zeros(3), -torch.ones(3), torch.ones(3), 100, 1000)
    memory.settle()
    assert memory.strength.item() == pytest.approx(0.3)


def test_the_strength_survives_a_checkpoint():
    view = AdaptiveAugment()
    memory, fresh = view.memory(), view.memory()
    gap(memory, view, 1.0, 40)
    fresh.load_state_dict(memory.state_dict())
    assert torch.equal(fresh.strength, memory.strength)
    assert fresh.images.item() == 40


def test_sideways_changes_keep_the_mean_of_a_constant_picture():
    view = AdaptiveAugment(brightness=0, contrast=0, saturation=0, cutout=0)
    items = torch.full((8, 3, 7, 6), 0.25, dtype=torch.float64)
    torch.testing.assert_close(view(items, None, sight_of(view))[0], items)
