import shutil

import numpy as np
import pytest
from releases import GOLDEN, RELEASES

import sparring
from sparring.codec import read_experiment
from sparring.learning import steps
from sparring.limits import Limits
from sparring.model import load
from sparring.run import Run

KEPT = sorted(GOLDEN.glob("*/*.zip"))


@pytest.fixture(params=KEPT, ids=lambda path: f"{path.parent.name} {path.stem}")
def kept(request, tmp_path, monkeypatch):
    """What a golden run was made of, in a folder where its data lie, as they did."""
    shutil.unpack_archive(request.param, tmp_path)
    monkeypatch.chdir(tmp_path)
    release = RELEASES[request.param.stem]
    release.write(tmp_path / release.data)
    return release


def test_this_version_has_golden_runs_of_several_games_and_kinds_of_data(tmp_path):
    here = [path for path in KEPT if path.parent.name == sparring.__version__]
    assert {path.stem for path in here} == set(RELEASES)
    seen = {("latent", "image")}  # the run that lies there unpacked
    for path in here:
        shutil.unpack_archive(path, tmp_path / path.stem)
        model = load(tmp_path / path.stem / "run")
        seen.add((model.experiment.task.game.name, model.modality.name))
    assert len({game for game, _ in seen}) > 1
    assert len({modality for _, modality in seen}) > 1


def test_a_run_of_every_release_makes_the_same(kept):
    made = kept.make(load("run"), kept.data)
    with np.load("made.npz", allow_pickle=False) as expected:
        assert set(made) == set(expected)
        for name, values in expected.items():
            assert made[name].shape == values.shape
            if values.dtype.kind == "f":
                assert made[name] == pytest.approx(values, rel=1e-4, abs=1e-4)
            elif values.dtype == np.uint8:
                # Another processor may round one value in many the other way.
                apart = np.abs(made[name].astype(int) - values)
                assert apart.max() <= 1
                assert (apart > 0).mean() < 0.01
            else:
                assert made[name].tolist() == values.tolist()


def test_a_run_of_every_release_goes_on(kept):
    begun = Run("run").restore()
    assert begun is not None
    limits = Limits(steps=begun[1]["step"] + 2)
    records = list(steps(read_experiment(Run("run")), "run", limits=limits, device="cpu", resume=True))
    assert records[-1].step == limits.steps
    with np.load("made.npz", allow_pickle=False) as expected:
        assert set(kept.make(load("run"), kept.data)) == set(expected)
