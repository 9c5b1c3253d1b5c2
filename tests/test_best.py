import json
import re
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch

from sparring import evaluation
from sparring.api import evaluate, sample, train
from sparring.archive import kept
from sparring.best import best_of, chosen, keep_if_best, weighed
from sparring.cli import main
from sparring.comparison import compare
from sparring.errors import RequestError, RunError
from sparring.evaluation import Evaluation, Row
from sparring.learning import steps
from sparring.limits import Limits
from sparring.model import load
from sparring.plan import READINGS, Plan
from sparring.proposal import propose
from sparring.reporting import report
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


def test_a_discriminators_restorer_is_not_chosen_by_the_ratio_that_blurring_wins():
    def restored(count):
        return Evaluation((Row("psnr", 30.0, better="higher"), Row("kid[net]", 0.5, better="lower", count=count)))

    assert chosen(restored(300), "auto").name == "psnr"
    assert chosen(restored(300), "auto", judged=True).name == "kid[net]"
    assert chosen(restored(49), "auto", judged=True) is None
    assert chosen(restored(49), "psnr", judged=True).name == "psnr"
    assert chosen(EVALUATION, "auto", judged=True).name == "kid[net]"


@pytest.mark.parametrize(("better", "values", "best"), [("lower", (3, 1, 2), 20), ("higher", (3, 1, 2), 10)])
def test_the_best_is_kept_and_worse_ones_are_not(tmp_path, better, values, best):
    run = Run(tmp_path)
    for number, value in enumerate(values, start=1):
        keep_if_best(run, Row("n", value, better=better), 10 * number, {"w": torch.tensor(float(number))})
    assert best_of(run)["step"] == best
    assert run.read_tensors(run.best / "generator.safetensors")["w"] == best / 10


def test_after_a_roll_back_the_best_stays_until_it_is_beaten(tmp_path):
    run = Run(tmp_path)
    for step, value in ((20, 1.0), (10, 2.0), (15, 1.5)):
        keep_if_best(run, Row("n", value, better="lower"), step, {"w": torch.tensor(value)})
        assert best_of(run)["step"] == 20
    assert keep_if_best(run, Row("n", 0.5, better="lower"), 18, {"w": torch.tensor(0.5)})
    assert best_of(run)["step"] == 18


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
    zero_the_best(Run(folder))
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


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """A run whose best model is of its first reading, and whose weights there were set to zero."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    items = np.random.default_rng(0).integers(0, 256, (240, 8, 8, 1), dtype=np.uint8)
    train(items, recipe="dense", settings=(*FIXED, "training.measure=16"), steps=2, out=folder)
    zero_the_best(Run(folder))
    return folder


def zero_the_best(run):
    weights = run.read_tensors(run.best / "generator.safetensors")
    weights = {name: torch.zeros_like(value) for name, value in weights.items()}
    run.write_tensors(run.best / "generator.safetensors", weights)


def test_judging_the_best_model_leaves_what_is_kept_of_the_last_one(blank):
    last = evaluate(blank)
    best = evaluate(blank, best=True)
    assert kept(Run(blank)).rows == last.rows != best.rows
    assert "model" not in last.protocol
    step = best_of(Run(blank))["step"]
    assert best.protocol["model"] == f"the best, by kid[random-conv] at step {step} (with the last discriminator)"


def test_the_best_models_are_judged_and_compared_by_the_command_line(blank, tmp_path, capsys):
    words = ["evaluate", str(blank), "--metrics", "sharpness", "--json"]
    values = []
    for more in ([], ["--best"]):
        assert main([*words, *more]) == 0
        values.append(json.loads(capsys.readouterr().out)["metrics"][0]["value"])
    assert values[1] < 1e-6 < values[0]
    other = tmp_path / "other"
    shutil.copytree(blank, other)
    assert main(["compare", str(blank), str(other), "--best", "--json", "-o", str(tmp_path / "both.png")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == [f"{blank} (best)", f"{other} (best)"]
    assert all(number["value"] < 1e-6 for number in told["metrics"]["sharpness"].values())
    assert set(told["facts"]["items seen"].values()) == {f"{16 * best_of(Run(blank))['step']}"}


def test_a_run_can_be_compared_with_its_own_best_model(blank):
    found = compare([blank, load(blank, best=True)])
    assert found.runs == (str(blank), f"{blank} (best)")
    assert found.numbers["sharpness"][str(blank)].value > found.numbers["sharpness"][f"{blank} (best)"].value


def test_a_report_of_the_best_model_shows_its_own_suspects(blank, tmp_path):
    shown = []
    for number, model in enumerate((load(blank), load(blank, best=True))):
        page = report(model, tmp_path / f"{number}.html").read_text("utf-8")
        shown.append(re.findall(r"base64,([^\"]+)", page.partition("the most suspicious first")[0])[-1])
    assert shown[0] != shown[1]


def test_a_model_that_diverged_is_not_the_best_for_a_kernel_distance_far_below_zero(tmp_path):
    run = Run(tmp_path)
    for step, value in ((1, 0.02), (2, -1.5e7), (3, -0.004)):
        keep_if_best(run, Row("kid[net]", value, better="lower"), step, {"w": torch.tensor(value)})
    assert best_of(run) == {"step": 3, "metric": "kid[net]", "value": -0.004}
    assert weighed(Row("kid[net]", -1.5e7)) == 1.5e7
    assert weighed(Row("frechet[net]", -0.5)) == -0.5
