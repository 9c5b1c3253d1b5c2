import copy
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from toys import engine, items

from sparring.errors import RequestError, TrainingError
from sparring.games import Game, Turn
from sparring.games.latent import Latent
from sparring.games.vae import Vae
from sparring.losses import AdversarialLoss, NonSaturating, RelativisticPairing, Wasserstein
from sparring.networks.dcgan import Dcgan
from sparring.networks.mlp import Mlp
from sparring.networks.pyramid import Pyramid
from sparring.optimisers import Adam, Optimiser, RmsProp, Sgd
from sparring.penalties import R1, R2, LeCam, Penalty, WeightClipping
from sparring.run import Run
from sparring.tasks import Task
from sparring.training import Training, sample
from sparring.types import Span
from sparring.views import AdaptiveAugment, Pack, View

SMALL = Mlp(width=16)
PICTURE = (1, 8, 8)


def games() -> dict[str, Latent]:
    """One game for every loss, penalty and view, and for every optional turn of the latent game."""
    found = {f"loss {name}": Latent(network=SMALL, loss=loss()) for name, loss in AdversarialLoss.parts().items()}
    found |= {f"penalty {n}": Latent(network=SMALL, penalties=(p(),)) for n, p in Penalty.parts().items()}
    found |= {f"view {n}": Latent(network=SMALL, views=(v(),)) for n, v in View.parts().items()}
    found["clipping, two steps"] = Latent(
        network=SMALL, loss=Wasserstein(), constraints=(WeightClipping(),), discriminator_steps=2, noise="uniform"
    )
    found["dropout, batch norm"] = Latent(network=Dcgan(width=4))
    return found


def same(first, second) -> bool:
    tensors, others = first.state()[0], second.state()[0]
    return tensors.keys() == others.keys() and all(torch.equal(tensors[k], others[k]) for k in tensors)


def playing_of(game: type[Game], layout: str = "contiguous"):
    """An engine for a game: by the first task that is made for it, else by generation, with data that it can play."""
    own = (part() for part in Task.parts().values() if part.__module__.startswith("sparring."))
    made_for_it = [task for task in own if type(task.game) is game]
    row = (Span("tanh", 1), Span("softmax", 3), Span("softmax", 2))
    kinds = ({"shape": (1, 16, 16)}, {"shape": (1, 16, 16), "given": True}, {"shape": (6,), "spans": row})
    for data in (*kinds, {"shape": (2, 24)}):
        for task in [*made_for_it, None]:
            with suppress(RequestError):
                return engine(game() if task is None else task.game, task=task, layout=layout, **data)
    raise AssertionError(f"no toy data are played by {game.name}")


@pytest.mark.parametrize("layout", ["contiguous", "channels-last"])
@pytest.mark.parametrize("game", Game.parts().values(), ids=lambda game: game.name)
def test_every_game_goes_on_from_a_checkpoint_bit_for_bit(game, layout, tmp_path):
    """Through the files of a checkpoint, so that state which no file holds is missed, as are layouts in memory."""
    whole, resumed = playing_of(game, layout), playing_of(game, layout)
    for _ in range(3):
        whole.step()
    Run(tmp_path).save(3, *whole.state())
    tensors, counters, _ = Run(tmp_path).restore()
    resumed.load(tensors, counters)
    for _ in range(3):
        expected, found = whole.step(), resumed.step()
        assert {k: float(v) for k, v in found.items()} == {k: float(v) for k, v in expected.items()}
    assert same(whole, resumed)


@pytest.mark.parametrize("name", games())
def test_a_resumed_run_equals_an_uninterrupted_one(name):
    def fresh():
        return engine(games()[name], shape=PICTURE, condition=3)

    whole = fresh()
    for _ in range(4):
        whole.step()
    tensors, counters = copy.deepcopy(whole.state())
    expected = [whole.step() for _ in range(5)]
    torch.rand(7)  # the global generator stands elsewhere when a run is resumed
    resumed = fresh()
    resumed.load(tensors, counters)
    found = [resumed.step() for _ in range(5)]
    assert same(whole, resumed)
    assert [{k: float(v) for k, v in t.items()} for t in found] == [
        {k: float(v) for k, v in t.items()} for t in expected
    ]


