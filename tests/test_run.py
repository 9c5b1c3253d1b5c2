import errno
import fcntl
import json
import os
import shutil
from contextlib import suppress
from itertools import islice

import pytest
import safetensors.torch
import torch
from faults import files_of_at_most
from toys import contents, going, proposed

from benchmarks.disks import disk
from sparring.checkpoint import save_tensors
from sparring.errors import RequestError, RunError
from sparring.files import append_line
from sparring.learning import steps
from sparring.limits import Limits
from sparring.model import load
from sparring.run import Run

STEPS = 25  # a record a step, a checkpoint every five
TENSORS = {"a": torch.arange(4.0)}


def counters(step):
    return {"step": step, "images": 8 * step, "position": 16 * step}


@pytest.fixture(scope="module")
def proposal(shades):
    return proposed(shades)


def played(folder, proposal, count=STEPS):
    return list(going(folder, proposal, count))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, proposal):
    folder = tmp_path_factory.mktemp("whole")
    played(folder / "run", proposal)
    return contents(folder / "run")


def test_an_uninterrupted_run_leaves_nothing_half_written(whole):
    assert {"experiment.json", "plan.json", "log.jsonl", "metrics.jsonl", "generator.safetensors"} <= set(whole)
    assert not [name for name in whole if ".partial" in name]
    assert [name for name in whole if name.endswith("state.safetensors")] == [
        "checkpoints/00000020/state.safetensors",
        "checkpoints/00000025/state.safetensors",
    ]


def operations(folder, proposal):
    with disk() as counted:
        played(folder, proposal)
    return counted.done


def test_a_full_disk_at_any_operation_leaves_a_run_that_goes_on_to_the_same_files(tmp_path, proposal, whole):
    total = operations(tmp_path / "counted", proposal)
    assert total > 150
    for room in (*range(0, 30, 3), *range(30, total - 3, 23), *range(total - 4, total)):
        folder = tmp_path / str(room)
        full = pytest.raises(RunError, match="cannot be written: No space left on device")
        # What goes last, old checkpoints, can stay without harm.
        with disk(room), full if room < total - 2 else suppress(RunError):
            played(folder, proposal)
        played(folder, proposal)
        assert contents(folder) == whole, room
        shutil.rmtree(folder)


@pytest.mark.parametrize("size", [0, 100, 900, 3000])
def test_files_that_are_cut_off_while_they_grow_lose_nothing(tmp_path, proposal, whole, size):
    with files_of_at_most(size), pytest.raises(RunError, match="cannot be written: File too large"):
        played(tmp_path / "run", proposal)
    played(tmp_path / "run", proposal)
    assert contents(tmp_path / "run") == whole


def test_a_run_that_was_killed_goes_on_to_the_same_files(tmp_path, proposal, whole):
    """What a kill leaves: the logs are ahead of the checkpoint, and files half-written stand beside."""
    played(tmp_path / "run", proposal, 25)
    run = Run(tmp_path / "run")
    for checkpoint in run.checkpoints()[1:]:
        os.replace(checkpoint, checkpoint.with_name(f".{checkpoint.name}-0123abcd.partial"))
    (run.folder / ".log-0123abcd.partial.jsonl").write_text("{")
    (run.samples / ".00000025-0123abcd.partial.png").write_text("")
    with run.log("log").open("a") as log:
        log.write('{"step": 26, "ima')
    played(tmp_path / "run", proposal)
    assert contents(tmp_path / "run") == whole


def test_a_log_that_is_cut_at_any_byte_is_mended(tmp_path, proposal, whole):
    played(tmp_path / "run", proposal, 25)
    run = Run(tmp_path / "run")
    run.forget(20)
    kept = tmp_path / "kept"
    shutil.copytree(run.folder, kept)
    text = (kept / "log.jsonl").read_bytes()
    after = len(b"".join(text.splitlines(keepends=True)[:20]))  # what the checkpoint of step 20 relies on
    for end in range(after, len(text), 97):
        shutil.rmtree(run.folder)
        shutil.copytree(kept, run.folder)
        (run.folder / "log.jsonl").write_bytes(text[:end])
        played(run.folder, proposal)
        assert contents(run.folder) == whole, end


def test_a_run_that_stopped_before_its_first_checkpoint_starts_by_its_plan(tmp_path, proposal, whole):
    records = going(tmp_path / "run", proposal, STEPS)
    assert next(records).note.endswith("holds no checkpoint to go on from: starts at the first step")
    for _ in islice(records, 3):
        pass
    records.close()
    Run(tmp_path / "run").forget(0)  # as if it had been killed
    assert len(Run(tmp_path / "run").records("log")) == 3
    played(tmp_path / "run", proposal)
    assert contents(tmp_path / "run") == whole


