import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import damages
from benchmarks.damages import MEMORY
from benchmarks.ledger import lines

ROOT = Path(__file__).parent.parent


def test_a_short_campaign_of_kills_and_damages_loses_nothing(tmp_path):
    """Real SIGKILLs at random moments, and damaged inputs; full disks, which need the right to mount, are left out."""
    asked = ["--kills", "3", "--length", "60", "--disks", "0", "--writes", "0", "--inputs", "150", "--cuts", "29"]
    command = [sys.executable, "-m", "benchmarks.crashes", *asked, "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = {line["figure"]: line["value"] for line in lines(tmp_path / "crashes.jsonl")}
    assert found["killed runs that end bit for bit as unkilled ones, share"] == 1
    assert found["SIGKILLs survived"] >= 3
    for what in ("damaged inputs", "inputs cut off at one byte of 29"):
        assert found[f"{what} that end in a traceback"] == 0
        assert found[f"{what}: growth of memory, MiB"] < MEMORY


def test_an_input_that_only_the_machine_kept_waiting_is_no_hang_and_one_that_hangs_is(tmp_path, monkeypatch):
    clock, waits = [0.0], {"once": [60.0], "hangs": [60.0, 60.0, 60.0]}

    def read(folder, name, data):
        clock[0] += waits[name].pop(0) if waits[name] else 0.1

    monkeypatch.setattr(damages, "read", read)
    monkeypatch.setattr(damages.time, "monotonic", lambda: clock[0])
    tried = damages.Tried(tmp_path)
    tried("once", b"x")
    assert tried.longest.wall == pytest.approx(0.1)
    assert tried.again == ["once, 1 bytes: 60.0 s"]
    tried("hangs", b"xy")
    assert (tried.longest.input, tried.longest.wall) == ("hangs, 2 bytes", pytest.approx(60.0))
    assert tried.count == 2
