"""Whether the measurement finds what is planted: help, harm, and neither."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from sparring.augmentations import Means
from sparring.augmentations.generated import Generated
from sparring.augmentations.oversampling import Oversampling
from sparring.benefit import NOTHING, OURS, Benefit, Course, Judge, measure
from tests.lots import Line, Oracle, Repeater, rows

FEW, HELD = {"common": 200, "rare": 4}, {"common": 400, "rare": 200}


def found(maker, counts=FEW, wanted=None, seeds=4) -> Benefit:
    real, held = rows(counts, 1), rows(HELD, 2)
    wanted = wanted or {"rare": 196}
    ways = {OURS: (Generated(), wanted), "oversampling": (Oversampling(), wanted)}
    return measure(real, held, ways, Means(Line(), maker), Course(seeds, 0))


def test_items_of_the_true_distribution_are_said_to_help_and_more_than_repetition():
    benefit = found(Oracle())
    assert benefit.outcome == "helps"
    assert benefit.verdict().startswith("generated items help: F1 of 'rare' changes by +")
    assert "more than the best other way, oversampling" in benefit.verdict()
    assert [way.name for way in benefit.ways] == [NOTHING, OURS, "oversampling"]


def test_items_of_the_wrong_class_are_said_to_harm():
    benefit = found(Oracle(lies=1.0), {"common": 60, "rare": 40}, {"rare": 60})
    assert benefit.outcome == "harms"
    assert "do not use them" in benefit.verdict()


def test_items_that_only_repeat_are_said_not_to_help():
    benefit = found(Repeater(), {"common": 300, "rare": 200}, {"common": 30, "rare": 20})
    assert benefit.outcome == "no difference"
    assert benefit.verdict().startswith("generated items do not measurably help")
    ours = benefit.ways[1].gain
    assert ours is not None
    assert ours.low is not None
    assert ours.low <= 0 <= (ours.high or 0)


def test_classes_of_equal_counts_are_judged_by_macro_f1():
    assert found(Oracle(), {"common": 30, "rare": 30}, {"common": 9, "rare": 9}, 1).primary == "macro F1"


@pytest.mark.parametrize("wanted", [[1], [0, 1, 2]])
def test_the_figure_is_that_of_scikit_learn(wanted):
    source = np.random.default_rng(0)
    truth, said = source.integers(0, 3, 80), source.integers(0, 3, (2, 3, 80))
    figures = Judge(truth, np.array(wanted), 0).figures(said)[0]
    for seed in range(2):
        for classifier in range(3):
            right = f1_score(truth, said[seed, classifier], labels=wanted, average="macro")
            assert figures[seed, classifier] == pytest.approx(right)


def test_the_interval_of_a_paired_difference_holds_the_truth_as_often_as_it_says():
    """Two classifiers right on 70 and 75 % of items: the interval holds .05 in about 57 of 60 draws or more."""
    held = 0
    for seed in range(60):
        source = np.random.default_rng(seed)
        truth = np.tile([0, 1], 300)
        said = [np.where(source.random((3, 1, 600)) < share, truth, 1 - truth) for share in (0.75, 0.7)]
        reading = Judge(truth, np.array([0, 1]), seed).difference(*said)
        assert reading.low is not None
        assert reading.high is not None
        held += reading.low <= 0.05 <= reading.high
    assert 52 <= held <= 60


def test_a_table_for_people_and_plain_values():
    benefit = found(Oracle(), seeds=2)
    lines = benefit.lines()
    assert len(lines) == 6
    assert lines[-2] == benefit.verdict()
    assert "held back 600" in lines[-1]
    told = benefit.to_json()
    assert told["outcome"] == benefit.outcome
    assert [way["name"] for way in told["ways"]] == [NOTHING, OURS, "oversampling"]
