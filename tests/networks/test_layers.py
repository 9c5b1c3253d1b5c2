"""The rules that the families share, against closed forms."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from sparring.errors import RequestError
from sparring.networks import layers
from sparring.networks.dcgan import Dcgan
from sparring.networks.dense import Dense
from sparring.networks.dense_conv import DenseConv
from sparring.networks.mlp import FourierFeatures
from sparring.networks.pyramid import Pyramid
from sparring.networks.r3gan import Block, Double, Halve, R3gan
from sparring.types import DataSpec


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 9))
def test_grids_halve_with_rounding_up(height, width, largest):
    count = layers.halvings(height, width, largest)
    grids = layers.sizes(height, width, count)
    assert grids[-1] == (height, width)
    assert max(grids[0]) <= largest
    assert count == 0 or max(grids[1]) > largest
    for (h, w), (taller, wider) in pairwise(grids):
        assert (h, w) == ((taller + 1) // 2, (wider + 1) // 2)


def test_the_minibatch_deviation_is_one_number_over_the_batch_and_a_running_mean_in_eval_mode():
    layer = layers.MinibatchDeviation(momentum=0.5).double()
    maps = torch.randn(6, 3, 4, 5, dtype=torch.float64)
    wanted = maps.numpy().std(0).mean()
    found = layer(maps)
    assert found.shape == (6, 4, 4, 5)
    assert torch.equal(found[:, :3], maps)
    torch.testing.assert_close(found[:, 3], torch.full((6, 4, 5), wanted, dtype=torch.float64))
    assert layer(maps[:1].expand(6, -1, -1, -1))[0, 3, 0, 0] < 1e-3 * wanted
    layer.eval()
    assert layer(maps[:1])[0, 3, 0, 0] == layer(maps)[5, 3, 1, 2] == pytest.approx(wanted / 4, rel=1e-2)


def test_networks_that_compare_items_are_known():
    spec = DataSpec((1, 8, 8))
    assert layers.compares(Pyramid(discriminator_width=4).discriminator(spec))
    assert not layers.compares(Pyramid(discriminator_width=4, deviation=False).discriminator(spec))


def test_the_projection_is_linear_in_features_plus_the_inner_product():
    head = layers.Projection(7, 3).double()
    features, condition = torch.randn(5, 7, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    wanted = head.plain(features)[:, 0] + (head.project(condition) * features).sum(1)
    torch.testing.assert_close(head(features, condition), wanted)
    assert head.project.bias is None


def test_the_verdict_is_in_float32_under_autocast():
    head = layers.Projection(7, 0)
    with torch.autocast("cpu", torch.bfloat16):
        assert head(torch.randn(2, 7).bfloat16(), None).dtype == torch.float32


def test_the_embedded_condition_stands_behind_the_latent():
    entry = layers.Embedded(4, 3)
    latent, condition = torch.randn(2, 4), torch.randn(2, 3)
    torch.testing.assert_close(entry(latent, condition), torch.cat([latent, condition @ entry.embed.weight.T], 1))
    assert entry.width == 8
    assert entry.embed.bias is None
    assert layers.Embedded(4, 0)(latent, None) is latent


@pytest.mark.parametrize("name", ["leaky-relu", "relu", "elu", "swish", "gelu"])
def test_the_gain_keeps_the_mean_square(name):
    signal = layers.activation(name)(torch.randn(200_000, generator=torch.Generator().manual_seed(0)))
    assert layers.gain(name) ** 2 * signal.square().mean().item() == pytest.approx(1, rel=0.03)


def test_glorot_and_he_have_their_spread():
    layer = torch.nn.Linear(400, 600)
    assert layers.glorot(layer).weight.std().item() == pytest.approx(np.sqrt(2 / 1000), rel=0.02)
    assert layers.he(layer, "relu").weight.std().item() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert not layer.bias.any()


def test_doubling_is_bilinear_inside():
    maps = torch.randn(2, 3, 5, 7)
    wanted = interpolate(maps, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(Double()(maps)[:, :, 1:-1, 1:-1], wanted[:, :, 1:-1, 1:-1])


def test_halving_is_bilinear_with_antialias_inside_and_rounds_up():
    maps = torch.randn(2, 3, 8, 12)
    wanted = interpolate(maps, scale_factor=0.5, mode="bilinear", antialias=True)
    torch.testing.assert_close(Halve()(maps)[:, :, 1:-1, 1:-1], wanted[:, :, 1:-1, 1:-1])
    assert Halve()(torch.zeros(1, 2, 7, 5)).shape == (1, 2, 4, 3)


def test_an_r3gan_block_begins_as_the_identity_with_the_fix_up_scale():
    block = Block(8, R3gan(width=8, expansion=2, groups=1), depth=16)
    maps = torch.randn(2, 8, 5, 5)
    assert torch.equal(block(maps), maps)
    wanted = np.sqrt(2 / 1.04 / 8) * 16**-0.25
    weights = torch.cat([Block(8, R3gan(width=8), 16).branch[0].weight.flatten() for _ in range(60)])
    assert weights.std().item() == pytest.approx(wanted, rel=0.05)


def test_groups_that_do_not_divide_are_refused():
    with pytest.raises(RequestError, match="groups = 3 does not divide width x expansion = 16"):
        R3gan(width=8, groups=3)


def test_the_tutorials_networks_have_the_published_sizes():
    spec = DataSpec((1, 28, 28))
    generator = Dcgan().generator(spec, 100)
    assert generator.lift.weight.shape == (7 * 7 * 256, 100)
    assert [tuple(step[0].weight.shape) for step in generator.steps] == [
        (256, 128, 5, 5),
        (128, 64, 5, 5),
        (64, 1, 5, 5),
    ]
    judge = Dcgan().discriminator(spec)
    assert [tuple(step[0].weight.shape) for step in judge.steps] == [(64, 1, 5, 5), (128, 64, 5, 5)]
    dense = Dense().generator(spec, 100)
    assert [tuple(w.shape) for w in dense.parameters()] == [(128, 100), (128,), (784, 128), (784,)]
    mixed = DenseConv().generator(spec, 100)
    assert [m.out_features for m in mixed.modules() if isinstance(m, torch.nn.Linear)] == [128, 128, 100, 784]
    strided = DenseConv().discriminator(spec)
    assert [tuple(step[0].weight.shape) for step in strided.steps] == [(64, 1, 3, 3), (128, 64, 3, 3)]
    assert strided.steps[0][2].p == 0.3


def test_fourier_features_are_sines_and_cosines_at_doubling_frequencies():
    items = torch.tensor([[0.3, -1.2]])
    found = FourierFeatures(2)(items)
    expected = [items, items.sin(), items.cos(), (2 * items).sin(), (2 * items).cos()]
    torch.testing.assert_close(found, torch.cat(expected, 1))


def test_waves_fall_with_their_frequency():
    items = torch.tensor([[0.3, -1.2]])
    found = FourierFeatures(3, falloff=0.5)(items)
    expected = [items, *(w / f**0.5 for f in (1, 2, 4) for w in ((f * items).sin(), (f * items).cos()))]
    torch.testing.assert_close(found, torch.cat(expected, 1))


def test_waves_of_equal_slopes_are_as_steep_in_every_octave():
    items = torch.zeros(1, 1, requires_grad=True)
    sines = FourierFeatures(5, falloff=1.0)(items)[0, 1::2]
    slopes = [torch.autograd.grad(sine, items, retain_graph=True)[0].item() for sine in sines]
    assert slopes == [1.0] * 5
