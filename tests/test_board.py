import errno
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import sparring
from sparring import board
from sparring.board import Board
from sparring.session import Record

FIXED = ("training.precision=fp32", "training.layout=contiguous", "training.batch=16", "network.hidden=8")


def read(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder))
    found.Reload()
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_losses_numbers_and_grids_are_written_for_the_command_line_and_the_function(tmp_path):
    run = tmp_path / "run"
    options = {"recipe": "dense", "settings": (*FIXED, "training.measure=16", "training.watch_every=5"), "out": run}
    sparring.train("digits", steps=20, **options)
    written = read(run / "tensorboard")
    tags = written.Tags()
    assert {"losses/generator/generator", "metrics/kid[random-conv]", "speed/images per second"} <= set(tags["scalars"])
    assert {"scores/real", "scores/fake", "scores/held back", "signs/diversity"} <= set(tags["scalars"])
    assert tags["images"] == ["samples"]
    assert [event.step for event in written.Scalars("losses/generator/generator")] == list(range(1, 21))
    logged = {r["step"]: r["terms"]["generator/generator"] for r in sparring.load(run).run.records("log")}
    assert all(np.isclose(e.value, logged[e.step]) for e in written.Scalars("losses/generator/generator"))
    sparring.train("digits", steps=24, resume=True, **options)
    steps = [event.step for event in read(run / "tensorboard").Scalars("losses/generator/generator")]
    assert steps[-1] == 24
    assert len(steps) == len(set(steps))


def test_without_tensorboard_nothing_is_written_and_nothing_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(board, "is_there", lambda: False)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with Board(tmp_path) as writes:
        writes(Record(1, 2, 3, {"a": 1.0}, 4.0, 5.0))
    assert not (tmp_path / "tensorboard").exists()


def test_a_disk_that_is_full_for_tensorboard_does_not_end_the_run(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(board, "is_there", lambda: True)
    with Board(tmp_path) as writes:
        writes.writer = SimpleNamespace(add_scalar=full, add_image=full, close=full)
        writes(Record(1, 2, 3, {"a": 1.0}, 4.0, 5.0))
    assert writes.records == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_after_a_roll_back_the_steps_before_it_are_hidden(tmp_path):
    with Board(tmp_path) as writes:
        for step, value in ((1, 1.0), (2, 2.0), (3, 3.0), (2, 20.0), (3, 30.0)):
            writes(Record(step, 9, step, {"loss": value}, 4.0, 5.0))
    events = read(tmp_path / "tensorboard").Scalars("losses/loss")
    assert [(event.step, event.value) for event in events] == [(1, 1.0), (2, 20.0), (3, 30.0)]
