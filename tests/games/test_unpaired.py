import math

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from toys import Plainly

import sparring
from sparring.data.reader import Reader
from sparring.errors import RequestError
from sparring.games.contrastive import Contrastive, patch_contrast
from sparring.games.cycle import Cycle
from sparring.losses import NonSaturating, RelativisticPairing
from sparring.networks.judges import Patch
from sparring.networks.plain import Plain
from sparring.networks.unet import Unet
from sparring.optimisers import Adam
from sparring.penalties import R1, GradientPenalty, LeCam
from sparring.plan import Plan
from sparring.tasks.unpaired_translation import UnpairedTranslation
from sparring.training import Engine, Training
from sparring.types import DataSpec

JUDGE = Patch(width=8, layers=1)
LOSS = NonSaturating()
GAMES = [
    Cycle(network=Plain(width=4, depth=2, judge=JUDGE), loss=LOSS, cycle=1, identity=0.1),
    Contrastive(network=Unet(width=4, depth=1), judge=JUDGE, loss=LOSS, width=8, contrast=0.05),
]
by_name = pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)


def engine(game, steps=20, rate=2e-3):
    """Domain A is dark, domain B is bright."""
    draws = np.random.default_rng(0)
    first, second = (draws.uniform(low, low + 0.5, (24, 1, 16, 16)).astype(np.float32) for low in (-0.9, 0.4))
    codec, rows = Plainly(shape=(1, 16, 16)), np.arange(24)
    return Engine(
        UnpairedTranslation(game=game),
        Training(batch=8, optimiser=Adam(rate=rate, beta1=0.5)),
        DataSpec((1, 16, 16), given=(1, 16, 16)),
        train=Reader(second, rows, codec, None, 0, first, codec),
        select=None,
        plan=Plan(steps=steps, images_per_step=8),
        seed=0,
        device=torch.device("cpu"),
    )


@pytest.mark.parametrize("game", [*GAMES, *(game.but(penalties=(LeCam(), GradientPenalty())) for game in GAMES)])
def test_all_players_learn_and_a_resumed_game_is_the_same(game):
    whole, first = engine(game, 4), engine(game, 4)
    before = {name: value.clone() for name, value in whole.players.named_parameters()}
    for _ in range(4):
        terms = whole.step()
    assert {name.split("/")[0] for name in terms} == {"discriminator", "generator"}
    changed = {name.split(".")[0] for name, value in whole.players.named_parameters() if not value.equal(before[name])}
    assert changed == {name for name in whole.players if not name.startswith("memory-")}
    for _ in range(2):
        first.step()
    second = engine(game, 4)
    second.load(*first.state())
    for _ in range(2):
        second.step()
    kept, found = whole.state()[0], second.state()[0]
    assert all(torch.equal(kept[name], found[name]) for name in kept)


@by_name
def test_dark_pictures_become_bright(game):
    played = engine(game, 100, rate=1e-2)
    dark = played.train.batch(0, slice(0, 8)).condition
    before = played.players["generator"](None, dark).value.mean().item()
    for _ in range(100):
        played.step()
    assert played.players["generator"](None, dark).value.mean().item() > before + 0.5


def test_both_ways_of_a_cycle_learn_that_one_domain_is_the_negative_of_the_other():
    """Generators that begin with the given picture stay at it, and those that end in tanh in all black or all white."""
    digits = np.pad(load_digits().images.astype(np.float32) / 8 - 1, ((0, 0), (4, 4), (4, 4)), constant_values=-1)
    shown, rows, codec = digits[:, None], np.arange(800), Plainly(shape=(1, 16, 16))
    network = Cycle().network.but(width=8, depth=2, judge=Patch(width=16, layers=2))
    played = Engine(
        UnpairedTranslation(game=Cycle(network=network, penalties=(R1(gamma=0.4),))),
        Training(batch=16, optimiser=Adam(rate=1e-3, rate_hold=0.5, rate_final=1e-5, beta1=0.5), precision="fp32"),
        DataSpec((1, 16, 16), given=(1, 16, 16)),
        train=Reader(-shown[800:1600], rows, codec, None, 0, shown[:800], codec),
        select=None,
        plan=Plan(steps=250, images_per_step=16),
        seed=0,
        device=torch.device("cpu"),
    )
    for _ in range(250):
        played.step()
    for name, given in (("generator", shown[1600:]), ("back", -shown[1600:])):
        with torch.no_grad():
            made = played.players[name](None, torch.from_numpy(given)).value.numpy()
        assert np.corrcoef(made.ravel(), -given.ravel())[0, 1] > 0.85, name


