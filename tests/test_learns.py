"""Learning itself, on data with known answers: these fail when the game, the engine or a default stops learning."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparring.api import train
from sparring.metrics.modes import mixture_coverage
from sparring.networks.encoder_decoder import EncoderDecoder
from sparring.plan import Plan
from sparring.proposal import propose
from sparring.training import Engine, sample

CENTRES = np.array([(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)])
SIGMA = 0.15
STEPS = ("training.precision=fp32", "training.layout=contiguous")
COARSE = ("network.octaves=3",)


def mixture(count: int = 4000) -> np.ndarray:
    source = np.random.default_rng(0)
    return (CENTRES[source.integers(4, size=count)] + SIGMA * source.standard_normal((count, 2))).astype(np.float32)


@pytest.mark.slow
def test_four_clumps_are_learned_with_their_shares_and_widths(tmp_path):
    model = train(mixture(), modality="points", out=tmp_path / "run", steps=400, settings=(*STEPS, *COARSE))
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


def written(folder: Path, source: np.random.Generator, count: int = 400) -> Path:
    """Pairs of one of two drawings and its counterpart, another in the same place; noise on the first."""
    sizes = {"A": (5, 9), "B": (9, 5)}
    drawings = {side: np.where(source.random((2, *size)) < 0.5, 0, 255) for side, size in sizes.items()}
    for side, (tall, wide) in sizes.items():
        (folder / side).mkdir(parents=True)
        places = np.random.default_rng(1)
        for number in range(count):
            middle = places.integers(6, 10, 2)
            picture = np.full((16, 16), 255.0)
            top, left = middle[0] - tall // 2, middle[1] - wide // 2
            picture[top : top + tall, left : left + wide] = drawings[side][number % 2]
            picture += 20 * source.standard_normal((16, 16)) * (side == "A")
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / side / f"{number:03}.png")
    return folder


def test_a_drawing_is_redrawn_as_its_counterpart_that_does_not_lie_on_it(tmp_path):
    small = (
        "training.batch=16",
        "network.width=16",
        "network.code=32",
        "network.mapping=32",
        "network.judge.width=4",
    )
    folder = written(tmp_path / "pairs", np.random.default_rng(0))
    found = propose(str(folder), task="translation", settings=(*STEPS, *small, "data.mirror=false"))
    material, training = found.material, found.experiment.training
    task, splits = found.experiment.task, material.splits
    assert isinstance(task.game.network, EncoderDecoder)
    plan = Plan(steps=200, images_per_step=training.batch, precision="fp32", layout="contiguous")
    read, device = material.reader(splits.train, 0), torch.device("cpu")
    engine = Engine(task, training, material.spec, train=read, select=None, plan=plan, seed=0, device=device)
    terms = [engine.step() for _ in range(plan.steps)]
    assert "generator/adversary" in terms[-1]
    unseen, known = read.at(splits.report), read.at(splits.train)
    with engine.sampling() as players:
        made = sample(task.game, players, unseen.condition, task.game.draw(0, range(len(splits.report)))).value
    left = (made - unseen.target).square().mean() / (known.target.mean(0) - unseen.target).square().mean()
    assert left < 0.5, "a picture that says nothing of the drawing and its place leaves all of the variance"
