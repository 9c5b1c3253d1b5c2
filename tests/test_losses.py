import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import logsigmoid, mse_loss

from sparring.errors import RequestError
from sparring.losses import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPairing,
    Wasserstein,
)
from sparring.types import Score

every_loss = pytest.mark.parametrize("loss", [part() for part in AdversarialLoss.parts().values()], ids=str)
absolute = pytest.mark.parametrize(
    "loss", [part() for part in AdversarialLoss.parts().values() if not part.relativistic], ids=str
)
relativistic = pytest.mark.parametrize(
    "loss", [part() for part in AdversarialLoss.parts().values() if part.relativistic], ids=str
)
lists_of_logits = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=8)


def scores(*maps):
    return [Score(torch.as_tensor(m, dtype=torch.float64)) for m in maps]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ones(x):
    return torch.ones_like(x)


def zeros(x):
    return torch.zeros_like(x)


CLOSED_FORMS = {
    Minimax(): (
        lambda x, g: cross_entropy(x, ones(x)) + cross_entropy(g, zeros(g)),
        lambda x, g: torch.log(1 - torch.sigmoid(g)).mean(),
    ),
    Minimax(smoothing=0.1): (
        lambda x, g: cross_entropy(x, 0.9 * ones(x)) + cross_entropy(g, zeros(g)),
        lambda x, g: torch.log(1 - torch.sigmoid(g)).mean(),
    ),
    NonSaturating(): (
        lambda x, g: cross_entropy(x, ones(x)) + cross_entropy(g, zeros(g)),
        lambda x, g: cross_entropy(g, ones(g)),
    ),
    NonSaturating(smoothing=0.2): (
        lambda x, g: cross_entropy(x, 0.8 * ones(x)) + cross_entropy(g, zeros(g)),
        lambda x, g: cross_entropy(g, ones(g)),
    ),
    LeastSquares(): (
        lambda x, g: (mse_loss(x, ones(x)) + mse_loss(g, zeros(g))) / 2,
        lambda x, g: mse_loss(g, ones(g)) / 2,
    ),
    Wasserstein(): (lambda x, g: g.mean() - x.mean(), lambda x, g: -g.mean()),
    Hinge(): (
        lambda x, g: torch.clamp(1 - x, min=0).mean() + torch.clamp(1 + g, min=0).mean(),
        lambda x, g: -g.mean(),
    ),
    Hinge(margin=0.3): (
        lambda x, g: torch.clamp(0.3 - x, min=0).mean() + torch.clamp(0.3 + g, min=0).mean(),
        lambda x, g: -g.mean(),
    ),
    RelativisticPairing(): (
        lambda x, g: -logsigmoid(x - g).mean(),
        lambda x, g: -logsigmoid(g - x).mean(),
    ),
    RelativisticAverage(): (
        lambda x, g: cross_entropy(x - g.mean(), ones(x)) + cross_entropy(g - x.mean(), zeros(g)),
        lambda x, g: cross_entropy(x - g.mean(), zeros(x)) + cross_entropy(g - x.mean(), ones(g)),
    ),
}


def test_every_loss_has_a_closed_form_here():
    assert {type(loss) for loss in CLOSED_FORMS} == set(AdversarialLoss.parts().values())


@pytest.mark.parametrize("loss", CLOSED_FORMS, ids=str)
@given(logits=lists_of_logits)
def test_a_loss_equals_its_closed_form(loss, logits):
    real = torch.tensor(logits, dtype=torch.float64)
    fake = real.flip(0) / 2 - 1
    discriminator, generator = CLOSED_FORMS[loss]
    torch.testing.assert_close(loss.discriminator(scores(real), scores(fake)), discriminator(real, fake))
    torch.testing.assert_close(loss.generator(scores(real), scores(fake)), generator(real, fake))


