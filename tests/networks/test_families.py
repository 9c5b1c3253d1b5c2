"""The contract of every network family."""

import copy
import inspect

import pytest
import torch
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from sparring.errors import RequestError
from sparring.networks import Architecture
from sparring.networks.pyramid import Pyramid
from sparring.types import DataSpec

FAMILIES = sorted(n for n, family in Architecture.parts().items() if not family.translates and not family.sequential)
SHAPES = [(1, 4, 4), (3, 8, 8), (1, 28, 28), (3, 45, 33), (4, 5, 64), (2, 33, 16)]
SMALL = {"width": 4, "channels": 4, "code": 3, "blocks": 1, "groups": 2, "depth": 2, "hidden": (6,), "dropout": 0.0}
LATENT = 5


def small(name: str, **fields) -> Architecture:
    family = Architecture.find(name)()
    return family.but(**{f: v for f, v in SMALL.items() if f in type(family).model_fields} | fields)


def pair(name: str, shape=(3, 12, 9), condition=3, seed=0, **fields):
    """Both networks, moved a little from their first weights, which may hold zeros on purpose."""
    torch.manual_seed(seed)
    spec = DataSpec(shape, condition)
    networks = small(name, **fields).generator(spec, LATENT), small(name, **fields).discriminator(spec)
    with torch.no_grad():
        for network in networks:
            for weight in network.parameters():
                weight.add_(torch.randn_like(weight), alpha=0.1)
    return networks


def inputs(count=6, condition=3, dtype=torch.float32):
    torch.manual_seed(1)
    encoded = torch.eye(condition, dtype=dtype)[torch.arange(count) % condition] if condition else None
    return torch.randn(count, LATENT, dtype=dtype), encoded


def check_shapes(name: str, shape: tuple[int, ...], condition: int) -> None:
    generator, discriminator = pair(name, shape, condition)
    latent, encoded = inputs(2, condition)
    with torch.no_grad():
        items = generator(latent, encoded).value
        scores = discriminator(items, encoded)
    assert items.shape == (2, *shape)
    if len(shape) == 3:
        assert items.abs().max() <= 1
    for score in scores:
        assert score.value.shape[0] == 2
        assert score.features
        assert all(features.shape[0] == 2 for features in score.features)


@pytest.mark.parametrize("condition", [0, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_picture_has_exactly_the_size_that_was_asked(name, shape, condition):
    check_shapes(name, shape, condition)


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=8, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(4, 40), st.integers(4, 40)),
    condition=st.integers(0, 3),
)
def test_no_size_is_out_of_reach(name, shape, condition):
    check_shapes(name, shape, condition)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_picture_of_256_pixels_can_be_made(name):
    check_shapes(name, (1, 256, 130), 0)


@pytest.mark.parametrize("name", FAMILIES)
def test_points_are_made_or_refused_with_the_families_that_can(name):
    spec = DataSpec((2,), 3)
    if Architecture.find(name).any_shape:
        fields = {"judge": "dense"} if name == "autoencoder" else {}
        generator, discriminator = pair(name, (2,), **fields)
        latent, encoded = inputs()
        value = generator(latent, encoded).value
        assert value.shape == (6, 2)
        assert discriminator(value, encoded)[0].value.shape == (6,)
    else:
        for build in (lambda: small(name).generator(spec, LATENT), lambda: small(name).discriminator(spec)):
            with pytest.raises(RequestError, match=r"dense.*mlp"):
                build()


def test_a_convolutional_judge_of_points_is_refused_with_the_field_to_set():
    with pytest.raises(RequestError, match="judge=dense"):
        small("autoencoder").discriminator(DataSpec((2,)))


