"""The codec of a run: how items, conditions and given pictures are encoded; and the players that fit it."""

from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn

from sparring.errors import RequestError, RunError
from sparring.experiment import Experiment, item_spec
from sparring.modalities import Modality
from sparring.modalities.asking import Asking, Labels
from sparring.modalities.conditions import Conditions, ConditionTable
from sparring.part import Part, walk
from sparring.provenance import provenance
from sparring.run import Run
from sparring.tasks import Task
from sparring.types import DataSpec

LARGEST = 2**16
"""No whole number of a game is larger in a run that is opened: width, depth, latent."""


class Codec(Part):
    """What a run's codec folder says in JSON: how items and conditions are encoded."""

    modality: Modality = Field(description="the codec of items, fitted")
    conditions: Conditions | None = Field(default=None, description="the codec of attributes that can be asked for")
    given: Modality | None = Field(default=None, description="the codec of what items are made from")

    def spec(self, task: Task) -> DataSpec:
        """What networks must know of one item."""
        return item_spec(task, self.modality, self.conditions, self.given)

    def asking(self, folder: Path, task: Task) -> Asking:
        """What can be asked for, of a run with this folder of what was learned of the data."""
        if self.conditions is None:
            return self.modality.asking(task.attributes)
        return Labels(ConditionTable.load(folder, self.conditions))

    def save(self, run: Run, table: ConditionTable | None) -> None:
        """Writes the codec into a run."""
        run.write(run.codec / "codec.json", self.to_json())
        if table is not None:
            table.save(run.codec)


def build(experiment: Experiment, codec: Codec) -> nn.ModuleDict:
    """The players of an experiment with fresh weights."""
    return experiment.task.game.players(experiment.task.spec(codec.spec(experiment.task)))


def read_experiment(run: Run) -> Experiment:
    """The experiment of a run that may come from anywhere.

    Raises:
        RequestError: it names parts or fields that are not there; the message names the versions.
        RunError: it is missing, damaged, or of a size that no run has.
    """
    stored = run.read(run.experiment)
    try:
        experiment = Experiment.from_json(stored.get("experiment"))
    except RequestError as error:
        versions = stored.get("versions")
        made = versions.get("sparring", "?") if isinstance(versions, dict) else "?"
        here = provenance()["versions"]["sparring"]
        raise RequestError(f"{run.experiment}: {error}; made by sparring {str(made)[:40]}, this is {here}") from None
    for path, value in walk(experiment.task):
        if isinstance(value, int) and abs(value) > LARGEST:
            raise RunError(f"{run.experiment}: {'.'.join(path)} = {value:.6g} is beyond {LARGEST}; it is no run's")
    return experiment


def filled(experiment: Experiment, codec: Codec, tensors: dict[str, Tensor], path: Path) -> nn.ModuleDict:
    """The averaged players with stored weights; memory is taken only where the weights are there.

    Raises:
        RunError: the tensors are not those of the experiment, in name, shape or type.
    """
    averaged = experiment.task.game.averaged()
    with torch.device("meta"):
        expected = {name: players for name, players in build(experiment, codec).items() if name in averaged}
    refuse_misfit(nn.ModuleDict(expected), tensors, path)
    players = build(experiment, codec)
    found = nn.ModuleDict({name: players[name] for name in averaged})
    found.load_state_dict(tensors)
    return found


def refuse_misfit(players: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Refuses tensors that are not those of the players, in one line that names the first.

    Raises:
        RunError: they differ in name, shape or type.
    """
    expected = players.state_dict()
    for name in [*expected, *(name for name in tensors if name not in expected)]:
        said = [_said(found.get(name)) for found in (expected, tensors)]
        if said[0] != said[1]:
            raise RunError(f"{path} does not fit the experiment: {name[:80]} is {said[1]} and should be {said[0]}")


def _said(tensor: Tensor | None) -> str:
    if tensor is None:
        return "missing"
    # Float64 runs are read as float32.
    kind = "real" if tensor.dtype in (torch.float32, torch.float64) else str(tensor.dtype).removeprefix("torch.")
    return f"{kind} of {'x'.join(map(str, tensor.shape)) or 'no axes'}"
