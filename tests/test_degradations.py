import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from sparring.degradations import (
    Blur,
    Degradation,
    Downscale,
    GaussianNoise,
    Grey,
    Holes,
    Jpeg,
    LowLight,
    Rectangles,
    SaltAndPepper,
    Strokes,
    degrade,
    resize,
    rounded,
)
from sparring.errors import RequestError


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def picture(channels=3, height=48, width=40, seed=0):
    draws = torch.rand(1, channels, 6, 5, generator=source(seed)) * 2 - 1
    smooth = torch.nn.functional.interpolate(draws, (height, width), mode="bilinear")[0]
    return rounded(smooth)


def eight_bit(values):
    return ((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("name", sorted(Degradation.parts()))
@pytest.mark.parametrize("channels", [1, 3])
def test_a_degradation_depends_on_picture_and_seed_alone(name, channels):
    step, clean = Degradation.find(name)(), picture(channels)
    before = clean.clone()
    torch.manual_seed(1)
    first = step(clean, source(5))
    torch.manual_seed(2)
    assert torch.equal(first, step(clean, source(5)))
    assert torch.equal(clean, before)
    assert first.isfinite().all()
    assert first.ndim == 3


@pytest.mark.parametrize("name", sorted(Holes.parts()))
def test_holes_depend_on_the_seed_and_cover_a_part(name):
    part = Holes.find(name)()
    masks = [part(40, 56, source(seed)) for seed in range(20)]
    assert torch.equal(masks[3], part(40, 56, source(3)))
    assert all(mask.shape == (1, 40, 56) and set(mask.unique().tolist()) == {0, 1} for mask in masks)
    assert len({mask.numpy().tobytes() for mask in masks}) > 10


def test_noise_has_the_strength_that_was_asked_and_is_not_clipped():
    clean = torch.ones(1, 200, 200)
    noisy = GaussianNoise(low=25, high=25)(clean, source())
    assert ((noisy - clean) * 127.5).std().item() == pytest.approx(25, rel=0.02)
    assert noisy.max() > 1


def test_unknown_strengths_fill_their_interval():
    clean = torch.zeros(1, 64, 64)
    found = [float(GaussianNoise(low=5, high=50)(clean, source(s)).std()) * 127.5 for s in range(60)]
    assert 4 < min(found) < 12
    assert 43 < max(found) < 52


def test_salt_and_pepper_turn_equal_shares_black_and_white_in_all_channels():
    found = SaltAndPepper(low=0.2, high=0.2)(torch.zeros(3, 200, 200), source())
    assert (found == -1).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert (found == 1).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert torch.equal(found[0], found[2])


def test_blur_is_a_gaussian_filter():
    clean = picture(1)
    expected = gaussian_filter(clean[0].double().numpy(), 1.3, mode="nearest", radius=4)
    np.testing.assert_allclose(Blur(low=1.3, high=1.3)(clean, source())[0].numpy(), expected, atol=1e-5)


def test_jpeg_is_what_pillow_makes():
    clean, stored = picture(), io.BytesIO()
    Image.fromarray(eight_bit(clean)).save(stored, "JPEG", quality=30)
    expected = np.asarray(Image.open(stored))
    np.testing.assert_array_equal(eight_bit(Jpeg(low=30, high=30)(clean, source())), expected)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_downscaling_is_what_pillow_makes(factor):
    clean = picture(3, 48, 36)
    expected = Image.fromarray(eight_bit(clean)).resize((36 // factor, 48 // factor), Image.Resampling.BICUBIC)
    found = eight_bit(Downscale(factor=factor)(clean, source())).astype(int)
    assert np.abs(found - np.asarray(expected).astype(int)).max() <= 1


def test_enlarging_is_what_pillow_makes():
    clean = picture(1, 12, 10)
    expected = Image.fromarray(eight_bit(clean)[..., 0]).resize((30, 36), Image.Resampling.BICUBIC)
    found = eight_bit(resize(clean, (36, 30)))[..., 0].astype(int)
    assert np.abs(found - np.asarray(expected).astype(int)).max() <= 1


def test_grey_is_pillows():
    expected = np.asarray(Image.fromarray(eight_bit(picture())).convert("L")).astype(int)
    assert np.abs(eight_bit(Grey()(picture(), source()))[..., 0] - expected).max() <= 1


def test_low_light_is_darker_by_its_gain():
    found = LowLight(gain_low=0.5, gain_high=0.5, gamma=1.0, noise=0.0)(picture(), source())
    torch.testing.assert_close((found + 1) / 2, 0.5 * (picture() + 1) / 2)


def test_steps_compose_in_their_order():
    clean = picture()
    found = degrade((Blur(), GaussianNoise()), clean, source(4))
    draws = source(4)
    torch.testing.assert_close(found, GaussianNoise()(Blur()(clean, draws), draws))


def test_a_rectangle_has_the_sides_that_were_asked():
    for seed in range(10):
        hole = 1 - Rectangles(low=0.375, high=0.375)(64, 64, source(seed))[0]
        assert hole.any(0).sum() == hole.any(1).sum() == 24
        assert hole.sum() == 24 * 24


def test_strokes_stay_small():
    shares = [1 - Strokes()(64, 64, source(seed)).mean().item() for seed in range(20)]
    assert 0.01 < np.mean(shares) < 0.4


@pytest.mark.parametrize("part", [GaussianNoise, SaltAndPepper, Blur, Jpeg])
def test_bounds_in_the_wrong_order_are_refused(part):
    with pytest.raises(RequestError, match="low"):
        part(low=part().high, high=part().low) if part().low != part().high else part(low=30.0, high=20.0)
