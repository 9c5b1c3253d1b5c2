import numpy as np
import pytest
import torch
from torch import nn

from sparring.clipping import clipped_sum, each_gradient, noised, private_gradients, watched
from sparring.dense_clipping import dense_layers
from sparring.errors import RequestError
from sparring.games import Play
from sparring.games.latent import Latent
from sparring.losses import Hinge, NonSaturating
from sparring.networks.mlp import Mlp
from sparring.networks.tabular import Tabular
from sparring.randomness import Noise, derive
from sparring.types import Batch, DataSpec

COUNT = 7
CPU, WIDE = torch.device("cpu"), torch.float64


def turn_of(game, rows=COUNT):
    """Players, their discriminator's turn as a loss of some rows, and the batch."""
    torch.manual_seed(0)
    players = game.players(DataSpec((3,))).to(WIDE)
    players["generator"].requires_grad_(False)
    batch = Batch(torch.randn(rows, 3, dtype=WIDE) * torch.arange(1, rows + 1)[:, None])
    turn = game.turns(0)[0]

    def loss(some, real=batch):
        noise = Noise((0, 0, 0), some, COUNT, CPU, WIDE)
        play = Play(players, real.part(some), noise, step=0, images=0, progress=0, planned=1, held_back=lambda: None)
        return torch.stack(list(turn.terms(play).values())).sum()

    return players["discriminator"], loss, batch


def by_hand(discriminator, loss, clip, rows=range(COUNT)):
    """Row after row, each with a backward of its own."""
    weights = list(discriminator.parameters())
    total = [torch.zeros_like(weight) for weight in weights]
    norms = []
    for row in rows:
        gradients = torch.autograd.grad(loss(slice(row, row + 1)), weights)
        norm = torch.sqrt(sum(g.square().sum() for g in gradients))
        norms.append(float(norm))
        total = [t + g * min(1.0, clip / float(norm)) for t, g in zip(total, gradients, strict=True)]
    return total, norms


@pytest.mark.parametrize("at_once", [1, 3, COUNT])
@pytest.mark.parametrize("loss", [NonSaturating(), Hinge()])
def test_clipping_mixed_rows_equals_a_hand_loop_of_backwards_row_by_row(loss, at_once):
    game = Latent(network=Tabular(width=8, norm="layer", dropout=0.0), loss=loss, latent=4)
    discriminator, of_rows, _ = turn_of(game)
    clip = float(np.median(by_hand(discriminator, of_rows, 1.0)[1])) * 1.01  # some are clipped and others not
    wanted, _ = by_hand(discriminator, of_rows, clip)
    found = private_gradients(discriminator, of_rows, COUNT, clip=clip, at_once=at_once)
    for mine, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, other)


