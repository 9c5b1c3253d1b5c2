"""Golden runs: small runs of several games and kinds of data, kept for every release with what they make.

``PYTHONPATH=.:tests python tests/releases.py`` makes those of this version that are not there yet. They are never made
anew: a later version must make the same of them.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import sparring
from sparring.files import write_npz
from sparring.learning import steps
from sparring.limits import Limits
from sparring.model import load
from sparring.proposal import propose

GOLDEN = Path(__file__).parent / "golden"
STEPS = 20
SETTINGS = ("training.precision=fp32", "training.layout=contiguous", "training.keep=1", "training.best=none")


@dataclass(frozen=True)
class Release:
    """A small run.

    Attributes:
        data: name of the file that it learns from.
        write: writes that file, without a random number, which another version might draw otherwise.
        settings: that make it small.
        make: what is made with the model, given the data's file: items or scores by name.
        options: of :func:`sparring.proposal.propose`.
    """

    data: str
    write: Callable[[Path], None]
    settings: tuple[str, ...]
    make: Callable[[sparring.Model, Path], dict[str, np.ndarray]]
    options: dict[str, Any]


def _pictures(path: Path) -> None:
    number, row, column, channel = np.meshgrid(*map(np.arange, (120, 8, 8, 3)), indexing="ij")
    values = 37 * number + 11 * row + 23 * column + 50 * channel + number * row * column
    np.save(path, (values % 251).astype(np.uint8))


def _restored(model: sparring.Model, path: Path) -> dict[str, np.ndarray]:
    made = model.apply(np.load(path)[:4])
    assert isinstance(made, np.ndarray), "pictures in memory stay there"
    return {"pictures": made}


def _rows(path: Path) -> None:
    number = np.arange(120)
    group = np.where(number % 3 == 0, "north", "south")
    height = np.where(number % 3 == 0, 180, 160) + (37 * number % 101) / 10
    pd.DataFrame({"group": group, "height": height, "smokes": number % 5 == 0}).to_csv(path, index=False)


def _sampled(model: sparring.Model, path: Path) -> dict[str, np.ndarray]:
    made: Any = model.sample(16, seed=3, condition={"group": "north"})
    scores = model.score(pd.read_csv(path)[:16])
    columns = {name: made[name].to_numpy() for name in made}
    plain = {name: values.astype(str) if values.dtype == object else values for name, values in columns.items()}
    return plain | {"scores": scores}


RELEASES = {
    "denoising": Release(
        "pictures.npy",
        _pictures,
        (
            "training.batch=4",
            "network.width=2",
            "network.blocks=1",
            "network.fold=1",
            "network.judge.width=2",
            "network.judge.layers=2",
        ),
        _restored,
        {"task": "denoising"},
    ),
    "table": Release(
        "rows.csv",
        _rows,
        ("training.batch=20", "training.optimiser=sgd", "network.width=4", "game.latent=6"),
        _sampled,
        {"recipe": "table"},
    ),
}


def _main() -> int:
    here = Path.cwd()
    for name, release in RELEASES.items():
        target = GOLDEN / sparring.__version__ / f"{name}.zip"
        if target.exists():
            continue
        with tempfile.TemporaryDirectory() as scratch:
            os.chdir(scratch)  # a run is made where its data lie, which it names
            release.write(Path(release.data))
            proposal = propose(release.data, settings=(*SETTINGS, *release.settings), **release.options)
            limits = Limits(steps=STEPS)
            list(steps(proposal.experiment, "run", limits=limits, material=proposal.material, device="cpu"))
            write_npz(Path("made.npz"), release.make(load("run"), Path(release.data)))
            for path in ("samples", "tensorboard", "timing.jsonl", "lock"):
                shutil.rmtree(Path("run") / path, ignore_errors=True)
                (Path("run") / path).unlink(missing_ok=True)
            Path(release.data).unlink()
            target.parent.mkdir(exist_ok=True)
            shutil.make_archive(str(target.with_suffix("")), "zip", scratch)
            os.chdir(here)
        print(target, target.stat().st_size, "bytes")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
