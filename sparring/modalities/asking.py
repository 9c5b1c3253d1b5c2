"""The kind: what can be asked for of a model's items, and what is drawn where nothing is asked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparring.errors import RequestError
from sparring.modalities.conditions import ConditionTable

_DRAWS = 16
"""Draws from the data's own distribution over which a verdict is averaged where attributes are not known."""


class Drawn(NamedTuple):
    """What items are made for.

    Attributes:
        columns: one array ``(n,)`` for each attribute beside the items; {} where there are none.
        encoded: what networks see of it, ``(n, spec.condition)``, or None.
    """

    columns: dict[str, np.ndarray]
    encoded: Tensor | None


class Asking(ABC):
    """The kind: what can be asked for."""

    @abstractmethod
    def draw(self, seed: int, numbers: range, requests: Mapping[str, Any]) -> Drawn:
        """What the samples of these numbers are made for; row *i* depends on the seed, the requests and *i* alone.

        Raises:
            RequestError: something is asked for that the data do not have.
        """

    @abstractmethod
    def own(self, encoded: Tensor, columns: Mapping[str, np.ndarray] | None) -> Sequence[Tensor | None]:
        """Conditions that items meet, each ``(n, spec.condition)``, over which a verdict on them is averaged.

        Args:
            encoded: the items as networks see them.
            columns: their attributes, or None where they are not known.
        """

    def titles(self) -> tuple[str, ...]:
        """Attributes beside the items that must be given with them; () where there are none."""
        return ()

    def knows(self, columns: Mapping[str, np.ndarray]) -> bool:
        """Whether every attribute that must be given is there, with values that the model learned."""
        return True


class Nothing(Asking):
    """Nothing can be asked for: the data have no labels, or they were left out.

    Args:
        why: what the model was, and what to do about it.
    """

    def __init__(self, why: str = "was trained without labels; train on labelled data, or without --unconditional"):
        self.why = why

    def draw(self, seed: int, numbers: range, requests: Mapping[str, Any]) -> Drawn:
        if requests:
            raise RequestError(f"{', '.join(requests)} cannot be asked for, as this model {self.why}")
        return Drawn({}, None)

    def own(self, encoded: Tensor, columns: Mapping[str, np.ndarray] | None) -> Sequence[Tensor | None]:
        return [None]


class Labels(Asking):
    """Attributes beside the items.

    Args:
        table: the attributes of the training items.
    """

    def __init__(self, table: ConditionTable):
        self.table = table

    def draw(self, seed: int, numbers: range, requests: Mapping[str, Any]) -> Drawn:
        columns, encoded = self.table.draw(numbers, seed, dict(requests))
        return Drawn(columns, torch.as_tensor(encoded))

    def own(self, encoded: Tensor, columns: Mapping[str, np.ndarray] | None) -> Sequence[Tensor | None]:
        if columns is not None:
            return [torch.as_tensor(self.table.conditions.encode(dict(columns)))]
        return [self.draw(seed, range(len(encoded)), {}).encoded for seed in range(_DRAWS)]

    def titles(self) -> tuple[str, ...]:
        return self.table.conditions.titles

    def knows(self, columns: Mapping[str, np.ndarray]) -> bool:
        try:
            self.table.conditions.codes(columns)
        except RequestError:
            return False
        return True