@pytest.mark.parametrize("layout", ["contiguous", "channels-last"])
@pytest.mark.parametrize("optimiser", Optimiser.parts().values())
def test_every_optimiser_moves_both_players_and_resumes(optimiser, layout, tmp_path):
    training = Training(batch=8, optimiser=optimiser())

    def fresh():
        return engine(Latent(network=Dcgan(width=4)), shape=PICTURE, training=training, layout=layout)

    whole = fresh()
    before = copy.deepcopy(whole.players.state_dict())
    whole.step()
    Run(tmp_path).save(1, *whole.state())
    whole.step()
    resumed = fresh()
    resumed.load(*Run(tmp_path).restore()[:2])
    resumed.step()
    assert same(whole, resumed)
    after = whole.players.state_dict()
    for player in ("generator", "discriminator"):
        assert any(not torch.equal(before[k], after[k]) for k in before if k.startswith(player))


@pytest.mark.parametrize("optimiser", Optimiser.parts().values())
def test_a_learning_rate_is_held_and_then_falls_by_a_cosine(optimiser):
    part = optimiser(rate=0.1, rate_final=0.02, rate_hold=0.6)
    assert [part.settings(p)["lr"] for p in (0, 0.3, 0.6, 0.8, 1)] == pytest.approx([0.1, 0.1, 0.1, 0.06, 0.02])
    assert optimiser(rate=0.1, rate_final=0.02).settings(0.5)["lr"] == pytest.approx(0.06)
    assert optimiser(rate=0.1, rate_hold=0.5).settings(1)["lr"] == pytest.approx(0.1)


def test_training_leaves_the_global_generator_of_torch_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    playing = engine(Latent(network=Dcgan(width=4)), shape=PICTURE)
    playing.step()
    assert torch.equal(torch.rand(4), expected)


def test_accumulated_parts_equal_the_whole_batch():
    game = Latent(network=SMALL, loss=RelativisticPairing(), penalties=(R1(every=1), R2(every=2)))
    whole = engine(game, precision="fp64", training=Training(batch=8))
    parts = engine(game, precision="fp64", training=Training(batch=8, accumulate=4))
    for _ in range(5):
        expected, found = whole.step(), parts.step()
        for name, value in expected.items():
            assert float(found[name]) == pytest.approx(float(value), abs=1e-9)


@pytest.mark.parametrize(
    "game",
    [
        Latent(network=SMALL, penalties=(LeCam(decay=0.5),)),
        Latent(network=Dcgan(width=4), views=(AdaptiveAugment(every=1, speed=0.1, unseen=0.0),)),
        Vae(network=SMALL, latent=2),
    ],
    ids=lambda game: "-".join(
        [game.name, *(part.name for part in (*getattr(game, "views", ()), *getattr(game, "penalties", ())))]
    ),
)
def test_what_is_remembered_moves_once_a_step_in_however_many_parts(game):
    shape = PICTURE if isinstance(game.network, Dcgan) else (2,)
    whole, parts = (
        engine(game, precision="fp64", shape=shape, training=Training(batch=8, accumulate=n)) for n in (1, 4)
    )
    for _ in range(3):
        expected, found = whole.step(), parts.step()
        if isinstance(game, Vae):
            for name, value in expected.items():
                assert float(found[name]) == pytest.approx(float(value), abs=1e-9)
    names = [name for name in dict(whole.players.named_buffers()) if "memory" in name or name == "encoder.variance"]
    kept = [{name: players.get_buffer(name) for name in names} for players in (whole.players, parts.players)]
    assert names
    assert any(value.any() for value in kept[0].values())
    # Batch norms of parts see other means, and the verdicts that move an average differ a little by them.
    near = {"rtol": 0, "atol": 0.05} if isinstance(game, Latent) and game.penalties else {}
    torch.testing.assert_close(kept[1], kept[0], **near)


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(RequestError, match=r"batch of 8 does not divide .* multiple of 3"):
        engine(training=Training(batch=8, accumulate=3))


