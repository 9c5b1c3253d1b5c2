import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from sparring import bench
from sparring.baselines.rows import Copula, IndependentColumns
from sparring.data.opening import open_data
from sparring.evaluation import evaluate
from sparring.experiment import gather
from sparring.jury import Jury
from sparring.metrics import Evidence, Specimens
from sparring.metrics.efficacy import Detection, Efficacy, NearestRow, f1, nearest
from sparring.metrics.fidelity import Coverage, Marginals, Pairs, kolmogorov
from sparring.metrics.rows import equal_rows
from sparring.sides import Judged
from sparring.tasks.generation import Generation
from tests.tables import planted


def side(frame: pd.DataFrame) -> Evidence:
    return Evidence(frame, np.zeros((len(frame), 0)))


TRAIN, TEST, HELD = side(planted(900, 0)), side(planted(600, 1)), side(planted(600, 2))
MIXED = side(IndependentColumns()(Specimens(TRAIN.items), Specimens(HELD.items), 0).items)


def numbers(metric, fake):
    assert metric.refusal(TRAIN, TEST, fake) is None
    return {name: reading.value for name, reading in metric(TRAIN, TEST, fake).items()}


def test_kolmogorovs_distance_is_that_of_scipy():
    source = np.random.default_rng(0)
    a, b = source.normal(size=300).round(1), source.normal(0.3, 1.2, size=200).round(1)
    assert kolmogorov(a, b) == pytest.approx(ks_2samp(a, b).statistic)


def test_columns_by_themselves_keep_the_marginals_and_lose_the_pairs():
    assert numbers(Marginals(), MIXED)["marginal-distance"] < 0.06
    assert numbers(Marginals(), HELD)["marginal-distance"] < 0.06
    assert numbers(Pairs(), MIXED)["pair-distance"] > numbers(Pairs(), HELD)["pair-distance"] + 0.02


def test_a_shifted_column_and_nulls_that_are_gone_are_seen():
    shifted = side(HELD.items.assign(height=HELD.items["height"] + 100))
    assert numbers(Marginals(), shifted)["marginal-distance-largest"] == pytest.approx(1.0)
    full = side(HELD.items.assign(note=HELD.items["note"].fillna(0.0)))
    assert numbers(Marginals(), full)["marginal-distance-largest"] > 0.15


def test_a_category_that_is_never_made_is_missed():
    poor = side(HELD.items[HELD.items["mark"] == "usual"])
    assert numbers(Coverage(), HELD)["category-coverage"] > 0.99
    assert numbers(Coverage(), poor)["category-coverage"] == pytest.approx(1 - 0.5 / 7)


def test_what_classifiers_learn_is_as_good_as_on_real_rows_for_real_rows_alone():
    good, poor = numbers(Efficacy(target="group"), HELD), numbers(Efficacy(target="group"), MIXED)
    assert good["efficacy-f1"] > 0.95 * good["efficacy-real-f1"] > 0.9
    assert poor["efficacy-f1"] < 0.5
    assert poor["efficacy-auc"] < 0.75 < good["efficacy-auc"]
    assert "no column 'nothing'" in Efficacy(target="nothing").refusal(TRAIN, TEST, HELD)


def test_one_class_alone_to_learn_from_is_counted_as_it_is():
    only = side(HELD.items.assign(group="south"))
    found = numbers(Efficacy(target="group"), only)
    assert found["efficacy-f1"] == 0.0
    assert found["efficacy-auc"] == 0.5


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    said, true = np.array([1, 1, 1, 0, 0], bool), np.array([1, 0, 0, 1, 1], bool)
    precision, recall = 1 / 3, 1 / 3
    assert f1(said, true) == pytest.approx(2 * precision * recall / (precision + recall))
    assert f1(~true, true) == 0.0


def test_real_rows_are_not_told_from_real_ones_and_mixed_ones_are():
    assert numbers(Detection(), HELD)["detection-auc"] == pytest.approx(0.5, abs=0.1)
    assert numbers(Detection(), MIXED)["detection-auc"] > 0.85


