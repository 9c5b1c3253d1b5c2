import math

import pytest
import torch

from sparring.errors import RequestError
from sparring.estimators import TableGAN
from sparring.games.tvae import Tvae
from sparring.networks.tabular import Tabular
from sparring.types import Batch, DataSpec, Span
from tests.tables import planted

SPANS = (Span("tanh", 1), Span("softmax", 3), Span("softmax", 2))
SPEC = DataSpec((6,), 0, spans=SPANS)
GAME = Tvae(network=Tabular(width=16, norm="none", dropout=0.0), latent=8)


def test_the_cost_of_a_row_is_its_negative_log_likelihood():
    torch.manual_seed(0)
    players = GAME.players(SPEC)
    rows = torch.tensor([[0.3, 0, 1, 0, 1, 0], [-0.5, 0, 0, 1, 0, 1.0]])
    code = torch.randn(2, 5)
    made = players["generator"](torch.cat([code, torch.zeros(2, 2)], 1), None)
    normal = torch.distributions.Normal(made.value[:, 0], 0.1).log_prob(rows[:, 0])
    words = made.logits[torch.arange(2), [1, 2]] + made.logits[torch.arange(2), [3, 4]]
    assert torch.allclose(GAME._cost(players, Batch(rows), code), -(normal + words), atol=1e-5)


def test_samples_follow_the_learned_deviation_and_their_own_numbers():
    torch.manual_seed(0)
    players = GAME.players(SPEC).eval()
    players["deviations"].logarithm.data.fill_(math.log(0.05))
    latents = GAME.draw(0, range(4000))
    assert latents.shape == (4000, 8)
    assert torch.equal(GAME.draw(0, range(10, 20)), latents[10:20])
    latents[:, :5] = latents[0, :5]
    made = GAME.sample(players, None, latents).value
    assert made[:, 0].std().item() == pytest.approx(0.05, rel=0.1)
    assert set(made[:, 1:].unique().tolist()) <= {0.0, 1.0}


def test_what_it_cannot_play_is_refused():
    with pytest.raises(RequestError, match="take vae"):
        GAME.players(DataSpec((3, 8, 8)))
    with pytest.raises(RequestError, match="at least 4"):
        Tvae(latent=3).players(SPEC)


def test_a_planted_table_is_learned_without_a_discriminator():
    settings = ("network.width=64", "training.batch=200", "optimiser.rate=3e-3", "network.depth=1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        learned = TableGAN(epochs=40, recipe="tvae", settings=settings).fit(planted(2000))
    finally:
        torch.set_num_threads(threads)
    made = learned.sample(2000)
    north = made["group"] == "north"
    assert north.mean() == pytest.approx(0.3, abs=0.13)
    assert made["height"][north].mean() - made["height"][~north].mean() > 9
    assert made["note"].isna()[north].mean() > made["note"].isna()[~north].mean() + 0.15
    with pytest.raises(RequestError, match="without labels"):
        learned.sample(3, condition={"group": "north"})
