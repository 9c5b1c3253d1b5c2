"""Toy data, engines and runs for tests."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from sparring.data import DataSource
from sparring.data.reader import Reader
from sparring.games.latent import Latent
from sparring.learning import steps
from sparring.limits import Limits
from sparring.modalities import Modality
from sparring.networks.mlp import Mlp
from sparring.optimisers import Adam
from sparring.plan import Plan
from sparring.proposal import Proposal, propose
from sparring.record import Record
from sparring.tasks import Task
from sparring.tasks.generation import Generation
from sparring.training import Engine, Training
from sparring.types import DataSpec, Span

FIXED = ("training.precision=fp32", "training.layout=contiguous", "training.batch=8", "network.hidden=4")
"""Settings of a tiny run that is the same wherever it is played."""


class Plainly(Modality):
    """Float items as they are."""

    shape: tuple[int, ...] = Field(default=(2,), description="of one item")

    @classmethod
    def fit(cls, items):
        return cls(shape=items.shape[1:])

    @classmethod
    def endings(cls):
        return (".npy",)

    def spec(self):
        return DataSpec(self.shape)

    def encode(self, items):
        return torch.from_numpy(np.asarray(items, np.float32))

    def decode(self, encoded: Tensor):
        return encoded.numpy()

    def write(self, items, path: Path, ending: str, conditions):
        np.save(path / "samples.npy", items)
        return [path / "samples.npy"]

    def preview(self, items, path: Path):
        np.save(path, items)


def items(shape: tuple[int, ...] = (2,), count: int = 96, seed: int = 0) -> np.ndarray:
    return np.tanh(np.random.default_rng(seed).standard_normal((count, *shape))).astype(np.float32)


def engine(
    game: Latent | None = None,
    *,
    shape: tuple[int, ...] = (2,),
    condition: int = 0,
    training: Training | None = None,
    precision: str = "fp32",
    layout: str = "contiguous",
    steps: int = 20,
    data: np.ndarray | None = None,
    seed: int = 0,
    task: Task | None = None,
    given: bool = False,
    spans: tuple[Span, ...] = (),
) -> Engine:
    data = items(shape) if data is None else data
    training = training or Training(batch=8, optimiser=Adam(rate=1e-3, rate_final=0.0))
    classes = None
    if condition:
        classes = torch.nn.functional.one_hot(torch.arange(len(data)) % condition, condition).float()
    codec = Plainly(shape=shape)
    rows = np.arange(len(data))
    source = (data[::-1], codec) if given else ()
    return Engine(
        task or Generation(game=game or Latent(network=Mlp(width=16)), attributes=("label",) if condition else ()),
        training,
        DataSpec(shape, condition, given=shape if given else (), spans=spans),
        train=Reader(data, rows[16:], codec, classes, seed, *source),
        select=Reader(data, rows[:16], codec, classes, seed, *source),
        plan=Plan(steps=steps, images_per_step=training.batch, precision=precision, layout=layout),
        seed=seed,
        device=torch.device("cpu"),
    )


def proposed(data: DataSource, *settings: str) -> Proposal:
    """A tiny run on pictures."""
    return propose(data, recipe="dense", settings=(*FIXED, *settings))


def going(folder: Path, proposal: Proposal, count: int, **others: Any) -> Generator[Record, None, None]:
    """The records of a run that starts, or goes on, until it has so many steps."""
    limits = Limits(steps=count, **others)
    return steps(proposal.experiment, folder, limits=limits, material=proposal.material, resume=True)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run by its path, but for when it was, which no run repeats."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("timing.jsonl", "lock") and path.suffix != ".npz"
    }
