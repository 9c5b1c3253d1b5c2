from typing import get_args

import pytest

from sparring.proposal import propose
from sparring.remedies import experiment_after, remedy
from sparring.types import DataSpec
from sparring.views import AdaptiveAugment, DiffAugment
from sparring.watch import Change

PICTURE, POINTS = DataSpec((1, 8, 8)), DataSpec((2,))


@pytest.fixture(scope="module")
def proposal():
    return propose("digits", recipe="dense", settings=("training.precision=auto",))


def game_views(experiment):
    return experiment.task.game.views


def in_turn(experiment, wished, spec, precision, count=4):
    """What a run goes on with, time after time."""
    found = []
    for _ in range(count):
        found.append(remedy(experiment, wished, spec, precision))
        experiment = experiment_after(experiment, found[-1])
    return found


@pytest.mark.parametrize("wished", get_args(Change))
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("spec", [PICTURE, POINTS], ids=["picture", "points"])
def test_no_remedy_leaves_the_settings_as_they_were(proposal, wished, precision, spec):
    experiment = proposal.experiment
    for changes in in_turn(experiment, wished, spec, precision):
        after = experiment_after(experiment, changes)
        assert after != experiment, changes
        experiment = after


def test_float32_is_taken_once_and_then_the_rate_halved(proposal):
    rate = proposal.experiment.training.optimiser.rate
    halves = [(f"training.optimiser.rate={rate / 2**n!r}",) for n in (1, 2)]
    assert in_turn(proposal.experiment, "fp32", PICTURE, "bf16", 3) == [("training.precision=fp32",), *halves]
    assert in_turn(proposal.experiment, "augmentation", POINTS, "bf16", 3) == [("training.precision=fp32",), *halves]
    assert in_turn(proposal.experiment, "fp32", PICTURE, "fp32", 2) == halves


def test_gradients_are_clipped_at_one_and_then_at_half(proposal):
    found = in_turn(proposal.experiment, "clip", PICTURE, "fp32", 3)
    assert found == [("training.clip=1.0",), ("training.clip=0.5",), ("training.clip=0.25",)]


def test_augmentation_is_added_to_pictures_or_sets_in_sooner(proposal):
    first, second = in_turn(proposal.experiment, "augmentation", PICTURE, "fp32", 2)
    after = experiment_after(proposal.experiment, first)
    added = [v for v in game_views(after) if isinstance(v, DiffAugment | AdaptiveAugment)]
    assert added
    if isinstance(added[0], DiffAugment):
        assert second[0].startswith("training.optimiser.rate=")
    adaptive = propose("digits", recipe="dense", settings=("game.views=adaptive-augment",)).experiment
    (change,) = remedy(adaptive, "augmentation", PICTURE, "fp32")
    (before,), (after,) = (game_views(e) for e in (adaptive, experiment_after(adaptive, (change,))))
    assert after.target == before.target / 2


def test_the_rate_is_halved_to_the_end_of_its_schedule():
    settings = (
        "training.optimiser.rate_final=2e-5",
        'training.per_player={"discriminator": {"part": "sgd", "rate": 0.1}}',
    )
    experiment = propose("digits", recipe="dense", settings=settings).experiment
    after = experiment_after(experiment, remedy(experiment, "rate", PICTURE, "fp32")).training
    assert after.optimiser.rate == experiment.training.optimiser.rate / 2
    assert after.optimiser.rate_final == 1e-5
    assert after.per_player["discriminator"].rate == 0.05
    assert after.per_player["discriminator"].rate_final is None
