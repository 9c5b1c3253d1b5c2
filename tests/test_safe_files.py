import copy
import json
import pickle
import shutil
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from toys import going, proposed

import sparring
from sparring import codec
from sparring.archive import kept
from sparring.best import best_of
from sparring.checkpoint import checksum
from sparring.data.arrays import Arrays
from sparring.data.named import Mnist
from sparring.display import beginning
from sparring.errors import RequestError, RunError, SparringError
from sparring.evaluation import Evaluation
from sparring.games.latent import Latent
from sparring.learning import steps
from sparring.limits import Limits
from sparring.memory import available
from sparring.model import load
from sparring.reporting.findings import curves
from sparring.run import LOGS, Run

GOLDEN = Path(__file__).parent / "golden"


def played(folder, count=6):
    list(going(folder, proposed(Arrays(path=str(folder.parent / "data.npz"))), count))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    pixels = np.random.default_rng(0).integers(0, 255, (120, 4, 4, 1), dtype=np.uint8)
    np.savez(folder / "data.npz", samples=pixels, label=np.arange(120) % 3)
    played(folder / "run")
    return folder


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made, tmp_path / "made")
    return tmp_path / "made" / "run"


def use(run):
    """Everything that reads a run."""
    beginning(run, None)
    model = load(run)
    model.sample(2, condition={"label": "1"})
    model.score(np.zeros((2, 4, 4, 1), np.uint8))
    played(run, 8)


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def payloads(mark, folder):
    plain = pickle.dumps(Payload(mark))
    yield plain
    torch.save(Payload(mark), folder / "x.pth")
    yield (folder / "x.pth").read_bytes()
    np.save(folder / "x.npy", np.array([Payload(mark)], object), allow_pickle=True)
    yield (folder / "x.npy").read_bytes()
    np.savez(folder / "x.npz", samples=np.array([Payload(mark)], object), codes_0=np.array([Payload(mark)], object))
    yield (folder / "x.npz").read_bytes()


def test_the_payload_would_work(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "mark")))
    assert (tmp_path / "mark").exists()


def test_a_pickle_under_any_name_that_is_loaded_does_nothing(made, tmp_path):
    mark = tmp_path / "mark"
    names = [p.relative_to(made) for p in made.rglob("*") if p.is_file() and p.name != "lock"]
    assert len(names) > 12
    for name in names:
        for number, payload in enumerate(payloads(mark, tmp_path)):
            folder = tmp_path / f"{name.name}-{number}"
            shutil.copytree(made, folder)
            (folder / name).write_bytes(payload)
            with suppress(SparringError):
                use(folder / "run")
            assert not mark.exists(), name
            shutil.rmtree(folder)


def header(text, body=b""):
    return struct.pack("<Q", len(text)) + text + body


