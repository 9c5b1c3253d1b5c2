"""The kind: a task says what is given and what is wanted, and names the game that plays it."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from sparring.baselines import Baseline
from sparring.data import Decoded
from sparring.games import Game
from sparring.metrics import Metric
from sparring.part import Part
from sparring.types import Batch, DataSpec


class Task(Part):
    """The kind.

    Attributes:
        translates: whether an item is made of a given one; else what the data say is given is left aside.
        paired: whether what is made has a truth of its own to be compared with, as in restoration.
        metrics: what judges it where no metrics are named; none: all that rank for its data.
        baselines: what it must beat; none: all that rank for its data.
        source: the data source that reads folders of pictures for it, where it is not the one for generation.
        reading: fields of that source which the task sets.
    """

    kind: ClassVar[str] = "task"
    home: ClassVar[str] = "sparring.tasks"
    translates: ClassVar[bool] = False
    paired: ClassVar[bool] = False
    metrics: ClassVar[tuple[type[Metric], ...]] = ()
    baselines: ClassVar[tuple[type[Baseline], ...]] = ()
    source: ClassVar[str] = ""
    reading: ClassVar[dict[str, Any]] = {}

    game: Game = Field(description="the game that plays it")
    attributes: tuple[str, ...] = Field(
        default=(), description="attributes of the data that can be asked for; none: no labels"
    )

    @abstractmethod
    def spec(self, data: DataSpec) -> DataSpec:
        """What the game's networks must know, given what one encoded item looks like."""

    def risks(self, data: DataSpec) -> Sequence[str]:
        """What may go wrong with the settings of its game, given what one encoded item looks like; none: no line."""
        return self.game.risks(self.spec(data))

    @abstractmethod
    def batch(self, data: Batch) -> Batch:
        """What the game plays with, given encoded items."""

    def wanted(self, items: Decoded) -> Decoded:
        """What the task would best make of decoded items of the data, which its numbers are held against."""
        return items
