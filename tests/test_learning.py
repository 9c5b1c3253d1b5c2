import json
import shutil
import subprocess
import sys
import threading
import time
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from sparring import evaluation
from sparring.api import Interrupted, score, train
from sparring.errors import RequestError, RunError, TrainingError
from sparring.jury import wished
from sparring.learning import steps
from sparring.limits import Bound, Limits
from sparring.model import load
from sparring.proposal import propose
from sparring.run import Run

FIXED = ("training.precision=fp32", "training.layout=contiguous", "training.batch=16")
SMALL = ("network.hidden=8",)


def proposed(*more, **options):
    return propose("digits", recipe="dense", settings=(*FIXED, *SMALL, *more), **options)


def played(folder, proposal, limits, **options):
    return list(steps(proposal.experiment, folder, limits=limits, material=proposal.material, **options))


def weights(run):
    return Run(run).restore()[0]


@pytest.fixture(scope="module")
def proposal():
    return proposed()


def test_three_records_can_be_taken_from_a_run(tmp_path, proposal):
    records = steps(proposal.experiment, tmp_path / "run", limits=Limits(steps=40), material=proposal.material)
    three = list(islice(records, 3))
    records.close()
    assert [r.step for r in three] == [2, 4, 6]
    assert three[0].images == 32
    assert three[0].steps == 40
    assert set(three[0].terms) == {"discriminator/discriminator", "generator/generator"}
    assert Run(tmp_path / "run").restore()[1]["step"] == 6


@pytest.mark.parametrize("conditional", [True, False])
def test_an_interrupted_run_goes_on_to_the_same_files_bit_for_bit(tmp_path, conditional):
    proposal = proposed(unconditional=not conditional)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    played(whole, proposal, Limits(steps=60))
    for stop in (2, 5):
        records = steps(proposal.experiment, parts, limits=Limits(steps=60), material=proposal.material, resume=True)
        list(islice(records, stop))
        records.close()
    torch.rand(3)
    played(parts, proposal, Limits(steps=60), resume=True)
    first, second = weights(whole), weights(parts)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert (whole / "log.jsonl").read_bytes() == (parts / "log.jsonl").read_bytes()
    assert (whole / "generator.safetensors").read_bytes() == (parts / "generator.safetensors").read_bytes()
    last = "00000060.png"
    assert (whole / "samples" / last).read_bytes() == (parts / "samples" / last).read_bytes()


def test_records_after_the_checkpoint_are_cut_off(tmp_path, proposal):
    run = tmp_path / "run"
    records = steps(proposal.experiment, run, limits=Limits(steps=40), material=proposal.material)
    list(islice(records, 4))
    records.close()
    with (run / "log.jsonl").open("a") as log:
        log.write('{"step": 10, "images": 160, "terms": {}}\n{"step": 12, "ima')
    played(run, proposal, Limits(steps=40), resume=True)
    assert [r["step"] for r in Run(run).records("log")] == list(range(2, 41, 2))


def test_a_folder_with_a_run_is_refused_and_left_alone(tmp_path, proposal):
    run = tmp_path / "run"
    played(run, proposal, Limits(steps=2))
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file() and p.name != "lock"}
    with pytest.raises(RequestError, match=r"holds a run already; --resume goes on with it, --overwrite removes it"):
        played(run, proposal, Limits(steps=2))
    assert all(p.read_bytes() == content for p, content in before.items())


def test_overwriting_removes_the_run_and_nothing_else(tmp_path, proposal):
    run = tmp_path / "run"
    played(run, proposal, Limits(steps=6))
    (run / "notes.txt").write_text("mine")
    played(run, proposal, Limits(steps=2), overwrite=True)
    assert (run / "notes.txt").read_text() == "mine"
    assert [p.name for p in Run(run).checkpoints()] == ["00000002"]


