"""The codec of a run: how items, conditions and given pictures are encoded; and the players that fit it."""

from pydantic import Field
from torch import nn

from sparring.experiment import Experiment, item_spec
from sparring.modalities import Modality
from sparring.modalities.conditions import Conditions, ConditionTable
from sparring.part import Part
from sparring.run import Run
from sparring.tasks import Task
from sparring.types import DataSpec


class Codec(Part):
    """What a run's codec folder says in JSON: how items and conditions are encoded."""

    modality: Modality = Field(description="the codec of items, fitted")
    conditions: Conditions | None = Field(default=None, description="the codec of attributes that can be asked for")
    given: Modality | None = Field(default=None, description="the codec of what items are made from")

    def spec(self, task: Task) -> DataSpec:
        """What networks must know of one item."""
        return item_spec(task, self.modality, self.conditions, self.given)

    def save(self, run: Run, table: ConditionTable | None) -> None:
        """Writes the codec into a run."""
        run.write(run.codec / "codec.json", self.to_json())
        if table is not None:
            table.save(run.codec)


def build(experiment: Experiment, codec: Codec) -> nn.ModuleDict:
    """The players of an experiment with fresh weights."""
    return experiment.task.game.players(experiment.task.spec(codec.spec(experiment.task)))
