import pytest
import torch

from sparring.agreement import ConditionMatch, MomentMatch
from sparring.errors import RequestError
from sparring.networks.tabular import Tabular
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


def test_moments_match_where_pairs_stand_together_as_often():
    real = torch.tensor([[1.0, 0], [0, 1.0]])
    crossed = torch.tensor([[1.0, 1.0], [0, 0]])
    term = MomentMatch(weight=1.0)
    assert term(Samples(real.flip(0)), Batch(real)) == 0
    # Only the two entries of the pair differ, by a half each.
    assert torch.allclose(term(Samples(crossed), Batch(real)), torch.tensor(0.5))