HOSTILE = {
    "empty": b"",
    "longer than the file": struct.pack("<Q", 2**40) + b"{}",
    "largest length": struct.pack("<Q", 2**64 - 1),
    "no JSON": header(b"\x80\x04pickle"),
    "deep": header(b"[" * 100_000 + b"]" * 100_000),
    "huge tensor": header(b'{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}}', bytes(4)),
    "overflow": header(b'{"a":{"dtype":"F32","shape":[65536,65536,65536,65536],"data_offsets":[0,4]}}', bytes(4)),
    "overlap": header(
        b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}',
        bytes(4),
    ),
    "negative": header(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', bytes(4)),
    "unknown type": header(b'{"a":{"dtype":"OBJ","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "repeated": header(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},' * 1000 + b'"z":1}', bytes(1)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_weights_are_refused_in_one_line(run, name):
    (run / "generator.safetensors").write_bytes(HOSTILE[name])
    with pytest.raises(RunError, match=r"generator\.safetensors") as refusal:
        load(run)
    assert len(str(refusal.value)) < 600


def test_weights_of_another_shape_type_or_name_are_refused_by_name(run):
    path = run / "generator.safetensors"
    tensors = safetensors.torch.load_file(path)
    name = next(iter(tensors))
    others = {
        "and should be real of": {**tensors, name: torch.zeros(3, 3, 3)},
        "is int64 of": {**tensors, name: torch.zeros(tensors[name].shape, dtype=torch.int64)},
        "is missing": {key: value for key, value in tensors.items() if key != name},
        "should be missing": {**tensors, "stranger": torch.zeros(2)},
    }
    for said, stored in others.items():
        safetensors.torch.save_file(stored, path)
        with pytest.raises(RunError, match=rf"does not fit the experiment: .*{said}"):
            load(run)


@pytest.mark.parametrize("name", ["experiment.json", "plan.json", "codec/codec.json"])
@pytest.mark.parametrize("text", [
    "", "{", "[]", "null", "1", '"x"', "[" * 50_000, '{"a":' * 50_000,
    '{"experiment": ' + "[" * 500 + "]" * 500 + "}",
    '{"experiment": {"part": "experiment", "data": {"part": "os.system"}}}', '{"part": "__import__"}',
    '{"experiment": {"part": ["latent"]}}', "1" * 10_000, '{"steps": ' + "9" * 5000 + "}", "\x00\x00",
])  # fmt: skip
def test_hostile_json_is_refused_in_one_line(run, name, text):
    (run / name).write_text(text, encoding="utf-8")
    with pytest.raises(SparringError) as refusal:
        use(run)
    assert len(str(refusal.value).splitlines()) == 1
    assert len(str(refusal.value)) < 2000


@pytest.mark.parametrize("name", ["experiment.json", "plan.json", "codec/codec.json"])
def test_json_that_has_no_end_or_is_larger_than_any_is_refused_unread(run, name):
    (run / name).unlink()
    (run / name).symlink_to("/dev/zero")
    with pytest.raises(RunError, match="no regular file"):
        Run(run).read(run / name)
    (run / name).unlink()
    with (run / name).open("wb") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(RunError, match="16777217 bytes are more than the 16777216 that a run writes"):
        use(run)


@pytest.mark.parametrize("name", ["counters.json", "checksums.json"])
def test_a_checkpoint_whose_json_is_larger_than_any_is_left_out(run, name):
    newest = Run(run).checkpoints()[-1]
    with (newest / name).open("wb") as file:
        file.truncate(2**24 + 1)
    if name == "counters.json":
        sums = json.loads((newest / "checksums.json").read_text())
        (newest / "checksums.json").write_text(json.dumps(sums | {name: checksum(newest / name)}))
    found = Run(run).restore()
    assert found is not None
    _, counters, damaged = found
    assert counters["step"] < int(newest.name)
    assert len(damaged) == 1
    assert "are more than the 16777216 that a run writes" in damaged[0]


@pytest.mark.parametrize("name", LOGS)
def test_a_log_that_would_not_fit_into_memory_is_refused_unread(run, name):
    left = available(torch.device("cpu"))
    assert left is not None
    with (run / f"{name}.jsonl").open("wb") as file:
        file.truncate(left // 16)
    for reading in (lambda: Run(run).records(name), lambda: Run(run).cut(0)):
        with pytest.raises(RunError, match=rf"{name}\.jsonl has .* MiB, and reading it may take 24 times as much"):
            reading()


LINES = {
    "text": '{"step": 3, "seconds": "x", "measured_in": "y", "signs": {"separation": "x"}, "terms": 3}',
    "null": '{"step": 3, "seconds": null, "measured_in": null, "signs": 3, "metrics": [{"name": 3}]}',
    "not finite": '{"step": 3, "metric": "kid", "value": NaN, "seconds": NaN, "measured_in": Infinity}',
    "changes": '{"step": 3, "changes": 3, "terms": {"a": "x"}, "alarm": [1], "note": {}}',
    "before the start": '{"step": -3}', "no object": "[]", "deep": "[" * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("name", ["log.jsonl", "timing.jsonl", "metrics.jsonl", "best/best.json", "evaluation.json"])
@pytest.mark.parametrize("kind", LINES)
def test_hostile_logs_are_left_out_or_refused_in_one_line(run, name, kind):
    path = run / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(LINES[kind] + "\n", encoding="utf-8")
    with suppress(SparringError):
        use(run)
    with suppress(SparringError):
        kept(Run(run))
    with suppress(SparringError):
        best_of(Run(run))
    assert curves(Run(run).records("metrics")) is not None
    assert all(np.isfinite(record.get("seconds", 0)) for record in Run(run).records("timing"))


def test_an_evaluation_without_its_numbers_is_refused():
    for stored in ({}, {"metrics": 3, "protocol": {}, "refused": {}}, {"metrics": [{"nam": 1}], "protocol": {}}):
        with pytest.raises(RunError, match="no evaluation"):
            Evaluation.from_json(stored)


def test_a_network_that_no_run_has_takes_no_memory(run):
    path = run / "experiment.json"
    stored = json.loads(path.read_text())
    stored["experiment"]["task"]["game"]["latent"] = 10**12
    path.write_text(json.dumps(stored))
    with pytest.raises(RunError, match=r"game\.latent = 1e\+12 is beyond 65536"):
        load(run)
    stored["experiment"]["task"]["game"]["latent"] = 60_000
    stored["experiment"]["task"]["game"]["network"]["hidden"] = [60_000]
    path.write_text(json.dumps(stored))
    with pytest.raises(RunError, match="does not fit the experiment"):
        load(run)


def test_a_discriminator_that_no_checkpoint_holds_takes_no_memory(run, monkeypatch):
    path = run / "experiment.json"
    stored = json.loads(path.read_text())
    plain = load(run).sample(2)
    built, players = [], Latent.players
    monkeypatch.setattr(Latent, "players", lambda *asked: built.append(torch.empty(0).is_meta) or players(*asked))
    stored["experiment"]["task"]["game"]["network"]["judge"] = [60_000, 30_000]
    path.write_text(json.dumps(stored))
    beginning(run, None)
    model = load(run)
    assert built
    assert all(built)
    assert np.array_equal(model.sample(2), plain)
    with pytest.raises(RunError, match=r"checkpoints does not fit the experiment: discriminator"):
        model.score(np.zeros((2, 4, 4, 1), np.uint8))
    assert all(built)


def test_players_that_must_be_built_in_earnest_are_refused_where_memory_does_not_suffice(run, monkeypatch):
    model = load(run)
    tensors = dict(model._players.state_dict())
    model._players.get_submodule("generator").register_buffer("unsaved", torch.zeros(2), persistent=False)
    monkeypatch.setattr(Latent, "samplers", lambda *asked: copy.deepcopy(model._players))
    assert codec.filled(model.experiment, model.codec, tensors, run)["generator"].get_buffer("unsaved").tolist() == [
        0,
        0,
    ]
    monkeypatch.setattr(codec, "available", lambda device: 100)
    with pytest.raises(RunError, match=r"the players of the experiment take 0\.0 GiB of memory, and 0\.0 are free"):
        codec.filled(model.experiment, model.codec, tensors, run)


def test_data_are_not_fetched_from_addresses_that_a_run_names(run):
    path = run / "experiment.json"
    stored = json.loads(path.read_text())
    stored["experiment"]["data"] = Mnist(mirrors=("http://127.0.0.1:9/",)).to_json()
    path.write_text(json.dumps(stored))
    assert load(run).experiment.data == Mnist()


def test_a_part_that_is_not_there_is_named_with_the_versions(run):
    path = run / "experiment.json"
    path.write_text(path.read_text().replace('"non-saturating"', '"of-later"'))
    with pytest.raises(RequestError, match=r"no loss is called 'of-later'.*; made by sparring .*, this is "):
        load(run)


@pytest.mark.parametrize("folder", sorted(p for p in GOLDEN.glob("*") if p.is_dir()), ids=lambda p: p.name)
def test_a_run_of_every_release_loads_and_samples_the_same(folder):
    made = load(folder / "run").sample(16, seed=3, condition={"label": "1"})
    expected = np.load(folder / "samples.npy")
    assert made.shape == expected.shape
    # Another processor may round one value in many the other way.
    apart = np.abs(made.astype(int) - expected.astype(int))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.01


@pytest.mark.parametrize("folder", sorted(p for p in GOLDEN.glob("*") if p.is_dir()), ids=lambda p: p.name)
def test_a_run_of_every_release_scores_the_same_and_goes_on(folder, made, tmp_path, monkeypatch):
    shutil.copytree(folder / "run", tmp_path / "run")
    shutil.copy(made / "data.npz", tmp_path)
    monkeypatch.chdir(tmp_path)  # the run was made where its data lie
    items = np.load("data.npz")["samples"][:16]
    scores = load("run").score(items, {"label": np.array(["0"] * 16)})
    assert scores == pytest.approx(np.load(folder / "scores.npy"), abs=1e-4)
    begun = load("run").run.restore()
    assert begun is not None
    experiment, step = codec.read_experiment(Run("run")), begun[1]["step"]
    records = list(steps(experiment, Path("run"), limits=Limits(steps=step + 2), device="cpu", resume=True))
    assert records[-1].step == step + 2
    assert np.isfinite(load("run").sample(4, condition={"label": "1"})).all()


def test_there_is_a_golden_run_of_this_version():
    assert (GOLDEN / sparring.__version__ / "run" / "experiment.json").is_file()
    assert sum(p.stat().st_size for p in GOLDEN.rglob("*") if p.is_file()) < 100_000
