"""The contract of the families that make a picture of a picture."""

import copy

import pytest
import torch

from sparring.errors import RequestError
from sparring.networks import Architecture
from sparring.networks.encoder_decoder import EncoderDecoder, Redrawer, RowNorm, centre, laid
from sparring.networks.judges import Patch
from sparring.networks.unet import doubled
from sparring.types import DataSpec

FAMILIES = sorted(name for name, family in Architecture.parts().items() if family.translates)
WHOLE = ["encoder-decoder"]
"""Families that see the whole picture, and begin with none."""
LOCAL = sorted(set(FAMILIES) - set(WHOLE))
SMALL = {"width": 4, "depth": 3, "blocks": 2, "code": 16, "mapping": 16, "drawing": 2}
CASES = [((3, 16, 16), (3, 16, 16)), ((1, 24, 12), (1, 24, 12)), ((3, 16, 16), (4, 16, 16)), ((3, 16, 16), (1, 16, 16)),
         ((3, 16, 24), (3, 8, 12)), ((1, 24, 12), (1, 8, 4))]  # fmt: skip


def family(name, **fields):
    part = Architecture.find(name)()
    return part.but(**{f: v for f, v in SMALL.items() if f in type(part).model_fields} | fields)


def network(name, shape=(3, 16, 16), given=(3, 16, 16), latent=0, **fields):
    """A generator moved away from its first weights, some of which are zero."""
    torch.manual_seed(0)
    made = family(name, **fields).generator(DataSpec(shape, given=given), latent).double().eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.1)
    return made


