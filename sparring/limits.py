"""Limits of a run, and bounds on metrics."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from sparring.errors import RequestError


@dataclass(frozen=True)
class Bound:
    """A bound on a metric, ``"frechet<20"``.

    Attributes:
        metric: its name, with or without the features in brackets.
        below: whether the value must be below the limit rather than above.
        limit: the bound.
    """

    metric: str
    below: bool
    limit: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """A bound from its written form.

        Raises:
            RequestError: it is not ``METRIC<VALUE`` or ``METRIC>VALUE``.
        """
        found = re.fullmatch(r"\s*([\w.\-\[\] ]+?)\s*([<>])\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*", text)
        try:
            assert found is not None
            return cls(found[1], found[2] == "<", float(found[3]))
        except (AssertionError, ValueError):
            raise RequestError(f"until = '{text}' is not of the form METRIC<VALUE, such as 'frechet<20'") from None

    def holds(self, values: Mapping[str, float]) -> bool:
        """Whether the metric's value keeps the bound.

        Raises:
            RequestError: the metric is not among the values.
        """
        value = self.of(values)
        if value is None:
            raise RequestError(f"until: no metric is called '{self.metric}'; there are {', '.join(values)}")
        return value < self.limit if self.below else value > self.limit

    def of(self, values: Mapping[str, float]) -> float | None:
        """The value that is bounded, or None where it is not there."""
        return next((v for name, v in values.items() if self.metric in (name, name.partition("[")[0])), None)


@dataclass(frozen=True)
class Limits:
    """When a run stops, whichever comes first; the recipe's length where nothing is given.

    Attributes:
        minutes: wall time of training, measuring included.
        steps: generator updates.
        images: real items that the discriminator sees.
        until: a bound on a metric on the *select* split, ``"frechet<20"``.
        auto_batch: not a limit of length but of memory: whether a batch may be computed in parts where it does not fit.
    """

    minutes: float | None = None
    steps: int | None = None
    images: int | None = None
    until: str | None = None
    auto_batch: bool = False

    def __post_init__(self) -> None:
        for name in ("minutes", "steps", "images"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise RequestError(f"{name} = {value}: must be above 0" + " and finite" * (value == math.inf))
        if self.until is not None:
            Bound.parse(self.until)