def test_copies_of_training_rows_are_found():
    held, copied = numbers(NearestRow(), HELD), numbers(NearestRow(), TRAIN)
    assert held["nearer-to-training"] == pytest.approx(0.5, abs=0.08)
    assert held["copied-rows"] < 0.01
    assert copied["copied-rows"] == 1.0
    assert copied["nearer-to-training"] > 0.8


def test_a_row_is_copied_where_it_equals_a_training_row_in_every_column():
    known = pd.DataFrame(
        {"id": [1, 2, 3], "x": [0.0, 1e9, np.nan], "word": ["a", None, "rare"], "on": ["2026-01-02"] * 3}
    )
    known = known.astype({"on": "datetime64[ns]"})
    assert equal_rows(known[::-1], known).all()
    assert equal_rows(known.astype({"id": "Int64", "x": "float32"}).replace({"x": {0.0: -0.0}}), known).all()
    others = pd.concat([
        known.assign(id=9), known.assign(x=2e9), known.assign(word="other"), known.assign(on=pd.Timestamp("2026-01-03"))
    ])  # fmt: skip
    assert not equal_rows(others, known).any()
    large = pd.DataFrame({"id": [2**61, 2**61 + 1]})
    assert equal_rows(large[:1], large[1:]).tolist() == [False]


def test_what_was_scaled_alike_or_taken_together_is_no_copy():
    far = TRAIN.items.assign(height=TRAIN.items["height"] * 0 + 1e6)
    known, made = side(far), side(far.assign(height=2e6))
    assert NearestRow()(known, TEST, made)["copied-rows"].value == 0
    assert NearestRow()(known, TEST, known)["copied-rows"].value == 1


def test_copies_of_rows_that_are_not_looked_at_are_found(tmp_path, monkeypatch):
    planted(1500, 5).to_csv(tmp_path / "rows.csv", index=False)
    material = gather(Generation(), open_data(tmp_path / "rows.csv").load())
    monkeypatch.setattr(bench, "MOST", 150)
    learned = material.data.items[material.splits.train]
    judged = Judged(lambda n: Specimens(learned[-n:].reset_index(drop=True)), lambda _: None)
    found = {row.name: row for row in evaluate(judged, material, Jury((NearestRow(),), ())).rows}
    assert found["copied-rows"].value == 1
    assert found["copied-rows"].floor < 0.05


def test_distances_to_the_nearest_row_are_those_of_all_pairs():
    source = np.random.default_rng(0)
    a, b = source.normal(size=(20, 3)), source.normal(size=(30, 3))
    assert np.allclose(nearest(a, b), np.linalg.norm(a[:, None] - b[None], axis=2).min(1))


def test_a_copula_keeps_marginals_and_correlations_and_is_drawn_by_its_seed():
    source = np.random.default_rng(0)
    x = source.normal(size=2000)
    frame = pd.DataFrame(
        {"x": np.exp(x), "y": (-x + source.normal(size=2000) * 0.5).round(2), "z": source.random(2000)}
    )
    train = Specimens(frame)
    made = Copula()(train, train, 3).items
    assert made.corr(method="spearman").to_numpy() == pytest.approx(frame.corr(method="spearman").to_numpy(), abs=0.06)
    assert made["x"].median() == pytest.approx(frame["x"].median(), rel=0.1)
    assert made.equals(Copula()(train, train, 3).items)
    assert not made.equals(Copula()(train, train, 4).items)


@pytest.mark.parametrize("baseline", [IndependentColumns(), Copula()], ids=lambda b: b.name)
def test_baselines_give_the_types_of_the_data(baseline):
    train = Specimens(TRAIN.items)
    made = baseline(train, Specimens(TEST.items), 0).items
    assert made.dtypes.equals(TRAIN.items.dtypes)
    assert len(made) == 600
    assert baseline.refusal(train, train) is None
    assert baseline.refusal(Specimens(TRAIN.items[:1]), train)