def test_resuming_with_other_settings_is_refused_by_name(tmp_path, proposal):
    played(tmp_path / "run", proposal, Limits(steps=2))
    other = proposed("loss=hinge")
    with pytest.raises(RequestError, match=r"task\.game\.loss\.part = non-saturating, not hinge"):
        played(tmp_path / "run", other, Limits(steps=4), resume=True)


def test_resuming_with_other_data_is_refused(tmp_path, proposal):
    run = tmp_path / "run"
    played(run, proposal, Limits(steps=2))
    stored = json.loads((run / "experiment.json").read_text())
    stored["splits"]["train"]["hash"] = "00"
    (run / "experiment.json").write_text(json.dumps(stored))
    with pytest.raises(RunError, match="begun with other data"):
        played(run, proposal, Limits(steps=4), resume=True)


@pytest.mark.parametrize("rename", [True, False])
def test_resuming_with_other_labels_is_refused(tmp_path, rename):
    for number in range(40):
        for kind in ("cats", "dogs"):
            pixels = np.random.default_rng(number + 100 * (kind == "cats")).integers(0, 256, (8, 8), np.uint8)
            (tmp_path / "data" / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "data" / kind / f"{number}.png")

    def proposal():
        return propose(tmp_path / "data", recipe="dense", settings=(*FIXED, *SMALL))

    played(tmp_path / "run", proposal(), Limits(steps=2))
    if rename:  # the classes' order, and so their numbers, change
        (tmp_path / "data" / "dogs").rename(tmp_path / "data" / "animals")
    else:
        (tmp_path / "data" / "dogs" / "1.png").rename(tmp_path / "data" / "cats" / "other.png")
    with pytest.raises(RunError, match="begun with other labels of label"):
        played(tmp_path / "run", proposal(), Limits(steps=4), resume=True)


def test_resuming_where_nothing_is_starts(tmp_path, proposal):
    played(tmp_path / "run", proposal, Limits(steps=2), resume=True)
    assert load(tmp_path / "run").sample(2).shape == (2, 8, 8, 1)


def test_a_finished_run_can_be_lengthened(tmp_path, proposal):
    played(tmp_path / "run", proposal, Limits(steps=4))
    records = played(tmp_path / "run", proposal, Limits(steps=8), resume=True)
    assert records[-1].step == 8


def test_a_run_with_a_budget_can_be_lengthened_by_steps(tmp_path, proposal):
    played(tmp_path / "run", proposal, Limits(minutes=0.02))
    done = Run(tmp_path / "run").restore()[1]["step"]
    records = played(tmp_path / "run", proposal, Limits(steps=done + 200), resume=True)
    assert records[-1].step == done + 200
    assert not any("minutes" in record.note for record in records if record.note)


def test_a_limit_that_is_passed_ends_the_run(tmp_path, proposal):
    records = steps(proposal.experiment, tmp_path / "run", limits=Limits(steps=60), material=proposal.material)
    list(islice(records, 10))
    records.close()
    done = Run(tmp_path / "run").restore()[1]["step"]
    assert 10 < done < 60
    for limits in (Limits(steps=10), Limits(minutes=1e-5)):
        played(tmp_path / "run", proposal, limits, resume=True)
        assert Run(tmp_path / "run").restore()[1]["step"] == done
    assert played(tmp_path / "run", proposal, Limits(steps=done + 5), resume=True)[-1].step == done + 5


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path, proposal):
    run = tmp_path / "run"
    records = steps(proposal.experiment, run, limits=Limits(steps=60), material=proposal.material)
    list(islice(records, 4))
    records.close()
    played(run, proposal, Limits(steps=60), resume=True)
    assert [p.name for p in Run(run).checkpoints()] == ["00000045", "00000060"]
    state = Run(run).checkpoints()[-1] / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-1] + b"x")
    notes = [r.note for r in played(run, proposal, Limits(steps=60), resume=True) if r.note]
    assert "does not match its checksum" in notes[0]
    assert notes[1] == "goes on after step 45"


