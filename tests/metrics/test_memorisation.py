import numpy as np
import pytest
import torch
from toys import engine, items

from sparring.audit import draw_suspects, suspects
from sparring.games.latent import Latent
from sparring.metrics import Evidence
from sparring.metrics.membership import Membership, leak
from sparring.metrics.membership_distance import MembershipDistance
from sparring.metrics.memorisation import Memorisation
from sparring.metrics.nearest import SIDE, nearest, pixels
from sparring.metrics.pixel_memorisation import PixelMemorisation
from sparring.networks.mlp import Mlp
from sparring.types import Batch, verdict


def pictures(count, seed, side=6):
    """Pictures of a few smooth shapes, so that neighbours mean something."""
    source = np.random.default_rng(seed)
    shapes = np.random.default_rng(99).normal(size=(4, side, side, 1))
    mixed = np.einsum("nk,khwc->nhwc", source.normal(size=(count, 4)), shapes)
    noise = source.normal(size=(count, side, side, 1))
    return np.clip(128 + 30 * mixed + 10 * noise, 0, 255).astype(np.uint8)


def evidence(items, scores=None):
    return Evidence(items, pixels(items).astype(np.float64), scores=scores)


TRAIN, HELD, OTHER = pictures(400, 0), pictures(300, 1), pictures(300, 2)


def test_nearest_neighbours_are_those_of_brute_force():
    items, others = pixels(TRAIN[:50]).astype(np.float64), pixels(HELD).astype(np.float64)
    distances = np.sqrt(np.square(items[:, None] - others[None]).sum(2))
    found = nearest(items, others)
    assert np.allclose(found.distance, distances.min(1), rtol=1e-9)
    assert np.array_equal(found.row, distances.argmin(1))


def test_a_copy_is_at_no_distance_even_far_from_the_origin():
    rows = np.random.default_rng(0).normal(size=(30, 5)) + 1e6
    found = nearest(rows[10:20], rows)
    assert np.array_equal(found.row, np.arange(10, 20))
    assert (found.distance == 0).all()


def test_great_pictures_are_averaged_down_and_points_are_taken_as_they_are():
    great = np.full((2, 3 * SIDE, SIDE, 3), 255, np.uint8)
    assert pixels(great).shape == (2, SIDE * SIDE * 3)
    assert (pixels(great) == 1).all()
    assert np.array_equal(pixels(np.eye(3)), np.eye(3, dtype=np.float32))


@pytest.mark.parametrize("metric", [Memorisation(), PixelMemorisation()], ids=lambda metric: metric.name)
class TestMemorisation:
    def test_held_back_items_are_no_copies_and_as_near_to_either_side(self, metric):
        copies, nearness = metric(evidence(TRAIN), evidence(HELD), evidence(OTHER)).values()
        assert copies.value < 0.02
        assert nearness.low < 0.5 < nearness.high

    def test_a_tenth_of_copies_is_caught(self, metric):
        planted = np.concatenate([OTHER[:270], TRAIN[:30]])
        copies, _ = metric(evidence(TRAIN), evidence(HELD), evidence(planted)).values()
        honest, _ = metric(evidence(TRAIN), evidence(HELD), evidence(OTHER)).values()
        assert copies.low > honest.value
        assert copies.value >= 0.1

    def test_noisy_copies_are_nearer_to_what_was_learned(self, metric):
        noise = np.random.default_rng(3).integers(-6, 7, (200, *TRAIN.shape[1:]))
        noisy = np.clip(TRAIN[:200].astype(int) + noise, 0, 255).astype(np.uint8)
        _, nearness = metric(evidence(TRAIN), evidence(HELD), evidence(noisy)).values()
        assert nearness.low > 0.6


@pytest.mark.parametrize("near", [0, 1])
@pytest.mark.parametrize("held", [HELD, HELD[:80]], ids=["many", "few"])
def test_an_item_that_was_held_back_and_learned_from_hides_no_copies(held, near):
    twice = held.copy()
    twice[7] = TRAIN[7] + np.uint8(near) * (TRAIN[7] < 128)
    noise = np.random.default_rng(3).integers(-2, 3, (200, *TRAIN.shape[1:]))
    noisy = np.clip(TRAIN[:200].astype(int) + noise, 0, 255).astype(np.uint8)
    for metric, name in ((Memorisation(), "copies"), (PixelMemorisation(), "pixel-copies")):
        for made in (TRAIN, noisy):
            assert metric(evidence(TRAIN), evidence(twice), evidence(made))[name].value == 1
        assert metric(evidence(TRAIN), evidence(twice), evidence(OTHER))[name].value < 0.08


