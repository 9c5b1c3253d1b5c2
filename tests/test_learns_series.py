"""That series are learned: sines of a known band and autoregressive ones of a known correlation."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import sparring
from sparring import cli, learning
from sparring.experiment import gather, gather_again
from sparring.games.timegan import Timegan
from sparring.metrics import Evidence, Metric, ranked
from sparring.metrics.dynamics import Autocorrelation
from sparring.proposal import propose

SMALL = (
    "network.width=16",
    "training.batch=64",
    "optimiser.rate=3e-3",
    "penalties.r1.gamma=0.1",
    "penalties.r2.gamma=0.1",
)
TINY = ("network.width=4", "training.batch=16")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks so small wait for their threads longer than they compute
    yield
    torch.set_num_threads(threads)


def sines(count=1000, steps=24) -> np.ndarray:
    """Between one and three and a half cycles a window, any phase."""
    source = np.random.default_rng(0)
    cycles, phase = source.uniform(1, 3.5, (count, 1)), source.uniform(0, 2 * np.pi, (count, 1))
    return np.sin(2 * np.pi * cycles * np.arange(steps) / steps + phase)[..., None].astype(np.float32)


def strongest(items: np.ndarray) -> np.ndarray:
    """Cycles of each window's strongest frequency, from spectra of eight times as many steps."""
    power = np.abs(np.fft.rfft(items[..., 0] * np.hanning(items.shape[1]), items.shape[1] * 8, axis=1)) ** 2
    return power[:, 4:].argmax(1) / 8 + 0.5


def amplitudes(items: np.ndarray) -> np.ndarray:
    return np.sqrt(2 * (items**2).mean((1, 2)))


def test_sines_of_the_band_are_made_in_any_phase_and_of_one_amplitude(tmp_path):
    settings = (*SMALL, "data.scaling=range")
    model = sparring.train(sines(), out=tmp_path / "run", modality="series", steps=450, settings=settings)
    made = model.sample(500)
    assert made.shape == (500, 24, 1)
    assert made.dtype == np.float32
    assert ((strongest(made) > 0.9) & (strongest(made) < 3.6)).mean() > 0.9
    assert amplitudes(made).mean() == pytest.approx(1, abs=0.1)
    phase = np.angle((made[..., 0] * np.exp(-2j * np.pi * strongest(made)[:, None] * np.arange(24) / 24)).sum(1))
    assert abs(np.exp(1j * phase).mean()) < 0.25
    # What untrained networks make is smooth too, but neither as various nor of one amplitude.
    fresh = sparring.train(sines(), out=tmp_path / "fresh", modality="series", steps=1, settings=settings).sample(500)
    assert strongest(made).std() > 0.45 > strongest(fresh).std()
    assert amplitudes(made).std() < 0.12 < amplitudes(fresh).std()


def test_an_autoregression_is_learned_by_its_autocorrelation(tmp_path):
    source = np.random.default_rng(0)
    long = np.zeros(3000)
    for step in range(1, 3000):
        long[step] = 0.8 * long[step - 1] + 0.6 * source.normal()
    frame = pd.DataFrame({"level": long.round(3) * 10 + 50, "twice": (long * 20).round().astype(int)})
    settings = (*SMALL, "data.scaling=range")  # decorrelated windows would be right before anything is learned
    model = sparring.train(frame, out=tmp_path / "run", window=12, steps=700, settings=settings)
    made, real = model.sample(800), model.read(model.experiment.data).items
    assert made.shape == (800, 12, 2)
    sides = [Evidence(side, np.zeros((len(side), 0))) for side in (real[:1000], real[1000:], made)]
    found = Autocorrelation(lags=5)(*sides)
    assert found["autocorrelation-error"].value < 0.1
    assert np.corrcoef(made[..., 0].ravel(), made[..., 1].ravel())[0, 1] > 0.95
    assert made[..., 0].std() == pytest.approx(10, rel=0.25)
    assert (made[..., 1] == made[..., 1].round()).all()


def test_timegan_learns_to_give_windows_back_and_then_to_make_them(tmp_path):
    settings = ("game.width=12", "game.depth=1", "training.batch=32", "optimiser.rate=5e-3", "game.patience=0")
    model = sparring.train(
        sines(300), out=tmp_path / "run", modality="series", recipe="timegan", steps=240, settings=settings
    )
    assert isinstance(model.experiment.task.game, Timegan)
    log = model.run.records("log")
    recovery = [r["terms"]["autoencoder/recovery"] for r in log if "autoencoder/recovery" in r["terms"]]
    assert recovery[-1] < 0.6 * recovery[0]
    made = model.sample(100)
    assert made.shape == (100, 24, 1)
    assert made.std() > 0.3
    assert np.isfinite(model.score(made)).all()


