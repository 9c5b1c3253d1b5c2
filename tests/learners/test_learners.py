"""What holds of every learner."""

import numpy as np
import pytest
import torch

from sparring.learners import Learner, learner_of
from sparring.learners.pictures import PicturesLearner
from sparring.learners.rows import RowsLearner
from tests.lots import pictures, rows

COUNTS = {"common": 40, "rare": 30}
CASES = [
    pytest.param(RowsLearner(), rows, id="rows"),
    pytest.param(PicturesLearner(updates=60), pictures, id="pictures"),
]


def test_every_learner_is_the_one_for_its_items_and_is_tested_here():
    ours = {name for name, part in Learner.parts().items() if part.__module__.startswith("sparring.")}
    assert ours == {RowsLearner.name, PicturesLearner.name}
    assert len(CASES) == len(ours)
    assert isinstance(learner_of("table"), RowsLearner)
    assert isinstance(learner_of("image"), PicturesLearner)
    assert learner_of("points") is None


@pytest.mark.parametrize(("learner", "lots"), CASES)
def test_it_learns_what_there_is_to_learn(learner, lots):
    learned = learner.fit(lots(COUNTS, 0), 0)
    held = lots({"common": 60, "rare": 60}, 1)
    probabilities = learned.probabilities(held.items)
    assert probabilities.shape[1:] == (120, 2)
    assert learned.classes.tolist() == ["common", "rare"]
    assert np.allclose(probabilities.sum(2), 1)
    said = learned.classes[probabilities.mean(0).argmax(1)]
    assert (said == held.labels).mean() > 0.75


@pytest.mark.parametrize(("learner", "lots"), CASES)
def test_the_same_seed_learns_the_same(learner, lots):
    lot, held = lots(COUNTS, 0), lots({"common": 9, "rare": 9}, 1).items
    first, again, other = (learner.fit(lot, seed).probabilities(held) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_rows_are_scaled_by_those_that_were_learned_and_the_label_is_not_looked_at():
    lot = rows(COUNTS, 0)
    learned = RowsLearner().fit(lot, 0)
    one = lot.items.iloc[:1]
    assert np.allclose(learned.probabilities(one), learned.probabilities(lot.items)[:, :1])
    assert np.allclose(learned.probabilities(one), learned.probabilities(one.assign(kind="rare")))


def test_more_pictures_by_augmentation_mean_no_more_updates(monkeypatch):
    steps = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self, *a, **k: steps.append(1) or step(self, *a, **k))
    learner = PicturesLearner(updates=3, passes=2, batch=10)
    learner.fit(pictures(COUNTS, 0), 0)
    alone = len(steps)
    learner.fit(pictures({"common": 400, "rare": 300}, 0), 0, real=70)
    assert alone == 14
    assert len(steps) == 2 * alone
