"""The same run evaluated again gives the same numbers to the last digit, whatever the data are."""

import shutil

import numpy as np
import pytest

import sparring
from sparring.data.opening import open_data
from tests.tables import planted

FIXED = ("training.precision=fp32", "training.layout=contiguous", "training.batch=16", "training.best=none")


def pictures(folder):
    digits = open_data("digits").load()
    np.savez(folder / "digits.npz", images=digits.items[np.arange(220)], label=digits.attributes["label"][:220])
    return {"data": folder / "digits.npz", "settings": (*FIXED, "generator_width=4", "discriminator_width=4")}


def rows(folder):
    planted(400).to_csv(folder / "rows.csv", index=False)
    return {"data": folder / "rows.csv", "settings": (*FIXED, "network.width=8")}


def restoration(folder):
    source = np.random.default_rng(0)
    smooth = np.kron(source.integers(0, 256, (150, 4, 4, 3)), np.ones((1, 4, 4, 1))).astype(np.uint8)
    np.save(folder / "smooth.npy", smooth)
    small = ("network.width=4", "network.blocks=1", "network.judge.width=4")
    return {"data": folder / "smooth.npy", "task": "denoising", "settings": (*FIXED, *small)}


@pytest.mark.parametrize("made", [pictures, rows, restoration], ids=lambda made: made.__name__)
def test_a_run_evaluated_twice_gives_the_same_numbers_to_the_last_digit(tmp_path, made):
    asked = made(tmp_path)
    sparring.train(asked.pop("data"), out=tmp_path / "run", steps=2, **asked)
    shutil.copytree(tmp_path / "run", tmp_path / "again")
    first = sparring.load(tmp_path / "run").evaluate().to_json()
    assert len(first["metrics"]) >= 3
    assert sparring.load(tmp_path / "again").evaluate().to_json() == first
