"""From data to an experiment: what would be trained, and on what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparring import recipes
from sparring.data import DataSource, Decoded
from sparring.data.opening import open_data, read_for, store_arrays
from sparring.data.tables import store_frame
from sparring.errors import RequestError, choices
from sparring.experiment import Experiment, Material, gather, split
from sparring.modalities import Modality
from sparring.networks.tabular import choices_in
from sparring.tasks import Task


@dataclass(frozen=True)
class Proposal:
    """An experiment with the material that it was made for."""

    experiment: Experiment
    material: Material


def propose(  # noqa: PLR0913
    data: str | Path | DataSource | Decoded,
    *,
    labels: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
    store: Path | None = None,
    task: str = "generation",
    modality: str | None = None,
    recipe: str | None = None,
    size: int | str | tuple[int, int] | None = None,
    label_pattern: str | None = None,
    attributes: Sequence[str] | None = None,
    unconditional: bool = False,
    seed: int = 0,
    settings: Sequence[str] = (),
) -> Proposal:
    """Reads the data and resolves a recipe to an experiment.

    Args:
        data: a path, a name, a source, a table as a :class:`pandas.DataFrame`, or pictures as an array
            ``(n, h, w[, c])`` or a list of pictures.
        labels: of in-memory data: one per item, or one sequence per attribute.
        store: where in-memory data are kept, so that the run can go on from its folder; needed for those alone.
        task: the task's name.
        modality: how arrays are to be read, where that is ambiguous.
        recipe: the recipe's name; the default is chosen by the data.
        size: of pictures: a number, ``"64x48"`` or ``(height, width)``; inferred where it is not given.
        label_pattern: attributes in file names, ``"{age}_{gender}_*"``.
        attributes: which of the data's attributes can be asked for; all where not given.
        unconditional: learn without labels.
        seed: of everything random.
        settings: overrides, ``"game.loss=hinge"``.

    Raises:
        RequestError: an unknown name, field or value.
        DataError: the data cannot be used.
    """
    known = Task.parts()
    if task not in known:
        raise RequestError(choices(task, "task", list(known)))
    source = _source(data, labels, store, modality=modality, size=size, label_pattern=label_pattern)
    source = read_for(known[task].source, source, known[task].reading)
    source, settings = _settle_source(source, settings)
    read = source.load()
    codec = Modality.find(read.modality).fit(read.items)
    there = [*read.attributes, *codec.askable()]
    wanted = () if unconditional else tuple(there if attributes is None else attributes)
    splits = split(read)
    spec = codec.spec()
    facts = recipes.Facts(read.modality, spec.shape, len(splits.train), wanted, choices_in(spec.spans), task)
    played, training = recipes.find(recipe or "default")(facts)
    experiment = Experiment(data=source, task=played, training=training, seed=seed)
    for setting in settings:
        experiment = experiment.override(setting)
    return Proposal(experiment, gather(experiment.task, read, codec))


def _source(data: Any, labels: Any, store: Path | None, **reading: Any) -> DataSource:
    if isinstance(data, DataSource):
        return data
    if isinstance(data, str | Path):
        return open_data(str(data), **reading)
    if store is None:
        raise RequestError("data in memory need a folder in which the run keeps them; give out=")
    if hasattr(data, "dtypes") and hasattr(data, "columns"):
        return store_frame(data, store)
    return store_arrays(data, store, labels)


def _settle_source(source: DataSource, settings: Sequence[str]) -> tuple[DataSource, list[str]]:
    """Overrides of the data source are applied before it is read."""
    rest = []
    for setting in settings:
        path = setting.partition("=")[0]
        if path.startswith("data."):
            source = source.override(setting.removeprefix("data."))
        else:
            rest.append(setting)
    return source, rest
