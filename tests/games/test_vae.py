import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence
from toys import engine

from sparring.api import train
from sparring.cli import main
from sparring.errors import RequestError
from sparring.games import Autoencoding
from sparring.games.latent import Latent
from sparring.games.vae import Encoder, Vae, divergence
from sparring.networks import Architecture
from sparring.networks.dcgan import Dcgan
from sparring.networks.mlp import Mlp
from sparring.optimisers import Adam
from sparring.training import Training, sample
from sparring.types import Batch, DataSpec, verdict

FIXED = ("training.precision=fp32", "training.layout=contiguous", "training.batch=16", "generator_width=4")
DIRECTION, NOISE = np.array([1.5, -1.0, 0.5]), 0.3
COVARIANCE = np.outer(DIRECTION, DIRECTION) + NOISE**2 * np.eye(3)


def on_a_line(count: int, seed: int) -> np.ndarray:
    """Points along a line in three dimensions with noise around it, whose likelihood is known (probabilistic PCA)."""
    source = np.random.default_rng(seed)
    return (source.normal(size=(count, 1)) * DIRECTION + NOISE * source.normal(size=(count, 3))).astype(np.float32)


def log_likelihood(items: np.ndarray) -> float:
    truth = torch.distributions.MultivariateNormal(torch.zeros(3).double(), torch.tensor(COVARIANCE))
    return float(truth.log_prob(torch.tensor(items, dtype=torch.float64)).mean())


def test_its_bound_reaches_the_likelihood_of_a_line_with_noise_and_its_samples_their_covariance():
    training = Training(batch=64, optimiser=Adam(rate=1e-2, rate_final=1e-4, beta1=0.9, beta2=0.999), average=0.01)
    game = Vae(network=Mlp(width=24, depth=1), latent=1)
    playing = engine(game, shape=(3,), training=training, data=on_a_line(2000, 0), steps=700)
    for _ in range(700):
        playing.step()
    held = torch.from_numpy(on_a_line(2000, 1))
    with playing.sampling() as averaged, torch.no_grad():
        # The score decodes the mean of the latents; the bound itself decodes a draw of them.
        mean, log_variance = averaged["encoder"](held)
        drawn = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
        cost = game._cost(averaged, held, averaged["generator"](drawn).value)
        bound = float((-cost - divergence(mean, log_variance)).mean())
        made = sample(game, averaged, None, game.draw(0, range(4000))).value.numpy()
    assert bound < log_likelihood(held.numpy()) + 0.02
    assert bound > log_likelihood(held.numpy()) - 0.15
    assert float(averaged["encoder"].variance) == pytest.approx(NOISE**2, rel=0.25)
    within = np.cov(made.T) + float(averaged["encoder"].variance) * np.eye(3)
    assert np.abs(within - COVARIANCE).max() < 0.3


def test_its_divergence_is_that_of_two_gaussians():
    source = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(5, 4, generator=source), torch.randn(5, 4, generator=source)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(divergence(mean, log_variance), expected, rtol=1e-5)


@pytest.mark.parametrize("deviation", [None, 0.5])
def test_its_score_is_the_gaussian_likelihood_less_the_divergence(deviation):
    game = Vae(network=Mlp(width=8), latent=2, deviation=deviation)
    players = game.players(DataSpec((3,)))
    players["encoder"].variance.fill_(0.09)
    items = torch.from_numpy(on_a_line(6, 0))
    mean, log_variance = players["encoder"](items)
    likelihood = Normal(players["generator"](mean, None).value, deviation or 0.3).log_prob(items).sum(1)
    found = verdict(game.score(players, Batch(items)))
    assert torch.allclose(found, likelihood - divergence(mean, log_variance), rtol=1e-5)


def test_beta_weighs_the_divergence_alone():
    terms = [engine(Vae(network=Mlp(width=8), beta=beta)).step() for beta in (1.0, 3.0)]
    assert terms[0]["autoencoder/reconstruction"] == terms[1]["autoencoder/reconstruction"]
    assert float(terms[1]["autoencoder/kl"]) == pytest.approx(3 * float(terms[0]["autoencoder/kl"]))


@pytest.mark.parametrize("name", sorted(n for n, f in Architecture.parts().items() if not f.translates))
def test_every_family_encodes_and_decodes_with_conditions(name):
    family = Architecture.find(name)
    shape = (3, 12) if family.sequential else (1, 9, 12)
    if not family.__module__.startswith("sparring."):
        pytest.skip("another test's family")
    game = Vae(network=family(), latent=3)
    players = game.players(DataSpec(shape, 2)).eval()
    batch = Batch(torch.zeros(2, *shape), torch.eye(2))
    assert game.reconstruct(players, batch).value.shape == (2, *shape)
    assert verdict(game.score(players, batch)).shape == (2,)


def test_the_encoder_hears_the_condition_and_stays_finite():
    encoder = Encoder(Mlp(width=8), DataSpec((2,), 2), 3)
    items = torch.full((2, 2), 1e12)
    mean, log_variance = encoder(items, torch.eye(2))
    assert torch.isfinite(log_variance.exp()).all()
    assert not torch.equal(encoder(items * 0, torch.eye(2))[0][0], encoder(items * 0, torch.eye(2))[0][1])
    assert mean.shape == (2, 3)


def test_half_the_steps_and_the_other_half_are_the_whole():
    whole, first, second = (engine(Vae(network=Dcgan(width=4)), shape=(1, 8, 8)) for _ in range(3))
    for _ in range(4):
        whole.step()
    for _ in range(2):
        first.step()
    second.load(*first.state())
    for _ in range(2):
        second.step()
    assert all(torch.equal(value, second.state()[0][name]) for name, value in whole.state()[0].items())


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae") / "run"
    return train("digits", recipe="vae", settings=FIXED, steps=60, out=folder)


def test_a_trained_one_samples_scores_reconstructs_and_is_judged_without_a_discriminator(model, capsys, tmp_path):
    items = model.sample(5, condition={"label": "3"})
    assert items.shape == (5, 8, 8, 1)
    columns = {"label": np.array(["3"] * 5)}
    again = model.reconstruct(items, columns)
    assert again.shape == items.shape
    noise = np.random.default_rng(0).integers(0, 256, items.shape, dtype=np.uint8)
    assert model.score(items, columns).mean() > model.score(noise, columns).mean()
    with pytest.raises(RequestError, match="needs the items' attributes label"):
        model.reconstruct(items)
    found = model.evaluate(metrics=["kid", "discriminator"], features="random-conv", count=100)
    assert (
        found.refused["discriminator"]
        == "no discriminator scored these items: there is none, it judges pairs, or it knows other attributes"
    )
    np.savez(tmp_path / "some.npz", samples=items, label=columns["label"])
    assert main(["score", str(model.run.folder), str(tmp_path / "some.npz")]) == 0
    said = capsys.readouterr()
    assert "no discriminator: the scores are its evidence lower bound" in said.err
    assert len(said.out.splitlines()) == 5


def test_a_game_without_an_encoder_reconstructs_nothing(tmp_path):
    assert isinstance(Vae(), Autoencoding)
    assert not isinstance(Latent(), Autoencoding)
    gan = train("digits", recipe="dense", settings=("network.hidden=8",), steps=2, out=tmp_path / "run")
    with pytest.raises(RequestError, match="one of --recipe vae does"):
        gan.reconstruct(gan.sample(2))
