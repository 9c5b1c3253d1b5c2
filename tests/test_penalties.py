import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from sparring.errors import RequestError
from sparring.optimisers import cosine
from sparring.penalties import (
    R1,
    R2,
    Averages,
    Consistency,
    Constraint,
    Dragan,
    GradientPenalty,
    LeCam,
    Look,
    Mismatch,
    Penalty,
    WeightClipping,
)
from sparring.randomness import Noise
from sparring.types import Score

every_penalty = pytest.mark.parametrize("penalty", [part() for part in Penalty.parts().values()], ids=str)
every_constraint = pytest.mark.parametrize("constraint", [part() for part in Constraint.parts().values()], ids=str)
of_points_and_pictures = pytest.mark.parametrize("shape", [(2,), (1, 4, 4)], ids=["points", "pictures"])
weights = st.lists(st.floats(-3, 3, width=16), min_size=2, max_size=4)


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def look_with(score, shape, penalty, *, rows=slice(0, 6), memory=None, dtype=torch.float64):
    """What a discriminator, a function from items to scores, says of six items a side."""
    sides = [draw(6, *shape, seed=seed).mul(3)[rows].to(dtype) for seed in (1, 2)]
    real, fake = (side.requires_grad_(penalty.differentiates) for side in sides)
    noise = Noise((0, 0, "discriminator"), rows, 6, dtype=torch.float64)
    conditions = draw(6, *shape, seed=3)[rows].to(dtype)
    remembered = penalty.memory() if memory is None else memory
    return Look(real, fake, score(real), score(fake), score, noise, conditions, remembered)


def beside(items, condition):
    """A discriminator of the tests sees an item moved by its condition."""
    return items if condition is None else items + condition


def linear(weight):
    weight = torch.as_tensor(weight, dtype=torch.float64)
    return lambda items, other=None: [Score(beside(items, other).flatten(1) @ weight.to(items.dtype) + 0.5)]


def small_network(shape):
    torch.manual_seed(0)
    layers = [nn.Linear(math.prod(shape), 3), nn.Tanh(), nn.Linear(3, 1)]
    return nn.Sequential(nn.Flatten(), *layers).double()


def judge(network):
    def score(items, other=None):
        items = beside(items, other)
        return [Score(network(items).squeeze(1)), Score(network(items / 2))]

    return score


@pytest.mark.parametrize("part", [R1, R2])
@given(weight=weights, gamma=st.floats(0, 100))
def test_r1_and_r2_of_a_linear_discriminator_are_half_gamma_times_its_squared_norm(part, weight, gamma):
    value = part(gamma=gamma)(look_with(linear(weight), (len(weight),), part()), progress=0.0)
    assert value.item() == pytest.approx(gamma / 2 * sum(w * w for w in weight), abs=1e-9)


def test_r1_looks_at_real_items_and_r2_at_generated_ones():
    def square(items):
        return [Score(items.square().sum(1) / 2)]  # the gradient is the item itself

    look = look_with(square, (3,), R1())
    assert R1(gamma=2)(look, 0.0).item() == pytest.approx(look.real.square().sum(1).mean().item())
    assert R2(gamma=2)(look, 0.0).item() == pytest.approx(look.fake.square().sum(1).mean().item())


@pytest.mark.parametrize("part", [R1, R2])
def test_a_gamma_with_an_end_goes_there_by_a_cosine(part):
    penalty = part(gamma=8, gamma_final=2)
    look = look_with(linear([1.0, 1.0]), (2,), penalty)
    assert [penalty(look, progress).item() for progress in (0.0, 0.5, 1.0)] == pytest.approx([8, 5, 2])
    assert part(gamma=8)(look, 1.0).item() == pytest.approx(8)


@given(start=st.floats(0, 1e3), final=st.floats(0, 1e3), progress=st.floats(0, 1))
def test_a_cosine_stays_between_its_ends(start, final, progress):
    value = cosine(start, final, progress)
    assert min(start, final) - 1e-9 <= value <= max(start, final) + 1e-9
    assert cosine(start, final, 0.0) == pytest.approx(start)
    assert cosine(start, final, 1.7) == pytest.approx(cosine(start, final, 1.0)) == pytest.approx(final)
    assert cosine(start, None, progress) == start


@pytest.mark.parametrize("part", [GradientPenalty, Dragan])
@given(weight=weights, strength=st.floats(0, 100))
def test_the_gradient_norm_of_a_linear_discriminator_is_pulled_to_one(part, weight, strength):
    value = part(weight=strength)(look_with(linear(weight), (len(weight),), part()), 0.0)
    assert value.item() == pytest.approx(strength * (math.hypot(*weight) - 1) ** 2, rel=1e-5, abs=2e-4)


@pytest.mark.parametrize(("weight", "expected"), [([0.3, 0.4], 0.0), ([0.6, 0.8], 0.0), ([3.0, 4.0], 160.0)])
def test_a_one_sided_gradient_penalty_lets_small_norms_be(weight, expected):
    penalty = GradientPenalty(one_sided=True)
    assert penalty(look_with(linear(weight), (2,), penalty), 0.0).item() == pytest.approx(expected)


