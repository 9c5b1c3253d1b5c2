"""What a game from noise shows its discriminator."""

import torch
from toys import engine

from sparring.games.latent import Latent
from sparring.networks.mlp import Mlp
from sparring.penalties import Mismatch


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
