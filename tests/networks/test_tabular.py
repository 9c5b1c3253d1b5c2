import pytest
import torch
from torch.nn.functional import gumbel_softmax, leaky_relu, linear

from sparring.agreement import ConditionMatch, MomentMatch
from sparring.errors import RequestError
from sparring.games.latent import Latent
from sparring.games.tvae import Tvae
from sparring.networks.mlp import Mlp
from sparring.networks.tabular import Tabular, beside, kept
from sparring.types import Batch, DataSpec, Samples, Span

SPANS = (Span("tanh", 1), Span("softmax", 3), Span("softmax", 2))
SPEC = DataSpec((6,), 5, spans=SPANS)


def generator(**fields):
    torch.manual_seed(0)
    return Tabular(width=16, **fields).generator(SPEC, 10)


def test_while_learning_choices_are_relaxed_and_sum_to_one():
    made = generator().train()(torch.randn(8, 10), torch.zeros(8, 5)).value
    assert torch.allclose(made[:, 1:4].sum(1), torch.ones(8))
    assert torch.allclose(made[:, 4:].sum(1), torch.ones(8))
    assert made[:, 0].abs().max() <= 1
    assert ((made[:, 1:] > 0) & (made[:, 1:] < 1)).any()


def test_what_is_learned_from_is_the_gumbel_softmax_of_the_logits_at_the_temperature():
    network = generator(temperature=0.5).train()
    made = network(torch.randn(1, 10).repeat(40_000, 1), torch.zeros(40_000, 5))
    torch.manual_seed(1)
    for columns in (slice(0, 3), slice(3, 5)):
        logits = made.logits[:, columns]
        assert torch.allclose(logits.exp().sum(1), torch.ones(40_000), atol=1e-5)
        found, expected = made.value[:, 1:][:, columns], gumbel_softmax(logits, tau=0.5)
        assert torch.allclose(found.mean(0), expected.mean(0), atol=0.01)
        assert torch.allclose(found.square().mean(0), expected.square().mean(0), atol=0.01)
        taken = torch.eye(logits.shape[1])[found.argmax(1)].mean(0)
        assert torch.allclose(taken, logits[0].exp(), atol=0.015)


def test_samples_are_drawn_from_the_probabilities_by_the_last_numbers_of_the_latent():
    network = generator().eval()
    latent = torch.randn(1, 10).repeat(20_000, 1)
    latent[:, 8:] = torch.randn(20_000, 2)
    made = network(latent, torch.zeros(20_000, 5))
    assert set(made.value[:, 1:].unique().tolist()) == {0.0, 1.0}
    probabilities = made.logits[0].exp()
    assert torch.allclose(made.value[:, 1:].mean(0), probabilities, atol=0.015)
    assert torch.equal(network(latent[:5], torch.zeros(5, 5)).value, made.value[:5])


def test_a_choice_that_is_asked_for_is_made():
    asked = torch.zeros(50, 5)
    asked[:, 2] = 1
    made = generator().eval()(torch.randn(50, 10), asked).value
    assert torch.equal(made[:, 3], torch.ones(50))
    assert made[:, 4].unique().numel() == 2


def plain_scores(judge, items, condition):
    """The discriminator without dropout, written out."""
    signal = torch.cat([items, condition], 1)
    for layer in judge.body:
        signal = leaky_relu(layer(signal), 0.2)
    return judge.verdict(signal).squeeze(1)


def test_the_discriminator_and_its_gradient_penalty_are_those_of_leaky_relu_layers():
    torch.manual_seed(0)
    judge = Tabular(width=16, dropout=0.0).discriminator(SPEC).double()
    items, condition = torch.randn(8, 6).double().requires_grad_(), torch.randn(8, 5).double()
    found = []
    for score in (judge(items, condition)[0].value, plain_scores(judge, items, condition)):
        (slope,) = torch.autograd.grad(score.sum(), items, create_graph=True)
        total = score.square().mean() + (slope.norm(dim=1) - 1).square().mean()
        found.append([score, slope, *torch.autograd.grad(total, list(judge.parameters()))])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_a_gradient_penalty_does_not_go_back_through_the_signal():
    judge = Tabular(width=16, dropout=0.25).discriminator(SPEC)
    items = torch.randn(8, 6).requires_grad_()
    (slope,) = torch.autograd.grad(judge(items, torch.randn(8, 5))[0].value.sum(), items, create_graph=True)
    slope.square().sum().backward()
    assert items.grad is None
    assert judge.body[0].bias.grad is None
    assert judge.body[0].weight.grad.any()


def test_dropout_leaves_out_its_share_of_units_and_keeps_the_mean():
    torch.manual_seed(0)
    assert kept(torch.zeros(401, 301), 0.25).float().mean().item() == pytest.approx(0.75, abs=0.005)
    assert kept(torch.zeros(400, 300), 0.9).float().mean().item() == pytest.approx(0.1, abs=0.004)
    judge = Tabular(width=16, depth=1, dropout=0.5).discriminator(SPEC)
    items, condition = torch.randn(1, 6), torch.randn(1, 5)
    expected = judge.eval()(items, condition)[0]
    drawn = judge.train()(items.expand(20_000, 6), condition.expand(20_000, 5))[0]
    assert (drawn.features[0] == 0).float().mean().item() == pytest.approx(0.5, abs=0.01)
    torch.testing.assert_close(drawn.features[0].mean(0), expected.features[0][0], atol=0.02, rtol=0.05)


