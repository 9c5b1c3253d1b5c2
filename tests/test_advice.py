from typing import Any

import pytest

from sparring.advice import Adviser
from sparring.data.synthetic import Ring
from sparring.experiment import Experiment
from sparring.games.cycle import Cycle
from sparring.games.latent import Latent
from sparring.games.paired import Paired
from sparring.games.timegan import Timegan
from sparring.games.tvae import Tvae
from sparring.games.vae import Vae
from sparring.penalties import R1
from sparring.tasks.generation import Generation
from sparring.views import AdaptiveAugment
from sparring.watch import EVERY, STOP, Collapsed, Overfits, Vanished, Way, Won

GAMES = [Latent(), Latent(penalties=(R1(),), views=(AdaptiveAugment(),)), Paired(), Cycle(), Vae(), Tvae(), Timegan()]


def adviser(game: Any, *, pictures: bool = True, best: str = "") -> Adviser:
    return Adviser(Experiment(data=Ring(), task=Generation(game=game)), pictures, best)


@pytest.mark.parametrize("game", GAMES, ids=str)
@pytest.mark.parametrize("detector", EVERY, ids=lambda detector: detector.name)
def test_every_setting_that_is_advised_is_one_that_the_run_takes_and_has_not(game, detector):
    advise = adviser(game)
    said = advise(detector.advice)
    settings = [part.partition(")")[0] for part in said.split("--set ")[1:]]
    assert all(advise.experiment.override(setting) != advise.experiment for setting in settings)
    assert said.endswith(".")
    assert said[0].isupper()


def test_what_is_there_already_is_strengthened_and_not_replaced():
    bare, full = adviser(GAMES[0]), adviser(GAMES[1])
    assert "add a penalty (--set penalties=r1)" in bare(Collapsed.advice).lower()
    assert full(Collapsed.advice).startswith("Strengthen the penalty, lower the rate (--set ")
    assert "weaken the penalty" in full(Vanished.advice)
    assert "weaken" not in bare(Vanished.advice)
    assert "adaptive-augment" not in full(Won.advice)


def test_pictures_alone_are_augmented():
    assert "augment" in adviser(Latent())(Won.advice).lower()
    assert adviser(Latent(), pictures=False)(Won.advice) == "Give more data, or add a penalty (--set penalties=r1)."


def test_the_best_model_is_told_of_only_where_one_is_kept_and_stopping_is_advised():
    kept = adviser(Latent(), best="It lies there.")
    assert kept(Overfits.advice).endswith("or stop there. It lies there.")
    assert "lies" not in adviser(Latent())(Overfits.advice) + kept(Won.advice)


def test_a_way_is_left_out_where_nothing_takes_it():
    assert adviser(Vae())([Way("look at more at once", "views=pack")]) == ""
    assert adviser(Latent())([Way("take this loss", "loss=non-saturating")]) == ""
    assert adviser(Vae(beta=3))([Way("weigh it less", "task.game.beta", times=0.5)]) == (
        "Weigh it less (--set task.game.beta=1.5)."
    )
    assert adviser(Vae())([STOP], begin="wait, or ") == "Wait, or stop there."
