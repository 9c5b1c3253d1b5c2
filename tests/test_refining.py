import numpy as np
import pandas as pd
import pytest

import sparring
from sparring.cli import main
from sparring.errors import RequestError
from sparring.metrics import Evidence
from sparring.metrics.efficacy import Detection
from sparring.privacy import Privacy
from sparring.refining import Refiner, drawn, refuse_unrefined
from tests.tables import planted


def test_candidates_are_drawn_by_their_odds():
    chances = np.array([0.1, 0.6, 0.3])
    log_odds = np.repeat(np.log(chances)[:, None], 100_000, 1)
    taken = drawn(log_odds, np.random.default_rng(0).random(log_odds.shape))
    np.testing.assert_allclose(np.bincount(taken) / 100_000, chances, atol=0.006)  # four standard errors


def frame(middle, rows, seed):
    return pd.DataFrame({"x": np.random.default_rng(seed).normal(middle, 1, rows)})


def test_rows_that_are_taken_are_distributed_as_the_data():
    refiner = Refiner.of(frame(0, 4000, 0), frame(1, 4000, 1))
    candidates = [frame(1, 4000, 10 + k) for k in range(16)]
    taken = refiner.chosen(candidates, 0, range(4000))
    assert abs(candidates[0]["x"].mean()) > 0.9
    assert abs(taken["x"].mean()) < 0.1
    assert abs(taken["x"].std() - 1) < 0.1
    # What stands in a row is one of its own candidates.
    rows = np.stack([rows["x"] for rows in candidates])
    assert (rows == taken["x"].to_numpy()).any(0).all()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    settings = ("training.batch=200", "training.precision=fp32", "network.width=32", "optimiser.rate=2e-3")
    return sparring.train(planted(), out=tmp_path_factory.mktemp("runs") / "rows", steps=80, settings=settings)


def told(made):
    """How well other rows of the data are told from these."""
    other = planted(seed=1)
    sides = [Evidence(rows, np.zeros((len(rows), 0))) for rows in (planted(), other, made)]
    return Detection()(*sides)["detection-auc"].value


def test_refined_rows_are_harder_to_tell_from_real_ones(model):
    plain, refined = model.sample(3000), model.sample(3000, refine=8)
    assert list(refined.columns) == list(plain.columns)
    assert (refined.dtypes == plain.dtypes).all()
    assert told(refined) < told(plain) - 0.05


def test_a_refined_row_depends_on_seed_and_number_alone(model):
    many = model.sample(60, seed=3, refine=4)
    pd.testing.assert_frame_equal(model.sample(20, seed=3, refine=4), many[:20])
    assert not many.equals(model.sample(60, seed=4, refine=4))


def test_requests_hold_in_refined_rows(model):
    made = model.sample(50, condition={"group": "north"}, refine=3)
    assert set(made["group"]) == {"north"}


def test_the_command_refines_and_says_what_it_cannot(model, tmp_path, capsys):
    assert main(["sample", str(model.run.folder), "-n", "9", "--refine", "2", "-o", str(tmp_path / "a.csv")]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv"), model.sample(9, refine=2), check_dtype=False)
    assert main(["sample", str(model.run.folder), "--refine", "0", "-o", str(tmp_path / "b.csv")]) == 2
    assert "refine = 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((65, True, None), "1 to 64"),
        ((2, False, None), "only rows of tables"),
        ((2, True, Privacy(epsilon=3.0, delta=1e-5)), "beyond their account"),
    ],
    ids=["many", "pictures", "private"],
)
def test_what_cannot_be_refined_is_refused(asked, said):
    refine, rows, privacy = asked
    with pytest.raises(RequestError, match=said):
        refuse_unrefined(refine, rows=rows, privacy=privacy)
    refuse_unrefined(1, rows=False, privacy=None)
