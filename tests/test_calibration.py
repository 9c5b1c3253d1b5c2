"""The audit on a model of which it is known what it did: one that knows its fifty pictures by heart is caught."""

import numpy as np
import pytest

import sparring
from sparring.metrics import Evidence
from sparring.metrics.features.random_conv import RandomConv
from sparring.metrics.membership import Membership
from sparring.metrics.membership_distance import MembershipDistance
from sparring.metrics.memorisation import Memorisation
from sparring.metrics.pixel_memorisation import PixelMemorisation
from sparring.model import Model

AUDIT = ("memorisation", "pixel-memorisation", "membership", "membership-distance")
BY_HEART = (
    "network=mlp", "views=", "training.batch=50", "training.optimiser.rate=0.004",
    "training.precision=fp32", "training.layout=contiguous",
)  # fmt: skip


def pictures(count: int, seed: int) -> np.ndarray:
    """Sixteen tiles, each dark or bright: no two draws are alike in much."""
    tiles = np.random.default_rng(seed).integers(0, 2, (count, 4, 4))
    return (25 + 200 * np.kron(tiles, np.ones((2, 2), int)))[..., None].astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    """A small network that saw fifty pictures three hundred times."""
    return sparring.train(pictures(50, 0), out=tmp_path_factory.mktemp("heart") / "run", steps=400, settings=BY_HEART)


def test_a_model_that_knows_fifty_pictures_by_heart_is_caught_by_every_attack(model, tmp_path):
    np.save(tmp_path / "other.npy", pictures(300, 1))
    found = model.evaluate(against=tmp_path / "other.npy", metrics=AUDIT, features="random-conv", count=200)
    rows = {row.name.partition("[")[0]: row for row in found.rows}
    assert found.refused == {}
    assert rows["pixel-copies"].low > 0.05
    assert rows["pixel-nearness"].low > 0.7
    assert rows["membership-auc"].low > 0.9
    assert rows["membership-tpr-at-1%"].low > 0.3
    assert rows["membership-distance-auc"].low > 0.55
    assert rows["membership-distance-tpr-at-1%"].low > 0.03


def test_held_back_pictures_beside_held_back_ones_give_away_nothing(model):
    """Neither to the same discriminator nor by any distance, in each of several draws but as few as intervals miss."""
    fair = {"auc": 0.5, "nearness": 0.5, "tpr-at-1%": 0.01}
    network = RandomConv().fit(pictures(50, 0), None, 0)
    held: dict[str, list[bool]] = {}
    for draw in range(20):
        items = [pictures(200, 100 + 3 * draw + side) for side in range(3)]
        sides = [Evidence(each, network(each), scores=model.score(each).astype(np.float64)) for each in items]
        for metric in (Memorisation(), PixelMemorisation(), Membership(), MembershipDistance()):
            for name, reading in metric(*sides).items():
                for ending, value in fair.items():
                    if name.endswith(ending):
                        held.setdefault(name, []).append(reading.low <= value <= reading.high)
    assert len(held) == 6
    assert {name: sum(each) for name, each in held.items() if sum(each) < 16} == {}
