"""Learning itself, on data with known answers: these fail when the game, the engine or a default stops learning."""

import numpy as np
import pytest

from sparring.api import train
from sparring.metrics.modes import mixture_coverage

CENTRES = np.array([(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)])
SIGMA = 0.15
STEPS = ("training.precision=fp32", "training.layout=contiguous")
CODES = ("network.octaves=3", "codes=16")


def mixture(count: int = 4000) -> np.ndarray:
    source = np.random.default_rng(0)
    return (CENTRES[source.integers(4, size=count)] + SIGMA * source.standard_normal((count, 2))).astype(np.float32)


@pytest.mark.slow
def test_four_clumps_are_learned_with_their_shares_and_widths(tmp_path):
    model = train(mixture(), modality="points", out=tmp_path / "run", steps=400, settings=(*STEPS, *CODES))
    found = mixture_coverage(model.sample(2000, seed=1), CENTRES, SIGMA)
    assert found.counts.sum() / 2000 > 0.9
    assert found.shares.min() > 0.5
    assert found.shares.max() < 2
    assert found.variances.min() > 0.3
    assert found.variances.max() < 2


@pytest.mark.slow
def test_an_asked_digit_is_made(tmp_path):
    model = train("digits", out=tmp_path / "run", steps=500, settings=STEPS)
    rows = {row.name: row.value for row in model.evaluate(metrics=["class-shares"], count=500).rows}
    agreement = next(value for name, value in rows.items() if name.startswith("label-agreement"))
    assert agreement > 0.8
