import json
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import contents, going, proposed

from sparring.board import spared
from sparring.plan import Plan
from sparring.run import Run
from sparring.settings import Training
from sparring.thinning import spread, stride, thin
from sparring.watch import Collapsed, Won

COUNTS = st.integers(1, 5000)


@given(COUNTS, st.integers(1, 200))
def test_a_stride_is_the_least_that_leaves_few_enough(count, most):
    found = stride(count, most)
    assert count // found <= most
    assert found == 1 or count // (found // 2) > most


@given(COUNTS, st.integers(8, 300), st.integers(1, 7))
def test_few_entries_stay_the_newest_half_densely_and_the_others_over_all_of_the_run(newest, most, every):
    stays = spread(newest=newest * every, every=every, most=most)
    kept = [number for number in range(1, newest + 1) if stays(number * every)]
    assert len(kept) <= most
    dense = min(most // 2, newest)
    assert kept[-dense:] == list(range(newest - dense + 1, newest + 1))
    assert max((b - a for a, b in pairwise([0, *kept])), default=1) <= 5 * newest / most + 1


@given(COUNTS, COUNTS, st.integers(8, 300))
def test_what_is_left_out_once_is_left_out_later_too(sooner, more, most):
    first, second = (spread(newest=n, every=1, most=most) for n in (sooner, sooner + more))
    assert not [step for step in range(1, sooner + 1) if second(step) and not first(step)]


SETTINGS = (
    *("training.watch_every=3", "training.keep_records=8", "training.keep_pictures=4", "training.measure=100000"),
    *(
        f"training.watch.{name}=2"
        for name in ("collapsed.patience", "collapsed.grace", "won.patience", "overfits.patience")
    ),
)


@pytest.fixture(scope="module")
def proposal(shades):
    return proposed(shades, *SETTINGS)


def begun(folder, proposal):
    """A run of a record a step and a checkpoint every five, which is gone on with beyond what was planned."""
    list(going(folder, proposal, 20))
    return Run(folder)


def test_logs_and_pictures_of_a_long_run_stay_small_and_the_same_after_kills_and_interruptions(tmp_path, proposal):
    whole, killed = begun(tmp_path / "whole", proposal), begun(tmp_path / "killed", proposal)
    list(going(whole.folder, proposal, 103))
    for stop, is_killed in ((60, True), (31, False), (13, False), (2, False)):
        records = going(killed.folder, proposal, 103)
        list(islice(records, stop))
        last = killed.checkpoints()[-1]
        records.close()
        if is_killed:
            killed.forget(int(last.name))  # nothing is saved on the way out
            killed.remove_pictures(lambda step, last=last: step > int(last.name))
    list(going(killed.folder, proposal, 103))
    assert contents(killed.folder) == contents(whole.folder)
    drawn = sorted(int(path.stem) for path in whole.samples.iterdir())
    assert drawn == [40, 80, 103]
    noted = [record["step"] for record in whole.records("log")]
    assert len(noted) < 25  # eight, those since the oldest checkpoint, and observations that detectors look at
    assert [step for step in noted if step <= 80] == [32, 64]
    assert noted[-9:] == list(range(95, 104))


def test_what_detectors_look_at_alarms_and_changes_stay(tmp_path):
    run, plan = Run(tmp_path), Plan(steps=10_000, images_per_step=1, log_every=1, save_every=100)
    training = Training(keep_records=8, watch=(Collapsed(grace=10, patience=5), Won(patience=3)), watch_every=10)
    told = {7: {"alarm": "won"}, 13: {"changes": ["training.clip=1.0"]}}
    for step in range(1, 1001):
        run.append("log", {"step": step} | ({"signs": {}} if step % 10 == 0 else {}) | told.get(step, {}))
    run.save(900, {}, {"step": 900, "images": 1, "position": 1})
    thin(run, plan, training, step=1000)
    kept = run.records("log")
    assert [r["step"] for r in kept if "signs" in r and r["step"] <= 900] == list(range(750, 901, 10))
    assert [r["step"] for r in kept if r["step"] < 250] == [7, 13]
    assert [r["step"] for r in kept if r["step"] > 896] == list(range(897, 1001))


def test_short_runs_are_left_as_they_are(tmp_path):
    run, plan = Run(tmp_path), Plan(steps=500, images_per_step=1, log_every=1, save_every=100)
    for step in range(1, 501):
        run.append("log", {"step": step})
    before = run.log("log").read_bytes()
    thin(run, plan, Training(), step=500)
    assert run.log("log").read_bytes() == before


def test_a_line_that_a_crash_cut_off_goes_when_a_log_is_thinned(tmp_path):
    run = Run(tmp_path)
    run.log("log").write_text('{"step": 1}\n{"step": 2, "te\n{"step": 3}')
    run.cut(3)
    assert run.log("log").read_text() == '{"step": 1}\n{"step": 3}\n'


def test_what_is_written_for_tensorboard_grows_by_the_logarithm():
    written = [number for number in range(1, 6401) if spared(number, 100)]
    assert written[:100] == list(range(1, 101))
    assert len(written) <= 100 * (1 + 6)
    assert json.dumps(written[-2:]) == "[6336, 6400]"
