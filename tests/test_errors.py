import pickle

import pytest

from sparring.errors import (
    DataError,
    MissingExtra,
    RequestError,
    RunError,
    SparringError,
    TrainingError,
    choices,
)


@pytest.mark.parametrize(
    ("error", "code"), [(RequestError, 2), (DataError, 1), (RunError, 1), (TrainingError, 1), (SparringError, 1)]
)
def test_an_error_has_an_exit_code_and_one_line(error, code):
    raised = error("a name with\na break")
    assert isinstance(raised, SparringError)
    assert raised.exit_code == code
    assert str(raised) == "a name with a break"
    assert str(pickle.loads(pickle.dumps(raised))) == str(raised)


def test_a_missing_package_is_named_with_the_extra_that_brings_it():
    raised = MissingExtra("soundfile", "audio")
    assert str(raised) == "'soundfile' is not installed; pip install 'sparring[audio]' brings it"
    assert raised.exit_code == 2
    assert isinstance(raised, RequestError)


def test_where_there_is_no_choice_the_message_says_none():
    assert choices("x", "metric", []) == "no metric is called 'x'; there are none"


def test_a_very_long_word_is_cut_short_in_the_message():
    assert choices("x" * 10_000, "metric", ["fid"]) == f"no metric is called '{'x' * 77}...'; there are fid"


def test_of_very_many_choices_the_nearest_are_named_and_the_others_counted():
    said = choices("w41", "class", [f"w{number}" for number in range(200)])
    assert "did you mean 'w41'" in said
    assert said.endswith("and 190 more")
    assert len(said) < 160
