import json
import math
from itertools import islice

import numpy as np
import pytest
import torch
from toys import contents, engine, going, items, proposed

from sparring.errors import Divergence, TrainingError
from sparring.games.latent import Latent
from sparring.losses import RelativisticPairing
from sparring.model import load
from sparring.networks.mlp import Mlp
from sparring.optimisers import Adam, Sgd
from sparring.penalties import R1, R2, WeightClipping
from sparring.plan import Plan
from sparring.reporting.story import Story
from sparring.run import Run
from sparring.signs import in_groups, observe
from sparring.training import Training
from sparring.watch import EVERY, Collapsed, Detector, Exploded, NotFinite, Overfits, Vanished, Won
from sparring.watching import Watching

SMALL = Mlp(width=16)
PICTURE = (1, 4, 4)
EVERY_STEPS = 2


def watched(playing, count, detectors=EVERY):
    """Alarms by the name of their detector and the step, observed every other step."""
    history, found = [], {}
    for step in range(1, count + 1):
        playing.measures = step % EVERY_STEPS == 0
        playing.step()
        if step % EVERY_STEPS == 0:
            history.append(observe(playing))
            for detector in detectors:
                if detector(history):
                    found.setdefault(detector.name, step)
    return found, history


def training(**others):
    return Training(batch=16, optimiser=Adam(rate=1e-3), **others)


@pytest.mark.parametrize("seed", range(10))
def test_healthy_runs_raise_no_alarm(seed):
    regularised = Latent(network=SMALL, loss=RelativisticPairing(), penalties=(R1(), R2()))
    game, shape = (Latent(network=SMALL), (2,)) if seed % 2 else (regularised, PICTURE)
    playing = engine(game, shape=shape, training=training(), data=items(shape, 160, seed), seed=seed)
    found, history = watched(playing, 60)
    assert found == {}
    assert len(history) == 30
    assert all(value is not None for signs in history for value in signs.values())


def test_a_discriminator_that_has_won_is_seen_within_its_patience():
    still = training(per_player={"generator": Sgd(rate=1e-12), "discriminator": Adam(rate=1e-2)})
    playing = engine(Latent(network=SMALL), shape=PICTURE, training=still)
    found, _ = watched(playing, 120, (Won(patience=5),))
    assert found["won"] <= 120


def test_a_generator_that_collapses_is_seen_within_six_steps():
    playing = engine(Latent(network=SMALL), shape=PICTURE, training=training())
    _, history = watched(playing, 20)
    assert history[-1]["diversity"] > 0.3
    with torch.no_grad():
        for matrix in playing.players["generator"].parameters():
            if matrix.ndim > 1:
                matrix.mul_(0.02)
    kept, found = list(history), None
    for step in range(1, 9):
        playing.step()
        if step % EVERY_STEPS == 0:
            kept.append(observe(playing))
            found = found or (Collapsed()(kept) and step)
    assert found == 6


def test_a_generator_that_makes_one_item_of_each_class_is_seen():
    data = items(PICTURE, 192)
    playing = engine(Latent(network=SMALL), shape=PICTURE, training=training(), data=data, condition=3)
    healthy = observe(playing)["diversity"]

    assert healthy > 0.2
    unseen = lambda _, given: (torch.zeros_like(given[0]), *given[1:])  # noqa: E731
    playing.players["generator"].register_forward_pre_hook(unseen)  # classes still are
    assert observe(playing)["diversity"] < 1e-6


def test_rows_are_taken_of_groups_that_have_several():
    groups = np.array([0] * 9 + [1] + [2] * 3 + [3] * 2)
    assert in_groups(groups).tolist() == [*range(8), 10, 11, 12, 13, 14]
    assert len(in_groups(np.arange(1000) % 100)) == 64
    assert len(in_groups(np.arange(1000))) == 0


def test_a_generator_that_never_varied_is_seen_after_the_grace():
    history = [{"diversity": 0.01}] * 40
    assert [n for n in range(1, 41) if Collapsed(grace=20, patience=3)(history[:n])] == [23]


def test_a_discriminator_that_learns_few_items_by_heart_is_seen():
    data = items((1, 8, 8), 56)  # sixteen of which are held back
    playing = engine(Latent(network=Mlp(width=128)), shape=(1, 8, 8), training=training(), data=data)
    found, _ = watched(playing, 120, (Overfits(),))
    assert found["overfits"] <= 120


def test_a_discriminator_without_an_opinion_is_seen():
    game = Latent(network=SMALL, constraints=(WeightClipping(bound=1e-12),))
    found, _ = watched(engine(game, training=training()), 8)
    assert found["vanished"] == 6


def test_exploding_scores_are_seen_before_they_are_infinite():
    from sparring.losses import Wasserstein

    playing = engine(Latent(network=SMALL, loss=Wasserstein()), training=Training(batch=16, optimiser=Sgd(rate=0.3)))
    history, seen = [], None
    try:
        for _ in range(20):
            playing.step()
            history.append(observe(playing))
            seen = seen or (Exploded(patience=1)(history) and len(history))
    except Divergence:
        pass
    assert seen is not None
    assert math.isfinite(history[seen - 1]["largest score"])