def test_without_a_whole_checkpoint_the_damage_is_told(tmp_path, proposal):
    run = tmp_path / "run"
    played(run, proposal, Limits(steps=2))
    (Run(run).checkpoints()[-1] / "counters.json").unlink()
    with pytest.raises(RunError, match=r"counters\.json.*no whole checkpoint is left"):
        played(run, proposal, Limits(steps=4), resume=True)


def test_a_checkpoint_that_was_cut_off_while_writing_is_not_seen(tmp_path, proposal):
    run = tmp_path / "run"
    played(run, proposal, Limits(steps=2))
    shutil.copytree(run / "checkpoints" / "00000002", run / "checkpoints" / ".00000004.partial")
    assert [p.name for p in Run(run).checkpoints()] == ["00000002"]


def test_two_processes_cannot_train_in_one_folder(tmp_path, proposal):
    records = steps(proposal.experiment, tmp_path / "run", limits=Limits(steps=40), material=proposal.material)
    next(records)
    with pytest.raises(RunError, match="another process trains here"):
        played(tmp_path / "run", proposal, Limits(steps=2), resume=True)
    records.close()
    played(tmp_path / "run", proposal, Limits(steps=4), resume=True)


@pytest.mark.parametrize(("limits", "expected"), [
    (Limits(steps=7), 7),
    (Limits(images=100), 7),
    (Limits(steps=5, images=1000), 5),
    (Limits(steps=50, images=17), 2),
])  # fmt: skip
def test_the_first_limit_ends_the_run(tmp_path, proposal, limits, expected):
    assert played(tmp_path / "run", proposal, limits)[-1].step == expected


def test_the_recipes_length_holds_where_no_limit_is_given(tmp_path):
    proposal = proposed("training.images=64")
    assert played(tmp_path / "run", proposal, Limits())[-1].step == 4


def test_minutes_plan_the_length_and_schedules_end_there(tmp_path):
    proposal = proposed()
    records = played(tmp_path / "run", proposal, Limits(minutes=0.05))
    stored = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert stored["minutes"] == 0.05
    assert records[-1].step == records[-1].steps
    assert records[-1].step > 10


def test_until_stops_when_the_metric_keeps_the_bound(tmp_path, proposal):
    records = played(tmp_path / "run", proposal, Limits(steps=400, until="kid<1e9"))
    assert [record.note for record in records if record.note][-1] == "kid<1e9 is reached"
    assert records[-1].step < 400
    assert Run(tmp_path / "run").records("metrics")[0]["metrics"]


@pytest.mark.parametrize("text", ["frechet", "frechet=3", "<3", "kid<x", ""])
def test_a_bound_that_cannot_be_read_is_refused(text):
    with pytest.raises(RequestError, match="METRIC<VALUE"):
        Bound.parse(text)


@pytest.mark.parametrize(
    ("until", "said"),
    [("fid<3", "no metric is called 'fid'; there are .*kid"), ("inception-score>3", r"there are .*kid")],
)
def test_a_bound_that_nothing_can_keep_is_refused_before_anything_is_written(tmp_path, proposal, until, said):
    with pytest.raises(RequestError, match=said):
        played(tmp_path / "run", proposal, Limits(steps=1, until=until))
    assert not (tmp_path / "run").exists()


def test_a_bound_on_what_few_data_do_not_allow_says_why(tmp_path):
    few = propose(np.zeros((12, 8, 8), np.uint8), store=tmp_path / "data", recipe="dense", settings=(*FIXED, *SMALL))
    with pytest.raises(RequestError, match="until: frechet cannot be taken here: 12 reference items are fewer"):
        played(tmp_path / "run", few, Limits(steps=1, until="frechet<3"))
    with pytest.raises(RequestError, match="no metric is called 'frechett'"):
        played(tmp_path / "run", few, Limits(steps=1, until="frechett<3"))


