import numpy as np
import pytest
import torch
from toys import engine

from sparring import rooming
from sparring.data.arrays import Arrays
from sparring.errors import RequestError, TrainingError
from sparring.learning import steps
from sparring.limits import Limits
from sparring.plan import Plan
from sparring.proposal import propose
from sparring.run import Run
from sparring.training import Engine, Training

SETTINGS = ("training.precision=fp32", "training.layout=contiguous", "training.batch=64", "network.hidden=64")


@pytest.fixture
def proposal(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 255, (150, 16, 16, 1), dtype=np.uint8))
    return propose(Arrays(path=str(tmp_path / "x.npy")), recipe="dense", settings=SETTINGS)


def play(folder, proposal, **limits):
    return list(steps(proposal.experiment, folder, limits=Limits(steps=4, **limits), material=proposal.material))


def test_a_batch_that_does_not_fit_is_refused_with_one_that_does(tmp_path, proposal, monkeypatch):
    monkeypatch.setattr(rooming, "available", lambda device: 300_000)
    with pytest.raises(RequestError, match=r"a batch of 64 takes about .*; training\.batch=\d+ fits, or --auto-batch"):
        play(tmp_path / "run", proposal)
    assert not (tmp_path / "run" / "plan.json").exists()


def test_in_parts_it_computes_what_the_whole_batch_does(tmp_path, proposal, monkeypatch):
    whole = play(tmp_path / "whole", proposal)
    monkeypatch.setattr(rooming, "available", lambda device: 300_000)
    parts = play(tmp_path / "parts", proposal, auto_batch=True)
    plan = Plan.from_json(Run(tmp_path / "parts").read(tmp_path / "parts" / "plan.json"))
    assert plan.accumulate > 1
    assert any("parts, which fit into memory" in (record.note or "") for record in parts)
    for expected, found in zip(*([r for r in each if r.terms] for each in (whole, parts)), strict=True):
        assert found.terms == pytest.approx(expected.terms, rel=1e-3)


def test_nothing_is_measured_where_memory_is_ample(proposal, monkeypatch):
    def measured():
        raise AssertionError("measured")

    monkeypatch.setattr(rooming, "available", lambda device: 2**40)
    monkeypatch.setattr(rooming, "held_for_backward", measured)
    made = [engine(training=Training(batch=8))]
    assert rooming.parts_that_fit(lambda *_: made[0], proposal.experiment, Limits(), made[0].device) == 1


def test_a_device_that_runs_out_in_the_middle_is_one_line_and_the_run_goes_on(tmp_path, proposal, monkeypatch):
    step, limits = Engine.step, Limits(steps=40)

    def running_out(self):
        if self.step_number == 25:
            raise torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has a total of 16 GiB"
            )
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "step", running_out)
        with pytest.raises(TrainingError, match=r"memory ran out \(CUDA .*--auto-batch finds out how many") as said:
            list(steps(proposal.experiment, tmp_path / "run", limits=limits, material=proposal.material))
    assert len(str(said.value).splitlines()) == 1
    records = list(steps(proposal.experiment, tmp_path / "run", limits=limits, material=proposal.material, resume=True))
    assert records[0].note == "goes on after step 20"
    assert records[-1].step == 40
