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
from sparring.proposal import Proposal, propose
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
    monkeypatch.setattr(rooming, "available", lambda device: 400_000)
    with pytest.raises(RequestError, match=r"a batch of 64 takes about .*; training\.batch=\d+ fits, or --auto-batch"):
        play(tmp_path / "run", proposal)
    assert not (tmp_path / "run" / "plan.json").exists()


def test_in_parts_it_computes_what_the_whole_batch_does(tmp_path, proposal, monkeypatch):
    whole = play(tmp_path / "whole", proposal)
    monkeypatch.setattr(rooming, "available", lambda device: 400_000)
    parts = play(tmp_path / "parts", proposal, auto_batch=True)
    plan = Plan.from_json(Run(tmp_path / "parts").read(tmp_path / "parts" / "plan.json"))
    assert plan.accumulate > 1
    assert any("parts, which fit into memory" in (record.note or "") for record in parts)
    for expected, found in zip(*([r for r in each if r.terms] for each in (whole, parts)), strict=True):
        assert found.terms == pytest.approx(expected.terms, rel=1e-3)


def tried(proposal):
    """A trial of a proposal, as a sitting and a check make one."""
    e, material, cpu = proposal.experiment, proposal.material, torch.device("cpu")
    train = material.reader(material.splits.train, e.seed)

    def make(plan, training):
        return Engine(e.task, training, material.spec, train=train, select=None, plan=plan, seed=e.seed, device=cpu)

    return rooming.Trial(make, e)


@pytest.fixture
def rows(tmp_path):
    """A proposal of packs of ten rows, whose generator has batch norm."""
    draw = np.random.default_rng(0)
    columns = "\n".join(f"{a:.3f},{b}" for a, b in zip(draw.normal(size=60), draw.choice(list("xyz"), 60), strict=True))
    (tmp_path / "rows.csv").write_text(f"a,b\n{columns}\n")
    return propose(str(tmp_path / "rows.csv"), recipe="ctgan", settings=("training.batch=60", "network.width=8"))


def test_packs_are_measured_by_numbers_of_rows_that_they_divide(rows, monkeypatch):
    trial = tried(rows)
    assert sorted(trial.measured()) == [10, 20]
    assert not trial.plays(4)
    monkeypatch.setattr(rooming, "available", lambda device: 100)
    with pytest.raises(RequestError, match="no part of it that can be played fits; take a smaller network"):
        rooming.parts_that_fit(trial.engine, rows.experiment, Limits(), torch.device("cpu"))


def test_a_batch_is_not_divided_into_parts_that_the_game_cannot_be_played_with(rows, monkeypatch):
    trial = tried(rows)
    few, more = trial.measured().values()
    monkeypatch.setattr(rooming, "available", lambda device: int(1.5 * (few + more) / 2))
    assert rooming.division(trial.engine, rows.experiment, torch.device("cpu")).parts == 6
    monkeypatch.setattr(rooming, "available", lambda device: int(1.5 * few) - 1)  # 6 rows would fit, and are no pack
    with pytest.raises(RequestError, match="no part of it that can be played fits"):
        rooming.parts_that_fit(trial.engine, rows.experiment, Limits(auto_batch=True), torch.device("cpu"))


def test_memory_that_runs_out_divides_a_batch_into_whole_packs_alone(rows):
    plan, error = Plan(steps=4, images_per_step=60), torch.OutOfMemoryError("CUDA out of memory")
    asked = (rows.experiment, Limits(steps=4, auto_batch=True), error, tried(rows).engine)
    assert rooming.divided(plan, *asked).accumulate == 2
    assert rooming.divided(plan.but(accumulate=3), *asked).accumulate == 6
    with pytest.raises(torch.OutOfMemoryError):
        rooming.divided(plan.but(accumulate=6), *asked)


