"""Generation: more items like those that were given, by their attributes where they have some."""

from dataclasses import replace

from pydantic import Field

from sparring.games import Game
from sparring.games.latent import Latent
from sparring.tasks import Task
from sparring.types import Batch, DataSpec


class Generation(Task):
    """New items, of asked attributes where the task is conditional."""

    game: Game = Field(default=Latent(), description="the game that is played")
    together: float = Field(
        default=0.5, ge=0, le=1, description="of tables: chance that a condition names several columns while learning"
    )

    def spec(self, data: DataSpec) -> DataSpec:
        return data

    def batch(self, data: Batch) -> Batch:
        return data if self.attributes else replace(data, condition=None)