@every_loss
def test_scales_weigh_the_same_whatever_their_shapes(loss):
    shapes = [(4,), (4, 3), (4, 1, 5, 5)]
    real = [draw(*shape, seed=i) for i, shape in enumerate(shapes)]
    fake = [draw(*shape, seed=9 + i) for i, shape in enumerate(shapes)]
    single = [(loss.discriminator(scores(x), scores(g)), loss.generator(scores(x), scores(g)))
              for x, g in zip(real, fake, strict=True)]  # fmt: skip
    discriminator, generator = (torch.stack(side).mean() for side in zip(*single, strict=True))
    torch.testing.assert_close(loss.discriminator(scores(*real), scores(*fake)), discriminator)
    torch.testing.assert_close(loss.generator(scores(*real), scores(*fake)), generator)


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_scores_are_judged_in_float32(loss, dtype):
    real, fake = (Score(draw(64, seed=s).mul(4).to(dtype)) for s in (0, 1))
    exact = [[Score(score.value.float())] for score in (real, fake)]
    for side in ("discriminator", "generator"):
        value = getattr(loss, side)([real], [fake])
        assert value.dtype == torch.float32
        assert torch.equal(value, getattr(loss, side)(*exact))


@every_loss
@given(logits=lists_of_logits)
def test_a_discriminator_gains_by_higher_real_and_lower_generated_scores(loss, logits):
    real = torch.tensor(logits, dtype=torch.float64).clamp(-5, 0.9).requires_grad_()
    fake = real.detach().neg().clamp(0.1, 5).requires_grad_()
    loss.discriminator(scores(real), scores(fake)).backward()
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()


@every_loss
@given(logits=lists_of_logits)
def test_a_generator_gains_by_higher_scores_of_its_items(loss, logits):
    fake = torch.tensor(logits, dtype=torch.float64).clamp(-5, 0.9).requires_grad_()
    loss.generator(scores(fake.detach().flip(0)), scores(fake)).backward()
    assert (fake.grad < 0).all()


@every_loss
def test_losses_of_extreme_scores_are_finite_with_finite_gradients(loss):
    for real_score, fake_score in itertools.product((-1e4, 0.0, 1e4), repeat=2):
        real, fake = (torch.full((3,), value, requires_grad=True) for value in (real_score, fake_score))
        value = loss.discriminator([Score(real)], [Score(fake)]) + loss.generator([Score(real)], [Score(fake)])
        value.backward()
        assert all(torch.isfinite(number).all() for number in (value, real.grad, fake.grad))


@every_loss
def test_gradients_are_those_of_finite_differences(loss):
    real, fake = draw(5, seed=2).requires_grad_(), draw(5, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, g: loss.discriminator([Score(x)], [Score(g)]), (real, fake))
    assert torch.autograd.gradcheck(lambda x, g: loss.generator([Score(x)], [Score(g)]), (real, fake))


@absolute
def test_the_generator_needs_no_real_scores(loss):
    fake = scores(draw(4))
    assert torch.equal(loss.generator(None, fake), loss.generator(scores(draw(4, seed=1)), fake))


@relativistic
def test_relativistic_losses_do_not_change_when_all_scores_shift(loss):
    real, fake = draw(6, 2), draw(6, 2, seed=1)
    for side in (loss.discriminator, loss.generator):
        torch.testing.assert_close(side(scores(real + 7), scores(fake + 7)), side(scores(real), scores(fake)))
    assert loss.threshold() is None


@pytest.mark.parametrize(
    "loss",
    [*(part() for part in AdversarialLoss.parts().values() if part().threshold() is not None), Minimax(smoothing=0.1)],
    ids=str,
)
def test_the_threshold_is_the_best_score_of_items_that_are_as_likely_real_as_generated(loss):
    grid = torch.linspace(-2, 2, 4001, dtype=torch.float64)
    costs = torch.stack([loss.discriminator(scores(score[None]), scores(score[None])) for score in grid])
    # Hinge does not tell the scores within its margins apart: the threshold is their middle.
    assert float(grid[costs <= costs.min() + 1e-12].mean()) == pytest.approx(loss.threshold(), abs=1e-3)


