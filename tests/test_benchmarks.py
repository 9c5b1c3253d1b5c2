import argparse
import json
import signal
import subprocess
import sys
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import sparring
from benchmarks import (
    conditional,
    evaluating,
    intervals,
    judges,
    ledger,
    mixtures,
    mnist,
    pictures,
    readings,
    rivals,
    runs,
    sanity,
    stacked,
    startup,
    table,
    tutorial,
)
from benchmarks.ledger import Ledger, Measurement
from sparring.metrics import Evidence
from sparring.metrics.kernel import Kid
from sparring.run import Run


def test_a_measurement_is_on_disk_when_it_has_been_added(tmp_path):
    book = Ledger("mnist", ["--seeds", "0"], tmp_path)
    book.add(Measurement("ratio", 1.2, "<= 1.25", floor=4.0, items=10, seed=0, minutes=3.0, more={"load": 0.1}))
    line = json.loads((tmp_path / "mnist.jsonl").read_text())
    assert line["command"] == "python -m benchmarks.mnist --seeds 0"
    assert {"figure", "value", "floor", "items", "seed", "commit", "minutes", "machine", "at"} <= set(line)


def test_a_line_that_a_crash_cut_off_takes_no_other_along(tmp_path):
    path = tmp_path / "x.jsonl"
    ledger.append(path, {"a": 1})
    with path.open("ab") as file:
        file.write(b'{"a": 2, "b')
    ledger.append(path, {"a": 3})
    assert ledger.lines(path) == [{"a": 1}, {"a": 3}]


def test_infinity_is_written_as_text_and_still_breaks_its_bound(tmp_path):
    Ledger("rivals", [], tmp_path).add(Measurement("seconds", inf, "<= 180", seed=0))
    (line,) = ledger.read(tmp_path)
    assert line["value"] == "inf"
    assert "0 of 1" in ledger.render([line])


@pytest.mark.parametrize(
    ("value", "bound", "kept"),
    [(1.25, "<= 1.25", True), (1.26, "<= 1.25", False), (0.5, "< 0.5", False), (990, ">= 990", True), (3, "", None)],
)
def test_a_bound_is_kept_or_not(value, bound, kept):
    assert ledger.keeps(value, bound) is kept


def test_the_newest_measurement_of_each_seed_counts(tmp_path):
    for seed, value in [(0, 9.0), (1, 2.0), (0, 1.0)]:
        Ledger("mnist", [], tmp_path).add(Measurement("ratio", value, "<= 1.25", seed=seed))
    row = ledger.render(ledger.read(tmp_path)).splitlines()[2]
    assert "1.5 (1 to 2)" in row
    assert "1 of 2" in row


def test_what_was_measured_with_changed_settings_is_another_figure(tmp_path):
    Ledger("mixtures", ["--steps", "5"], tmp_path).add(Measurement("modes", 8.0, ">= 8"))
    assert ledger.read(tmp_path)[0]["figure"] == "modes (changed settings)"


def test_a_recorded_command_is_one_that_another_machine_can_be_given(tmp_path):
    asked = ["runs/a", "--results", "/here", "--seeds", "0-2", "--scratch=/there", "--minutes", "3"]
    Ledger("readings", asked, tmp_path).add(Measurement("share", 0.02))
    assert ledger.read(tmp_path)[0]["command"] == "python -m benchmarks.readings runs/a --seeds 0-2 --minutes 3"


def test_the_table_leaves_trajectories_out_and_says_when_there_is_nothing(tmp_path, capsys):
    Ledger("rivals-trajectory", [], tmp_path).add(Measurement("distance", 1.0))
    assert table.main(["--results", str(tmp_path)]) == 1
    Ledger("startup", [], tmp_path).add(Measurement("help", 0.2, "< 0.5"))
    capsys.readouterr()
    assert table.main(["--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| help | < 0.5 | 0.2 | 1 of 1 |")


def test_seeds_are_single_numbers_or_ranges():
    assert runs.seeds_option(["7", "0-2"]) == [7, 0, 1, 2]


def test_data_that_cannot_be_found_are_named_with_the_variable(monkeypatch, tmp_path):
    monkeypatch.delenv("SPARRING_DATA", raising=False)
    with pytest.raises(SystemExit, match="SPARRING_DATA is not set"):
        runs.data_path("mnist")
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="has no mnist"):
        runs.named("stacked-mnist")


