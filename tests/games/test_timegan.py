import pytest
import torch

from sparring.errors import RequestError
from sparring.games.timegan import Timegan, _moments
from sparring.plan import Plan
from sparring.planning import phases
from sparring.types import Batch, DataSpec
from tests.toys import engine

GAME = Timegan(steps=6, noise=2, width=8, depth=2)


def playing(steps: int = 12, **fields):
    return engine(GAME.but(**fields), shape=(2, 6), steps=steps)


def moved(before, after) -> set[str]:
    return {name for name in before if any(not torch.equal(before[name][k], after[name][k]) for k in before[name])}


def weights(found) -> dict[str, dict[str, torch.Tensor]]:
    return {name: {k: v.clone() for k, v in player.state_dict().items()} for name, player in found.players.items()}


def test_each_phase_teaches_its_own_players():
    found = playing(steps=8, patience=0.0)
    seen = []
    for _ in range(8):
        before = weights(found)
        terms = found.step()
        seen.append((moved(before, weights(found)), set(terms)))
    assert all(players == {"embedder", "recovery"} for players, _ in seen[:2])
    assert all(players == {"supervisor"} for players, _ in seen[2:4])
    assert all(players == set(found.players) for players, _ in seen[4:])
    assert seen[0][1] == {"autoencoder/recovery"}
    assert seen[2][1] == {"supervisor/supervised"}
    assert {"generator/moments", "discriminator/unsupervised"} <= seen[4][1]


def test_a_step_of_each_phase_is_measured_and_sees_as_many_items():
    game = GAME.but(supervised=0.25, joint=0.5)
    found = phases(game, Plan(steps=8, images_per_step=8))
    assert list(found.values()) == pytest.approx([0.25, 0.25, 0.5])
    played = playing(steps=8, supervised=0.25, joint=0.5)
    images = []
    for _ in range(8):
        played.step()
        images.append(played.images)
    assert images == [8 * done for done in range(1, 9)]


def test_a_discriminator_that_is_ahead_waits():
    found = playing(steps=8, joint=0.0, supervised=0.0, patience=1e9)
    before = weights(found)
    found.step()
    assert moved(before, weights(found)) == {"embedder", "recovery", "supervisor", "generator"}


def test_the_embedder_hears_the_supervisor_but_does_not_teach_it():
    found = playing(joint=0.0, supervised=0.0)
    turn = GAME.but(joint=0.0, supervised=0.0).turns(0)[0]
    found._only_these_learn(turn.learners)
    torch.stack(list(turn.terms(found._play((0, 0, 0), slice(0, 8))).values())).sum().backward()
    assert all(weight.grad is None for weight in found.players["supervisor"].parameters())
    assert all(weight.grad is not None for weight in found.players["embedder"].parameters())


def test_moments_are_equal_for_equal_batches_and_tell_a_shift_and_a_stretch():
    items = torch.randn(50, 6, 2)
    assert float(_moments(items, items)) == 0
    assert float(_moments(items + 1, items)) == pytest.approx(1, abs=1e-5)
    assert float(_moments(2 * (items - items.mean(0)), items - items.mean(0))) == pytest.approx(
        float(items.std(0, correction=0).mean()), rel=1e-3
    )


def test_samples_have_the_shape_of_the_data_and_each_step_is_judged():
    players = GAME.players(DataSpec((2, 6)))
    latents = GAME.draw(0, range(5))
    assert torch.equal(GAME.draw(0, range(2, 4)), latents[2:4])
    made = GAME.sample(players, None, latents).value
    assert made.shape == (5, 2, 6)
    assert GAME.score(players, Batch(made))[0].value.shape == (5, 6)


@pytest.mark.parametrize(
    ("spec", "said"),
    [(DataSpec((2, 7)), "game.steps = 6"), (DataSpec((2,)), "plays series"), (DataSpec((2, 6), 3), "without labels")],
)
def test_what_it_cannot_play_is_refused(spec, said):
    with pytest.raises(RequestError, match=said):
        GAME.players(spec)
    with pytest.raises(RequestError, match="supervised"):
        Timegan(supervised=0.6)