def test_labelled_series_are_made_as_asked(tmp_path):
    items = np.concatenate([sines(100) * 0.1, sines(100) + 5])
    labels = ["low"] * 100 + ["high"] * 100
    model = sparring.train(
        items,
        labels=labels,
        out=tmp_path / "run",
        modality="series",
        steps=60,
        settings=("network.width=8", *SMALL[1:]),
    )
    low, high = (model.sample(50, condition={"label": word}) for word in ("low", "high"))
    assert low.mean() < high.mean() - 1


def test_the_command_line_trains_samples_and_judges_series(tmp_path, capsys):
    source = np.random.default_rng(0)
    path, run, out = tmp_path / "long.csv", tmp_path / "run", tmp_path / "more.csv"
    day = pd.date_range("2020-01-01", periods=900).strftime("%Y-%m-%d")
    pd.DataFrame(
        {"day": day, "price": source.normal(size=900).cumsum().round(2), "sold": source.integers(0, 9, 900)}
    ).to_csv(path, index=False)
    asked = ["--window", "8", "--sequence-index", "day"]
    settings = [word for setting in TINY for word in ("--set", setting)]
    assert cli.main(["train", str(path), "--out", str(run), "--steps", "4", *asked, *settings]) == 0
    assert "autocorrelation-error" in capsys.readouterr().out
    assert cli.main(["sample", str(run), "-n", "30", "-o", str(out)]) == 0
    made = pd.read_csv(out)
    assert list(made) == ["sequence", "day", "price", "sold"]
    assert len(made) == 30 * 8
    assert made["sold"].dtype == np.int64
    assert cli.main(["sample", str(run), "-n", "5", "-o", str(tmp_path / "more.npy")]) == 0
    assert np.load(tmp_path / "more.npy").shape == (5, 8, 2)
    capsys.readouterr()
    named = ["spectrum", "nearest-window", "predictive-score", "cross-correlation"]
    assert {*named, "discriminative-score"} <= {metric.name for metric in ranked(Metric.parts().values(), "series")}
    assert cli.main(["evaluate", str(run), "--json", "--metrics", *named]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in found["metrics"]}
    assert {"window-nearness", "spectrum-error", "predictive-score", "cross-correlation-error"} <= set(rows)
    assert rows["spectrum-error"]["floor"] is not None
    assert set(rows["spectrum-error"]["baselines"]) >= {"training-items", "autoregression", "constant-mean"}
    assert cli.main(["score", str(run), str(path)]) == 0
    assert capsys.readouterr().out.count("\n") == 893
    assert cli.main(["check", str(path), *asked, "--json"]) == 0
    assert "price" in json.loads(capsys.readouterr().out)["columns"]


def test_windows_are_scaled_by_those_that_are_learned_from_and_a_run_goes_on_by_its_own_codec(tmp_path, monkeypatch):
    steps = np.random.default_rng(0).normal(size=(1000, 2))
    steps[:, 1] += np.arange(1000)
    np.save(tmp_path / "rising.npy", steps)
    asked = {"window": 12, "settings": SMALL}
    material = propose(tmp_path / "rising.npy", **asked).material
    learned = material.data.items[material.splits.train]
    codec = material.modality
    assert codec.high == tuple(learned.max((0, 1)))
    assert codec.high[1] < 900 < steps[:, 1].max()
    assert codec == gather(material.task, material.data).modality
    run = sparring.train(tmp_path / "rising.npy", out=tmp_path / "run", steps=2, **asked).run
    stored = run.read(run.codec / "codec.json")
    stored["modality"]["high"] = [50.0, 2000.0]
    run.write(run.codec / "codec.json", stored)
    experiment = sparring.load(run.folder).experiment
    seen = []

    def stopped(run, experiment, material, *rest):
        seen.append(material.modality)
        raise KeyboardInterrupt

    monkeypatch.setattr(learning, "Session", stopped)
    with pytest.raises(KeyboardInterrupt):
        list(learning.steps(experiment, run.folder, resume=True))
    assert seen[0].high == (50.0, 2000.0)
    assert gather_again(experiment, seen[0]).modality == seen[0]


def test_a_run_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(tmp_path):
    items = sines(120)
    whole = sparring.train(items, out=tmp_path / "whole", modality="series", steps=6, settings=TINY)
    sparring.train(items, out=tmp_path / "parts", modality="series", steps=3, settings=TINY)
    parts = sparring.train(items, out=tmp_path / "parts", modality="series", steps=6, settings=TINY, resume=True)
    assert parts.run.records("log")[-1]["step"] == whole.run.records("log")[-1]["step"] == 6
    assert np.array_equal(whole.sample(4), whole.sample(20)[:4])
