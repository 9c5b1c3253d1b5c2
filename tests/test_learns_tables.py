"""That a table is learned: a planted one, whose shares, dependences, nulls and rules are known."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import sparring
from sparring import cli
from sparring.errors import RequestError
from sparring.estimators import TableGAN
from sparring.networks.tabular import Tabular
from sparring.randomness import Noise
from sparring.types import DataSpec, Span
from sparring.views import Pack, Sight
from tests.tables import planted

EPOCHS = 40
SMALL = (
    "network.width=64", "network.depth=1", "training.batch=200", "training.precision=fp32",
    "optimiser.rate=2e-3", "optimiser.rate_final=1e-4", "training.average=0.05",
)  # fmt: skip


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return planted(3000)


@pytest.fixture(scope="module")
def learned(real, tmp_path_factory) -> TableGAN:
    out, threads = tmp_path_factory.mktemp("table") / "run", torch.get_num_threads()
    torch.set_num_threads(1)  # networks so small wait for their threads longer than they compute
    try:
        return TableGAN(epochs=EPOCHS, out=out, settings=SMALL).fit(real, rules=("start <= end",))
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(learned) -> pd.DataFrame:
    return learned.sample(3000)


def test_what_is_made_has_the_columns_and_types_of_the_data(real, made):
    assert made.dtypes.equals(real.dtypes)
    assert made["height"].between(real["height"].min(), real["height"].max()).all()


def test_refined_rows_are_asked_for_in_the_same_way(learned):
    pd.testing.assert_frame_equal(learned.sample(20, refine=3), learned.model_.sample(20, refine=3))
    assert not learned.sample(20, refine=3).equals(learned.sample(20))


def test_shares_and_dependences_are_learned(made):
    north = made["group"] == "north"
    assert north.mean() == pytest.approx(0.3, abs=0.06)
    assert made["height"][north].mean() == pytest.approx(180, abs=4.5)
    assert made["height"][~north].mean() == pytest.approx(160, abs=4.5)
    assert (made["warm"] == ~north).mean() > 0.8


def test_nulls_are_learned_where_they_belong(made):
    north, lost = made["group"] == "north", made["note"].isna()
    assert lost[north].mean() == pytest.approx(0.4, abs=0.12)
    assert lost[~north].mean() == pytest.approx(0.05, abs=0.05)


def test_a_category_of_one_in_a_hundred_is_made_as_often(made):
    assert 0.003 < (made["mark"] == "rare").mean() < 0.03


def test_a_rule_holds_in_every_row(made):
    assert (made["start"] <= made["end"]).all()


def test_what_is_asked_for_is_made_in_every_row_and_its_company_follows(learned):
    asked = learned.sample(600, condition={"group": "north", "start": (10, 20)})
    assert (asked["group"] == "north").all()
    assert asked["start"].between(10, 20).all()
    assert asked["height"].mean() == pytest.approx(180, abs=3)
    assert (learned.sample(300, condition={"mark": "rare"})["mark"] == "rare").all()
    tall = learned.sample(600, condition={"height": "175..185"})
    assert tall["height"].between(175, 185).all()
    assert (tall["group"] == "north").mean() > 0.9


def test_row_i_does_not_depend_on_how_many_are_asked_for(learned, made):
    pd.testing.assert_frame_equal(learned.sample(40), made.head(40))
    assert not learned.sample(40, seed=1).equals(made.head(40))


def test_it_is_saved_and_loaded(learned, made, tmp_path):
    again = TableGAN.load(learned.save(tmp_path / "kept"))
    pd.testing.assert_frame_equal(again.sample(40), made.head(40))


def test_the_discriminator_judges_rows(learned, real):
    scores = sparring.load(learned.out).score(real.head(50))
    assert scores.shape == (50,)
    assert np.isfinite(scores).all()


def test_what_was_not_learned_cannot_be_asked_for(learned):
    with pytest.raises(RequestError, match="'colour'"):
        learned.sample(3, condition={"colour": "red"})
    with pytest.raises(RequestError, match="call fit first"):
        TableGAN().sample(3)


def test_the_command_line_trains_samples_and_judges_a_table(tmp_path, capsys):
    path, run, out = tmp_path / "people.csv", tmp_path / "run", tmp_path / "more.parquet"
    planted(400).to_csv(path, index=False)
    settings = [word for setting in SMALL for word in ("--set", setting)]
    assert cli.main(["train", str(path), "--out", str(run), "--steps", "4", *settings]) == 0
    assert "marginal-distance" in capsys.readouterr().out
    asked = ["--condition", "group=north", "height=170..180"]
    assert cli.main(["sample", str(run), "-n", "30", "-o", str(out), *asked]) == 0
    made = pd.read_parquet(out)
    assert (made["group"] == "north").all()
    assert made["height"].between(170, 180).all()
    assert list(made) == list(planted(3))
    capsys.readouterr()
    assert cli.main(["evaluate", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in found["metrics"]}
    assert {"pair-distance", "efficacy-f1", "efficacy-real-f1", "detection-auc", "nearer-to-training"} <= set(rows)
    assert set(rows["pair-distance"]["baselines"]) >= {"independent-columns", "copula"}
    assert not {"marginals", "pairs", "efficacy", "detection", "nearest-row", "frechet"} & set(found["refused"])
    assert cli.main(["sample", str(run), "-n", "3", "--condition", "colour=red"]) == 2
    assert "colour" in capsys.readouterr().err


def test_a_run_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(tmp_path):
    frame, plain = planted(300), ("network.width=16", "training.batch=20", "training.precision=fp32")
    whole = sparring.train(frame, out=tmp_path / "whole", steps=6, settings=plain)
    sparring.train(frame, out=tmp_path / "parts", steps=3, settings=plain)
    with pytest.raises(RequestError, match="was begun with"):
        sparring.train(frame, out=tmp_path / "parts", steps=6, settings=("network.width=8",), resume=True)
    parts = sparring.train(frame, out=tmp_path / "parts", steps=6, settings=plain, resume=True)
    assert parts.run.records("log")[-1]["step"] == whole.run.records("log")[-1]["step"] == 6
    assert len(parts.sample(20)) == 20


def test_a_pack_sees_that_rows_of_a_batch_are_all_alike():
    """Each row alone is a real one; that they are the same row shows in packs alone (Lin et al. 2018)."""
    torch.manual_seed(0)
    spec = DataSpec((4,), 0, spans=(Span("softmax", 4),))
    noise = Noise((0,), slice(0, 256), 256)
    for count, told in ((4, True), (1, False)):
        view = Pack(count=count)
        judge = Tabular(width=32, dropout=0.0).discriminator(view.spec(spec))
        optimiser = torch.optim.Adam(judge.parameters(), 5e-3)
        for _ in range(60):
            real = torch.eye(4)[torch.randint(4, (256,))]
            alike = torch.eye(4)[torch.randint(4, (64,))].repeat_interleave(4, 0)
            scores = [judge(*view(rows, None, Sight(noise, "real", 0.0)))[0].value for rows in (real, alike)]
            loss = torch.nn.functional.softplus(-scores[0]).mean() + torch.nn.functional.softplus(scores[1]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        right = ((scores[0] > 0).float().mean() + (scores[1] < 0).float().mean()) / 2
        assert (right > 0.9) == told


@pytest.mark.parametrize("data", [[[1, 2], [3, 4]], {"a": [1, 2]}, np.zeros(5), np.zeros((2, 3, 4)), None, 3])
def test_data_of_another_form_are_one_error(data):
    with pytest.raises(RequestError, match=r"a frame, an array \(n, d\) or a path is wanted, not "):
        TableGAN(epochs=1).fit(data)