def test_the_memory_of_a_process_and_its_children_is_seen():
    child = "import subprocess, sys; x = b'x' * 2**26; subprocess.run(['sleep', '0.5'])"
    process = subprocess.Popen([sys.executable, "-c", child])
    assert 2**26 < runs.watch_memory(process, every=0.02) < 2**29
    assert process.returncode == 0


def test_a_training_does_not_outlive_the_script_that_started_it():
    process = subprocess.Popen(["sleep", "60"])
    with pytest.raises(SystemExit), runs.ended_with_us(process):
        signal.raise_signal(signal.SIGTERM)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_the_true_mixture_keeps_every_bound(name):
    source = mixtures.MIXTURES[name]
    truth = source.but(count=2_500, seed=5).load().items
    judged = mixtures.judged(name, mixtures.coverage(truth, source.centres(), source.sigma))
    assert all(ledger.keeps(m.value, m.bound) for m in judged)
    many = mixtures.coverage(source.but(count=200_000, seed=5).load().items, source.centres(), source.sigma)
    assert many.quality == pytest.approx(mixtures.TRUE_QUALITY, abs=0.002)
    np.testing.assert_allclose(many.variances, 1, atol=0.06)


@pytest.mark.parametrize(
    ("broken", "figure"),
    [
        (lambda p, m: p[p[:, 0] < 3], "modes"),
        (lambda p, m: p + 0.25 * (np.arange(len(p)) % 10 == 0)[:, None], "high quality"),
        (lambda p, m: m[np.linalg.norm(p[:, None] - m, axis=2).argmin(1)], "smallest variance"),
        (lambda p, m: np.where(np.arange(len(p))[:, None] < len(p) / 3, m[:1], p), "largest share"),
    ],
)
def test_each_way_of_being_wrong_breaks_its_bound(broken, figure):
    source = mixtures.MIXTURES["grid"]
    wrong = broken(source.but(count=2_500).load().items, source.centres().astype(np.float32))
    seen = mixtures.coverage(wrong, source.centres(), source.sigma)
    assert any(figure in m.figure for m in mixtures.judged("x", seen) if not ledger.keeps(m.value, m.bound))


def test_the_mixtures_are_those_of_the_published_protocol():
    ring, grid = mixtures.MIXTURES["ring"], mixtures.MIXTURES["grid"]
    assert (ring.modes, ring.radius, ring.sigma) == (8, 1.0, 0.01)
    assert (grid.side, grid.spacing, grid.sigma) == (5, 2.0, 0.05)


class Reader:
    """A judge that reads the digit from the first pixel."""

    def classes(self, pictures):
        return pictures[:, 0, 0, 0].astype(np.int64)

    def features(self, pictures):
        return pictures.reshape(len(pictures), -1).astype(np.float64)


def test_stacked_digits_are_read_by_channel():
    digits = np.repeat(np.arange(10, dtype=np.uint8), 20).reshape(200, 1, 1, 1) * np.ones((1, 2, 2, 1), np.uint8)
    triples = stacked.real_triples(digits, 26_000, seed=0)
    found = stacked.figures(Reader(), triples, Reader().features(digits))
    assert found[stacked.OFTEN] == found["modes with a sample"] == 1000
    assert found["divergence to uniform, nats"] == pytest.approx(0.019, abs=0.004)
    assert found["Fréchet distance of channel 2"] == pytest.approx(0, abs=1e-6)
    one = stacked.figures(Reader(), triples[:1].repeat(30, 0), Reader().features(digits))
    assert one[stacked.OFTEN] == 1


def test_each_channel_of_real_triples_goes_through_all_digits():
    digits = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1) * np.ones((1, 2, 2, 1), np.uint8)
    triples = stacked.real_triples(digits, 120, seed=0)
    assert triples.shape == (120, 2, 2, 3)
    for channel in range(3):
        assert sorted(triples[:50, 0, 0, channel]) == list(range(50))
    assert not np.array_equal(triples[..., 0], triples[..., 1])