class Odd(nn.Module):
    """A network of layers of which not all are dense, in the place of a discriminator."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.ReLU(), nn.Linear(5, 1))

    def forward(self, items):
        return self.layers(items)


def of_pairs(network, data):
    """The loss of some of the items, each a real row and a generated one."""

    def loss(rows):
        real, fake = data[0][rows], data[1][rows]
        return network(real).sigmoid().mean() - network(fake).tanh().mean()

    return loss


def places(network):
    """Likewise, where a row has several places."""
    return lambda data: lambda rows: (network(data[0][rows]).sigmoid() * network(data[1][rows])).mean()


@pytest.mark.parametrize("dense", [True, False])
def test_dense_networks_and_others_are_clipped_as_by_hand(dense):
    torch.manual_seed(2)
    network = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1, bias=False)) if dense else Odd()
    network.to(WIDE)
    assert bool(dense_layers(network, list(network.parameters()))) is dense
    loss = of_pairs(network, torch.randn(2, COUNT, 3, dtype=WIDE))
    clip = float(np.median(by_hand(network, loss, 1.0)[1])) * 1.01
    wanted, _ = by_hand(network, loss, clip)
    for at_once in (2, COUNT):
        found = private_gradients(network, loss, COUNT, clip=clip, at_once=at_once)
        for mine, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(mine, other)


def test_a_dense_layer_may_see_several_places_of_a_row():
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).to(WIDE)
    loss = places(network)(torch.randn(2, COUNT, 6, 3, dtype=WIDE))
    clip = float(np.median(by_hand(network, loss, 1.0)[1])) * 1.01
    wanted, _ = by_hand(network, loss, clip)
    for mine, other in zip(private_gradients(network, loss, COUNT, clip=clip, at_once=3), wanted, strict=True):
        torch.testing.assert_close(mine, other)


def test_a_dense_layer_whose_weight_is_used_beside_it_is_refused():
    network = nn.Sequential(nn.Linear(3, 1))
    rows = torch.randn(COUNT, 3)
    with pytest.raises(RequestError, match="treat each row by itself"):
        private_gradients(
            network, lambda some: network(rows[some]).mean() + network[0].weight.sum(), COUNT, clip=1.0, at_once=3
        )


@pytest.mark.parametrize("network", [nn.Linear(3, 1), Odd()])
def test_rows_that_are_no_whole_rounds_of_the_items_are_refused(network):
    with pytest.raises(RequestError, match="sees 4 items in whole rounds, not 6 rows"):
        private_gradients(network, lambda _: network(torch.ones(6, 3)).mean(), 4, clip=1.0, at_once=4)


def test_a_row_of_a_dense_network_that_is_not_finite_is_left_out():
    network = nn.Linear(2, 1).to(WIDE)
    rows = torch.randn(4, 2, dtype=WIDE)
    rows[1, 0] = float("nan")
    found = private_gradients(network, lambda some: network(rows[some]).mean(), 4, clip=0.1, at_once=4)
    others = rows[[0, 2, 3]]
    wanted = by_hand(network, lambda some: network(others[some]).mean(), 0.1, range(3))[0]
    for mine, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, other)


def test_nothing_of_the_watch_is_left_on_a_dense_network():
    network = nn.Linear(2, 1)
    private_gradients(network, lambda some: network(torch.ones(3, 2)[some]).mean(), 3, clip=1.0, at_once=3)
    assert not network._forward_hooks
    assert network.weight.grad is None


def two_passes(network, real, fake):
    return lambda: network(real).sigmoid().mean() - network(fake).tanh().mean()


def one_pass(network, real, fake):
    def loss():
        both = network(torch.cat([real, fake]))
        return both[: len(real)].sigmoid().mean() - both[len(real) :].tanh().mean()

    return loss


@pytest.mark.parametrize("passes", [one_pass, two_passes])
def test_an_item_answers_for_its_real_row_and_the_generated_one_beside_it(passes):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.ReLU(), nn.Linear(5, 1)).to(WIDE)
    real, fake = torch.randn(2, 4, 3, dtype=WIDE)
    weights = list(network.parameters())
    with watched(network):
        each = each_gradient(weights, passes(network, real, fake), 4)
    for item in range(4):
        alone = torch.autograd.grad(two_passes(network, real[item, None], fake[item, None])(), weights)
        for mine, other in zip(each, alone, strict=True):
            torch.testing.assert_close(mine[item], other)


def test_nothing_of_the_watch_is_left_on_a_network():
    network = nn.Linear(2, 1)
    before = set(network.weight.__dict__)
    with watched(network):
        each_gradient(list(network.parameters()), lambda: network(torch.ones(3, 2)).mean(), 3)
    assert set(network.weight.__dict__) == before
    assert not network._forward_hooks
    assert not network._backward_hooks


def test_one_row_more_or_less_changes_the_sum_by_at_most_the_clipping_norm():
    game = Latent(network=Tabular(width=8, norm="layer", dropout=0.0), latent=4)
    discriminator, of_rows, _ = turn_of(game)
    clip = 0.3
    whole = private_gradients(discriminator, of_rows, COUNT, clip=clip, at_once=COUNT)
    for gone in range(COUNT):
        kept = [row for row in range(COUNT) if row != gone]
        others = by_hand(discriminator, of_rows, clip, kept)[0]
        change = torch.sqrt(sum((a - b).square().sum() for a, b in zip(whole, others, strict=True)))
        assert change <= clip * (1 + 1e-9)
        assert change > 0.5 * clip, "every row is large here, so that the bound is nearly met"


def test_an_empty_batch_has_a_gradient_of_noise_alone():
    game = Latent(network=Tabular(width=8, norm="layer", dropout=0.0), latent=4)
    discriminator, of_rows, _ = turn_of(game)
    assert all(not total.any() for total in private_gradients(discriminator, of_rows, 0, clip=1.0, at_once=4))


def test_a_gradient_that_is_not_finite_is_left_out_and_the_others_stay():
    each = [torch.tensor([[3.0, 4.0], [float("nan"), 1.0], [float("inf"), 0.0], [0.1, 0.0]])]
    torch.testing.assert_close(clipped_sum(each, 1.0)[0], torch.tensor([0.7, 0.8]))


def test_noise_has_its_deviation_and_is_drawn_by_position():
    sums = [torch.zeros(40_000), torch.zeros(40_000)]
    first, second = noised(sums, 2.5, (1, 2, 3))
    assert float(first.std()) == pytest.approx(2.5, rel=0.02)
    assert abs(float(first.mean())) < 4 * 2.5 / 200
    assert abs(float(np.corrcoef(first, second)[0, 1])) < 0.03
    assert torch.equal(first, noised(sums, 2.5, (1, 2, 3))[0])
    assert not torch.equal(first, noised(sums, 2.5, (1, 3, 3))[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_noised_sums_keep_their_type(dtype):
    (found,) = noised([torch.zeros(2, 3, dtype=dtype)], 1.5, (4,))
    assert (found.dtype, found.shape) == (dtype, (2, 3))


def test_noise_of_a_step_has_more_than_the_32_bits_that_torch_keeps_of_a_seed():
    met = {}
    for step in range(2**19):
        other = met.setdefault(derive(step, "private noise", 0) & 0xFFFFFFFF, step)
        if other != step:
            break
    sums = [torch.zeros(8)]
    assert not torch.equal(noised(sums, 1.0, (step,))[0], noised(sums, 1.0, (other,))[0])


def test_a_layer_that_cannot_be_watched_is_refused():
    discriminator, of_rows, _ = turn_of(Latent(network=Mlp(width=8), latent=4))
    with pytest.raises(RequestError, match="treat each row by itself"):
        private_gradients(discriminator, of_rows, COUNT, clip=1.0, at_once=COUNT)
