import os
from math import inf
from typing import Any

import numpy as np
import pytest

from benchmarks import private, runs
from benchmarks.tables import SETS
from sparring.data.tables import Tables


def test_intervals_are_those_of_clopper_and_pearson():
    assert private.interval(0, 10) == (0.0, pytest.approx(0.3085, abs=1e-4))
    assert private.interval(10, 10) == (pytest.approx(0.6915, abs=1e-4), 1.0)


def test_an_attack_that_knows_breaks_a_promise_and_one_that_guesses_does_not():
    source = np.random.default_rng(0)
    knows = private.attack(source.normal(5, 1, 200), source.normal(0, 1, 200))
    assert knows.true > 0.9
    assert knows.beyond(1.0, 1e-5) > 0
    assert knows.beyond(inf, 1e-5) == 0
    lower = private.attack(source.normal(-5, 1, 200), source.normal(0, 1, 200))
    assert lower.beyond(1.0, 1e-5) > 0, "a verdict that falls tells as much as one that rises"
    guesses = private.attack(source.normal(0, 1, 200), source.normal(0, 1, 200))
    assert guesses.beyond(1.0, 1e-5) < 0


def test_the_canary_is_one_row_more():
    with_row, without = private.planted(0, True), private.planted(0, False)
    assert len(with_row) == len(without) + 1 == private.ROWS
    assert with_row.head(len(without)).equals(without)


def test_seconds_of_trainings_with_canaries_end_in_figures_that_keep_the_promise(tmp_path, capsys):
    words = "--seeds none --canaries 2 --canary-steps 2 --epsilons 1 inf --set training.precision=fp32 --results"
    assert private.main([*words.split(), str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert "canary, epsilon 1 (changed settings): beyond the promise" in table or "canary, epsilon 1: beyond" in table
    assert len((tmp_path / "private.jsonl").read_text().splitlines()) == 6


@pytest.mark.skipif("SPARRING_DATA" not in os.environ, reason="SPARRING_DATA does not say where adult is")
def test_the_domains_of_adult_name_what_its_file_holds():
    items: Any = Tables(path=runs.data_path(*SETS["adult"].parts)).load().items
    frame = items.frame
    said = dict(setting.removeprefix("training.privacy.domains.").split("=", 1) for setting in private.domains())
    assert set(said) == set(frame.columns)
    for name, known in said.items():
        if ".." in known:
            low, high = map(float, known.split(".."))
            assert low <= frame[name].min() <= frame[name].max() <= high
        else:
            assert set(frame[name].unique()) == set(known.split("|"))
