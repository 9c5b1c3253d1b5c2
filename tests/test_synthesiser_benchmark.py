"""What the rival of tables is given and what is made of its rows; its training needs its own environment."""

import subprocess

import pandas as pd
import pytest

from benchmarks import synthesiser


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "word": ["a", None, "b", "a"] * 5,
            "few": [1, 2, 3, 1] * 5,
            "many": range(20),
            "real": [0.5, 1.5, 2.5, 0.5] * 5,
        }
    )


def test_choices_are_words_and_few_whole_numbers(frame):
    assert synthesiser.discrete(frame) == ["word", "few"]


def test_what_is_missing_is_a_word_for_the_rival_and_missing_again_when_judged(frame, tmp_path):
    given = synthesiser.filled(frame, synthesiser.discrete(frame))
    assert not given.isna().any().any()
    given.to_csv(tmp_path / "made.csv", index=False)
    back = pd.read_csv(tmp_path / "made.csv")[["real", "many", "few", "word"]]
    pd.testing.assert_frame_equal(synthesiser.as_read(back, frame), frame)


def test_an_environment_that_cannot_be_made_ends_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(synthesiser.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1))
    with pytest.raises(SystemExit, match="the rival cannot be measured here"):
        synthesiser.environment(tmp_path / "there")
