"""The contract of networks that make series alone."""

import pytest
import torch

from sparring.errors import RequestError
from sparring.networks import Architecture
from sparring.types import DataSpec

FAMILIES = sorted(name for name, family in Architecture.parts().items() if family.sequential)


def pair(name: str, shape=(2, 12), condition=0):
    torch.manual_seed(0)
    family, spec = Architecture.find(name)(width=8), DataSpec(shape, condition)
    return family.generator(spec, 5), family.discriminator(spec)


@pytest.mark.parametrize("condition", [0, 3])
@pytest.mark.parametrize("shape", [(1, 2), (3, 7), (2, 24), (1, 101)], ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_series_has_exactly_the_shape_that_was_asked(name, shape, condition):
    generator, discriminator = pair(name, shape, condition)
    asked = torch.eye(3)[:2] if condition else None
    made = generator(torch.randn(2, 5), asked).value
    assert made.shape == (2, *shape)
    (score,) = discriminator(made, asked)
    assert score.value.shape == (2,)
    assert all(len(features) == 2 for features in score.features)


@pytest.mark.parametrize("condition", [0, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_reach_every_weight_and_every_step_of_what_is_judged(name, condition):
    generator, discriminator = pair(name, condition=condition)
    asked = torch.eye(3)[torch.arange(16) % 3] if condition else None
    made = generator(torch.randn(16, 5), asked).value
    made.retain_grad()
    discriminator(made, asked)[0].value.square().sum().backward()
    assert (made.grad.abs().amax((0, 1)) > 0).all()
    for network in (generator, discriminator):
        for key, weight in network.named_parameters():
            assert weight.grad is not None, key
            assert weight.grad.any(), key


@pytest.mark.parametrize("name", FAMILIES)
def test_the_gradient_penalty_differentiates_again(name):
    discriminator = pair(name)[1].double()
    items = torch.randn(3, 2, 12, dtype=torch.float64, requires_grad=True)
    discriminator.eval()
    assert torch.autograd.gradgradcheck(lambda x: discriminator(x)[0].value, items)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_item_does_not_depend_on_the_others_when_sampled(name):
    generator, discriminator = (network.eval() for network in pair(name))
    latents = torch.randn(6, 5)
    made = generator(latents).value
    torch.testing.assert_close(generator(latents[:1]).value, made[:1])
    torch.testing.assert_close(discriminator(made[:1])[0].value, discriminator(made)[0].value[:1])


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_no_series_is_refused_with_the_families_that_can(name):
    for build in (Architecture.find(name)().generator, lambda spec, _: Architecture.find(name)().discriminator(spec)):
        with pytest.raises(RequestError, match=r"dense.*mlp"):
            build(DataSpec((3, 8, 8)), 5)
