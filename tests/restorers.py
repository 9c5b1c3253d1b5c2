"""Small restorers that tests share, trained for a few steps."""

import numpy as np
from PIL import Image

import sparring

SMALL = ["training.precision=fp32", "training.layout=contiguous", "training.batch=4"]
SLIGHT = ("network.width=4", "network.blocks=1", "network.judge.width=4")
KINDS = {
    "denoising": SLIGHT,
    "super-resolution": (*SLIGHT, "task.scale=2"),
    "inpainting": ("network.width=4", "network.depth=2", "network.judge.width=4", "game.warm=0"),
}
"""Settings of small restorers by task."""


def pictures(folder):
    """Six pictures of 40 by 50 to 55 pixels."""
    for number in range(6):
        draws = np.random.default_rng(number).integers(0, 256, (5, 6, 3), np.uint8)
        Image.fromarray(draws).resize((50 + number, 40), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def restorer(folder, photos, task, *settings, steps=2):
    """The run of a restorer of these photos."""
    out = folder / task
    sparring.train(photos, out=out, task=task, size=24, steps=steps, settings=[*SMALL, *settings])
    return out
