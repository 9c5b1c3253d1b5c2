"""Unpaired translation with a known answer: digits to inverted, coloured and thickened ones, and back.

The two domains come from halves of MNIST that share no picture. One classifier says whether a digit is still the same,
another to which of the four domains a picture belongs; neither has anything to do with the training.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import runs
from benchmarks.judges import Held, Judge, Real, fit_judge, labels_of, real
from benchmarks.ledger import RESULTS, Ledger, Measurement

BOUND = ">= 0.95"
PASSES = 4
"""Of the judges over their pictures, for several are needed."""
DOMAIN = 1500
"""Pictures of each domain from which the judge of domains learns; it tells nearly all apart."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer", description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(CHANGES), choices=list(CHANGES), help="which change")
    parser.add_argument("--directions", nargs="+", default=["AtoB", "BtoA"], help="AtoB changes digits, BtoA undoes it")
    parser.add_argument("--seeds", nargs="+", default=["0-1"], help="seeds, such as 0 1 2 or 0-2")
    parser.add_argument("--minutes", type=float, default=20.0, help="length of a training")
    parser.add_argument("--pictures", type=int, default=25_000, help="of each domain, at most; none is in both")
    parser.add_argument("--items", type=int, default=2000, help="unseen digits to translate")
    parser.add_argument("--task", default="unpaired-translation", choices=["unpaired-translation", "style"])
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides, for smoke tests")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    data = real(runs.named("mnist"))
    halves = halved(data.train, asked.pictures)
    where, ledger = domains(halves[0].first(DOMAIN)), Ledger("transfer", argv, asked.results)
    for name in asked.only:
        folder = write(halves, name, asked.scratch / f"transfer-{name}")
        for direction in asked.directions:
            trial = Trial(name, direction, halves[1], data, where)
            for seed in runs.seeds_option(asked.seeds):
                out = asked.scratch / f"transfer-{asked.task}-{name}-{direction}-{seed}"
                options = ["--task", asked.task, "--minutes", f"{asked.minutes:g}", "--seed", str(seed)]
                # A digit in a mirror is none, and both domains lie where they lie.
                given = [f"data.direction={direction}", "data.mirror=false", "data.shift=0", *asked.settings]
                options += [part for setting in given for part in ("--set", setting)]
                cost = runs.train(str(folder), out, *options)
                for figure, value, floor in trial.judged(out, asked.items):
                    title = f"{asked.task}, {figure}, {asked.minutes:g} minutes"
                    more = {"floor": floor, "items": asked.items, "seed": seed, "minutes": cost.minutes}
                    ledger.add(Measurement(title, value, BOUND, **more, more=cost.summary()))
    print(ledger.table())
    return 0


def inverted(pictures: np.ndarray) -> np.ndarray:
    """Dark digits on light ground, ``(n, h, w, 3)``."""
    return np.repeat(255 - pictures, 3, 3)


def coloured(pictures: np.ndarray) -> np.ndarray:
    """Digits in a bright colour each, of a random hue."""
    hues = np.random.default_rng(0).uniform(0, 1, len(pictures))[:, None] + np.array([0, 1 / 3, 2 / 3])
    colours = np.clip(np.abs(np.mod(hues, 1) * 6 - 3) - 1, 0, 1)
    return np.rint(pictures * colours[:, None, None]).astype(np.uint8)


def thickened(pictures: np.ndarray) -> np.ndarray:
    """Strokes two pixels wider to each side: the greatest value of 5x5."""
    height, width = pictures.shape[1:3]
    wide = np.pad(pictures, [(0, 0), (2, 2), (2, 2), (0, 0)])
    moved = [
        wide[:, y : y + height, x : x + width] for y in range(5) for x in range(5) if (y - 2) ** 2 + (x - 2) ** 2 <= 5
    ]
    return np.repeat(np.max(moved, 0), 3, 3)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "inverted": inverted, "coloured": coloured, "thickened": thickened,
}  # fmt: skip


def original(pictures: np.ndarray) -> np.ndarray:
    """Digits as they are, RGB."""
    return np.repeat(pictures, 3, 3)


def halved(train: Held, most: int) -> tuple[Held, Held]:
    """Two halves of the training pictures that share none, of at most so many each."""
    labels, half = labels_of(train), len(train.pictures) // 2
    rows = slice(0, min(half, most)), slice(half, half + min(half, most))
    first, second = (Held(train.pictures[part], labels[part]) for part in rows)
    known = {picture.tobytes() for picture in first.pictures}
    kept = np.array([picture.tobytes() not in known for picture in second.pictures])
    return first, Held(second.pictures[kept], labels_of(second)[kept])


def domains(learned: Held) -> Judge:
    """What tells the four domains apart: 0 is the digits' own, then the changes in their order."""
    every = [original, *CHANGES.values()]
    parts = [change(learned.pictures) for change in every]
    numbers = np.repeat(np.arange(len(every)), len(learned.pictures))
    return fit_judge(Held(np.concatenate(parts), numbers), PASSES)


def write(halves: tuple[Held, Held], name: str, folder: Path) -> Path:
    """The two domains as folders of PNG files, which are written once."""
    sides = {"trainA": original(halves[0].pictures), "trainB": CHANGES[name](halves[1].pictures)}
    for side, pictures in sides.items():
        (folder / side).mkdir(parents=True, exist_ok=True)
        if len(list((folder / side).iterdir())) != len(pictures):
            for number, picture in enumerate(pictures):
                Image.fromarray(picture).save(folder / side / f"{number:05d}.png")
    return folder


class Trial:
    """One change in one direction, and what judges it.

    Args:
        name: of the change.
        direction: AtoB makes it, BtoA takes it back.
        learned: digits of the second half, from which the digits' judge learns.
        data: MNIST.
        where: what tells the domains apart.
    """

    def __init__(self, name: str, direction: str, learned: Held, data: Real, where: Judge):
        changes = (original, CHANGES[name]) if direction == "AtoB" else (CHANGES[name], original)
        self.given, self.wanted = changes
        self.title = f"{name} digits" if direction == "AtoB" else f"digits from {name} ones"
        self.domain = [original, *CHANGES.values()].index(self.wanted)
        self.where, self.unseen = where, data.report
        self.digits = fit_judge(Held(self.wanted(learned.pictures), learned.labels), PASSES)

    def judged(self, run: Path, most: int) -> list[tuple[str, float, float]]:
        """Each figure with its value and its floor, the same of real pictures of the wanted domain."""
        import sparring

        asked = self.unseen.first(most)
        labels, given, wanted = labels_of(asked), self.given(asked.pictures), self.wanted(asked.pictures)
        made = sparring.load(run).apply(given)
        assert isinstance(made, np.ndarray), "an array gives an array"
        rows = [np.concatenate([side[i] for side in (given, made, wanted)], 1) for i in range(20)]
        Image.fromarray(np.concatenate(rows, 0)).save(run / "transfer.png")
        kept, floor = (float((self.digits.classes(side) == labels).mean()) for side in (made, wanted))
        there, real_there = (float((self.where.classes(side) == self.domain).mean()) for side in (made, wanted))
        return [
            (f"{self.title}: keep their digit", kept, floor),
            (f"{self.title}: in the wanted domain", there, real_there),
        ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