def test_an_interrupted_removal_of_a_run_is_seen_as_one(tmp_path, proposal, monkeypatch):
    played(tmp_path / "run", proposal, 2)
    run = Run(tmp_path / "run")
    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            run.clear()
    assert not run.checkpoints()
    assert run.exists()
    run.clear()
    run.tidy()
    assert not run.exists()
    assert [p.name for p in run.folder.iterdir()] == ["lock"]


def test_data_that_were_given_in_memory_go_with_their_run_but_for_those_of_the_next(tmp_path):
    run = Run(tmp_path)
    run.data.mkdir()
    known = [f"{digit * 16}.{ending}" for digit, ending in zip("0af", ("npy", "npz", "parquet"), strict=True)]
    next_one, mine = "1" * 16 + ".parquet", "rows.parquet"
    for name in (*known, next_one, mine):
        (run.data / name).touch()
    run.clear(keep=run.data / next_one)
    assert {path.name for path in run.data.iterdir()} == {next_one, mine}


def test_what_is_no_runs_is_neither_removed_nor_written_into(tmp_path, proposal):
    mine = {"log.jsonl": "mine\n", "notes.jsonl": "{}\n", ".hidden-0123abcd": "x", "data/picture.npy": "x"}
    for name, text in mine.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(RequestError, match=r"holds log\.jsonl but no experiment\.json"):
        played(tmp_path, proposal)
    (tmp_path / "log.jsonl").unlink()
    played(tmp_path, proposal, 2)
    list(steps(proposal.experiment, tmp_path, limits=Limits(steps=2), material=proposal.material, overwrite=True))
    del mine["log.jsonl"]
    assert {name: (tmp_path / name).read_text() for name in mine} == mine


NAMES = {
    *("experiment.json", "plan.json", "codec", "generator.safetensors", "evaluation.json", "suspects.png", "best"),
    *("report.html", "data", "checkpoints", "samples", "log.jsonl", "timing.jsonl", "metrics.jsonl", "lock"),
    *("features", "tensorboard"),
}
INSIDE = {"codec/codec.json", "checkpoints/00000002", "checkpoints/00000002/state.safetensors", "features/few"}


@pytest.fixture(scope="module")
def small(tmp_path_factory, proposal):
    folder = tmp_path_factory.mktemp("small") / "run"
    played(folder, proposal, 2)
    return folder


@pytest.mark.parametrize("name", sorted(NAMES | INSIDE))
def test_a_run_whose_own_files_are_links_is_refused_and_what_they_lead_to_left_alone(tmp_path, proposal, small, name):
    folder, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(small, folder)
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    if path.is_dir() or (not path.exists() and "." not in name and name != "lock"):
        outside.mkdir()
        (outside / "20240101.jpg").write_text("precious")
        shutil.rmtree(path, ignore_errors=True)
    else:
        outside.write_bytes(path.read_bytes() if path.exists() and name != "lock" else b"precious")
        path.unlink(missing_ok=True)
    before = {p: p.read_bytes() for p in (outside, *outside.glob("*")) if p.is_file()}
    path.symlink_to(outside)
    if name != "experiment.json":
        with pytest.raises(RunError, match=f"{name} is a link"):
            load(folder)
    with pytest.raises(RunError, match=f"{name} is a link"):
        played(folder, proposal, 4)
    with pytest.raises(RunError, match=f"{name} is a link"):
        list(steps(proposal.experiment, folder, limits=Limits(steps=STEPS), material=proposal.material, overwrite=True))
    assert {p: p.read_bytes() for p in (outside, *outside.glob("*")) if p.is_file()} == before


@pytest.mark.parametrize("name", ["lock", "log.jsonl", "samples"])
def test_a_link_that_leads_nowhere_makes_nothing_there(tmp_path, proposal, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "outside")
    with pytest.raises(RunError, match=f"{name} is a link"):
        played(tmp_path / "run", proposal, 2)
    assert not (tmp_path / "outside").exists()


def test_pipes_are_refused_and_the_runs_folder_may_be_a_link(tmp_path, proposal):
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "real")
    played(tmp_path / "run", proposal, 2)
    (tmp_path / "real" / "lock").unlink()
    os.mkfifo(tmp_path / "real" / "lock")
    with pytest.raises(RunError, match="lock is a link or of another kind"):
        played(tmp_path / "run", proposal, 4)


