"""What a game from noise shows its discriminator."""

import torch
from toys import engine

from sparring.games.latent import Latent
from sparring.networks.mlp import Mlp
from sparring.penalties import R1, Mismatch
from sparring.types import DataSpec
from sparring.views import DiffAugment, Pack


def test_mismatch_shows_real_items_beside_the_conditions_of_others():
    playing = engine(Latent(network=Mlp(width=16), penalties=(Mismatch(every=2),)), condition=4)
    seen = []
    playing.players["discriminator"].register_forward_pre_hook(lambda _, given: seen.append(given))
    terms = playing.step()
    (both, conditions), (real, others), _ = seen
    assert torch.equal(real, both[:8])
    assert torch.equal(others, conditions[:8].roll(1, 0))
    assert not torch.equal(others, conditions[:8])
    assert terms["discriminator/mismatch"] > 0
    assert "discriminator/mismatch" not in playing.step()


def test_a_view_that_changes_items_is_a_risk_behind_packs():
    bounded = {"network": Mlp(width=16), "penalties": (R1(),)}
    spec = DataSpec((3, 8, 8))
    assert not Latent(**bounded, views=(DiffAugment(), Pack())).risks(spec)
    (said,) = Latent(**bounded, views=(Pack(), DiffAugment())).risks(spec)
    assert said == "diff-augment changes a pack as if it were one item; put pack last"
