"""Experiment: everything needed to run again, and the material that it works on."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from sparring.data import Dataset, DataSource
from sparring.data.content import REPORT, lowest
from sparring.data.joining import UNKNOWN
from sparring.data.opening import open_data, read_for
from sparring.data.reader import Batches, Reader
from sparring.errors import DataError, RequestError, choices
from sparring.leaks import refuse_choices, refuse_parts
from sparring.modalities import Modality
from sparring.modalities.conditions import Conditions
from sparring.modalities.frames import TableItems
from sparring.modalities.private import fit_privately
from sparring.modalities.windows import Windows
from sparring.part import Part
from sparring.privacy import Privacy
from sparring.tasks import Task
from sparring.tasks.generation import Generation
from sparring.training import Training
from sparring.types import DataSpec

HOLD_BACK_FROM = 100
"""Below so many items nothing is held back: the parts would be too small to measure anything."""
SELECT = 0.1
"""Share of items to choose by, as many as to report on: a floor is taken at the count of what is judged."""
_SELECT_BEFORE = 0.05
"""That of runs whose experiment does not say it."""


class Experiment(Part):
    """Data, task, training and seed: a run is a function of these and of its plan."""

    kind: ClassVar[str] = "experiment"

    data: DataSource = Field(description="where items come from")
    task: Task = Field(default=Generation(), description="what is given and what is wanted")
    training: Training = Field(default=Training(), description="how the engine plays")
    seed: int = Field(default=0, ge=0, description="of weights, order, noise and augmentation")
    select: float = Field(
        default=SELECT,
        ge=0,
        le=0.4,
        description="share of items to choose by, where the data have no split of their own",
    )

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """An experiment from its JSON form; what it lacks is as it was in its time."""
        if not isinstance(value, dict):
            return super().from_json(value)
        said, data = {"select": _SELECT_BEFORE, **value}, value.get("data")
        if isinstance(data, dict) and (source := DataSource.parts().get(str(data.get("part")))) is not None:
            said["data"] = {**source.before, **data}
        return super().from_json(said)

    @model_validator(mode="after")
    def _nothing_leaks(self) -> "Experiment":
        if self.training.privacy is not None:
            refuse_parts(self.task)
            refuse_choices(self.training)
        return self


@dataclass(frozen=True)
class Splits:
    """Rows of a data set by use, each ascending.

    Attributes:
        train: what is learned from.
        select: for choices while training: early stopping, augmentation's gap, the floor of metrics.
        report: for reported numbers; the official test split where there is one. Nothing is chosen on it.
    """

    train: np.ndarray
    select: np.ndarray
    report: np.ndarray

    def summary(self, digests: np.ndarray) -> dict[str, dict[str, Any]]:
        """Count and content hash of each split, for ``experiment.json``."""
        return {name: {"count": len(rows), "hash": _hash(digests[rows])} for name, rows in vars(self).items()}


def _hash(digests: np.ndarray) -> str:
    return hashlib.blake2b(np.sort(digests).tobytes(), digest_size=16).hexdigest()


def split(data: Dataset, select_share: float = SELECT) -> Splits:
    """Splits by content: equal items fall into the same split, whatever their order or number.

    The data may say themselves what each item is for. With an official test split, that is *report*, and a sixth of
    the rest, at most as many, is *select*; what equals a test item is learned from no more. Else 10 % are held back to
    report on, and so many to choose by. Fewer than :data:`HOLD_BACK_FROM` items are all learned from, and so are those
    of which most are equal.

    Args:
        data: the data set.
        select_share: share of the items that is *select* where the data have no split of their own.
    """
    rows = np.arange(len(data))
    if data.uses is not None:
        train, select, report = (np.flatnonzero(data.uses == use) for use in range(3))
        return Splits(train, select, report)
    if len(data) < HOLD_BACK_FROM:
        return Splits(rows, rows[:0], rows[:0])
    official = _official(data)
    if official is not None:
        learn, report = official
        select, train = lowest(learn, data.digests, min(len(report), len(learn) // 6))
        return Splits(train, select, report)
    report, rest = lowest(rows, data.digests, int(len(rows) * REPORT))
    select, train = lowest(rest, data.digests, int(len(rows) * select_share))
    return Splits(train, select, report)


def _official(data: Dataset) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows to learn from and those of the official test split; None where there is none that can be kept.

    What is to be learned from and equals a test item is in neither: a floor would be too low by it, and the audit take
    it for held back. Where that is most of it, the split parts nothing.
    """
    if data.test is None or not data.test.any():
        return None
    learn = np.flatnonzero(~np.isin(data.digests, data.digests[data.test]))
    return (learn, np.flatnonzero(data.test)) if 2 * len(learn) > (~data.test).sum() else None


def _told(data: Dataset) -> tuple[str, ...]:
    """What is said of items that are in the official test split and beside it; nothing where there are none."""
    if data.test is None or data.uses is not None or len(data) < HOLD_BACK_FROM:
        return ()
    equal = int((np.isin(data.digests, data.digests[data.test]) & ~data.test).sum())
    if not equal:
        return ()
    if _official(data) is None:
        return ("most items equal one of the official test split, which is not kept: all are split by their content",)
    return (f"items to learn from that equal one of the official test split, and are left out: {equal:,}",)


def split_by_row(data: Dataset, select_share: float = SELECT) -> Splits:
    """Splits in which a row's place depends on its own content alone, as private training must have them."""
    first = np.array([int(digest[:8], 16) for digest in data.digests], np.float64) / 2**32
    rows = np.arange(len(data))
    held = REPORT + select_share
    return Splits(rows[first >= held], rows[(first >= REPORT) & (first < held)], rows[first < REPORT])


