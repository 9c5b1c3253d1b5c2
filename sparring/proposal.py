"""From data to an experiment: what would be trained, and on what."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sparring import recipes
from sparring.codec import Codec, build
from sparring.data import Dataset, DataSource, Decoded
from sparring.data.opening import open_data, read_for, store_arrays
from sparring.data.tables import store_frame
from sparring.errors import RequestError, choices
from sparring.experiment import Experiment, Material, fitted, gather, gather_privately, private_codec, split
from sparring.facts import Facts
from sparring.leaks import refuse_networks
from sparring.networks.tabular import choices_in
from sparring.privacy import Privacy, opacus, secret, secret_seed
from sparring.registration import registered
from sparring.tasks import Task
from sparring.tasks.picture import PictureTask, Restoration


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
    overwrite: bool = False,
    task: str = "generation",
    modality: str | None = None,
    recipe: str | None = None,
    size: int | str | tuple[int, int] | None = None,
    label_pattern: str | None = None,
    direction: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    sequence_key: str | None = None,
    sequence_index: str | None = None,
    attributes: Sequence[str] | None = None,
    unconditional: bool = False,
    seed: int = 0,
    settings: Sequence[str] = (),
    private: bool = False,
    epsilon: float | None = None,
    delta: float | None = None,
    epochs: int | None = None,
) -> Proposal:
    """Reads the data and resolves a recipe to an experiment.

    Args:
        data: a path, a name, a source, a table as a :class:`pandas.DataFrame`, or pictures as an array
            ``(n, h, w[, c])`` or a list of pictures.
        labels: of in-memory data: one per item, or one sequence per attribute.
        store: where in-memory data are kept, so that the run can go on from its folder; needed for those alone.
        overwrite: whether a private run beside ``store`` will be removed: its secret is not used twice.
        task: the task's name.
        modality: how arrays are to be read, where that is ambiguous.
        recipe: the recipe's name; the default is chosen by the data.
        size: of pictures: a number, ``"64x48"`` or ``(height, width)``; inferred where it is not given.
        label_pattern: attributes in file names, ``"{age}_{gender}_*"``.
        direction: of pairs and of two sets: ``AtoB`` or ``BtoA``, which says what is given and what is made.
        window: steps of the windows that are cut from series; what has windows is series.
        stride: steps from one window to the next.
        sequence_key: column of a table that tells series apart.
        sequence_index: column of a table by which the steps of a series are ordered.
        attributes: which of the data's attributes can be asked for; all where not given.
        unconditional: learn without labels.
        seed: of everything random.
        settings: overrides, ``"game.loss=hinge"``.
        private: keep (epsilon, delta)-differential privacy of single rows, see ``docs/privacy.md``.
        epsilon: of private training.
        delta: of private training.
        epochs: length in passes over the rows that are learned from; the recipe's where it is None.

    Raises:
        RequestError: an unknown name, field or value.
        DataError: the data cannot be used.
    """
    settings, attributes = _several(settings) or (), _several(attributes)
    known = Task.parts()
    if task not in known:
        raise RequestError(choices(task, "task", list(known)))
    cutting = {"window": window, "stride": stride, "sequence_key": sequence_key, "sequence_index": sequence_index}
    cutting = {name: value for name, value in cutting.items() if value is not None}
    key = secret(None if overwrite else store) if private else None
    source = _source(data, labels, store, key, modality=modality, size=size, label_pattern=label_pattern, **cutting)
    source = read_for(known[task].source, source, known[task].reading)
    source, settings = _settle_source(source, [*([f"data.direction={direction}"] if direction else []), *settings])
    privacy, settings = _privacy(private, epsilon, delta, settings)
    if privacy is not None and attributes:
        raise RequestError(
            f"private training refuses --attributes {attributes[0]}: classes would be counted as they are"
        )
    read = source.load()
    if privacy is not None and key is not None:
        return _privately(source, read, privacy, task, recipe, seed=seed, epochs=epochs, settings=settings, key=key)
    splits = split(read, _select_share(source, settings))
    codec = fitted(read, splits.train)
    there = [*read.attributes, *codec.askable()]
    wanted = () if unconditional else tuple(there if attributes is None else attributes)
    spec = codec.spec()
    facts = Facts(
        read.modality,
        spec.shape,
        len(splits.train),
        wanted,
        choices_in(spec.spans),
        task,
        _registered(known[task], read, splits.train),
    )
    played, training = recipes.find(recipe or "default")(facts)
    if epochs is not None:
        training = training.but(images=max(1, epochs * facts.count))
    experiment = Experiment(data=source, task=played, training=training, seed=seed)
    for setting in settings:
        experiment = experiment.override(setting)
    return Proposal(experiment, gather(experiment.task, read, codec, select_share=experiment.select))


def _several(given: str | Sequence[str] | None) -> Sequence[str] | None:
    """One word as a sequence of one, so that its letters are not taken for words."""
    return (given,) if isinstance(given, str) else given


def _registered(task: type[Task], read: Dataset, rows: np.ndarray) -> bool:
    """Whether pairs lie on each other, pixel on pixel, as all do whose given side is made of the other."""
    if read.given is None or not issubclass(task, PictureTask) or not task.paired or issubclass(task, Restoration):
        return True
    return registered(read.given, read.items, rows)


def _privacy(
    private: bool, epsilon: float | None, delta: float | None, settings: Sequence[str]
) -> tuple[Privacy | None, list[str]]:
    """What is promised, and the settings that are not of it: the codec must know them before the rest is resolved."""
    own = [setting for setting in settings if re.match(r"(training\.)?privacy\.", setting)]
    if not private:
        if own or epsilon is not None or delta is not None:
            raise RequestError(f"{own[0] if own else '--epsilon or --delta'} is of private training; add --private")
        return None, list(settings)
    given: dict[str, Any] = {"epsilon": epsilon, "delta": delta}
    privacy = Privacy(**{name: value for name, value in given.items() if value is not None})
    for setting in own:
        privacy = _with_setting(privacy, setting.partition("privacy.")[2])
    opacus()
    return privacy, [setting for setting in settings if setting not in own]


def _with_setting(privacy: Privacy, setting: str) -> Privacy:
    if setting.startswith("domains."):
        column, equals, domain = setting.removeprefix("domains.").partition("=")
        if not equals:
            raise RequestError(f"'{setting}' is not of the form domains.COLUMN=17..90 or domains.COLUMN=a|b")
        return privacy.but(domains={**privacy.domains, column: domain})
    return privacy.override(setting)


def _privately(  # noqa: PLR0913
    source: DataSource,
    read: Dataset,
    privacy: Privacy,
    task: str,
    recipe: str | None,
    *,
    seed: int,
    epochs: int | None,
    settings: Sequence[str],
    key: int,
) -> Proposal:
    """An experiment on private rows, of which recipes know a noisy count alone."""
    share = _select_share(source, settings)
    codec = private_codec(read, privacy, secret_seed(key, seed), share)
    material = gather_privately(Task.from_json({"part": task}), read, codec, share, secret=key)
    spec, count = material.modality.spec(), material.modality.counted()
    facts = Facts(read.modality, spec.shape, count, (), choices_in(spec.spans), task)
    played, training = recipes.find(recipe or "private")(facts)
    training = training if epochs is None else training.but(images=max(1, epochs * count))
    experiment = Experiment(data=source, task=played, training=training, seed=seed)
    for setting in settings:
        experiment = experiment.override(setting)
    experiment = experiment.but(training=experiment.training.but(privacy=privacy))
    material = replace(material, task=experiment.task)
    refuse_networks(build(experiment, Codec(modality=material.modality)), experiment.task.game.guarded)
    return Proposal(experiment, material)


def _source(data: Any, labels: Any, store: Path | None, key: int | None, **reading: Any) -> DataSource:
    if isinstance(data, DataSource):
        return data
    if isinstance(data, str | Path):
        return open_data(str(data), **reading)
    if store is None:
        raise RequestError("data in memory need a folder in which the run keeps them; give out=")
    framed = hasattr(data, "dtypes") and hasattr(data, "columns")
    kept = store_frame(data, store, key) if framed else store_arrays(data, store, labels)
    return open_data(kept.path, **reading)


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


def _select_share(source: DataSource, settings: Sequence[str]) -> float:
    """The share of *select*, which must be known before the rest is resolved: recipes go by the items that are left."""
    experiment = Experiment(data=source)
    for setting in settings:
        if setting.partition("=")[0].strip() == "select":
            experiment = experiment.override(setting)
    return experiment.select
