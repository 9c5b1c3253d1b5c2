"""What games say is likely to go wrong with their settings."""

import numpy as np
import pytest
import torch

import sparring
from sparring import recipes
from sparring.cli import main
from sparring.data.synthetic import Ring
from sparring.experiment import Experiment
from sparring.games.contrastive import Contrastive
from sparring.games.cycle import Cycle
from sparring.games.latent import Latent
from sparring.games.paired import Paired
from sparring.games.vae import Vae
from sparring.losses import AdversarialLoss, RelativisticPairing, Wasserstein
from sparring.networks.dcgan import Dcgan
from sparring.networks.judges import Patch
from sparring.networks.mlp import Mlp
from sparring.networks.plain import Plain
from sparring.networks.temporal_conv import TemporalConv
from sparring.penalties import R1, R2, Dragan, GradientPenalty, LeCam, Penalty, WeightClipping
from sparring.tasks.generation import Generation
from sparring.types import DataSpec, Span
from sparring.views import Pack

PICTURE = DataSpec((1, 16, 16))
PAIR = DataSpec((1, 16, 16), given=(1, 16, 16))
LOOSE = Patch(width=4, layers=1)
TIGHT = Patch(width=4, layers=1, spectral=True)
W = Wasserstein()

RISKY = [
    (Latent(network=Mlp(width=8), loss=W), PICTURE),
    (Latent(network=Mlp(width=8), loss=W, penalties=(LeCam(),)), PICTURE),
    (Latent(network=Mlp(width=8), loss=W, penalties=(GradientPenalty(weight=0),)), PICTURE),
    (Latent(network=Dcgan(width=4), loss=RelativisticPairing(), views=(Pack(),)), PICTURE),
    (Latent(network=TemporalConv(), loss=W), DataSpec((2, 24))),
    (Paired(network=Plain(width=4, depth=2, judge=LOOSE), loss=W), PAIR),
    (Cycle(network=Plain(width=4, depth=2, judge=LOOSE), loss=W), PAIR),
    (Contrastive(judge=LOOSE, loss=W), PAIR),
    (Cycle(cycle=0), PAIR),
    (Contrastive(contrast=0), PAIR),
    (Vae(beta=0), PICTURE),
]
SOUND = [
    (Latent(network=Mlp(width=8, spectral=True), loss=W), PICTURE),
    (Latent(network=Mlp(width=8), loss=W, constraints=(WeightClipping(),)), PICTURE),
    *(
        (Latent(network=Mlp(width=8), loss=W, penalties=(p,)), PICTURE)
        for p in (R1(), R2(), GradientPenalty(), Dragan())
    ),
    (Latent(network=Mlp(width=8)), PICTURE),
    (Paired(network=Plain(width=4, depth=2, judge=TIGHT), loss=W), PAIR),
    (Paired(network=Plain(width=4, depth=2, judge=LOOSE), loss=W, adversary=0), PAIR),
    (Cycle(network=Plain(width=4, depth=2, judge=TIGHT), loss=W), PAIR),
    (Contrastive(judge=TIGHT, loss=W), PAIR),
    (Cycle(network=Plain(width=4, depth=2, judge=LOOSE), loss=W, penalties=(R1(),)), PAIR),
    (Contrastive(judge=LOOSE, loss=W, penalties=(R1(),)), PAIR),
    (Vae(beta=0.1), PICTURE),
]


def remedied(game, spec):
    """The game with what its risk says."""
    (risk,) = game.risks(spec)
    setting = risk.partition("--set ")[2]
    return Experiment(data=Ring(), task=Generation(game=game)).override(setting).task.game


@pytest.mark.parametrize(("game", "spec"), RISKY, ids=lambda value: str(value)[:60])
def test_a_risk_is_told_with_a_remedy_that_ends_it(game, spec):
    mended = remedied(game, spec)
    assert mended != game
    assert not mended.risks(spec)


@pytest.mark.parametrize(("game", "spec"), SOUND, ids=lambda value: str(value)[:60])
def test_what_is_sound_tells_of_none(game, spec):
    assert not game.risks(spec)


def test_every_loss_that_must_be_bounded_names_penalties_that_do_it():
    wanting = [loss() for loss in AdversarialLoss.parts().values() if loss.unbounded]
    assert {loss.name for loss in wanting} >= {"wasserstein", "relativistic-pairing"}
    for loss in wanting:
        assert all(Penalty.find(name)().bounds_slope() for name in loss.bounded_by.split(","))


@pytest.mark.parametrize("name", recipes.recipes())
def test_no_recipe_is_risky(name):
    row = DataSpec((5,), spans=(Span(2, "tanh"), Span(3, "softmax")))
    kinds = [("image", PICTURE, 0), ("points", DataSpec((2,)), 0), ("series", DataSpec((2, 24)), 0), ("table", row, 1)]
    played = 0
    for modality, spec, choices in kinds:
        try:
            task, _ = recipes.find(name)(recipes.Facts(modality, spec.shape, 500, (), choices))
        except sparring.errors.RequestError:
            continue
        assert not task.game.risks(spec)
        played += 1
    assert played or name in {"redrawing", "restoration", "unpaired"}


@pytest.mark.parametrize("name", ["redrawing", "restoration"])
def test_no_recipe_of_pairs_is_risky(name):
    task, _ = recipes.find(name)(recipes.Facts("image", PICTURE.shape, 500, task="translation"))
    assert not task.game.risks(PICTURE)


def test_looking_for_risks_draws_nothing_that_training_would_draw():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert RISKY[0][0].risks(PICTURE)
    assert torch.equal(torch.get_rng_state(), before)


def test_check_warns_and_train_notes(tmp_path, capsys):
    np.save(tmp_path / "few.npy", np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8))
    words = [str(tmp_path / "few.npy"), "--recipe", "dense", "--set", "network.hidden=4", "loss=wasserstein"]
    words += ["--set", "training.precision=fp32", "training.layout=contiguous"]
    assert main(["check", *words]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "wasserstein" in line and "warning" in line]
    assert line.startswith("warning  the loss wasserstein without a penalty")
    assert main(["train", *words, "--steps", "1", "-o", str(tmp_path / "run")]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note ")]
    assert line.startswith("note     the loss wasserstein without a penalty")