@pytest.mark.parametrize("condition", [0, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_reach_every_weight(name, condition):
    generator, discriminator = pair(name, condition=condition)
    latent, encoded = inputs(16, condition)
    discriminator(generator(latent, encoded).value, encoded)[0].value.square().sum().backward()
    for network in (generator, discriminator):
        for key, weight in network.named_parameters():
            assert weight.grad is not None, key
            assert weight.grad.isfinite().all(), key
            assert weight.grad.any(), key


@pytest.mark.parametrize("name", FAMILIES)
def test_the_gradient_penalty_differentiates_again(name):
    discriminator = pair(name)[1].double()
    _, encoded = inputs(dtype=torch.float64)
    items = torch.rand(6, 3, 12, 9, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(items, encoded)[0].value.sum(), items, create_graph=True)
    assert gradient.dtype == torch.float64
    gradient.square().sum().backward()
    found = [weight.grad for weight in discriminator.parameters() if weight.grad is not None]
    assert any(g.any() for g in found)
    assert all(g.isfinite().all() for g in found)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_generator_runs_in_float64(name):
    generator = pair(name)[0].double()
    assert generator(*inputs(dtype=torch.float64)).value.dtype == torch.float64


@pytest.mark.parametrize("name", FAMILIES)
def test_equal_seeds_make_equal_weights(name):
    for one, other in zip(pair(name), pair(name), strict=True):
        for key, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[key]), key
    assert any(
        not torch.equal(a, b)
        for a, b in zip(pair(name)[0].parameters(), pair(name, seed=9)[0].parameters(), strict=True)
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_in_eval_mode_an_item_does_not_depend_on_its_companions(name):
    generator, discriminator = (network.double().eval() for network in pair(name))
    latent, encoded = inputs(dtype=torch.float64)
    items = generator(latent, encoded).value
    other = torch.cat([latent[:1], 9 * latent[1:3]]), encoded[:3]
    torch.testing.assert_close(generator(*other).value[0], items[0])
    value = discriminator(items, encoded)[0].value
    torch.testing.assert_close(discriminator(items[:2], encoded[:2])[0].value, value[:2])


@pytest.mark.parametrize("name", FAMILIES)
def test_the_condition_changes_the_item_and_the_verdict(name):
    generator, discriminator = (network.eval() for network in pair(name))
    latent, encoded = inputs()
    turned = encoded.roll(1, 1)
    items = generator(latent, encoded).value
    assert (generator(latent, turned).value - items).abs().max() > 1e-4
    assert (discriminator(items, turned)[0].value - discriminator(items, encoded)[0].value).abs().max() > 1e-4


@pytest.mark.parametrize("name", FAMILIES)
def test_a_copy_is_equal_and_apart(name):
    latent, encoded = inputs()
    for network, asked in zip(pair(name), ((latent, encoded), (torch.rand(6, 3, 12, 9), encoded)), strict=True):
        network.eval()
        twin = copy.deepcopy(network)
        before = _first(twin(*asked))
        torch.testing.assert_close(before, _first(network(*asked)))
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(1)
        torch.testing.assert_close(_first(twin(*asked)), before)


def _first(result):
    return result.value if hasattr(result, "value") else result[0].value


@pytest.mark.parametrize("name", FAMILIES)
def test_both_sides_learn_under_bf16_autocast(name):
    generator, discriminator = pair(name)
    latent, encoded = inputs()
    plain = generator(latent, encoded).value
    with torch.autocast("cpu", torch.bfloat16):
        items = generator(latent, encoded).value.float()
        judged = items.detach().requires_grad_()
        value = discriminator(judged, encoded)[0].value
        (gradient,) = torch.autograd.grad(value.sum(), judged, create_graph=True)
    assert (items - plain).abs().mean() < 0.1
    (value.float().sum() + gradient.float().square().sum()).backward()
    assert all(w.grad is None or w.grad.isfinite().all() for w in discriminator.parameters())


@pytest.mark.parametrize("name", FAMILIES)
def test_the_memory_layout_does_not_change_the_result(name):
    generator, discriminator = (network.double().eval() for network in pair(name))
    latent, encoded = inputs(dtype=torch.float64)
    items = generator(latent, encoded).value
    value = discriminator(items.contiguous(), encoded)[0].value
    generator, discriminator = (n.to(memory_format=torch.channels_last) for n in (generator, discriminator))
    torch.testing.assert_close(generator(latent, encoded).value, items)
    last = items.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(discriminator(last, encoded)[0].value, value)


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_pass_through_safetensors(name):
    for network, fresh in zip(pair(name), pair(name, seed=5), strict=True):
        fresh.load_state_dict(load(save(network.state_dict())))
        for key, value in network.state_dict().items():
            assert torch.equal(value, fresh.state_dict()[key])


def _wrong_values(info) -> list:
    """Values just outside the bounds of a field, and a value of another kind."""
    steps = {Ge: ("ge", -1), Gt: ("gt", 0), Le: ("le", 1), Lt: ("lt", 0)}
    outside = [getattr(m, steps[type(m)][0]) + steps[type(m)][1] for m in info.metadata if type(m) in steps]
    return [*outside, "no such thing", None]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_wrong_field_is_refused_by_name(name):
    family = Architecture.find(name)
    assert not inspect.isabstract(family)
    for field, info in family.model_fields.items():
        assert info.description, field
        for wrong in _wrong_values(info):
            with pytest.raises(RequestError, match=field):
                family(**{field: wrong})
    with pytest.raises(RequestError, match="no field is called 'widht'"):
        family(widht=3)


@pytest.mark.parametrize("name", [n for n in FAMILIES if "spectral" in Architecture.find(n).model_fields])
def test_spectral_norm_brings_every_layer_to_norm_one(name):
    discriminator = pair(name, spectral=True)[1]
    _, encoded = inputs()
    for _ in range(60):
        discriminator(torch.rand(6, 3, 12, 9), encoded)
    discriminator.eval()
    layers = [m for m in discriminator.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    assert layers
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_activation_is_finite(name):
    for wish in ("leaky-relu", "relu", "elu", "tanh", "swish", "gelu"):
        if "activation" not in Architecture.find(name).model_fields:
            continue
        generator, discriminator = pair(name, activation=wish)
        latent, encoded = inputs()
        assert discriminator(generator(latent, encoded).value, encoded)[0].value.isfinite().all()


@pytest.mark.parametrize("name", ["mlp", "resnet"])
def test_batch_norm_is_there_where_asked(name):
    def norms(network):
        return [m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]

    assert norms(pair(name, norm="batch")[0])
    assert not norms(pair(name, norm="none")[0])
    assert not norms(pair(name, norm="batch")[1])
    generator = pair(name, norm="batch")[0]
    assert generator(*inputs()).value.isfinite().all()


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (1, 1)])
def test_pictures_that_are_too_thin_for_a_pyramid_are_refused_in_one_line(size):
    with pytest.raises(RequestError, match=rf"pictures of {size[0]}x{size[1]} are too thin") as caught:
        Pyramid().discriminator(DataSpec((1, *size)))
    assert "\n" not in str(caught.value)
    for thin in ((2, 9), (9, 2), (2, 2)):
        items = torch.zeros(3, 1, *thin)
        assert Pyramid().discriminator(DataSpec((1, *thin)))(items)[0].value.shape[0] == 3