@of_points_and_pictures
def test_the_gradient_penalty_looks_on_straight_lines_between_both_sides(shape):
    seen = []

    def score(items):
        seen.append(items)
        return [Score(items.flatten(1).sum(1))]

    look = look_with(score, shape, GradientPenalty())
    GradientPenalty()(look, 0.0)
    shares = (seen[-1] - look.real) / (look.fake - look.real)
    torch.testing.assert_close(shares, shares.flatten(1)[:, :1].view(-1, *[1] * len(shape)).expand_as(shares))
    assert 0 <= shares.min() <= shares.max() < 1
    assert shares.flatten(1)[:, 0].unique().numel() == 6


@of_points_and_pictures
def test_dragan_looks_near_real_items(shape):
    seen = []

    def score(items):
        seen.append(items)
        return [Score(items.flatten(1).sum(1))]

    look = look_with(score, shape, Dragan())
    Dragan(spread=0.25)(look, 0.0)
    distance = (seen[-1] - look.real) / look.real.std(correction=0)
    assert 0 <= distance.min() <= distance.max() < 0.25
    assert distance.unique().numel() == distance.numel()


@pytest.mark.parametrize("part", [Dragan, Consistency])
def test_a_single_point_has_no_spread_and_is_no_fault(part):
    item = torch.ones(1, 1)
    look = Look(item, item, [Score(item)], [Score(item)], lambda x, _=None: [Score(x)], Noise((0,), slice(0, 1), 1))
    assert torch.isfinite(part()(look, 0.0))


@pytest.mark.parametrize("penalty", [GradientPenalty(), Dragan(), R1(), R2()], ids=str)
def test_a_dead_discriminator_gets_a_finite_gradient(penalty):
    network = small_network((2,))
    nn.init.zeros_(network[-1].weight)
    penalty(look_with(judge(network), (2,), penalty), 0.0).backward()
    assert all(torch.isfinite(w.grad).all() for w in network.parameters() if w.grad is not None)


def test_lecam_pulls_scores_to_moving_averages_that_were_worked_by_hand():
    penalty = LeCam(weight=2, decay=0.5)
    memory = penalty.memory()

    def take(real, fake):
        sides = [torch.tensor(side, dtype=torch.float64) for side in (real, fake)]
        scores, noise = [[Score(side)] for side in sides], Noise((0,), slice(0, 2), 2)
        look = Look(sides[0], sides[1], scores[0], scores[1], lambda x, _=None: [Score(x)], noise, None, memory)
        value = penalty(look, 0.0).item()
        memory.settle()
        return value

    # Averages go from (0, 0) to (1, -1), then to (2.5, 0): each score against the other side's.
    assert take([1.0, 3.0], [-2.0, -2.0]) == pytest.approx(2 * ((4 + 16) / 2 + (9 + 9) / 2))
    assert (memory.real.item(), memory.fake.item()) == (1, -1)
    assert take([4.0, 4.0], [0.0, 2.0]) == pytest.approx(2 * ((16 + 16) / 2 + (2.5**2 + 0.5**2) / 2))
    assert (memory.real.item(), memory.fake.item()) == (2.5, 0)


def test_moving_averages_are_kept_in_the_state_of_a_module():
    memory = Averages()
    memory.update(torch.tensor(4.0), torch.tensor(-4.0), 0.75)
    again = Averages()
    again.load_state_dict(memory.state_dict())
    assert (again.real.item(), again.fake.item()) == (1, -1)


def test_lecam_says_that_it_needs_its_memory():
    look = look_with(linear([1.0, 1.0]), (2,), R1())
    with pytest.raises(AssertionError, match="memory"):
        LeCam()(look, 0.0)


@given(mirror=st.booleans(), shift=st.floats(0, 0.99))
def test_consistency_is_zero_where_shifts_do_not_change_the_score(mirror, shift):
    penalty = Consistency(mirror=mirror, shift=shift)
    look = look_with(lambda x, _=None: [Score(x.square().mean((1, 2, 3)))], (2, 4, 8), penalty)
    assert penalty(look, 0.0).item() == pytest.approx(0, abs=1e-20)


def test_consistency_moves_pictures_no_further_than_asked():
    seen = []

    def score(items, _=None):
        seen.append(items.detach())
        return [Score(items.mean((1, 2, 3)))]

    columns = torch.arange(16.0).expand(64, 1, 8, 16)
    look = Look(columns, columns, score(columns), score(columns), score, Noise((0,), slice(0, 64), 64))
    Consistency(shift=0.125, mirror=False)(look, 0.0)
    moved = (columns - seen[-1])[:, 0, 0, 0].sub(0).remainder(16)
    assert {int(m) for m in moved} == {0, 1, 2, 14, 15}
    Consistency(shift=0, mirror=True)(look, 0.0)
    mirrored = (seen[-1] == columns.flip(3)).flatten(1).all(1)
    assert 16 < mirrored.sum() < 48
    assert torch.equal(seen[-1][~mirrored], columns[~mirrored])