def test_averages_follow_the_half_life():
    playing = engine(training=Training(batch=8, average=0.5))
    playing.step()
    name = next(n for n, _ in playing.players["generator"].named_parameters())
    average = dict(playing.averages["generator"].named_parameters())[name].clone()
    playing.step()
    now = dict(playing.players["generator"].named_parameters())[name]
    keep = 0.5 ** (8 / (0.5 * 16))  # 8 images a step, half of the 16 seen
    found = dict(playing.averages["generator"].named_parameters())[name]
    torch.testing.assert_close(found, keep * average + (1 - keep) * now)


def test_without_averaging_the_average_is_the_player():
    playing = engine(training=Training(batch=8, average=0.0))
    for _ in range(3):
        playing.step()
    for kept, now in zip(
        playing.averages["generator"].parameters(), playing.players["generator"].parameters(), strict=True
    ):
        assert torch.equal(kept, now)


def test_batch_norm_of_averages_is_recalibrated_on_their_own_activations():
    playing = engine(Latent(network=Dcgan(width=4)), shape=PICTURE, training=Training(batch=8))
    for _ in range(3):
        playing.step()
    with playing.sampling() as players:
        norm = next(m for m in players.modules() if isinstance(m, nn.BatchNorm2d))
        first = norm.running_mean.clone()
        seen = []
        hook = norm.register_forward_hook(lambda m, inputs, out: seen.append(inputs[0].mean((0, 2, 3))))
        sample(playing.game, players, None, playing.game.draw(9, range(2048)))
        hook.remove()
    torch.testing.assert_close(torch.stack(seen).mean(0), first, atol=0.15, rtol=0.2)
    with playing.sampling():
        assert torch.equal(norm.running_mean, first)


@pytest.mark.parametrize("network", [SMALL, Dcgan(width=4)])
def test_sample_i_is_the_same_however_many_are_asked_for(network):
    playing = engine(Latent(network=network), shape=PICTURE)
    playing.step()
    game = playing.game
    with playing.sampling() as players:
        few = sample(game, players, None, game.draw(5, range(3))).value
        many = sample(game, players, None, game.draw(5, range(150))).value
        later = sample(game, players, None, game.draw(5, range(70, 73))).value
    assert torch.equal(few, many[:3])
    # The place within a chunk may change the last bit of a product, never more.
    torch.testing.assert_close(later, many[70:73])


def test_only_the_learners_of_a_turn_change():
    playing = engine()
    before = copy.deepcopy(playing.players.state_dict())
    turn = playing.game.turns(0)[0]
    playing._turn(0, turn)
    after = playing.players.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before if k.startswith("generator"))
    assert any(not torch.equal(before[k], after[k]) for k in before if k.startswith("discriminator"))


def test_a_skipped_turn_changes_nothing_but_is_logged():
    playing = engine()
    before = copy.deepcopy(playing.players.state_dict())
    turn = playing.game.turns(0)[0]
    skipped = Turn(turn.name, turn.learners, turn.terms, skip=lambda terms: True, counts=True)
    terms = playing._turn(0, skipped)
    assert "discriminator" in terms
    assert all(torch.equal(v, playing.players.state_dict()[k]) for k, v in before.items())


@pytest.mark.parametrize("share", [0.5, 1.5])
def test_whether_a_turn_is_skipped_does_not_depend_on_the_parts_of_a_batch(share):
    first = engine().game.turns(0)[0]
    whole = float(engine()._turn(0, first)["discriminator"])
    told = []

    def skip(terms):
        told.append(float(terms["discriminator"]))
        return told[-1] <= share * whole

    for parts in (1, 2, 4):
        playing = engine(training=Training(batch=8, accumulate=parts))
        before = copy.deepcopy(playing.players.state_dict())
        playing._turn(0, replace(first, skip=skip))
        changed = any(not torch.equal(v, playing.players.state_dict()[k]) for k, v in before.items())
        assert changed == (share < 1)
        assert all(weight.grad is None for weight in playing.players.parameters())
    assert told == pytest.approx([whole] * 3)