def test_equal_items_are_copies_even_where_nothing_else_is_known():
    same = np.repeat(TRAIN[:1], 40, 0)
    assert PixelMemorisation()(evidence(same), evidence(same), evidence(same))["pixel-copies"].value == 1


def test_suspicion_falls_on_the_copies_with_their_originals(tmp_path):
    planted = np.concatenate([OTHER[:100], TRAIN[[7, 9]]])
    pairs = suspects(TRAIN, HELD, planted, 5)
    assert pairs.shape == (5, 3, *TRAIN.shape[1:])
    assert {pair.tobytes() for pair in pairs[:2, 0]} == {picture.tobytes() for picture in TRAIN[[7, 9]]}
    assert np.array_equal(pairs[:2, 0], pairs[:2, 1])
    assert not np.array_equal(pairs[0, 1], pairs[0, 2])
    draw_suspects(pairs, tmp_path / "suspects.png")
    assert (tmp_path / "suspects.png").read_bytes().startswith(b"\x89PNG")
    assert suspects(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((3, 2))) is None


def test_an_honest_side_leaks_nothing_within_the_intervals():
    source = np.random.default_rng(5)
    inside = {"auc": 0, "tpr-at-1%": 0}
    for seed in range(40):
        found = leak(source.normal(size=400), source.normal(size=300), seed)
        inside["auc"] += found["auc"].low <= 0.5 <= found["auc"].high
        inside["tpr-at-1%"] += found["tpr-at-1%"].low <= 0.01 <= found["tpr-at-1%"].high
    assert min(inside.values()) >= 33


def test_what_leaks_is_measured_as_the_gaussians_say():
    source = np.random.default_rng(6)
    found = leak(source.normal(size=20_000) + 1, source.normal(size=20_000), 0)
    assert found["auc"].value == pytest.approx(0.7602, abs=0.01)  # Phi(1 / sqrt 2)
    assert found["tpr-at-1%"].value == pytest.approx(0.0924, abs=0.015)  # Phi(1 - 2.326)
    assert found["tpr-at-1%"].low < 0.0924 < found["tpr-at-1%"].high


def test_equal_scores_tell_nothing():
    found = leak(np.zeros(200), np.zeros(200), 0)
    assert found["auc"].value == 0.5
    assert found["tpr-at-1%"].value == 0


def test_membership_needs_scores_of_real_items_alone():
    scored = evidence(TRAIN, np.arange(400.0)), evidence(HELD, np.arange(300.0) - 200)
    assert Membership().refusal(*scored, evidence(OTHER)) is None
    assert (
        Membership().refusal(evidence(TRAIN), scored[1], scored[0])
        == "no discriminator scored these items: there is none, it judges pairs, or it knows other attributes"
    )
    found = Membership()(*scored, evidence(OTHER))
    assert found["membership-auc"].low > 0.5


def test_samples_that_are_copies_give_away_who_was_learned_from():
    planted = np.concatenate([OTHER[:150], TRAIN[:150]])
    found = MembershipDistance()(evidence(TRAIN), evidence(HELD), evidence(planted))
    assert found["membership-distance-auc"].low > 0.55
    assert found["membership-distance-tpr-at-1%"].low > 0.2
    honest = MembershipDistance()(evidence(TRAIN), evidence(HELD), evidence(OTHER))
    assert honest["membership-distance-auc"].low < 0.5 < honest["membership-distance-auc"].high


def test_a_discriminator_that_knows_fifty_items_by_heart_is_caught():
    data = items((16,), count=66)
    playing = engine(Latent(network=Mlp(width=64)), shape=(16,), data=data, steps=300)
    for _ in range(300):
        playing.step()
    playing.players.eval()

    def scored(some):
        with torch.no_grad():
            scores = verdict(playing.game.score(playing.players, Batch(torch.from_numpy(some)))).numpy()
        return Evidence(some, some.astype(np.float64), scores=scores.astype(np.float64))

    fresh = scored(items((16,), count=300, seed=1))
    found = Membership()(scored(data[16:]), fresh, fresh)
    assert found["membership-auc"].low > 0.7
    assert found["membership-tpr-at-1%"].low > 0.03
    honest = Membership()(scored(items((16,), count=300, seed=2)), fresh, fresh)
    assert honest["membership-auc"].low < 0.5 < honest["membership-auc"].high
