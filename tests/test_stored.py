import json
from pathlib import Path

import pytest

from sparring import stored
from sparring.data import Fault
from sparring.errors import RunError
from sparring.run import Run
from sparring.stored import LARGEST_JSON, listed, read_json


def test_skipped_files_are_listed_as_they_are_where_they_are_few():
    faults = (Fault("a.png", "empty"), Fault("b.png", "truncated"))
    assert listed(faults) == [["a.png", "empty"], ["b.png", "truncated"]]


def test_of_very_many_skipped_files_as_many_are_listed_as_can_be_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "LARGEST_JSON", 40_000)
    faults = [Fault(f"{'ü' * 30}{number}.png", "empty") for number in range(5000)]
    kept = listed(faults)
    assert kept[:-1] == [list(fault) for fault in faults[: len(kept) - 1]]
    assert kept[-1] == ["…", f"{5000 - len(kept) + 1:,} more files were skipped"]
    Run(tmp_path).write(tmp_path / "x.json", {"skipped": kept})
    assert 5000 < (tmp_path / "x.json").stat().st_size < 11_000
    assert read_json(tmp_path / "x.json") == {"skipped": kept}


def test_what_could_not_be_read_back_is_not_written(tmp_path):
    with pytest.raises(RunError, match=r"x\.json would have \d+ bytes, more than the 16777216 that are read back"):
        Run(tmp_path).write(tmp_path / "x.json", {"a": "x" * LARGEST_JSON})
    assert not (tmp_path / "x.json").exists()


def test_what_is_no_regular_file_or_too_long_is_not_read(tmp_path):
    with pytest.raises(ValueError, match="no regular file"):
        read_json(Path("/dev/zero"))
    (tmp_path / "x.json").write_text(json.dumps("x" * LARGEST_JSON))
    with pytest.raises(ValueError, match="more than the 16777216"):
        read_json(tmp_path / "x.json")