def test_the_extreme_shares_and_the_ratio_are_bounded():
    found = mnist.spread([0.06, *[0.1] * 8, 0.14], minutes=10.0)
    assert [ledger.keeps(m.value, m.bound) for m in found] == [False, False]
    source = np.random.default_rng(0)
    held = [judges.Held(source.integers(0, 255, (400, 28, 28, 1), dtype=np.uint8), None) for _ in range(3)]
    scales = [mnist.Scale(Brightness(name), judges.Real(*held, ())) for name in ("first", "second")]
    ratio, other = mnist.distances(scales, held[1].pictures, minutes=10.0)
    assert ratio.value == other.value == pytest.approx(1)
    assert [ratio.bound, other.bound] == ["<= 1.25", ""]
    assert mnist.distances(scales, held[1].pictures, minutes=7.0)[0].bound == ""
    assert mnist.distances(scales, held[1].pictures // 2, minutes=7.0)[0].value > 10


class Brightness:
    def __init__(self, name):
        self.name = name

    def features(self, pictures):
        return pictures.reshape(len(pictures), 4, -1).mean(2) / 255


def test_the_plain_classifier_learns_and_is_read_back_the_same(tmp_path):
    source = np.random.default_rng(0)
    labels = np.arange(600) % 3
    pictures = source.integers(0, 60, (600, 28, 28, 1), dtype=np.uint8)
    for label in range(3):
        pictures[labels == label, 8 * label : 8 * label + 8] += 120
    held = judges.Held(pictures, labels)
    data = judges.Real(held, held.first(30), held.first(60), ("a", "b", "c"))
    first, again = (judges.plain_digit_judge(data, tmp_path) for _ in range(2))
    assert np.mean(first.classes(pictures) == labels) > 0.95
    np.testing.assert_array_equal(first.features(pictures), again.features(pictures))
    assert len(list(tmp_path.iterdir())) == 1


def test_agreement_is_the_share_of_equal_labels():
    assert conditional.agreement(np.array([1, 2, 3, 4]), np.array([1, 2, 0, 4])) == 0.75


def test_the_rival_learns_steps_and_samples_what_the_judge_takes():
    torch.manual_seed(0)
    players = tutorial.Generator(), tutorial.Discriminator()
    pictures = tutorial.in_minus_one_to_one(np.zeros((10, 28, 28, 1), np.uint8))
    plain = tutorial.PlainLoop(*players, players, pictures, tutorial.Setting(1e-4, 0.9, batch=4))
    before = [p.clone() for player in players for p in player.parameters()]
    seconds, images = plain.play(0.01)
    assert seconds >= 0.01
    assert images == plain.images > 0
    changed = [not torch.equal(a, b) for a, b in zip(before, (p for q in players for p in q.parameters()), strict=True)]
    assert all(changed)
    made = tutorial.sampled(players[0], 3, seed=0)
    assert made.shape == (3, 28, 28, 1)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, tutorial.sampled(players[0], 3, seed=0))


def test_the_rival_is_the_network_of_the_recipe_dcgan():
    from sparring.networks.dcgan import Dcgan
    from sparring.types import DataSpec

    def sizes(network):
        return sorted(p.numel() for p in network.parameters() if p.ndim > 1)

    spec = DataSpec((1, 28, 28))
    ours = Dcgan()
    for mine, theirs in (
        (ours.generator(spec, tutorial.LATENT), tutorial.Generator()),
        (ours.discriminator(spec), tutorial.Discriminator()),
    ):
        assert sizes(mine) == sizes(theirs)


def test_a_best_point_is_chosen_on_the_select_split():
    points = [{"select": 3.0, "test": 1.0}, {"select": 2.0, "test": 9.0}]
    assert tutorial.best(points)["test"] == 9.0


def test_the_target_is_the_best_of_all_rivals(tmp_path):
    with pytest.raises(SystemExit, match="rivals loop"):
        rivals.target(tmp_path)
    for seed, select in ((0, 30.0), (1, 20.0)):
        found = {"select": select, "seconds": 100.0 + seed}
        Ledger("rivals", [], tmp_path).add(Measurement(f"a: {rivals.BEST}", 31.0, seed=seed, more=found))
    assert rivals.target(tmp_path)["seconds"] == 101.0