def test_a_number_that_is_missing_for_once_does_not_keep_a_bound():
    bound = Bound.parse("kid<3")
    assert bound.of({"kid[random-conv]": 2.0}) == 2.0
    assert bound.of({"frechet[random-conv]": 2.0}) is None


def test_a_run_is_not_put_among_its_data_nor_where_a_file_is(tmp_path):
    (tmp_path / "data").mkdir()
    for number in range(3):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / "data" / f"{number}.png")
    found = propose(str(tmp_path / "data"), recipe="dense", settings=(*FIXED, *SMALL))
    for inside in (tmp_path / "data", tmp_path / "data" / "run"):
        with pytest.raises(RequestError, match="lies in the data"):
            played(inside, found, Limits(steps=1))
    with pytest.raises(RequestError, match=r"0\.png is a file; choose a folder"):
        played(tmp_path / "data" / "0.png" / "run", found, Limits(steps=1))
    assert len(list((tmp_path / "data").iterdir())) == 3


def test_numbers_of_data_that_are_all_learned_from_say_so(tmp_path):
    few = propose(np.zeros((12, 8, 8), np.uint8), store=tmp_path / "data", recipe="dense", settings=(*FIXED, *SMALL))
    played(tmp_path / "run", few, Limits(steps=1))
    (taken,) = Run(tmp_path / "run").records("metrics")
    lines = evaluation.Evaluation.from_json(taken).lines()
    assert lines[-1].startswith("no floor: no items are held back, and copies of the training items would look best")
    assert "held-back real" not in lines[-1]


def test_numbers_keep_apart_in_their_columns():
    long = evaluation.Row("membership-distance-tpr-at-1%[random-conv]", 66050.0, 65420.0, 66680.0, 0.5)
    wide = evaluation.Row("kid", 1.0, 1.111e-30, 2.222e-30, 0.5)
    head, *rows = evaluation.Evaluation((long, wide)).lines()[:3]
    assert "6.605e+04  6.542e+04 to 6.668e+04" in rows[0]
    assert all(row.rindex("0.5") + 3 == len(head) for row in rows)


@pytest.mark.parametrize(
    "wrong",
    [
        {"minutes": 0.0},
        {"steps": -1},
        {"images": 0},
        {"minutes": float("nan")},
        {"minutes": float("inf")},
    ],
)
def test_limits_must_be_above_zero_and_finite(wrong):
    with pytest.raises(RequestError, match="must be above 0"):
        Limits(**wrong)


def test_a_diverging_run_keeps_its_last_checkpoint(tmp_path):
    proposal = proposed()
    played(tmp_path / "run", proposal, Limits(steps=4))
    state = weights(tmp_path / "run")
    wild = proposed("training.optimiser=sgd", "optimiser.rate=1e30")
    with pytest.raises(TrainingError, match="is not finite"):
        played(tmp_path / "wild", wild, Limits(steps=100))
    assert all(torch.equal(v, weights(tmp_path / "run")[k]) for k, v in state.items())


def test_an_interruption_saves_and_says_how_to_go_on(tmp_path):
    import os
    import signal

    def interrupt(record):
        if record.step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    options = {"recipe": "dense", "settings": (*FIXED, *SMALL), "steps": 40, "out": tmp_path / "run"}
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match=r"saved after step \d+; go on with --resume --out"):
        train("digits", on_record=interrupt, **options)
    stopped = Run(tmp_path / "run").restore()[1]["step"]
    assert stopped < 40
    assert signal.getsignal(signal.SIGINT) is before
    model = train("digits", resume=True, **options)
    assert model.sample(3).dtype == np.uint8


def test_no_thread_outlives_the_run(tmp_path, proposal):
    before = threading.active_count()
    played(tmp_path / "run", proposal, Limits(steps=2))
    assert threading.active_count() == before


