"""What holds of every baseline that makes items freely, and what each draws."""

import numpy as np
import pytest

from sparring.baselines import Baseline
from sparring.baselines.gaussian import Gaussian, principal
from sparring.baselines.independent import IndependentNumbers
from sparring.baselines.training_items import TrainingItems
from sparring.metrics import Specimens

OURS = [part for _, part in sorted(Baseline.parts().items()) if part.__module__.startswith("sparring.")]
TAKES_POINTS = [part for part in OURS if not part.modalities or "points" in part.modalities]
DRAWN = [part() for part in TAKES_POINTS if part is not TrainingItems and not part.paired]


def points(count: int, seed: int) -> Specimens:
    """Two classes of points in the plane, whose coordinates hang together within each."""
    source = np.random.default_rng(seed)
    labels = np.array(["left", "right"])[source.integers(0, 2, count)]
    line = source.normal(size=count)
    found = np.stack([line + np.where(labels == "left", -10, 10), line + 0.1 * source.normal(size=count)], 1)
    return Specimens(found.astype(np.float32), {"side": labels})


@pytest.mark.parametrize("baseline", DRAWN, ids=lambda baseline: baseline.name)
class TestEveryDrawnBaseline:
    def test_it_makes_what_was_asked_for_in_the_form_of_the_data(self, baseline):
        train, judged = points(400, 0), points(150, 1)
        made = baseline(train, judged, 3)
        assert baseline.refusal(train, judged) is None
        assert (made.items.shape, made.items.dtype) == ((150, 2), np.float32)
        assert np.array_equal(made.columns["side"], judged.columns["side"])
        for word, centre in (("left", -10), ("right", 10)):
            assert made.items[made.columns["side"] == word, 0].mean() == pytest.approx(centre, abs=0.5)

    def test_the_same_seed_draws_the_same_and_another_does_not(self, baseline):
        train, judged = points(400, 0), points(150, 1)
        assert np.array_equal(baseline(train, judged, 3).items, baseline(train, judged, 3).items)
        assert not np.array_equal(baseline(train, judged, 3).items, baseline(train, judged, 4).items)

    def test_pictures_stay_pictures(self, baseline):
        items = np.random.default_rng(0).integers(0, 256, (60, 5, 4, 3), dtype=np.uint8)
        made = baseline(Specimens(items), Specimens(items[:7]), 0).items
        assert (made.shape, made.dtype) == ((7, 5, 4, 3), np.uint8)

    def test_nothing_to_learn_from_is_refused(self, baseline):
        assert baseline.refusal(points(0, 0), points(5, 0))


def correlation(made: Specimens) -> float:
    rows = made.items[made.columns["side"] == "left"]
    return float(np.corrcoef(rows.T)[0, 1])


def test_only_the_gaussian_keeps_how_numbers_hang_together():
    train, judged = points(2000, 0), points(2000, 1)
    assert correlation(Gaussian()(train, judged, 0)) > 0.98
    assert abs(correlation(IndependentNumbers()(train, judged, 0))) < 0.1


@pytest.mark.parametrize("shape", [(30, 4), (4, 30)])
def test_principal_components_rebuild_the_covariance(shape):
    rows = np.random.default_rng(0).normal(size=shape) @ np.diag(np.arange(1.0, shape[1] + 1))
    centred = rows - rows.mean(0)
    spreads, directions = principal(centred, 1000)
    assert np.allclose(directions @ directions.T, np.eye(len(directions)))
    assert np.allclose(directions.T @ np.diag(spreads**2) @ directions, np.cov(rows.T))
    assert principal(centred, 2)[0] == pytest.approx(spreads[:2])


def test_a_class_without_items_of_its_own_is_drawn_from_all():
    train, judged = points(400, 0), Specimens(np.zeros((300, 2)), {"side": np.repeat("middle", 300)})
    assert np.abs(Gaussian()(train, judged, 0).items[:, 0].mean()) < 2


def test_training_items_are_handed_out_as_they_are():
    train = points(20, 0)
    assert TrainingItems()(train, points(5, 1), 0) is train
