"""Applying a restorer to a picture of 2,048 x 2,048 pixels: peak memory, and speed by that of the bare network."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from subprocess import Popen

import numpy as np
import torch
from PIL import Image

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement

SIDE = 2048
BARE = 512
"""Side of the picture on which the bare network is timed; the same network, whole and without margins."""
TASKS = ("denoising", "enhancement", "inpainting", "super-resolution", "translation")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.applying", description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS, help="whose default networks")
    parser.add_argument("--pairs", type=int, default=3, help="turns of bare network and whole picture")
    parser.add_argument("--side", type=int, default=SIDE, help="of the picture that is made, for smoke tests")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    asked.scratch.mkdir(parents=True, exist_ok=True)
    ledger = Ledger("applying", argv, asked.results)
    for task in asked.tasks:
        run = untrained(task, asked.scratch)
        side = asked.side // (4 if task == "super-resolution" else 1)
        peak = applied(run, task, side, asked.scratch) / 2**30
        title = f"apply, {task}, {asked.side} x {asked.side}"
        ledger.add(Measurement(f"{title}: peak memory, GiB", peak, "< 2" if asked.side == SIDE else ""))
        slower, seconds = speeds(run, side, asked.pairs)
        more = {"seconds": round(seconds, 2), "threads": torch.get_num_threads(), "pairs": asked.pairs}
        bound = "<= 1.25" if asked.side == SIDE else ""
        ledger.add(Measurement(f"{title}: time a pixel / the bare network's", slower, bound, more=more))
    print(ledger.table())
    return 0


def untrained(task: str, scratch: Path) -> Path:
    """A run of one step: weights do not matter here."""
    out, photos = scratch / f"applying-{task}", scratch / "applying-photos"
    source = np.random.default_rng(0)
    for number in range(4):
        # Side by side, so that translation has pairs too.
        (photos / task).mkdir(parents=True, exist_ok=True)
        pixels = source.integers(0, 256, (64, 128, 3), np.uint8)
        Image.fromarray(pixels).save(photos / task / f"{number}.png")
    runs.train(str(photos / task), out, "--task", task, "--size", "64", "--steps", "1")
    return out


def applied(run: Path, task: str, side: int, scratch: Path) -> int:
    """Largest resident memory of ``sparring apply`` on a picture of that side, in bytes."""
    picture, made = scratch / "applying-large.png", scratch / "applying-made.png"
    pixels = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(picture, compress_level=1)
    words = ["apply", str(run), str(picture), "-o", str(made), "--overwrite"]
    if task == "inpainting":
        mask = scratch / "applying-mask.png"
        Image.fromarray(np.where(np.arange(side) % 64 < 16, 255, 0).astype(np.uint8)[None].repeat(side, 0)).save(mask)
        words += ["--mask", str(mask)]
    with runs.ended_with_us(Popen([*runs.program(), *words], stdout=sys.stderr)) as process:
        peak = runs.watch_memory(process)
    if process.returncode:
        raise SystemExit(f"sparring {' '.join(words)} failed with exit code {process.returncode}")
    return peak


def speeds(run: Path, side: int, pairs: int) -> tuple[float, float]:
    """Time of a pixel of the whole picture over that of the bare network, and seconds of the whole; medians."""
    import sparring

    restorer = sparring.load(run).restorer()
    channels = restorer.task.channels(restorer.spec)
    whole, part = (torch.rand(1, channels, n, n) * 2 - 1 for n in (side, min(BARE, side)))
    known = [torch.ones(1, 1, *picture.shape[2:]) if restorer.task.masked else None for picture in (whole, part)]

    def seconds(picture: torch.Tensor, mask: torch.Tensor | None) -> float:
        begun = time.perf_counter()
        restorer.tensor(picture, mask)
        return time.perf_counter() - begun

    seconds(part, known[1])
    ratios, times = [], []
    for _ in range(pairs):
        bare, times = seconds(part, known[1]) / part[0, 0].numel(), [*times, seconds(whole, known[0])]
        ratios.append(times[-1] / whole[0, 0].numel() / bare)
    return median(ratios), median(times)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