def test_a_checkpoint_is_smaller_than_five_times_the_parameters(tmp_path, proposal):
    played(tmp_path / "run", proposal, Limits(steps=2))
    tensors = weights(tmp_path / "run")
    held = sum(v.numel() * v.element_size() for k, v in tensors.items() if k.startswith("players."))
    size = sum(p.stat().st_size for p in Run(tmp_path / "run").checkpoints()[-1].iterdir())
    assert size < 5 * held + 40_000  # names and checksums weigh more than these toy networks


def test_samples_come_with_what_was_asked_and_scores_with_what_they_are(tmp_path, proposal):
    played(tmp_path / "run", proposal, Limits(steps=20))
    model = load(tmp_path / "run")
    items, columns = model.sample_with_conditions(5, condition={"label": "3"})
    assert items.shape == (5, 8, 8, 1)
    assert list(columns["label"]) == ["3"] * 5
    assert model.score(items, columns).shape == (5,)
    assert np.array_equal(model.sample(3, seed=4), model.sample(40, seed=4)[:3])
    assert not np.array_equal(model.sample(3, seed=4), model.sample(3, seed=5))
    with pytest.raises(RequestError, match="no attribute is called 'colour'"):
        model.sample(2, condition={"colour": "red"})
    with pytest.raises(RequestError, match="at least one item"):
        model.sample(0)
    with pytest.raises(RequestError, match="8x8x1 uint8 are wanted"):
        model.score(np.zeros((2, 9, 9, 1), np.uint8))


def test_an_unconditional_model_cannot_be_asked(tmp_path):
    proposal = proposed(unconditional=True)
    played(tmp_path / "run", proposal, Limits(steps=2))
    with pytest.raises(RequestError, match="trained without labels"):
        load(tmp_path / "run").sample(2, condition={"label": "3"})


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, proposal):
    """A run of twenty steps, and its evaluation."""
    folder = tmp_path_factory.mktemp("evaluated") / "run"
    played(folder, proposal, Limits(steps=20))
    return folder, load(folder).evaluate()


def test_an_evaluation_names_features_floor_and_protocol(evaluated):
    folder, found = evaluated
    rows = {row.name: row for row in found.rows}
    assert rows["kid[classifier]"].floor is not None
    assert rows["kid[classifier]"].value > rows["kid[classifier]"].floor
    assert rows["discriminator-accuracy"].low is not None
    assert found.protocol["features"] == "classifier"
    assert json.loads(json.dumps(found.to_json())) == found.to_json()
    assert load(folder).evaluate().rows == found.rows


def shades(seed, count=300):
    return np.random.default_rng(seed).integers(0, 255, (count, 8, 8, 1), dtype=np.uint8)


def test_data_in_memory_are_kept_with_the_run_that_learned_them(tmp_path):
    options = {"out": tmp_path / "run", "recipe": "dense", "settings": FIXED}
    train(shades(0), steps=2, **options)
    first = list((tmp_path / "run" / "data").iterdir())
    with pytest.raises(RequestError, match="holds a run already"):
        train(shades(1), steps=2, **options)
    assert list((tmp_path / "run" / "data").iterdir()) == first
    train(shades(1), steps=2, overwrite=True, **options)
    (kept,) = (tmp_path / "run" / "data").iterdir()
    assert np.array_equal(np.load(kept), shades(1))
    model = train(shades(1), steps=4, resume=True, **options)
    assert model.evaluate(metrics=["kid"]).rows


def test_an_overwritten_run_leaves_no_features_of_its_data(tmp_path, proposal, evaluated):
    run = tmp_path / "run"
    shutil.copytree(evaluated[0], run)
    assert list((run / "features").iterdir())
    played(run, proposal, Limits(steps=2), overwrite=True)
    assert not (run / "features").exists()


