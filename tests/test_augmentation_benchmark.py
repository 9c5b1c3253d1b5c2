import json

import numpy as np
import pandas as pd
import pytest

from benchmarks import augmentation
from benchmarks.augmentation import SETTINGS, paired, table
from sparring.lot import Lot
from tests.lots import rows


@pytest.fixture
def people(tmp_path, monkeypatch):
    """A file in the place of adult."""
    source, path = np.random.default_rng(0), tmp_path / "data" / "adult" / "adult.csv"
    path.parent.mkdir(parents=True)
    income = np.where(source.random(2400) < 0.25, ">50K", "<=50K")
    age = np.where(income == ">50K", source.normal(50, 9, 2400), source.normal(35, 9, 2400)).round(4)
    pd.DataFrame({"age": age, "hours": source.normal(40, 5, 2400).round(4), "income": income}).to_csv(path, index=False)
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path / "data"))
    return path


def test_each_seed_draws_other_rows_and_none_is_in_the_test_side(people):
    (first, test), (second, again) = augmentation.adult(0), augmentation.adult(1)
    assert len(first) == len(second) == 500
    assert set(first.items["age"]) != set(second.items["age"])
    assert test.items.equals(again.items)
    for lot in (first, second):
        assert not lot.items.merge(test.items).shape[0]


def test_the_model_learns_from_the_few_rows_alone(people, tmp_path, monkeypatch, capsys):
    """The whole way on a table: what training reads holds no test row, and every way has its figures."""
    from sklearn.neighbors import KNeighborsClassifier

    import sparring
    from sparring.learners import rows as learners

    read, train = [], sparring.train
    monkeypatch.setattr(learners, "classifiers", lambda seed: [KNeighborsClassifier(3)])
    monkeypatch.setattr(sparring, "train", lambda data, **asked: read.append(data) or train(data, **asked))
    words = ["--data", "adult", "--seeds", "0", "1", "--steps", "5", "--set", "network.width=16", "training.batch=50"]
    words += ["training.precision=fp32", "--scratch", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    assert augmentation.main(words) == 0
    test = augmentation.adult(0)[1].items
    assert len(read) == 2
    assert all(len(frame) == 500 and not frame.merge(test).shape[0] for frame in read)
    measured = [json.loads(line) for line in (tmp_path / "results" / "augmentation.jsonl").read_text().splitlines()]
    assert len(measured) == 2 * 5 * 3
    assert all("(changed settings)" in line["figure"] for line in measured)
    assert "nothing measured yet" in capsys.readouterr().out


def test_the_table_pairs_seeds_and_shows_every_way_whatever_it_says():
    values = {"nothing": [0.5, 0.6, 0.7], "generated": [0.4, 0.52, 0.61], "oversampling": [0.55, 0.66, 0.74]}
    measured = [
        {"figure": f"adult, 500 rows, {name}: {figure}", "value": value, "seed": seed}
        for name, found in values.items()
        for seed, value in enumerate(found)
        for figure in ("accuracy", "F1 of the rarer class", "macro F1")
    ]
    text = table(SETTINGS["adult"], measured)
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("|")}
    assert "-0.0900 (-0.1148 to -0.0652)" in rows["generated"]
    assert "+0.0500" in rows["oversampling"]
    assert rows["nothing"].endswith("| 3 |")


def test_a_paired_interval_is_students():
    from scipy.stats import ttest_rel

    source = np.random.default_rng(0)
    first, second = source.normal(1, 1, 10), source.normal(0, 1, 10)
    known = ttest_rel(first, second).confidence_interval()
    text = paired(dict(enumerate(first)), dict(enumerate(second)))
    assert text.endswith(f"({known.low:+.4f} to {known.high:+.4f})")
    assert "one seed" in paired({0: 1.0}, {0: 0.5})


def test_settings_that_were_chosen_beforehand_add_items():
    for setting in SETTINGS.values():
        lot = rows({"common": 30, "rare": 10}, 0)
        assert isinstance(lot, Lot)
        assert sum(setting.wish.of(lot).values()) > 0