def test_k_discriminator_steps_see_k_batches():
    playing = engine(Latent(network=SMALL, discriminator_steps=3))
    playing.step()
    assert playing.images == 24
    assert playing.position == 32


def test_lazy_penalties_are_taken_on_their_steps_and_scaled_up():
    playing = engine(Latent(network=SMALL, penalties=(R1(every=3),)), precision="fp64")
    dense = engine(Latent(network=SMALL, penalties=(R1(every=1),)), precision="fp64")
    first, other = playing.step(), dense.step()
    assert float(first["discriminator/r1"]) == pytest.approx(3 * float(other["discriminator/r1"]))
    assert "discriminator/r1" not in playing.step()
    playing.step()
    assert "discriminator/r1" in playing.step()


def test_a_loss_that_is_not_finite_stops_with_a_remedy():
    playing = engine(training=Training(batch=8, optimiser=Sgd(rate=1e30)))

    def play():
        for _ in range(20):
            playing.step()

    with pytest.raises(TrainingError, match=r"step \d+ is not finite; try a lower training.optimiser.rate"):
        play()


def test_clipping_bounds_a_players_step():
    training = Training(batch=8, optimiser=Sgd(rate=1.0), clip=1e-3)
    playing = engine(training=training)
    before = nn.utils.parameters_to_vector(playing.players["discriminator"].parameters()).clone()
    playing._turn(0, playing.game.turns(0)[0])
    after = nn.utils.parameters_to_vector(playing.players["discriminator"].parameters())
    assert 0 < float((after - before).detach().norm()) <= 1.001e-3


def test_rates_follow_their_schedule_and_players_may_have_their_own():
    own = Training(batch=8, optimiser=Adam(rate=1e-2, rate_final=0.0), per_player={"discriminator": RmsProp(rate=3e-3)})
    playing = engine(training=own, steps=10)
    rates = []
    for _ in range(10):
        playing.step()
        rates.append(playing.optimisers["generator"].param_groups[0]["lr"])
    assert rates[0] == pytest.approx(1e-2)
    assert rates[5] == pytest.approx(5e-3)
    assert rates == sorted(rates, reverse=True)
    assert playing.optimisers["discriminator"].param_groups[0]["lr"] == 3e-3


@pytest.mark.parametrize(("precision", "layout"), [("bf16", "channels-last"), ("fp32", "channels-last")])
def test_half_precision_and_layout_stay_near_exact_training(precision, layout):
    game = Latent(network=Dcgan(width=8, dropout=0.0), loss=NonSaturating(), penalties=(R1(),))
    exact = engine(game, shape=PICTURE)
    other = engine(game, shape=PICTURE, precision=precision, layout=layout)
    expected, found = exact.step(), other.step()
    for name, value in expected.items():
        assert found[name].dtype == torch.float32
        assert float(found[name]) == pytest.approx(float(value), rel=0.1, abs=0.02)


def test_a_discriminator_that_compares_items_never_sees_real_and_generated_ones_together():
    playing = engine(Latent(network=Pyramid(discriminator_width=4, generator_width=4, mapping=8)), shape=PICTURE)
    seen = []
    playing.players["discriminator"].register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    playing.step()
    assert seen == [8, 8, 8]


PROCESSES = """
import os, sys, json, torch
sys.path.insert(0, {here!r})
import torch.distributed as dist
if int(os.environ.get("WORLD_SIZE", "1")) > 1:
    dist.init_process_group("gloo")
from toys import engine
from sparring.games.latent import Latent
from sparring.losses import RelativisticPairing
from sparring.networks.mlp import Mlp
from sparring.penalties import R1, R2
from sparring.training import Training
game = Latent(network=Mlp(width=16), loss=RelativisticPairing(), penalties=(R1(every=1), R2(every=2)))
playing = engine(game, precision="fp64", training=Training(batch=8))
found = []
for _ in range(6):
    terms = playing.step()
    if dist.is_initialized():
        for value in terms.values():
            dist.all_reduce(value)
            value /= dist.get_world_size()
    found.append({{k: float(v) for k, v in terms.items()}})
if not dist.is_initialized() or dist.get_rank() == 0:
    print(json.dumps([found, float(sum(w.abs().sum() for w in playing.players.parameters()))]))
if dist.is_initialized():
    # As the command line leaves: gloo's threads may abort a Python that ends while they hold a tensor.
    dist.barrier()
    dist.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)
"""


