"""The codec of a run: how items, conditions and given pictures are encoded; and the players that fit it."""

from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from sparring.errors import RequestError, RunError
from sparring.experiment import Experiment, Material, item_spec
from sparring.memory import available
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
SPLITS = "splits.json"
"""Counts and hashes of a private run's splits, which tell of rows and stay with its data."""


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


def keep_codec(run: Run, material: Material) -> None:
    """Writes what was learned of the data into a run."""
    table = None
    if material.conditions is not None:
        table = ConditionTable.of(material.conditions, material.columns(material.splits.train))
    Codec(modality=material.modality, conditions=material.conditions, given=material.given).save(run, table)


def build(experiment: Experiment, codec: Codec) -> nn.ModuleDict:
    """The players of an experiment with fresh weights."""
    return experiment.task.game.players(experiment.task.spec(codec.spec(experiment.task)))


def outlined(experiment: Experiment, codec: Codec) -> nn.ModuleDict:
    """The players of an experiment without memory for their weights: names, shapes and types."""
    with torch.device("meta"):
        return build(experiment, codec)


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


def splits_of(run: Run, experiment: Experiment) -> Any:
    """Count and hash of each split that a run was begun with; None where it is private and they are not beside it."""
    if experiment.training.privacy is None:
        return run.read(run.experiment).get("splits")
    path = run.data / SPLITS
    return run.read(path) if path.is_file() else None


def from_known_addresses(experiment: Experiment) -> Experiment:
    """An experiment whose data are fetched from the addresses of this version, if at all: a run's may be anyone's."""
    own = type(experiment.data).model_fields.get("mirrors")
    return experiment if own is None else experiment.but(data=experiment.data.but(mirrors=own.get_default()))


def filled(
    experiment: Experiment, codec: Codec, tensors: dict[str, Tensor], path: Path, *, every: bool = False
) -> nn.ModuleDict:
    """Players with stored weights; memory is taken for these alone, and only where the weights are there.

    Args:
        experiment: whose players they are.
        codec: that fits it.
        tensors: weights by name.
        path: where they come from, for messages.
        every: all players; else the averaged ones.

    Raises:
        RunError: the tensors are not those of the experiment, in name, shape or type, or memory does not suffice.
    """
    game, spec = experiment.task.game, experiment.task.spec(codec.spec(experiment.task))
    make = game.players if every else game.samplers
    with torch.device("meta"):
        found = make(spec)
    refuse_misfit(found, tensors, path)
    if all(name in tensors for name, _ in found.named_buffers()):
        found = found.to_empty(device="cpu")
    else:  # what is not stored has a value that only a player built in earnest knows
        _refuse_large(found, path)
        found = make(spec)
    found.load_state_dict(tensors)
    return found


def _refuse_large(players: nn.Module, path: Path) -> None:
    size = sum(held.numel() * held.element_size() for held in (*players.parameters(), *players.buffers()))
    left = available(torch.device("cpu"))
    if left is not None and size > left:
        takes = f"take {size / 2**30:.1f} GiB of memory, and {left / 2**30:.1f} are free"
        raise RunError(f"{path}: the players of the experiment {takes}")


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