def pictures(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize(("shape", "given"), CASES, ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_generator_makes_the_wanted_shape_and_begins_with_the_given_picture_where_it_carries_it_across(
    name, shape, given
):
    part = family(name)
    generator = part.generator(DataSpec(shape, given=given), 0).double()
    assert generator(None, pictures(2, *given)).value.shape == (2, *shape)
    if shape == given and name in LOCAL:
        torch.testing.assert_close(generator(None, pictures(2, *given)).value, pictures(2, *given))


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_are_those_of_finite_differences_though_maps_are_overwritten(name):
    made = network(name, shape=(1, 8, 8), given=(1, 8, 8)).train()
    given = pictures(2, 1, 8, 8).requires_grad_()
    names, weights = zip(*((name, weight.detach()) for name, weight in made.named_parameters()), strict=True)

    def output(given, *weights):
        return torch.func.functional_call(made, dict(zip(names, weights, strict=True)), (None, given)).value

    tried = (given, *(weight.requires_grad_() for weight in weights))
    assert torch.autograd.gradcheck(output, tried, atol=1e-4, rtol=1e-3, fast_mode=True)
    assert torch.equal(given, pictures(2, 1, 8, 8))


@pytest.mark.parametrize("size", [(5, 3), (17, 40), (33, 31)], ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_pictures_of_any_size_can_be_given(name, size):
    assert network(name)(None, pictures(1, 3, *size)).value.shape == (1, 3, *size)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(("name", "fields"), [*((name, {}) for name in LOCAL), ("residual", {"fold": 2})], ids=str)
def test_no_pixel_depends_on_pixels_beyond_the_reach(name, fields, scale):
    generator = network(name, (1, 16 * scale, 16 * scale), (1, 16, 16), **fields)
    size = 2 * (generator.reach + 2 * generator.stride) + 8
    given = pictures(1, 1, size, size).requires_grad_()
    for place in (size // 2, size // 2 + 3):
        out = generator(None, given).value[0, 0, place * scale, place * scale]
        (gradient,) = torch.autograd.grad(out, given)
        touched = gradient[0, 0].abs().sum(0).nonzero().flatten()
        assert abs(touched - place).max() <= generator.reach
        assert abs(touched - place).max() >= generator.reach / 4, "tiles overlap by far more than they need"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_latent_changes_the_picture(name):
    generator = network(name, latent=2)
    given = pictures(1, 3, 16, 16)
    one, other = (generator(torch.full((1, 2), value, dtype=torch.float64), given).value for value in (0.0, 1.0))
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_all_weights_learn(name):
    generator = network(name).train()
    generator(None, pictures(2, 3, 16, 16)).value.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in generator.parameters())


@pytest.mark.parametrize("name", FAMILIES)
def test_without_a_given_picture_a_family_is_refused_with_the_remedy(name):
    with pytest.raises(RequestError, match="task"):
        family(name).generator(DataSpec((3, 16, 16)), 4)
    with pytest.raises(RequestError, match="whole numbers"):
        family(name).generator(DataSpec((3, 16, 16), given=(3, 9, 9)), 0)


@pytest.mark.parametrize("name", FAMILIES)
def test_both_networks_learn_under_bf16(name):
    generator = network(name).float().train()
    with torch.autocast("cpu", torch.bfloat16):
        made = generator(None, pictures(2, 3, 16, 16).float()).value
    assert made.isfinite().all()


@pytest.mark.parametrize("size", [(9, 14), (16, 16)], ids=str)
def test_a_folded_picture_is_unfolded_at_its_own_size(size):
    generator = network("residual", fold=3)
    given = pictures(1, 3, *size)
    assert generator(None, given).value.shape == given.shape
    begun = family("residual", fold=3).generator(DataSpec((3, 16, 16), given=(3, 16, 16)), 0).double()
    torch.testing.assert_close(begun(None, given).value, given)


def test_doubling_and_convolving_at_once_is_what_both_are_one_after_the_other():
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(7, 4, 3, padding=1).double()
    maps, skip = pictures(2, 3, 5, 6), pictures(2, 4, 10, 12, seed=1)
    joined = torch.cat([torch.nn.functional.interpolate(maps, scale_factor=2, mode="nearest"), skip], 1)
    torch.testing.assert_close(doubled(conv, maps, skip), conv(joined))


def test_instance_norm_looks_at_the_whole_picture_and_says_so():
    generator = network("unet", norm="instance", depth=4)
    assert generator.reach is None
    assert generator(None, pictures(1, 3, 16, 16)).value.isfinite().all()


def test_without_residual_a_u_net_stays_within_the_range():
    generator = network("unet", residual=False)
    assert generator(None, 50 * pictures(1, 3, 16, 16)).value.abs().max() <= 1


@pytest.mark.parametrize("scales", [1, 3])
@pytest.mark.parametrize("spectral", [False, True])
def test_a_patch_judge_tells_a_verdict_a_place_and_scale(scales, spectral):
    judge = Patch(width=4, scales=scales, spectral=spectral).discriminator(DataSpec((3, 64, 48), given=(1, 32, 24)))
    scores = judge(pictures(2, 3, 64, 48).float(), pictures(2, 1, 32, 24).float())
    assert [tuple(s.value.shape) for s in scores] == [(2, 8, 6), (2, 4, 3), (2, 4, 3)][:scales]  # the last is shallower
    assert [len(s.features) for s in scores] == [4, 4, 3][:scales]


def test_a_patch_judge_sees_the_given_picture():
    torch.manual_seed(0)
    judge = Patch(width=4).discriminator(DataSpec((3, 32, 32), given=(3, 32, 32)))
    items, one, other = (pictures(1, 3, 32, 32, seed=seed).float() for seed in range(3))
    assert (judge(items, one)[0].value - judge(items, other)[0].value).abs().max() > 1e-4


def test_a_patch_judge_sees_only_its_patch():
    torch.manual_seed(0)
    judge = Patch(width=4, layers=2).discriminator(DataSpec((1, 64, 64)))
    items = pictures(1, 1, 64, 64).float()
    changed = items.clone()
    changed[..., -8:] = 0
    one, other = judge(items)[0].value, judge(changed)[0].value
    assert torch.equal(one[..., :8], other[..., :8])
    assert not torch.equal(one[..., -1], other[..., -1])


@pytest.mark.parametrize("side", [4, 7, 9])
def test_small_pictures_get_fewer_layers(side):
    judge = Patch(width=4, layers=5, scales=2).discriminator(DataSpec((1, side, side)))
    assert all(s.value.isfinite().all() for s in judge(pictures(2, 1, side, side).float()))


def test_copies_of_a_judge_are_apart():
    judge = Patch(width=4).discriminator(DataSpec((1, 16, 16))).eval()
    other = copy.deepcopy(judge)
    items = pictures(2, 1, 16, 16).float()
    assert torch.equal(judge(items)[0].value, other(items)[0].value)


@pytest.mark.parametrize("name", WHOLE)
def test_a_family_that_sees_the_whole_picture_says_so_and_does(name):
    generator = network(name)
    assert generator.reach is None
    given = pictures(1, 3, 16, 200).requires_grad_()
    (gradient,) = torch.autograd.grad(generator(None, given).value[0, :, :, 0].sum(), given)
    assert gradient[..., -8:].abs().max() > 0


def test_what_an_encoder_decoder_makes_stays_within_the_range():
    assert network("encoder-decoder")(None, 50 * pictures(1, 3, 16, 16)).value.abs().max() <= 1


@pytest.mark.parametrize("shape", [(1, 2, 3), (3, 5, 64), (1, 33, 17)], ids=str)
def test_an_encoder_decoder_redraws_pictures_of_any_learned_size(shape):
    generator = network("encoder-decoder", shape, shape)
    assert generator(None, pictures(2, *shape)).value.shape == (2, *shape)


@pytest.mark.parametrize(("down", "across"), [(0, 0), (3, -5), (-2, 7)])
def test_a_drawing_is_laid_at_its_place_and_its_edges_go_on(down, across):
    drawing = torch.full((1, 2, 16, 32), -1.0, dtype=torch.float64)
    drawing[:, :, 6:10, 12:20] = pictures(1, 2, 4, 8)
    place = torch.tensor([[2 * across / 32, 2 * down / 16]], dtype=torch.float64)
    torch.testing.assert_close(laid(drawing, place, (16, 32)), drawing.roll((down, across), (2, 3)))


def test_the_place_is_the_middle_of_what_is_looked_at_and_that_of_the_picture_at_first():
    attention = torch.zeros(2, 1, 4, 8)
    assert centre(attention).abs().max() < 1e-6
    attention[0, 0, 1, 6] = attention[1, 0, 3, 0] = 50
    torch.testing.assert_close(centre(attention), torch.tensor([[5 / 8, -1 / 4], [-7 / 8, 3 / 4]]))


def test_what_an_encoder_decoder_draws_lies_where_it_looks():
    generator = network("encoder-decoder", (1, 16, 32), (1, 16, 32))
    assert isinstance(generator, Redrawer)
    drawing = torch.zeros(1, 1, 16, 32, dtype=torch.float64)
    drawing[..., 7:9, 15:17] = 3
    generator.draw.forward = lambda code: drawing.expand(len(code), -1, -1, -1)
    with torch.no_grad():
        generator.offset.weight.zero_()
        generator.offset.bias.copy_(10 * torch.tensor([8 / 32, -4 / 16]))
        generator.attention.weight.zero_()
    (made,) = generator(None, pictures(1, 1, 16, 32)).value.detach()
    assert (made[0] > 0.5).nonzero().double().mean(0).tolist() == [7.5 - 2, 15.5 + 4]


@pytest.mark.parametrize(
    ("shape", "start"),
    [((1, 32, 64), (8, 16, 32)), ((3, 128, 128), (32, 16, 16)), ((3, 32, 128), (8, 16, 64)), ((1, 2, 3), (8, 1, 2))],
    ids=str,
)
def test_a_drawing_begins_on_a_grid_of_sixteen_whatever_its_size(shape, start):
    made = EncoderDecoder(width=4).generator(DataSpec(shape, given=shape), 0)
    assert isinstance(made, Redrawer)
    assert made.draw.start == start
    assert made.eval()(None, pictures(1, *shape).float()).value.shape == (1, *shape)


def test_a_row_that_is_alone_is_normed_by_what_was_seen_before():
    norm, rows = RowNorm(3), torch.randn(40, 3) * 2 + 1
    for _ in range(100):
        norm(rows)
    alone = norm(rows[:1])
    torch.testing.assert_close(alone, (rows[:1] - rows.mean(0)) / rows.std(0), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(norm(rows), torch.nn.functional.batch_norm(rows, None, None, training=True))


@pytest.mark.parametrize("shape", [(1, 1, 20), (3, 20, 1), (1, 1, 1), (3, 2, 2), (3, 5, 5)])
@pytest.mark.parametrize("norm", ["none", "instance"])
def test_patches_of_pictures_that_are_one_pixel_thin_are_judged(shape, norm):
    judge = Patch(width=4, scales=2, norm=norm).discriminator(DataSpec(shape))
    for score in judge(torch.randn(2, *shape)):
        assert torch.isfinite(score.value).all()