def test_a_batch_is_refused_with_no_other_where_no_part_of_it_fits(tmp_path, proposal, monkeypatch):
    monkeypatch.setattr(rooming, "available", lambda device: 100)
    for name, limits in {"asked": {}, "automatic": {"auto_batch": True}}.items():
        with pytest.raises(RequestError, match="no part of it that can be played fits") as told:
            play(tmp_path / name, proposal, **limits)
        assert "--auto-batch" not in str(told.value)


def test_every_phase_of_a_run_is_measured(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(120, 12, 2)).astype(np.float32))
    settings = ("training.batch=32", "game.width=8")
    late = propose(str(tmp_path / "x.npy"), recipe="timegan", modality="series", settings=settings)
    first = propose(str(tmp_path / "x.npy"), recipe="timegan", modality="series", settings=settings)
    trial, alone = tried(late), tried(first)
    alone.steps = (0,)
    assert len(trial.steps) == 3  # autoencoding, the supervisor, all together
    assert all(held > 1.2 * alone.measured()[few] for few, held in trial.measured().items())


def test_nothing_is_measured_where_memory_is_ample(proposal, monkeypatch):
    def measured():
        raise AssertionError("measured")

    monkeypatch.setattr(rooming, "available", lambda device: 2**40)
    monkeypatch.setattr(rooming, "held_for_backward", measured)
    made = [engine(training=Training(batch=8))]
    assert rooming.parts_that_fit(lambda *_: made[0], proposal.experiment, Limits(), made[0].device) == 1


def running_out(step, when):
    """A step that memory runs out in, as long as the batch is computed in fewer than four parts."""

    def stepping(self):
        if self.step_number == when and len(self.parts) < 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has 16 GiB")
        return step(self)

    return stepping


def test_a_device_that_runs_out_in_the_middle_is_one_line_and_the_run_goes_on_in_parts(tmp_path, proposal, monkeypatch):
    def going(**limits):
        asked = {"limits": Limits(steps=40, **limits), "material": proposal.material, "resume": True}
        return list(steps(proposal.experiment, tmp_path / "run", **asked))

    monkeypatch.setattr(Engine, "step", running_out(Engine.step, 25))
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"memory ran out \(CUDA .*--resume --auto-batch goes on") as said:
            going()
        assert len(str(said.value).splitlines()) == 1
    notes = [record.note for record in going(auto_batch=True) if record.note]
    assert notes == [
        "goes on after step 20",
        "memory ran out; goes back to step 20, on in 2 parts",
        "memory ran out; goes back to step 20, on in 4 parts",
    ]
    run = Run(tmp_path / "run")
    assert Plan.from_json(run.read(run.plan)).accumulate == 4
    assert run.restore()[1]["step"] == 40
    assert [record["step"] for record in run.records("log")] == list(range(2, 41, 2))


def test_a_run_goes_on_in_more_parts_where_there_is_less_memory_than_there_was(tmp_path, proposal, monkeypatch):
    play(tmp_path / "run", proposal)
    monkeypatch.setattr(rooming, "available", lambda device: 400_000)
    asked = {"material": proposal.material, "resume": True}
    with pytest.raises(RequestError, match="--auto-batch computes it in parts, with --resume too"):
        list(steps(proposal.experiment, tmp_path / "run", limits=Limits(steps=6), **asked))
    records = list(steps(proposal.experiment, tmp_path / "run", limits=Limits(steps=6, auto_batch=True), **asked))
    assert "parts from now on, which fit into memory" in records[0].note
    assert records[-1].step == 6


@pytest.mark.parametrize("batch", [64, 48])
def test_a_step_in_which_lazy_penalties_are_due_is_measured(proposal, batch):
    for setting in ("game.penalties=r1,gradient-penalty", "game.penalties.gradient-penalty.every=6",
                    "game.penalties.r1.every=4", f"training.batch={batch}", "training.images=100000"):  # fmt: skip
        proposal = Proposal(proposal.experiment.override(setting), proposal.material)
    trial = tried(proposal)
    assert len(trial.steps) == 1
    assert trial.steps[0] % 12 == 0
