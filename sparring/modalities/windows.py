"""Windows: stretches of equal length, cut from series in memory, which may overlap."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from jaxtyping import Int, Shaped


@dataclass(frozen=True)
class Windows:
    """Windows as a data set's items; ``items[rows]`` is an array ``(n, steps, channels)``.

    Attributes:
        values: all steps of all series, one series behind the other.
        starts: first step of each window.
        steps: length of each window.
        titles: the channels' names.
        kinds: NumPy's type of each channel, ``"int64"``.
        key: name of the column that tells series apart in files.
        index: name of the column of steps in files.
        scaling: how a codec scales them, see :class:`~sparring.modalities.series.Series`.
    """

    values: Shaped[np.ndarray, "steps channels"]
    starts: Int[np.ndarray, " n"]
    steps: int
    titles: tuple[str, ...]
    kinds: tuple[str, ...]
    key: str = "sequence"
    index: str = "step"
    scaling: str = "whitened"

    @classmethod
    def of(cls, items: np.ndarray, scaling: str = "whitened") -> Self:
        """Series ``(n, steps, channels)`` of equal length, a window each."""
        count, steps, channels = items.shape
        titles, kinds = tuple(f"x{i + 1}" for i in range(channels)), (str(items.dtype),) * channels
        starts = np.arange(count, dtype=np.int64) * steps
        return cls(items.reshape(-1, channels), starts, steps, titles, kinds, scaling=scaling)

    @property
    def shape(self) -> tuple[int, ...]:
        """Windows, steps, channels."""
        return len(self.starts), self.steps, self.values.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """That of all channels together."""
        return self.values.dtype

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, rows: Any) -> Shaped[np.ndarray, "... steps channels"]:
        return self.values[np.asarray(self.starts[rows])[..., None] + np.arange(self.steps)]

    def only(self, rows: Int[np.ndarray, " m"]) -> Self:
        """The windows in these rows, with the steps that any of them holds alone."""
        bounds = np.zeros(len(self.values) + 1, np.int64)
        np.add.at(bounds, self.starts[rows], 1)
        np.add.at(bounds, self.starts[rows] + self.steps, -1)
        held = bounds.cumsum()[:-1] > 0
        places = held.cumsum() - 1
        return replace(self, values=self.values[held], starts=places[self.starts[rows]])

    def joined(self, others: Self) -> Self:
        """These windows with the others behind them."""
        values = np.concatenate([self.values, others.values])
        return replace(self, values=values, starts=np.concatenate([self.starts, others.starts + len(self.values)]))