def test_consistency_weighs_each_side_by_its_own_weight():
    first = look_with(lambda x, _=None: [Score(x[:, 0, 0, 0])], (1, 4, 4), Consistency())
    real = Consistency(weight_real=1, weight_fake=0)(first, 0.0)
    fake = Consistency(weight_real=0, weight_fake=1)(first, 0.0)
    assert real > 0
    assert fake > 0
    torch.testing.assert_close(Consistency(weight_real=3, weight_fake=2)(first, 0.0), 3 * real + 2 * fake)


def test_mismatch_holds_each_real_item_beside_the_condition_before_it_against_itself():
    weight = torch.tensor([0.5, -2.0], dtype=torch.float64)
    look = look_with(linear(weight), (2,), Mismatch())
    differences = look.condition[[5, 0, 1, 2, 3, 4]] @ weight
    assert Mismatch(weight=3)(look, 0.0).item() == pytest.approx(3 * differences.exp().log1p().mean().item())


def test_mismatch_is_nothing_where_no_condition_was_shown():
    assert Mismatch()(replace(look_with(linear([1.0]), (1,), Mismatch()), condition=None), 0.0).item() == 0


@every_penalty
@of_points_and_pictures
def test_a_penalty_is_finite_not_negative_and_teaches_the_discriminator(penalty, shape):
    network = small_network(shape)
    value = penalty(look_with(judge(network), shape, penalty), 0.0)
    assert value.shape == ()
    assert value.dtype == torch.float64
    assert torch.isfinite(value)
    assert value >= 0
    value.backward()
    taught = [w for w in network.parameters() if w.grad is not None and w.grad.abs().sum() > 0]
    assert len(taught) >= 2


@every_penalty
@of_points_and_pictures
def test_the_second_derivatives_of_a_penalty_are_those_of_finite_differences(penalty, shape):
    network = small_network(shape)
    names, start = zip(*network.named_parameters(), strict=True)
    still = penalty.memory()
    if isinstance(still, Averages):  # averages are constants of the step: their own change is no gradient
        still.moved = lambda real, fake, decay: (still.real, still.fake)

    def value(*tensors):
        def score(items, other=None):
            held = dict(zip(names, tensors, strict=True))
            return [Score(functional_call(network, held, (beside(items, other),)))]

        return penalty(look_with(score, shape, penalty, memory=still), 0.0)

    assert torch.autograd.gradcheck(value, tuple(w.detach().requires_grad_() for w in start))


@every_penalty
@of_points_and_pictures
def test_a_penalty_of_half_precision_items_is_taken_in_float32(penalty, shape):
    network = small_network(shape).bfloat16()
    value = penalty(look_with(judge(network), shape, penalty, dtype=torch.bfloat16), 0.0)
    assert value.dtype == torch.float32
    assert torch.isfinite(value)


@every_penalty
def test_a_penalty_leaves_the_generator_and_the_global_randomness_alone(penalty):
    before = torch.get_rng_state()
    value = penalty(look_with(linear([1.0, 2.0]), (2,), penalty), 0.0)
    assert torch.equal(before, torch.get_rng_state())
    again = penalty(look_with(linear([1.0, 2.0]), (2,), penalty), 0.0)
    assert torch.equal(value, again)


@pytest.mark.parametrize("penalty", [R1(), R2(), GradientPenalty(), Consistency()], ids=str)
def test_two_processes_take_the_penalty_that_one_would(penalty):
    network = small_network((1, 4, 4))
    whole = penalty(look_with(judge(network), (1, 4, 4), penalty), 0.0)
    halves = [penalty(look_with(judge(network), (1, 4, 4), penalty, rows=slice(i, i + 3)), 0.0) for i in (0, 3)]
    torch.testing.assert_close(torch.stack(halves).mean(), whole)


@every_penalty
def test_a_penalty_is_taken_at_a_positive_interval(penalty):
    assert penalty.interval >= 1
    if "every" in type(penalty).model_fields:
        assert penalty.but(every=7).interval == 7
        with pytest.raises(RequestError, match="every"):
            penalty.but(every=0)


@every_constraint
def test_a_constraint_changes_weights_in_place_and_once_is_enough(constraint):
    network = small_network((2,))
    weights_before = list(network.parameters())
    constraint(network)
    once = [w.detach().clone() for w in network.parameters()]
    constraint(network)
    assert all(a is b for a, b in zip(weights_before, network.parameters(), strict=True))
    assert all(w.requires_grad and torch.equal(w, o) for w, o in zip(network.parameters(), once, strict=True))


def test_clipped_weights_lie_within_the_bound_and_small_ones_stay():
    network = small_network((2,))
    before = [w.detach().clone() for w in network.parameters()]
    WeightClipping(bound=0.25)(network)
    for old, new in zip(before, network.parameters(), strict=True):
        assert torch.equal(new, old.clamp(-0.25, 0.25))
    assert max(w.abs().max() for w in network.parameters()) == 0.25