@dataclass(frozen=True)
class Material:
    """What an experiment works on, read and encoded.

    Attributes:
        data: the data set.
        splits: its rows by use.
        modality: the codec, fitted.
        conditions: the codec of the attributes that can be asked for, or None.
        encoded: encoded attributes of every item, ``(n, k)``, or None.
        task: the task, which says what can be asked for.
        given: the codec of what items are made from, where the data hold that.
        secret: what the noise of a private codec was drawn from, and that of learning will be.
    """

    data: Dataset
    splits: Splits
    modality: Modality
    conditions: Conditions | None
    encoded: Tensor | None
    task: Task
    given: Modality | None = None
    secret: int | None = field(default=None, repr=False)

    @property
    def spec(self) -> DataSpec:
        """What networks must know of one item."""
        return item_spec(self.task, self.modality, self.conditions, self.given)

    def learned(self) -> np.ndarray:
        """Content hashes of what has a part in training, ``(n,)``: to learn from, and to choose by."""
        return self.data.digests[np.concatenate([self.splits.train, self.splits.select])]

    def reader(self, rows: np.ndarray, seed: int) -> Batches:
        """Batches of a split."""
        if self.data.reading is not None:
            asked, together = self.task.attributes, getattr(self.task, "together", 0.0)
            return self.data.reading(self.data.items, rows, self.modality, asked=asked, together=together, seed=seed)
        return Reader(
            self.data.items,
            rows,
            self.modality,
            self.encoded,
            seed,
            self.data.given if self.given else None,
            self.given,
        )

    def columns(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The attributes of some rows that are known of all of them, one array of strings each."""
        found = {name: values[rows] for name, values in self.data.attributes.items()}
        return {name: values for name, values in found.items() if not (values == UNKNOWN).any()}


def item_spec(task: Task, modality: Modality, conditions: Conditions | None, given: Modality | None = None) -> DataSpec:
    """What networks must know of one item, of what can be asked for and of what is given."""
    spec = modality.spec() if given is None else replace(modality.spec(), given=given.spec().shape)
    if conditions is not None:
        return replace(spec, condition=conditions.width)
    return spec if task.attributes else replace(spec, condition=0)


def fitted(data: Dataset, train: np.ndarray) -> Modality:
    """The codec of a data set's items; windows are scaled by those that are learned from alone."""
    items = data.items.only(train) if isinstance(data.items, Windows) else data.items
    return Modality.find(data.modality).fit(items)


def private_codec(data: Dataset, privacy: Privacy, seed: int, select_share: float = SELECT) -> Modality:
    """A codec of the *train* rows that keeps what privacy promises.

    Args:
        data: a table.
        privacy: the promise.
        seed: a secret.
        select_share: as for :func:`split_by_row`.

    Raises:
        RequestError: the data are no table.
        DataError: a column cannot be learned privately.
    """
    if not isinstance(data.items, TableItems):
        raise RequestError(f"private training learns tables, and these are {data.modality}")
    learned = data.items[split_by_row(data, select_share).train]
    return fit_privately(TableItems(learned, data.items.kinds, data.items.rules), privacy, seed)


def gather_privately(
    task: Task, data: Dataset, codec: Modality, select_share: float = SELECT, *, secret: int | None = None
) -> Material:
    """As :func:`gather`, with splits that keep what privacy promises, a :func:`private_codec` and its secret."""
    return Material(data, split_by_row(data, select_share), codec, None, None, task, secret=secret)


def gather_again(experiment: Experiment, codec: Modality) -> Material:
    """What an experiment worked on, read once more, with the codec that it has learned."""
    read, share = experiment.data.load(), experiment.select
    if experiment.training.privacy is None:
        return gather(experiment.task, read, codec, select_share=share)
    return gather_privately(experiment.task, read, codec, share)


def read_alike(experiment: Experiment, codec: Modality, data: str | Path | DataSource) -> Dataset:
    """Other data, read as an experiment's own were: size, colour, attributes."""
    task, shape = experiment.task, codec.spec().shape
    source = read_for(task.source, data if isinstance(data, DataSource) else open_data(str(data)), task.reading)
    source = experiment.data.alike(source)
    if len(shape) == 3:
        # Of other data nothing is learned, so that none need be held back.
        wanted = {"size": shape[1:], "color": "grey" if shape[0] == 1 else "rgb", "held": 0.0}
        source = source.but(**{name: value for name, value in wanted.items() if name in type(source).model_fields})
    return source.load()


def gather(task: Task, data: Dataset, modality: Modality | None = None, *, select_share: float = SELECT) -> Material:
    """Fits the codecs, that of the items where it is not fitted yet, and splits the data.

    Args:
        task: what is learned.
        data: the data set.
        modality: the codec of the items where it is fitted already.
        select_share: as for :func:`split`.

    Raises:
        RequestError: the task wants an attribute that the data do not have.
        DataError: the data hold a single item or none.
    """
    if len(data) < 2:
        raise DataError(f"{len(data)} usable item is too few to learn a likeness from; give at least two")
    splits = split(data, select_share)
    modality = modality or fitted(data, splits.train)
    asked = task.attributes
    there = [*data.attributes, *modality.askable()]
    for name in asked:
        if name not in there:
            raise RequestError(choices(name, "attribute", there))
    given = None
    if task.translates and data.given is not None:
        given = Modality.find(data.modality).fit(data.given)
    data = replace(data, notes=(*data.notes, *_told(data)))
    if not asked or modality.askable():
        return Material(data, splits, modality, None, None, task, given)
    conditions = Conditions.fit({name: data.attributes[name] for name in asked})
    encoded = torch.from_numpy(np.asarray(conditions.encode({name: data.attributes[name] for name in asked})))
    return Material(data, splits, modality, conditions, encoded, task)