@pytest.mark.parametrize(("code", "said"), [(errno.EAGAIN, "another process trains here"),
                                            (errno.ENOLCK, "cannot be locked: No locks available")])  # fmt: skip
def test_a_disk_without_locks_is_not_another_process(tmp_path, monkeypatch, code, said):
    def refused(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(RunError, match=said), Run(tmp_path).lock():
        pass


def test_every_name_that_a_run_writes_is_known_to_be_its_own(whole):
    assert {name.split("/")[0] for name in whole} <= NAMES


def test_the_last_checkpoints_are_kept_and_later_ones_go(tmp_path):
    run = Run(tmp_path)
    for step in (10, 20, 30, 40):
        run.save(step, TENSORS, counters(step))
        run.prune(step, keep=3, well=step)
    assert [p.name for p in run.checkpoints()] == ["00000020", "00000030", "00000040"]
    run.save(25, TENSORS, counters(25))
    run.prune(25, keep=3, well=25)
    assert [p.name for p in run.checkpoints()] == ["00000020", "00000025"]


def test_the_last_checkpoint_from_before_a_patience_began_is_kept_too_and_can_be_gone_back_to(tmp_path):
    run = Run(tmp_path)
    for step in (10, 20, 30, 40):
        run.save(step, TENSORS, counters(step))
        run.prune(step, keep=2, well=min(step, 15))
    assert [p.name for p in run.checkpoints()] == ["00000010", "00000030", "00000040"]
    assert run.restore(15)[1]["step"] == 10
    assert run.restore(5) is None
    (run.saved / "00000010" / "counters.json").unlink()
    assert run.restore(15) is None  # the start is left
    run.prune(40, keep=2, well=40)
    assert [p.name for p in run.checkpoints()] == ["00000030", "00000040"]


def test_a_checkpoint_of_the_same_step_takes_the_place_of_the_old_one(tmp_path):
    run = Run(tmp_path)
    run.save(10, TENSORS, counters(10))
    run.save(10, {"a": torch.ones(2)}, counters(10))
    assert torch.equal(run.restore()[0]["a"], torch.ones(2))
    assert [p.name for p in run.saved.iterdir()] == ["00000010"]


def test_a_checkpoint_for_which_there_is_no_room_is_refused_beforehand(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=3 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    Run(tmp_path).refuse_full_disk(2**20)
    with pytest.raises(RunError, match=r"a checkpoint needs 3\.5 MiB of room and 3\.0 MiB are free; make room"):
        Run(tmp_path).refuse_full_disk(5 * 2**19)


def test_a_session_asks_for_room_before_it_saves(tmp_path, proposal, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: os.statvfs_result((0,) * 10) and _Usage())
    with pytest.raises(RunError, match=r"a checkpoint needs .* and 0\.0 MiB are free"):
        played(tmp_path / "run", proposal)
    assert not Run(tmp_path / "run").checkpoints()
    assert not (tmp_path / "run" / "generator.safetensors").exists()


def _interrupt(*_, **__):
    raise KeyboardInterrupt


class _Usage:
    free = 0


@pytest.mark.parametrize("name", ["state.safetensors", "counters.json", "checksums.json"])
def test_a_checkpoint_that_is_damaged_at_any_byte_is_left_out(tmp_path, name):
    run = Run(tmp_path)
    run.save(10, TENSORS, counters(10))
    run.save(20, TENSORS, counters(20))
    path = run.saved / "00000020" / name
    content = path.read_bytes()
    for place in range(len(content)):
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]):
            path.write_bytes(damaged)
            _, found, notes = run.restore()
            assert found["step"] == 10, (place, damaged)
            assert "00000020 is damaged and left out" in notes[0]


@pytest.mark.parametrize("stored", [{}, {"step": 20, "images": "many", "position": 2}, counters(30)])
def test_counters_that_are_no_counters_are_damage(tmp_path, stored):
    run = Run(tmp_path)
    run.save(10, TENSORS, counters(10))
    run.save(20, TENSORS, stored)
    _, found, notes = run.restore()
    assert found["step"] == 10
    assert "does not hold the counters of step 20" in notes[0]