@relativistic
def test_relativistic_losses_need_the_real_scores_and_take_no_target(loss):
    with pytest.raises(AssertionError, match="real scores"):
        loss.generator(None, scores(draw(4)))
    with pytest.raises(AssertionError, match="target"):
        loss.discriminator(scores(draw(4)), scores(draw(4)), scores(ones(draw(4))))


@absolute
def test_a_target_of_zeros_is_no_target(loss):
    real, fake = scores(draw(4, 1, 3, 3)), scores(draw(4, 1, 3, 3, seed=1))
    with_target = loss.discriminator(real, fake, scores(torch.zeros(4, 1, 3, 3)))
    torch.testing.assert_close(with_target, loss.discriminator(real, fake))


PRICES = {
    "minimax": (lambda s: -logsigmoid(s), lambda s: -logsigmoid(-s)),
    "non-saturating": (lambda s: -logsigmoid(s), lambda s: -logsigmoid(-s)),
    "least-squares": (lambda s: (s - 1) ** 2 / 2, lambda s: s**2 / 2),
    "wasserstein": (lambda s: -s, lambda s: s),
    "hinge": (lambda s: torch.clamp(1 - s, min=0), lambda s: torch.clamp(1 + s, min=0)),
}


@absolute
def test_each_location_is_judged_by_its_target(loss):
    real, fake, truth = draw(2, 1, 4, 4), draw(2, 1, 4, 4, seed=1), (draw(2, 1, 4, 4, seed=2) > 0).double()
    on_real, on_fake = PRICES[loss.name]
    expected = on_real(real).mean() + torch.where(truth == 1, on_real(fake), on_fake(fake)).mean()
    torch.testing.assert_close(loss.discriminator(scores(real), scores(fake), scores(truth)), expected)


def test_minimax_saturates_where_the_non_saturating_loss_does_not():
    fake = torch.tensor([-10.0], requires_grad=True)
    (early,) = torch.autograd.grad(Minimax().generator(None, [Score(fake)]), fake)
    (strong,) = torch.autograd.grad(NonSaturating().generator(None, [Score(fake)]), fake)
    assert abs(early.item()) < 1e-4
    assert abs(strong.item()) > 0.99


def test_minimax_is_a_game_of_zero_sum():
    real, fake = scores(draw(5)), scores(draw(5, seed=1))
    value = logsigmoid(real[0].value).mean() + torch.log(1 - torch.sigmoid(fake[0].value)).mean()
    torch.testing.assert_close(Minimax().discriminator(real, fake), -value)
    torch.testing.assert_close(Minimax().generator(None, fake), value - logsigmoid(real[0].value).mean())


def test_pairs_are_made_by_index_and_averages_are_not():
    real, fake = draw(6), draw(6, seed=1)
    shuffled = real.flip(0)
    pairing, average = RelativisticPairing(), RelativisticAverage()
    assert pairing.discriminator(scores(real), scores(fake)) != pairing.discriminator(scores(shuffled), scores(fake))
    torch.testing.assert_close(
        average.discriminator(scores(real), scores(fake)), average.discriminator(scores(shuffled), scores(fake))
    )


def test_scores_beyond_the_margin_cost_nothing():
    real, fake = scores([1.0, 5.0]), scores([-1.0, -9.0])
    assert Hinge().discriminator(real, fake) == 0
    assert Hinge(margin=2).discriminator(real, fake) == 1


@pytest.mark.parametrize("part", [Minimax, NonSaturating])
@pytest.mark.parametrize("smoothing", [-0.1, 0.5, 2, "much", None, float("nan")])
def test_a_smoothing_out_of_range_is_refused(part, smoothing):
    with pytest.raises(RequestError, match="smoothing"):
        part(smoothing=smoothing)