def test_two_products_beside_each_other_are_one_of_both():
    torch.manual_seed(0)
    layer, signal, given = torch.nn.Linear(7, 4), torch.randn(5, 3).requires_grad_(), torch.randn(5, 4)
    whole = torch.cat([signal, given], 1)
    torch.testing.assert_close(beside(layer, signal, given), linear(whole, layer.weight, layer.bias))
    torch.testing.assert_close(
        torch.autograd.grad(beside(layer, signal, given).square().sum(), [signal, layer.weight]),
        torch.autograd.grad(layer(whole).square().sum(), [signal, layer.weight]),
    )
    other = torch.nn.Linear(4, 2)
    assert torch.equal(beside(other, None, given), other(given))
    assert torch.equal(beside(other, given, None), other(given))


def test_a_latent_too_narrow_for_the_choices_is_refused():
    with pytest.raises(RequestError, match=r"game.latent = 2 is too narrow .* at least 3"):
        Tabular().generator(SPEC, 2)


def test_agreement_with_the_condition_is_the_cross_entropy_of_what_is_named():
    logits = torch.log(torch.tensor([[0.2, 0.3, 0.5, 0.9, 0.1], [0.2, 0.3, 0.5, 0.9, 0.1]]))
    asked = torch.tensor([[0, 0, 1.0, 0, 0], [1.0, 0, 0, 0, 1.0]])
    found = ConditionMatch(weight=2.0)(Samples(torch.zeros(2, 6), logits), Batch(torch.zeros(2, 6), asked))
    expected = -2 * (torch.tensor(0.5).log() + (torch.tensor(0.2).log() + torch.tensor(0.1).log()) / 2) / 2
    assert torch.allclose(found, expected)
    assert ConditionMatch()(Samples(torch.zeros(2, 6), logits), Batch(torch.zeros(2, 6))) == 0


def test_moments_are_compared_between_rows_of_different_numbers():
    torch.manual_seed(0)
    real, made = torch.rand(7, 3), torch.rand(7, 3)
    products = [torch.cat([rows, torch.ones(7, 1)], 1) for rows in (real, made)]
    apart = [torch.outer(b, b) - torch.outer(a, a) for a, b in zip(*products, strict=True)]
    pairs = [(apart[i] * apart[j]).sum() for i in range(7) for j in range(7) if i != j]
    expected = 0.5 * torch.stack(pairs).mean()
    assert torch.allclose(MomentMatch(weight=0.5)(Samples(made), Batch(real)), expected)


def test_moments_have_the_gradient_of_their_value():
    torch.manual_seed(0)
    real, made = torch.rand(5, 3).double(), torch.rand(5, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: MomentMatch()(Samples(rows), Batch(real)), made)


def test_moments_of_one_distribution_are_nought_on_average_and_of_another_are_not():
    torch.manual_seed(0)

    def rows(together: float) -> torch.Tensor:
        """Two choices, of which the second is the first one's with this chance."""
        first = torch.randint(2, (40,))
        second = torch.where(torch.rand(40) < together, first, 1 - first)
        return torch.cat([torch.nn.functional.one_hot(side, 2) for side in (first, second)], 1).float()

    def found(made: float, real: float) -> torch.Tensor:
        return torch.stack([MomentMatch()(Samples(rows(made)), Batch(rows(real))) for _ in range(400)])

    same = found(0.7, 0.7)
    assert abs(same.mean()) < 3 * same.std() / 20
    # Each of the four pairs of values stands together .15 more or less often, and is in two places of the table.
    assert torch.isclose(found(0.7, 0.4).mean(), torch.tensor(8 * 0.15**2), rtol=0.1)


def test_moments_of_one_row_are_finite():
    assert MomentMatch()(Samples(torch.rand(1, 3)), Batch(torch.rand(1, 3))).isfinite()


def test_moments_are_taken_in_full_precision_whatever_networks_run_in():
    torch.manual_seed(0)
    real, made = torch.rand(64, 9), torch.rand(64, 9)
    with torch.autocast("cpu", torch.bfloat16):
        found = MomentMatch()(Samples(made), Batch(real))
    assert torch.equal(found, MomentMatch()(Samples(made), Batch(real)))


def test_truncation_leaves_what_decides_choices_as_it_is():
    spec = DataSpec((6,), spans=(Span("tanh", 1), Span("softmax", 3), Span("softmax", 2)))
    for game in (Latent(network=Tabular(), latent=9), Tvae(latent=9)):
        players = game.players(spec)
        drawn = game.draw(0, range(5))
        near = game.truncated(players, drawn, 0.1)
        same = (near == drawn).all(0)
        assert int(same.sum()) == 2
        torch.testing.assert_close(near[:, ~same], drawn[:, ~same] / 10)
        shares = []
        for latents in (game.draw(0, range(4000)), game.truncated(players, game.draw(0, range(4000)), 1e-6)):
            made = game.sample(players.eval(), None, latents).value[:, 1:4]
            shares.append(made.mean(0))
        # All rows are the mean row now, whose choices are still drawn by its probabilities.
        assert (shares[1] > 0.05).all()


@pytest.mark.parametrize(("field", "value"), [("codes", 4), ("noise", "uniform")])
def test_latents_that_decide_no_choices_are_refused(field, value):
    spec = DataSpec((6,), spans=(Span("tanh", 1), Span("softmax", 3), Span("softmax", 2)))
    with pytest.raises(RequestError, match=f"game.{field} = {value}: normal numbers decide"):
        Latent(network=Tabular(), latent=9, **{field: value}).players(spec)
    assert Latent(network=Mlp(), latent=9, **{field: value}).players(DataSpec((6,)))