@pytest.mark.parametrize(
    ("error", "seen", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files"), RunError, "cannot be read now: Too many open files"),
        (MemoryError("no room"), MemoryError, "no room"),
    ],
)
def test_a_checkpoint_that_cannot_be_read_now_is_not_taken_for_damaged(tmp_path, monkeypatch, error, seen, said):
    run = Run(tmp_path)
    run.save(10, TENSORS, counters(10))
    run.save(20, TENSORS, counters(20))

    def refused(*_):
        raise error

    monkeypatch.setattr(safetensors.torch, "load_file", refused)
    with pytest.raises(seen, match=said):
        run.restore()
    monkeypatch.undo()
    assert run.restore()[1]["step"] == 20


def test_what_was_not_planned_gives_way_and_pushes_nothing_out(tmp_path):
    run, planned = Run(tmp_path), lambda step: step % 10 == 0
    for step in (10, 20, 23, 27):
        run.save(step, TENSORS, counters(step))
        run.prune(step, keep=2, well=step, planned=planned)
    assert [p.name for p in run.checkpoints()] == ["00000010", "00000020", "00000027"]
    assert run.restore()[1]["step"] == 27
    assert run.good(30, planned, [])[1]["step"] == 20
    run.save(30, TENSORS, counters(30))
    run.prune(30, keep=2, well=30, planned=planned)
    assert [p.name for p in run.checkpoints()] == ["00000020", "00000030"]


def test_what_did_not_help_is_gone_back_behind_where_there_is_something_older(tmp_path):
    run = Run(tmp_path)
    for step in (10, 20):
        run.save(step, TENSORS, counters(step))
    taken = [run.good(25, lambda step: True, tried)[1]["step"] for tried in ([], [0], [20], [10, 20])]
    assert taken == [20, 20, 10, 10]
    run.forget(10)
    assert run.good(25, lambda step: True, [10])[1]["step"] == 10
    assert run.good(5, lambda step: True, []) is None


def test_a_torn_line_is_not_gone_on_with(tmp_path):
    path = tmp_path / "log.jsonl"
    append_line(path, '{"step": 1}')
    path.write_text(path.read_text() + '{"step": 2, "te')
    append_line(path, '{"step": 3}')
    assert [record["step"] for record in Run(tmp_path).records("log")] == [1, 3]


def test_logs_are_on_disk_before_the_checkpoint_that_relies_on_them(tmp_path, monkeypatch):
    run = Run(tmp_path)
    run.append("log", {"step": 1})
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda n: (done.append(os.path.basename(os.readlink(f"/proc/self/fd/{n}"))), fsync(n))
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append(f"to {os.path.basename(b)}"), replace(a, b)))
    run.save(1, TENSORS, counters(1))
    assert done[0] == "log.jsonl"
    assert done.index("state.safetensors") < done.index("to 00000001")


def test_a_run_of_an_older_version_without_newer_fields_goes_on(tmp_path, proposal):
    played(tmp_path / "run", proposal, 2)
    path = tmp_path / "run" / "experiment.json"
    stored = json.loads(path.read_text())
    del stored["experiment"]["training"]["keep"]
    path.write_text(json.dumps(stored))
    assert played(tmp_path / "run", proposal, 4)[-1].step == 4


def test_tensors_on_a_full_disk_are_refused_in_one_line(tmp_path):
    with files_of_at_most(100), pytest.raises(RunError, match=r"x\.safetensors cannot be written: File too large"):
        Run(tmp_path).write_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1000)})
    assert not list(tmp_path.iterdir())
    safetensors.torch.save_file(TENSORS, tmp_path / "there.safetensors")
    assert torch.equal(Run(tmp_path).read_tensors(tmp_path / "there.safetensors")["a"], TENSORS["a"])


def test_a_model_may_be_read_by_whoever_may_read_the_rest_of_the_run(tmp_path):
    run = Run(tmp_path)
    run.write(run.plan, {})
    run.write_tensors(run.generator, {"weight": torch.zeros(3)})
    run.save(5, {"weight": torch.zeros(3)}, {"step": 5, "images": 0, "position": 0})
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()}
    assert len(modes) == 1


@pytest.mark.parametrize("dtypes", [(torch.float32, torch.int64, torch.bool), (torch.float16, torch.bfloat16)])
def test_tensors_of_every_type_and_shape_come_back_as_they_were(tmp_path, dtypes):
    wanted = {f"{dtype}, {shape}": torch.ones(shape).to(dtype) for dtype in dtypes for shape in ((), (0,), (2, 3))}
    wanted["across"] = torch.arange(6.0).reshape(2, 3).T.requires_grad_()
    save_tensors(tmp_path / "x", wanted)
    found = safetensors.torch.load_file(tmp_path / "x")
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
