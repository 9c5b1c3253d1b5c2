"""Unpaired translation: from one set of pictures to another, without counterparts; and style, its best-known use."""

from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor

from sparring.baselines import Baseline
from sparring.baselines.given import Identity
from sparring.baselines.training_items import TrainingItems
from sparring.errors import RequestError
from sparring.games import Game
from sparring.games.contrastive import Contrastive
from sparring.games.cycle import Cycle
from sparring.tasks.picture import PictureTask, needs_pictures
from sparring.types import Batch, DataSpec


class UnpairedTranslation(PictureTask):
    """Pictures of one domain as they would look in the other; CycleGAN (Zhu et al. 2017)."""

    source: ClassVar[str] = "pairs"
    reading: ClassVar[dict[str, Any]] = {"aligned": False}
    recolours: ClassVar[bool] = True
    baselines: ClassVar[tuple[type[Baseline], ...]] = (Identity, TrainingItems)
    game: Game = Field(default=Cycle(), description="the game that is played: cycle or contrastive")

    def spec(self, data: DataSpec) -> DataSpec:
        return _two_domains(self, data)

    def channels(self, data: DataSpec) -> int:
        return data.given[0]

    def batch(self, data: Batch) -> Batch:
        return data

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        return made


class Style(PictureTask):
    """Pictures in the style of a set of others, one way only; CUT (Park et al. 2020)."""

    source: ClassVar[str] = "pairs"
    reading: ClassVar[dict[str, Any]] = {"aligned": False}
    recolours: ClassVar[bool] = True
    baselines: ClassVar[tuple[type[Baseline], ...]] = (Identity, TrainingItems)
    game: Game = Field(default=Contrastive(), description="the game that is played: contrastive or cycle")

    def spec(self, data: DataSpec) -> DataSpec:
        return _two_domains(self, data)

    def channels(self, data: DataSpec) -> int:
        return data.given[0]

    def batch(self, data: Batch) -> Batch:
        return data

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        return made


def _two_domains(task: PictureTask, data: DataSpec) -> DataSpec:
    needs_pictures(task, data)
    if not data.given:
        raise RequestError(f"{task.name} learns from a folder of two folders, trainA (given) and trainB (wanted)")
    return data