def test_a_model_reads_other_arrays_as_it_read_its_own(tmp_path, proposal):
    np.savez(tmp_path / "other.npz", samples=shades(2, 60), label=np.arange(60) % 10)
    played(tmp_path / "run", proposal, Limits(steps=2))
    scores = score(tmp_path / "run", tmp_path / "other.npz")
    assert list(scores)[:2] == ["other.npz#0", "other.npz#1"]
    found = load(tmp_path / "run").evaluate(against=tmp_path / "other.npz", metrics=["kid"], features="random-conv")
    assert found.protocol["reference"] == "60 held back"


def test_no_checkpoint_is_newer_than_its_model(tmp_path, proposal, monkeypatch):
    def full(*_):
        raise RunError("no space left")

    monkeypatch.setattr(Run, "write_tensors", full)
    with pytest.raises(RunError, match="no space left"):
        played(tmp_path / "run", proposal, Limits(steps=2))
    assert Run(tmp_path / "run").restore() is None


def test_closing_a_run_that_is_saved_writes_nothing(tmp_path, proposal):
    played(tmp_path / "run", proposal, Limits(steps=4))
    (newest,) = Run(tmp_path / "run").checkpoints()
    before = newest.stat().st_ino
    limits = Limits(steps=8)
    records = steps(proposal.experiment, tmp_path / "run", limits=limits, material=proposal.material, resume=True)
    assert next(records).note == "goes on after step 4"
    records.close()
    assert newest.stat().st_ino == before


def test_too_few_items_are_an_honest_refusal(tmp_path):
    few = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 1), dtype=np.uint8)
    model = train(few, out=tmp_path / "run", steps=2, recipe="dense", settings=FIXED)
    with pytest.raises(evaluation.DataError, match="too few to hold any back"):
        model.evaluate()


def test_a_run_of_a_missing_part_says_so(tmp_path, proposal):
    played(tmp_path / "run", proposal, Limits(steps=2))
    path = tmp_path / "run" / "experiment.json"
    path.write_text(path.read_text().replace('"non-saturating"', '"of-my-own"'))
    with pytest.raises(RequestError, match="no loss is called 'of-my-own'"):
        load(tmp_path / "run")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RequestError, match="holds no run"):
        load(tmp_path)


@pytest.mark.slow
def test_two_processes_train_one_run_and_after_a_kill_go_on_as_if_nothing_had_stopped_them(tmp_path):
    whole, killed = Run(tmp_path / "whole"), Run(tmp_path / "killed")
    done = subprocess.run(_by_two(whole.folder), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run    ") == 1
    assert load(whole.folder).sample(2).shape == (2, 8, 8, 1)
    launched = subprocess.Popen(_by_two(killed.folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not killed.checkpoints():
        assert launched.poll() is None
        time.sleep(0.01)
    launched.kill()
    launched.wait()
    # Both processes end with the one that launched them, and their lock with them.
    done = subprocess.run(_by_two(killed.folder), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert "goes on after step" in done.stderr
    (expected, at_end, _), (found, now, _) = whole.restore(), killed.restore()
    assert now == at_end
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-6, atol=1e-6, msg=name)
    for before, after in zip(whole.records("log"), killed.records("log"), strict=True):
        assert after["step"] == before["step"]
        assert after["terms"] == pytest.approx(before["terms"], abs=1e-6)


def _by_two(out):
    settings = [word for setting in (*FIXED, *SMALL) for word in ("--set", setting)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "sparring.cli"]
    return [*launch, "train", "digits", "--recipe", "dense", "--steps", "60", "--resume", "--out", str(out), *settings]


def test_one_word_in_the_place_of_several_is_one(tmp_path):
    assert propose("digits", recipe="dense", settings="loss=hinge").experiment.task.game.loss.name == "hinge"
    with pytest.raises(RequestError, match="no attribute is called 'colour'"):
        propose("digits", attributes="colour")
    with pytest.raises(RequestError, match="no metric is called 'fdi'"):
        wished("fdi", None, None)