def test_a_judge_is_fitted_once_and_read_back_the_same(tmp_path, capsys):
    pictures = np.random.default_rng(0).integers(0, 255, (60, 8, 8, 1), dtype=np.uint8)
    held = judges.Held(pictures, np.arange(60) % 3)
    data = judges.Real(held, held.first(10), held.first(20), ("a", "b", "c"))
    first = judges.cached_judge("x", data, tmp_path)
    again = judges.cached_judge("x", data, tmp_path)
    assert capsys.readouterr().err.count("fits the judge") == 1
    np.testing.assert_array_equal(first.features(pictures), again.features(pictures))
    other = judges.Real(held.first(50), held, held, data.classes)
    assert judges.fingerprint(other.train) != judges.fingerprint(data.train)
    assert len(data.held_back().pictures) == 30


def test_real_data_are_split_as_the_library_splits_them():
    data = judges.real("digits")
    assert len(data.train.pictures) > len(data.report.pictures) == len(data.select.pictures) > 0
    assert data.classes == tuple("0123456789")
    assert set(data.report.labels.tolist()) == set(range(10))


@pytest.mark.parametrize(
    "script",
    [mnist, conditional, evaluating, intervals, mixtures, pictures, readings, rivals, sanity, stacked, startup, table],
)
def test_every_script_describes_itself(script, capsys):
    with pytest.raises(SystemExit) as ended:
        script.main(["--help"])
    assert ended.value.code == 0
    assert "python -m benchmarks" in capsys.readouterr().out


def test_a_script_measures_the_runs_that_it_is_given_and_trains_one_where_there_is_none(tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(runs, "train", lambda *told: trained.append(told))
    monkeypatch.setattr(runs, "named", lambda name: name)
    asked = ["--minutes", "2.5", "--scratch", str(tmp_path)]
    for folders, told in (([Path("a"), Path("b")], ["a", "b"]), ([tmp_path / "evaluating"], asked)):
        parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluating")
        assert runs.given(parser, told, minutes=1)[1] == folders
    assert trained == [("mnist", tmp_path / "evaluating", "--minutes", "2.5", "--seed", "0")]


def test_the_cost_of_an_evaluation_is_that_of_the_whole_command(tmp_path, monkeypatch):
    sparring.train("ring", out=tmp_path / "run", recipe="mlp", steps=1, settings=("data.count=400",))
    kept = tmp_path / "run" / "features" / "fitted-before"
    kept.mkdir(parents=True)
    monkeypatch.setattr(evaluating.runs, "program", lambda: [sys.executable, "-m", "sparring"])
    assert evaluating.main([str(tmp_path / "run"), "--count", "40", "--results", str(tmp_path)]) == 0
    seconds, memory = ledger.lines(tmp_path / "evaluating.jsonl")
    assert seconds["figure"] == "run: evaluating 40 samples with all default metrics, seconds"
    assert (seconds["bound"], memory["bound"], seconds["items"]) == ("<= 120", "< 3", 40)
    assert 0 < seconds["value"] < 3600
    assert 0.05 < memory["value"] < 64
    assert not kept.exists()
    with pytest.raises(SystemExit, match=r"evaluate .* failed with exit code"):
        evaluating.cost(tmp_path / "none", 10)


def test_the_cost_of_readings_is_their_share_of_the_time_of_a_run(tmp_path):
    run = Run(tmp_path)
    assert readings.cost(run) == (0.0, 0)
    for record in (
        {"step": 1, "images_per_second": 5.0, "seconds": 90.0},
        {"step": 1, "measured_in": 1.5, "seconds": 92.0},
        {"step": 2, "measured_in": 2.0, "seconds": 100.0},
    ):
        run.append("timing", record)
    run.append("metrics", {"step": 1, "metrics": []})
    assert readings.cost(run) == (pytest.approx(0.02), 1)


def test_intervals_that_are_too_narrow_are_seen_to_miss(monkeypatch):
    def points(source, count, strength):
        rows = source.normal(strength, 1, (count, 2))
        return Evidence(rows, rows)

    case = intervals.Case("points", points, 0.3, (Kid(),), many=60)
    (honest,) = [held for name, held, *_ in intervals.hits(case, 60, 40, 0) if name == "kid"]
    assert honest > 32
    taken = Kid.__call__

    def narrow(self, *sides):
        return {n: replace(r, low=r.value - 1e-6, high=r.value + 1e-6) for n, r in taken(self, *sides).items()}

    monkeypatch.setattr(Kid, "__call__", narrow)
    assert [held for name, held, *_ in intervals.hits(case, 60, 40, 0) if name == "kid"] == [0]
