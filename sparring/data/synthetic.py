"""Data whose modes are known: mixtures of Gaussians and stacked digits, on which mode coverage is measured."""

from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.data import Dataset, DataSource, Items
from sparring.data.images import digests
from sparring.data.named import Mnist, shadowed
from sparring.errors import DataError
from sparring.randomness import derive

_BLOCK = 1024


class Ring(DataSource):
    """Gaussians whose centres lie evenly on a circle (Lin et al. 2018, PacGAN, section 4.1)."""

    count: int = Field(default=50_000, ge=2, le=10_000_000, description="points")
    modes: int = Field(default=8, ge=1, le=1000, description="Gaussians")
    radius: float = Field(default=1.0, gt=0, description="of the circle")
    sigma: float = Field(default=0.01, gt=0, description="standard deviation of each Gaussian in each dimension")
    seed: int = Field(default=0, ge=0, description="of the draws")

    def title(self) -> str:
        return self.name

    def centres(self) -> Float[np.ndarray, "modes 2"]:
        """The Gaussians' means."""
        angles = np.arange(self.modes) * (2 * np.pi / self.modes)
        return self.radius * np.stack([np.cos(angles), np.sin(angles)], 1)

    def load(self) -> Dataset:
        return _mixture(self.centres(), self.sigma, self.count, self.seed, name=self.name)


class Grid(DataSource):
    """Gaussians whose centres lie on a square grid around zero (Lin et al. 2018, PacGAN, section 4.1)."""

    count: int = Field(default=50_000, ge=2, le=10_000_000, description="points")
    side: int = Field(default=5, ge=1, le=100, description="Gaussians along each axis")
    spacing: float = Field(default=2.0, gt=0, description="distance between neighbouring centres")
    sigma: float = Field(default=0.05, gt=0, description="standard deviation of each Gaussian in each dimension")
    seed: int = Field(default=0, ge=0, description="of the draws")

    def title(self) -> str:
        return self.name

    def centres(self) -> Float[np.ndarray, "modes 2"]:
        """The Gaussians' means."""
        line = (np.arange(self.side) - (self.side - 1) / 2) * self.spacing
        return np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)

    def load(self) -> Dataset:
        return _mixture(self.centres(), self.sigma, self.count, self.seed, name=self.name)


class StackedMnist(DataSource):
    """Three random digits in the three channels, 1,000 modes (Srivastava et al. 2017, VEEGAN, section 4)."""

    count: int = Field(default=60_000, ge=2, le=10_000_000, description="triples")
    seed: int = Field(default=0, ge=0, description="of the choice of digits")
    labelled: bool = Field(default=False, description="give the number of the three digits, 000 to 999, as a label")
    digits: Mnist = Field(
        default=Mnist(), description="where the digits come from; those of its training split are taken"
    )

    def title(self) -> str:
        return self.name

    def load(self) -> Dataset:
        single = self.digits.load()
        if single.items.shape[-1] != 1 or "label" not in single.attributes:
            raise DataError("stacked-mnist needs grey digits with labels; look at what SPARRING_DATA/mnist holds")
        train = np.arange(len(single)) if single.test is None else np.flatnonzero(~single.test)
        source = np.random.Generator(np.random.Philox(key=derive(self.seed, self.name)))
        triples = train[source.integers(len(train), size=(self.count, 3))]
        stacked = Stacked(single.items, triples)
        words = single.attributes["label"][triples]
        label = np.char.add(np.char.add(words[:, 0], words[:, 1]), words[:, 2])
        blocks = [digests(stacked[start : start + _BLOCK]) for start in range(0, self.count, _BLOCK)]
        return Dataset(
            items=stacked,
            modality="image",
            names=["+".join(map(str, triple)) for triple in triples.tolist()],
            digests=np.concatenate(blocks),
            attributes={"label": label} if self.labelled else {},
            notes=single.notes + shadowed(self.name),
            known={"stacked": np.unique(single.attributes["label"], return_inverse=True)[1][triples]},
        )


class Stacked:
    """Pictures whose channels are gathered from other pictures when they are asked for.

    Args:
        items: grey pictures ``(m, h, w, 1)``.
        sources: for each picture the rows of ``items`` that make its channels, ``(n, c)``.
    """

    def __init__(self, items: Items, sources: np.ndarray):
        self.items, self.sources = items, sources
        self.shape = (len(sources), *items.shape[1:3], sources.shape[1])
        self.dtype = items.dtype

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, rows: Any, /) -> np.ndarray:
        """The pictures in these rows, ``(..., h, w, c)``."""
        return np.ascontiguousarray(np.moveaxis(self.items[self.sources[rows]][..., 0], -3, -1))


def _mixture(centres: np.ndarray, sigma: float, count: int, seed: int, *, name: str) -> Dataset:
    """Points of equally likely Gaussians."""
    source = np.random.Generator(np.random.Philox(key=derive(seed, name)))
    modes = source.integers(len(centres), size=count)
    points = (centres[modes] + sigma * source.standard_normal((count, 2))).astype(np.float32)
    return Dataset(
        items=points,
        modality="points",
        names=[f"{name}#{row}" for row in range(count)],
        digests=digests(points),
        notes=shadowed(name),
        known={"centres": centres, "sigma": sigma},
    )