def test_exploding_gradients_are_seen_while_scores_are_small():
    steep = Latent(network=SMALL, penalties=(R1(gamma=1e12, every=1),))
    playing = engine(steep, training=Training(batch=16, optimiser=Sgd(rate=1e-30)))
    found, history = watched(playing, 8, (Exploded(),))
    assert found["exploded"] == 4
    assert all(signs["largest score"] < 10 for signs in history)
    assert all(signs["gradient discriminator"] > 1e6 for signs in history)


def test_float32_as_a_remedy_ends_half_precision():
    playing = engine(Latent(network=SMALL), training=training(precision="auto"), precision="bf16")
    with playing.autocast():
        assert torch.is_autocast_enabled("cpu")
    playing.adopt(playing.task, playing.training.but(precision="fp32"))
    with playing.autocast():
        assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_seen_and_named(value):
    playing = engine()
    playing.step()
    with torch.no_grad():
        next(iter(playing.players["generator"].parameters())).view(-1)[0] = value
    assert NotFinite()([observe(playing)]) == "weights generator: not finite"


def test_observing_changes_nothing_that_training_goes_by():
    first, second = engine(Latent(network=SMALL), shape=PICTURE), engine(Latent(network=SMALL), shape=PICTURE)
    for _ in range(3):
        first.step()
        second.step()
        before = torch.get_rng_state()
        observe(second)
        assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.state()[0].values(), second.state()[0].values(), strict=True))


HISTORIES = {
    Exploded(patience=2): ({"largest score": 1.0}, {"largest score": 1e5}),
    Exploded(patience=3): ({"gradient generator": 1.0}, {"gradient generator": 1e7}),
    Vanished(patience=3): ({"score spread": 1.0}, {"score spread": 0.0}),
    Won(patience=4): ({"separation": 1.0}, {"separation": 4.0}),
    Overfits(patience=2): ({"gap": 0.2, "gap certainty": 9.0}, {"gap": 1.0, "gap certainty": 9.0}),
    Collapsed(patience=3): ({"diversity": 0.8}, {"diversity": 0.05}),
}


@pytest.mark.parametrize("detector", HISTORIES, ids=str)
def test_a_detector_tells_once_when_its_patience_ends_and_again_when_it_comes_back(detector):
    well, ill = HISTORIES[detector]
    once = [well] * 5 + [ill] * 9
    history = [*once, well, *once]
    told = [n for n in range(1, len(history) + 1) if detector(history[:n])]
    assert told == [5 + detector.patience, 20 + detector.patience]
    assert len(detector(history[: told[0]]).splitlines()) == 1


@pytest.mark.parametrize("detector", [*HISTORIES, Collapsed(patience=2, grace=4), NotFinite()], ids=str)
def test_what_is_older_than_a_detectors_window_changes_nothing(detector):
    well, ill = HISTORIES.get(detector, ({"diversity": 0.8}, {"diversity": 0.05}))
    for seed in range(4):
        drawn = np.random.default_rng(seed)
        history = [(well, ill)[int(sick)] for sick in drawn.random(60) < (0.3 if seed % 2 else 0.9)]
        for newest in range(1, len(history) + 1):
            seen = history[:newest]
            assert detector(seen) == detector(seen[-detector.window() :])


@pytest.mark.parametrize("detector", [*HISTORIES, Collapsed(patience=2, grace=4), NotFinite()], ids=str)
def test_before_what_is_suspect_at_an_alarm_nothing_was_ill(detector):
    well, ill = HISTORIES.get(detector, ({"diversity": 0.8}, {"diversity": 0.05}))
    well, ill = ({"gradient": 1.0}, {"gradient": None}) if isinstance(detector, NotFinite) else (well, ill)
    history = [(well, ill)[int(sick)] for sick in np.random.default_rng(0).random(200) < 0.7]
    told = [newest for newest in range(1, 201) if detector(history[:newest])]
    assert told
    for newest in told:
        suspect = detector.suspect(history[:newest])
        first = newest - suspect
        assert suspect >= 1
        assert first == 0 or history[first - 1] is well
        alone = isinstance(detector, NotFinite)
        assert alone or detector.suspect(history[:newest][-detector.window() :]) == suspect < detector.window()
    assert not detector.suspect([*history, *[well] * detector.window()])


def test_a_generator_that_never_varied_is_suspect_from_the_start_once_its_grace_is_over():
    detector, ill = Collapsed(grace=5, patience=3), {"diversity": 0.01}
    assert [detector.suspect([ill] * count) for count in range(1, 9)] == [0] * 5 + [6, 7, 8]
    assert detector.suspect([{"diversity": 0.5}, *[ill] * 4]) == 4


