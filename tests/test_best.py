import json
from itertools import pairwise

import numpy as np
import pytest
import torch

from sparring import evaluation
from sparring.api import sample
from sparring.best import best_of, chosen, keep_if_best
from sparring.cli import main
from sparring.errors import RequestError, RunError
from sparring.evaluation import Evaluation, Row
from sparring.learning import steps
from sparring.limits import Limits
from sparring.model import load
from sparring.plan import READINGS, Plan
from sparring.proposal import propose
from sparring.run import Run

FIXED = ("training.precision=fp32", "training.layout=contiguous", "training.batch=16", "network.hidden=8")
EVALUATION = Evaluation((Row("frechet[net]", 5.0, better="lower"), Row("kid[net]", 0.5, better="lower"),
                         Row("recall[net]", 0.2, better="higher"), Row("auc", 0.5)),
                        refused={"coverage": "too few"})  # fmt: skip


def played(folder, proposal, limits, **options):
    return list(steps(proposal.experiment, folder, limits=limits, material=proposal.material, **options))


@pytest.mark.parametrize(
    ("name", "found"),
    [("auto", "kid[net]"), ("recall", "recall[net]"), ("frechet[net]", "frechet[net]"), ("coverage", None)],
)
def test_the_number_that_chooses_is_found_by_its_name(name, found):
    row = chosen(EVALUATION, name)
    assert (row and row.name) == found


def test_a_number_that_is_not_there_or_has_no_better_end_is_refused():
    for name in ("fid", "auc"):
        with pytest.raises(RequestError, match=rf"training.best = '{name}': .*kid\[net\]"):
            chosen(EVALUATION, name)
    assert chosen(Evaluation(()), "auto") is None


@pytest.mark.parametrize(("better", "values", "best"), [("lower", (3, 1, 2), 20), ("higher", (3, 1, 2), 10)])
def test_the_best_is_kept_and_worse_ones_are_not(tmp_path, better, values, best):
    run = Run(tmp_path)
    for number, value in enumerate(values, start=1):
        keep_if_best(run, Row("n", value, better=better), 10 * number, {"w": torch.tensor(float(number))})
    assert best_of(run)["step"] == best
    assert run.read_tensors(run.best / "generator.safetensors")["w"] == best / 10


@pytest.mark.parametrize("steps_planned", [1, 7, 400, 6_250])
@pytest.mark.parametrize("images", [1, 3000, 10**9])
def test_readings_are_at_saves_and_not_too_many(steps_planned, images):
    plan = Plan(steps=steps_planned, images_per_step=32, log_every=5, save_every=25)
    taken = [step for step in range(1, steps_planned + 1) if plan.measures(step, images)]
    assert len(taken) <= READINGS
    assert all(step % 25 == 0 for step in taken)
    assert all((b - a) * 32 >= images for a, b in pairwise(taken))
    assert bool(taken) == (steps_planned >= 400 and images < 10**9)


def test_numbers_over_time_and_the_best_model_are_the_same_after_resuming(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "QUICK_COUNT", 200)
    proposal = propose("digits", recipe="dense", settings=(*FIXED, "training.measure=16"))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    records = played(whole, proposal, Limits(steps=60))
    going = steps(proposal.experiment, parts, limits=Limits(steps=60), material=proposal.material)
    stopped = next(record for record in going if record.step == 36)
    assert stopped
    going.close()
    played(parts, proposal, Limits(steps=60), resume=True)
    for file in ("metrics.jsonl", "log.jsonl", "best/generator.safetensors", "best/best.json"):
        assert (whole / file).read_bytes() == (parts / file).read_bytes(), file
    taken = Run(whole).records("metrics")
    assert [record["step"] for record in taken] == [15, 30, 45, 60]
    names = {row["name"] for row in taken[0]["metrics"]}
    assert {"kid[random-conv]", "recall[random-conv]", "membership-auc"} <= names
    assert [r.step for r in records if r.metrics] == [15, 30, 45, 60]
    assert all(r.grid and r.grid.is_file() for r in records if r.metrics)
    kids = {r["step"]: next(m["value"] for m in r["metrics"] if m["name"].startswith("kid")) for r in taken}
    assert best_of(Run(whole)) == {
        "step": min(kids, key=kids.get), "metric": "kid[random-conv]", "value": min(kids.values()),
    }  # fmt: skip
    check_sampling_of_the_best(whole)


def check_sampling_of_the_best(folder):
    run = Run(folder)
    kept = run.read_tensors(run.best / "generator.safetensors")
    kept = {name: torch.zeros_like(value) for name, value in kept.items()}
    run.write_tensors(run.best / "generator.safetensors", kept)
    assert len(np.unique(sample(folder, 3, best=True))) == 1
    assert len(np.unique(sample(folder, 3))) > 1
    assert main(["sample", str(folder), "--best", "-n", "2", "-o", str(folder / "best.npy")]) == 0
    assert len(np.unique(np.load(folder / "best.npy"))) == 1


def test_a_run_without_a_best_model_says_so(tmp_path):
    proposal = propose("digits", recipe="dense", settings=(*FIXED, "training.best=none"))
    played(tmp_path, proposal, Limits(steps=2))
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 2
    with pytest.raises(RunError, match="leave out --best"):
        load(tmp_path, best=True)
