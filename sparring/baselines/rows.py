"""Baselines of tables: each column by itself, and a Gaussian copula."""

from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from sparring.baselines import Baseline
from sparring.metrics import Specimens
from sparring.modalities.columns import FEW
from sparring.modalities.frames import nulls, numbers, pandas
from sparring.randomness import derive


class IndependentColumns(Baseline):
    """Each column's values drawn from the training rows by themselves: the marginals, and nothing that joins them."""

    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 10

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        return None if len(train) >= 2 else f"{len(train)} training rows have no distribution"

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name)))
        drawn = {
            name: train.items[name].iloc[source.integers(0, len(train), len(judged))].reset_index(drop=True)
            for name in train.items.columns
        }
        return Specimens(pandas().DataFrame(drawn))


class Copula(Baseline):
    """A Gaussian copula: the marginals of the training rows, joined by the correlation of their normal scores.

    Words are ordered by their frequency and spread over as wide a part of the line (Patki et al. 2016, section 3).
    """

    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 20

    def refusal(self, train: Specimens, judged: Specimens) -> str | None:
        return None if len(train) > FEW else f"{len(train)} training rows are too few for a correlation"

    def __call__(self, train: Specimens, judged: Specimens, seed: int) -> Specimens:
        from scipy.special import ndtr, ndtri

        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name)))
        frame = train.items
        ranked = {name: _ranks(frame[name]) for name in frame.columns}
        places = np.stack([_spread(ranks, source) for ranks in ranked.values()], 1)
        correlation = _correlation(ndtri(places))
        scores = source.multivariate_normal(np.zeros(len(correlation)), correlation, len(judged), method="eigh")
        uniform = ndtr(scores)
        made = {name: _value_at(frame[name], ranked[name], uniform[:, i]) for i, name in enumerate(frame.columns)}
        return Specimens(pandas().DataFrame(made))


def _ranks(column: Any) -> np.ndarray:
    """A number for each row by which the column is ordered: its own, or how rare its word is; nulls stand last."""
    missing = nulls(column)
    if column.dtype.kind in "iufM":
        return np.nan_to_num(numbers(column), nan=np.inf)
    words = column.astype(object).where(~missing, "\0").map(str)
    order = {word: place for place, word in enumerate(words.value_counts().index)}
    return words.map(order).to_numpy(np.float64)


def _spread(ranks: np.ndarray, source: np.random.Generator) -> np.ndarray:
    """Where each row stands among all, in (0, 1); equal rows stand at random within their part."""
    order = np.lexsort((source.random(len(ranks)), ranks))
    places = np.empty(len(ranks))
    places[order] = (np.arange(len(ranks)) + 0.5) / len(ranks)
    return places


def _correlation(scores: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "d d"]:
    return np.atleast_2d(np.corrcoef(scores, rowvar=False))


def _value_at(column: Any, ranks: np.ndarray, uniform: np.ndarray) -> Any:
    """The training values that stand at these places of the column's order."""
    order = np.argsort(ranks, kind="stable")
    return column.iloc[order[(uniform * len(order)).astype(int).clip(max=len(order) - 1)]].reset_index(drop=True)
