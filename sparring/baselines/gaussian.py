"""A Gaussian in the space of the training items' principal components, one for each class."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.baselines import Baseline
from sparring.baselines.columns import by_class, in_form
from sparring.metrics import Specimens
from sparring.randomness import derive

LEAST = 10
"""Items of a class below which it has no Gaussian of its own."""


class Gaussian(Baseline):
    """Draws from the Gaussian of the leading principal components of training items, class by class where labelled.

    What a linear model without any training reaches (probabilistic PCA without its noise, Tipping and Bishop 1999).
    """

    modalities: ClassVar[tuple[str, ...]] = ("image", "points", "series")
    rank: ClassVar[int | None] = 20

    components: int = Field(default=64, ge=1, le=1024, description="principal components of each Gaussian, at most")
    most: int = Field(default=2000, ge=2, le=20_000, description="items of a class that a Gaussian is fitted to")

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        return None if len(train) >= LEAST else f"{len(train)} training items are fewer than {LEAST}"

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name)))
        made = np.empty((len(judged), *train.items.shape[1:]), train.items.dtype)
        for rows, known in by_class(judged, train, LEAST):
            learned = train.items[known[: self.most]].reshape(min(len(known), self.most), -1).astype(np.float64)
            made[rows] = in_form(self._draw(learned, len(rows), source), train.items)
        return Specimens(made, judged.columns)

    def _draw(
        self, learned: Float[np.ndarray, "m d"], count: int, source: np.random.Generator
    ) -> Float[np.ndarray, "n d"]:
        mean = learned.mean(0)
        scores, directions = principal(learned - mean, self.components)
        return mean + source.standard_normal((count, len(directions))) * scores @ directions


def principal(centred: Float[np.ndarray, "m d"], most: int) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k d"]]:
    """Standard deviations along the leading principal components, and their directions."""
    tall = len(centred) > centred.shape[1]
    gram = centred.T @ centred if tall else centred @ centred.T
    values, vectors = np.linalg.eigh(gram)
    there = np.flatnonzero(values > 1e-10 * max(values[-1], 1e-300))[::-1][:most]
    lengths = np.sqrt(values[there])
    directions = vectors[:, there].T if tall else (vectors[:, there] / lengths).T @ centred
    return lengths / np.sqrt(max(1, len(centred) - 1)), directions
