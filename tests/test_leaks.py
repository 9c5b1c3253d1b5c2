import numpy as np
import pytest
import torch
from torch import nn

from sparring.agreement import ConditionMatch, MomentMatch
from sparring.data.tables import Tables
from sparring.errors import RequestError
from sparring.experiment import Experiment
from sparring.games.latent import Latent
from sparring.games.vae import Vae
from sparring.leaks import refuse_networks, refuse_selection
from sparring.losses import AdversarialLoss
from sparring.networks.pyramid import Pyramid
from sparring.networks.tabular import Tabular
from sparring.penalties import Penalty
from sparring.privacy import Privacy
from sparring.tasks.generation import Generation
from sparring.training import Training
from sparring.types import DataSpec
from sparring.views import AdaptiveAugment, InstanceNoise, Pack

PRIVATE = Training(privacy=Privacy(), best="none", watch=())
PLAIN = Latent(network=Tabular(width=8, norm="layer"), latent=8)


def build(game=PLAIN, **task):
    return Experiment(data=Tables(path="none.csv"), task=Generation(game=game, **task), training=PRIVATE)


def refused(match, **task):
    with pytest.raises(RequestError, match=match) as caught:
        build(**task)
    assert "\n" not in str(caught.value)
    # What is refused here is fine where nothing is promised.
    Experiment(data=Tables(path="none.csv"), task=Generation(**task), training=Training())


def test_a_plain_game_is_taken():
    assert build(PLAIN.but(views=(InstanceNoise(), Pack(count=1)))).training.privacy == Privacy()


@pytest.mark.parametrize("penalty", sorted(Penalty.parts()))
def test_penalties_over_real_rows_are_refused(penalty):
    refused(f"the penalty '{penalty}'", game=PLAIN.but(penalties=(Penalty.find(penalty)(),)))


def test_packs_are_refused():
    refused("packs of 2 rows", game=PLAIN.but(views=(Pack(count=2),)))


@pytest.mark.parametrize("loss", sorted(name for name, part in AdversarialLoss.parts().items() if part.relativistic))
def test_relativistic_losses_are_refused(loss):
    refused(f"the relativistic loss '{loss}'", game=PLAIN.but(loss=AdversarialLoss.find(loss)()))


def test_adaptive_augmentation_is_refused():
    refused("whose strength follows scores of private rows", game=PLAIN.but(views=(AdaptiveAugment(),)))


@pytest.mark.parametrize("agreement", [ConditionMatch(), MomentMatch()])
def test_terms_by_which_the_generator_sees_real_rows_are_refused(agreement):
    refused("by which the generator sees real rows", game=PLAIN.but(agreements=(agreement,)))


def test_conditions_drawn_by_raw_counts_are_refused():
    refused("by raw counts", attributes=("sex",))


def test_a_game_whose_generator_sees_real_rows_is_refused():
    refused("the game 'vae'", game=Vae())


def players(discriminator, generator=None):
    return nn.ModuleDict({"generator": generator or nn.Linear(2, 2), "discriminator": discriminator})


def test_batch_norm_is_refused_on_both_sides():
    norm = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with pytest.raises(RequestError, match="batch norm in the discriminator"):
        refuse_networks(players(norm), ("discriminator",))
    with pytest.raises(RequestError, match="batch norm in the generator"):
        refuse_networks(players(nn.Linear(2, 1), norm), ("discriminator",))


def test_minibatch_deviation_is_refused():
    network = Pyramid().discriminator(DataSpec((1, 16, 16)))
    with pytest.raises(RequestError, match="minibatch deviation in the discriminator"):
        refuse_networks(players(network), ("discriminator",))


def test_running_numbers_of_the_guarded_player_are_refused_and_not_those_of_others():
    network = nn.Linear(2, 1)
    network.register_buffer("seen", torch.zeros(()))
    with pytest.raises(RequestError, match=r"running numbers \(seen\)"):
        refuse_networks(players(network), ("discriminator",))
    refuse_networks(players(nn.Linear(2, 1), network), ("discriminator",))


def test_selection_by_private_rows_is_refused():
    with pytest.raises(RequestError, match="a choice by private rows tells of them"):
        refuse_selection("shares<0.1")
    refuse_selection(None)


def test_the_networks_of_a_private_table_treat_each_row_by_itself():
    made = PLAIN.players(DataSpec((3,)))
    refuse_networks(made, PLAIN.guarded)
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32))
    made.eval()
    whole, alone = made["discriminator"](rows)[0].value, made["discriminator"](rows[2:3])[0].value
    torch.testing.assert_close(whole[2:3], alone)


def test_a_model_chosen_by_private_rows_and_steps_taken_twice_are_refused():
    with pytest.raises(RequestError, match="a model chosen by private rows"):
        PRIVATE_EXPERIMENT.but(training=PRIVATE.but(best="auto"))
    with pytest.raises(RequestError, match="after which steps are taken twice"):
        PRIVATE_EXPERIMENT.but(training=Training(privacy=Privacy(), best="none"))


PRIVATE_EXPERIMENT = build()