@pytest.mark.slow
def test_two_processes_compute_what_one_computes(tmp_path):
    import json

    script = tmp_path / "play.py"
    script.write_text(PROCESSES.format(here=str(Path(__file__).parent)))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]

    def run(command):
        done = subprocess.run([*command, str(script)], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[[")))

    (alone, weights), (together, shared) = run([sys.executable]), run(torchrun)
    for expected, found in zip(alone, together, strict=True):
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-6)
    assert shared == pytest.approx(weights, abs=1e-6)


def test_the_order_of_reading_does_not_depend_on_turns_before():
    playing = engine(data=items((2,), 64))
    twice = engine(data=items((2,), 64))
    playing.position = twice.position = 40
    key = (0, 7, 0)
    first, second = playing._play(key, slice(0, 8)), twice._play(key, slice(0, 8))
    assert torch.equal(first.batch.target, second.batch.target)
    assert np.array_equal(first.noise.normal("latent", 4), second.noise.normal("latent", 4))


def test_a_discrete_latent_is_one_hot_as_long_as_the_continuous_part_and_drawn_by_position():
    game = Latent(network=SMALL, latent=9, codes=5)
    drawn = game.draw(3, range(400))
    codes = drawn[:, 9:]
    assert torch.equal(codes.sum(1), torch.full((400,), 3.0))
    assert set(codes.unique().tolist()) == {0.0, 3.0}
    assert (codes.argmax(1).bincount(minlength=5) > 50).all()
    assert torch.equal(game.draw(3, [17]), drawn[17:18])
    playing = engine(game)
    playing.step()
    with playing.sampling() as players:
        assert sample(game, players, None, drawn).value.shape == (400, 2)


def test_codes_are_as_much_longer_than_the_continuous_latent_as_is_asked_for():
    plain = Latent(network=SMALL, latent=9, codes=5).draw(0, range(20))
    longer = Latent(network=SMALL, latent=9, codes=5, code_weight=4.0).draw(0, range(20))
    assert torch.equal(longer[:, :9], plain[:, :9])
    assert torch.equal(longer[:, 9:], 4 * plain[:, 9:])


def test_truncation_leaves_the_choice_of_a_code_as_it_is():
    game = Latent(network=SMALL, latent=4, codes=3)
    drawn = game.draw(0, range(6))
    near = game.truncated(nn.ModuleDict({"generator": nn.Linear(1, 1)}), drawn, 0.5)
    torch.testing.assert_close(near[:, :4], drawn[:, :4] / 2)
    assert torch.equal(near[:, 4:], drawn[:, 4:])


@pytest.mark.parametrize(("field", "part"), [("penalties", R1()), ("views", Pack()), ("constraints", WeightClipping())])
def test_two_parts_of_one_name_are_refused_because_they_would_share_what_they_remember(field, part):
    with pytest.raises(RequestError, match=rf"{field} names {part.name} twice"):
        Latent(**{field: (part, part)})


def test_pictures_of_which_none_are_held_back_are_augmented_by_a_set_chance():
    view = AdaptiveAugment(unseen=0.4)
    playing = engine(Latent(network=Dcgan(width=4), views=(view,)), shape=PICTURE)
    playing.select = None
    playing.step()
    assert float(playing.players["memory-adaptive-augment"].strength) == pytest.approx(0.4)
    watched = engine(Latent(network=Dcgan(width=4), views=(view,)), shape=PICTURE)
    watched.step()
    assert float(watched.players["memory-adaptive-augment"].strength) < 0.4