def test_a_run_remembers_no_more_observations_than_its_detectors_look_at(tmp_path, shades, monkeypatch):
    short = [f"training.watch.{d.name}.{'grace' if d.name == 'collapsed' else 'patience'}=2" for d in EVERY[1:]]
    proposal = closely(shades, *short)
    observed, signs = [], Watching.signs

    def seen(self, engine):
        found = signs(self, engine)
        observed.append(len(self.history))
        return found

    monkeypatch.setattr(Watching, "signs", seen)
    list(going(tmp_path / "run", proposal, 100))
    assert max(observed) == max(d.window() for d in proposal.experiment.training.watch) == 6
    assert len(observed) > 10


def test_there_is_a_history_for_every_detector():
    assert {type(d) for d in HISTORIES} | {NotFinite} == set(Detector.parts().values())


# A run of its own

WILD = ("loss=wasserstein", "training.optimiser=sgd", "training.optimiser.rate=3")


def closely(shades, *settings):
    """A run that is observed at every record."""
    return proposed(shades, "training.watch_every=1", *settings)


def test_a_run_that_diverges_goes_back_clips_and_ends_the_same_after_a_kill(tmp_path, shades):
    proposal = closely(shades, *WILD, "training.watch.not-finite.change=clip")
    records = list(going(tmp_path / "whole", proposal, 100))
    notes = [record.note for record in records if record.note and "goes back" in record.note]
    assert len(notes) == 1
    assert "not finite" in notes[0]
    assert notes[0].endswith("and on with training.clip=1.0")
    assert records[-1].step == 100
    plan = Plan.from_json(json.loads((tmp_path / "whole" / "plan.json").read_text()))
    (amendment,) = plan.amendments
    assert amendment.changes == ("training.clip=1.0",)
    assert plan.changes(amendment.step) == ("training.clip=1.0",)
    entries = [r for r in Run(tmp_path / "whole").records("log") if "changes" in r]
    assert [entry["step"] for entry in entries] == [amendment.step]
    assert Story.of(load(tmp_path / "whole"), None, "").losses  # a report reads entries of every kind
    killed = tmp_path / "killed"
    for stop in (20, 40):
        records = going(killed, proposal, 100)
        for _ in islice(records, stop):
            pass
        records.close()
    list(going(killed, proposal, 100))
    first, second = contents(tmp_path / "whole"), contents(killed)
    assert second == first


@pytest.mark.parametrize("precision", ["fp32", "auto"])  # auto: the plan plays a few steps to measure them
def test_a_remedy_is_tried_as_often_as_the_run_says_and_never_with_the_same_settings(tmp_path, shades, precision):
    wild = "loss=wasserstein", "training.optimiser=sgd", "optimiser.rate=1e30", f"training.precision={precision}"
    proposal = closely(shades, *wild, "training.rescues=2")
    with pytest.raises(TrainingError, match=r"is not finite; .* has gone back 2 times before \(training.rescues\)"):
        list(going(tmp_path / "run", proposal, 100))
    plan = Plan.from_json(json.loads((tmp_path / "run" / "plan.json").read_text()))
    assert [a.changes for a in plan.amendments] == [
        ("training.optimiser.rate=5e+29",),
        ("training.optimiser.rate=2.5e+29",),
    ]


def test_without_detectors_divergence_ends_the_run(tmp_path, shades):
    proposal = closely(shades, "loss=wasserstein", "training.optimiser=sgd", "optimiser.rate=1e30", "training.watch=")
    with pytest.raises(Divergence, match=r"is not finite; try a lower"):
        list(going(tmp_path / "run", proposal, 100))


def test_an_alarm_stops_the_run_where_the_field_says_so_and_else_is_told_and_logged(tmp_path, shades):
    quick = "training.watch.won.patience=2", "training.watch.won.separation=1e-9"
    told = [r for r in going(tmp_path / "told", closely(shades, *quick), 100) if r.note]
    assert any("the discriminator has won" in record.note for record in told)
    entries = [r for r in Run(tmp_path / "told").records("log") if r.get("alarm") == "won"]
    assert entries
    assert all("the discriminator has won" in entry["note"] for entry in entries)
    stopping = closely(shades, *quick, "training.watch.won.remedy=stop")
    with pytest.raises(TrainingError, match=r"the discriminator has won: .*; stopped after step \d+ by won"):
        list(going(tmp_path / "stopped", stopping, 100))


def test_augmentation_is_what_a_run_goes_on_with_where_the_detector_asks_for_it(tmp_path, shades):
    asked = "training.watch.won.remedy=roll-back", "training.watch.won.patience=2", "training.watch.won.separation=1e-9"
    notes, refusal = [], None
    try:
        notes += [r.note for r in going(tmp_path / "run", closely(shades, *asked), 100) if r.note]
    except TrainingError as stopped:
        refusal = str(stopped)
    plan = Plan.from_json(json.loads((tmp_path / "run" / "plan.json").read_text()))
    assert plan.amendments[0].changes[0].startswith("task.game.views=")
    assert all(a.changes[0].startswith("training.optimiser.rate=") for a in plan.amendments[1:])
    assert refusal is None or "training.rescues" in refusal
