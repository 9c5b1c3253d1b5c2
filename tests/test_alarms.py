"""Detectors on recipes as users get them; ten seeds of each are played by ``benchmarks.alarms``."""

import pytest

from benchmarks.alarms import BOUNDS, CASES, FAILURES, delay, engine, watched
from sparring.watch import EVERY


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_healthy_run_of_a_recipe_raises_no_alarm(tmp_path, case):
    found, history = watched(engine(case.proposed(0, tmp_path)), 60, every=3)
    assert found == {}
    assert len(history) == 20


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_that_is_planted_into_the_default_recipe_is_seen_within_its_delay(tmp_path, name):
    late = delay(CASES[0], name, FAILURES[name], tmp_path, every=4)
    assert late <= BOUNDS[name]


@pytest.mark.parametrize(("name", "every"), [("collapsed", 2), ("won", 6)])
def test_a_table_whose_rows_are_all_alike_or_noise_is_seen(tmp_path, name, every):
    assert delay(CASES[-1], name, FAILURES[name], tmp_path, every=every) <= BOUNDS[name]


def test_a_failure_is_planted_for_every_detector_but_the_slow_one():
    assert {detector.name for detector in EVERY} == {*FAILURES, "overfits"} == {*BOUNDS, "overfits"}