@by_name
def test_penalties_are_paid_by_every_discriminator_when_they_are_due(game):
    played = engine(game.but(penalties=(R1(gamma=0.5, every=2),)), 4)
    first, second = played.step(), played.step()
    judges = [name for name in played.players if name.startswith("discriminator")]
    paid = {f"discriminator/r1{name.removeprefix('discriminator')}" for name in judges}
    assert paid <= set(first)
    assert not paid & set(second)
    assert all(first[name] > 0 for name in paid)


def test_the_discriminators_of_a_cycle_remember_each_their_own_side():
    """Bright pictures are real to one and generated for the other, so that what they remember goes apart."""
    played = engine(GAMES[0].but(penalties=(LeCam(),)), 20)
    for _ in range(20):
        played.step()
    one, other = (played.players[f"memory-lecam{which}"].state_dict() for which in ("", "-back"))
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_the_discriminators_of_a_cycle_draw_each_their_own_numbers(monkeypatch):
    drawn = []

    def taken(self, look, progress):
        drawn.append(look.noise.uniform("test"))
        return torch.zeros(())

    monkeypatch.setattr(R1, "__call__", taken)
    engine(GAMES[0].but(penalties=(R1(),)), 2).step()
    one, other = drawn
    assert not torch.equal(one, other)


def test_what_returns_costs_nothing_where_both_ways_undo_each_other():
    played = engine(GAMES[0], 2)
    for name in ("generator", "back"):  # residual networks that begin as the identity
        torch.nn.init.zeros_(played.players[name].output.weight)
    terms = played.step()
    assert terms["generator/cycle"] == 0
    assert terms["generator/identity"] == 0


def test_patch_contrast_is_the_cross_entropy_of_the_own_origin():
    same = torch.eye(4)[None]
    expected = -math.log(math.exp(2) / (math.exp(2) + 3))
    assert patch_contrast(same, same, 0.5).item() == pytest.approx(expected, rel=1e-5)
    assert patch_contrast(same.roll(1, 1), same, 0.5).item() > expected
    alike = torch.ones(1, 5, 3)
    assert patch_contrast(alike, alike, 0.07).item() == pytest.approx(math.log(5), rel=1e-5)


def test_the_contrast_compares_pictures_of_one_shape():
    with pytest.raises(RequestError, match="one shape"):
        GAMES[1].players(DataSpec((3, 16, 16), given=(1, 16, 16)))


@pytest.mark.parametrize("task", ["unpaired-translation", "style"])
def test_two_folders_without_pairs_are_enough(tmp_path, task):
    for side, low in (("trainA", 0), ("trainB", 150)):
        (tmp_path / "data" / side).mkdir(parents=True)
        for number in range(4):
            draws = np.random.default_rng(number).integers(low, low + 100, (16, 16, 3), np.uint8)
            Image.fromarray(draws).save(tmp_path / "data" / side / f"{side}{number}.png")
    settings = ["training.precision=fp32", "training.layout=contiguous", "training.batch=2", "network.width=4",
                "network.depth=2"]  # fmt: skip
    model = sparring.train(tmp_path / "data", out=tmp_path / "run", task=task, steps=2, settings=settings)
    assert model.apply(np.zeros((20, 31, 3), np.uint8)).shape == (20, 31, 3)
    assert list((tmp_path / "run" / "samples").glob("*.png"))


@pytest.mark.parametrize("game", [Cycle, Contrastive])
def test_a_loss_that_needs_real_scores_is_refused(game):
    with pytest.raises(RequestError, match="no real scores for a relativistic loss"):
        game(loss=RelativisticPairing())
