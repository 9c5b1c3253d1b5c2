import pytest
import torch
from toys import engine

from sparring.clusters import PATIENCE, Clusters
from sparring.errors import RequestError
from sparring.games.latent import CLUSTERS, Latent
from sparring.networks.mlp import Mlp
from sparring.penalties import Mismatch
from sparring.training import sample
from sparring.types import Batch, DataSpec

BLOBS = torch.tensor([[-4.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
SHARES = torch.tensor([0.6, 0.3, 0.1])


def drawn_blobs(count, seed):
    """Items of three blobs far from each other, and the blob of each."""
    draws = torch.Generator().manual_seed(seed)
    blob = torch.multinomial(SHARES, count, True, generator=draws)
    return BLOBS[blob] + 0.3 * torch.randn(count, 2, generator=draws), blob


def learned(count=8, steps=40):
    clusters = Clusters(count, (2,))
    for step in range(steps):
        clusters.learn(drawn_blobs(64, step)[0])
    return clusters


def test_no_cluster_holds_items_of_two_blobs_and_each_is_drawn_as_often_as_it_is_there():
    clusters = learned()
    items, blob = drawn_blobs(2000, 99)
    fallen = clusters(items).argmax(1)
    of = {int(cluster): set(blob[fallen == cluster].tolist()) for cluster in fallen.unique()}
    assert all(len(blobs) == 1 for blobs in of.values())
    assert set().union(*of.values()) == {0, 1, 2}
    drawn = clusters.drawn(torch.rand(20_000, generator=torch.Generator().manual_seed(0))).argmax(1)
    there = torch.stack([next(iter(of[int(c)])) == torch.arange(3) for c in drawn.tolist()]).float().mean(0)
    torch.testing.assert_close(there, SHARES, atol=0.02, rtol=0)


def test_a_centre_is_the_mean_of_its_items_and_stays_when_it_is_learned():
    clusters = learned(steps=40)
    assert float(clusters.seen) >= PATIENCE * 8
    before = clusters.centres.clone()
    clusters.learn(drawn_blobs(64, 1000)[0] + 50)
    assert torch.equal(clusters.centres, before)
    items, _ = drawn_blobs(4000, 77)
    fallen = clusters(items)
    means = (fallen.T @ items) / fallen.sum(0).unsqueeze(1)
    torch.testing.assert_close(clusters.centres, means, atol=0.15, rtol=0)


def test_a_first_batch_that_is_smaller_than_the_number_of_clusters_leaves_the_others_empty():
    clusters = Clusters(100, (2,))
    items, _ = drawn_blobs(64, 0)
    assert torch.equal(clusters.learn(items).argmax(1), torch.arange(64))
    assert (clusters.drawn(torch.rand(500)).argmax(1) < 64).all()
    clusters.learn(items)
    assert (clusters.weights > 0).all()


def test_clusters_are_shown_to_both_players_and_drawn_with_the_latent():
    game = Latent(network=Mlp(width=16), penalties=(Mismatch(every=1),), latent=5, clusters=4)
    playing = engine(game)
    seen = {name: [] for name in ("generator", "discriminator")}
    for name, given in seen.items():
        playing.players[name].register_forward_pre_hook(lambda _, args, given=given: given.append(args))
    assert playing.step()["discriminator/mismatch"] > 0
    assert all(latent.shape == (8, 5) and shown.shape == (8, 4) for latent, shown in seen["generator"])
    assert all((shown.sum(1) == 1).all() for _, shown in seen["discriminator"])
    drawn = game.draw(0, range(50))
    assert drawn.shape == (50, 6)
    torch.testing.assert_close(
        game.truncated(playing.players, drawn, 0.5)[:, 5], drawn[:, 5], msg="truncation moves the choice of a cluster"
    )
    with playing.sampling() as players:
        one = sample(game, players, None, drawn).value
        again = sample(game, players, None, drawn[7:9]).value
        other = sample(game, players, None, torch.cat([drawn[:, :5], 1 - drawn[:, 5:]], 1)).value
    assert torch.equal(again, one[7:9])
    assert not torch.equal(other, one)


def test_an_item_is_scored_beside_its_own_cluster():
    game = Latent(network=Mlp(width=16), clusters=3)
    playing = engine(game)
    playing.step()
    players, items = playing.players.eval(), torch.randn(9, 2)
    found = game.score(players, Batch(items))[0].value
    expected = players["discriminator"](items, players[CLUSTERS](items))[0].value
    assert torch.equal(found, expected)


def test_clusters_are_refused_where_there_are_labels():
    with pytest.raises(RequestError, match=r"game\.clusters = 3: these data have labels; --unconditional"):
        Latent(network=Mlp(width=16), clusters=3).players(DataSpec((2,), 4))
