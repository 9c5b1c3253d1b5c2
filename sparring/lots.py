"""Lots for a model: labels are found, forms are checked, and held-back items are told from those that were learned."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sparring.data import Dataset
from sparring.data.images import digests as digests_of_pictures
from sparring.data.tables import digests_of_rows
from sparring.errors import DataError, RequestError, choices
from sparring.experiment import Experiment, gather_again, split
from sparring.lot import Lot
from sparring.modalities import Modality
from sparring.modalities.conditions import Conditions
from sparring.randomness import derive

_RAREST = 1000
"""Rows of which one at least must be of a class that cannot be asked for."""
_AT_ONCE = 2**16
"""Rows of a round at most, for they are all held in memory."""
_SPARE = 1.1
_VALUES = 10


class Trained(Protocol):
    """What is asked of a model."""

    @property
    def experiment(self) -> Experiment: ...
    @property
    def modality(self) -> Modality: ...
    @property
    def conditions(self) -> Conditions | None: ...
    def sample_with_conditions(
        self, n: int, *, seed: int, condition: Mapping[str, Any] | None
    ) -> tuple[Any, dict[str, np.ndarray]]: ...
    def score(self, items: Any, attributes: Mapping[str, np.ndarray] | None = None) -> np.ndarray: ...


@dataclass(frozen=True)
class ModelMaker:
    """A trained model as augmentations ask it.

    Attributes:
        model: the model.
        asked: names of the attributes or columns that can be asked for.
        judges: whether there is a discriminator whose verdicts may filter.
    """

    model: Trained
    asked: tuple[str, ...]
    judges: bool = True

    def make(self, like: Lot, label: str, count: int, seed: int) -> Lot:
        """Items of a class; a table's rows that turn out to be of another are left out.

        Raises:
            RequestError: the model was trained without labels.
            DataError: hardly any row is of the class, fewer than one of a thousand.
        """
        known = like.title in self.asked
        if not known and not like.is_table:
            raise RequestError(f"the model was trained without '{like.title}', so it cannot make items of a class")
        # A row's label is one value, though it may hold a sign that parts several.
        condition = {like.title: [label] if like.is_table else label} if known else None
        found, tries, drawn = like.rows(np.zeros(0, np.int64)), 0, 0
        while len(found) < count:
            if drawn > _RAREST * (len(found) + 10):
                raise DataError(
                    f"the model makes hardly any rows of '{like.title}' = {label}: {len(found)} of {drawn:,}, and "
                    f"{count} are wanted; train longer or give fewer"
                )
            # By how many of those drawn so far were of the class; nothing is known of that before the first round.
            each = (1 if known else 4) if not tries else _SPARE * drawn / max(len(found), 1)
            round_of = math.ceil((count - len(found)) * each)
            round_of = min(round_of, _AT_ONCE) if like.is_table else round_of
            made, columns = self.model.sample_with_conditions(round_of, seed=derive(seed, tries), condition=condition)
            drawn += round_of
            if like.is_table:
                lot = Lot.of_rows(made.dropna(subset=[like.title]), like.title)
            else:
                lot = Lot(made, {name: columns[name].astype(str) for name in like.columns}, like.title)
            lot = lot.rows(np.flatnonzero(np.char.strip(lot.labels) == label.strip()))
            found, tries = found.joined(lot) if len(found) else lot, tries + 1
        return found.rows(np.arange(count))

    def score(self, lot: Lot) -> np.ndarray:
        """The discriminator's verdicts."""
        if lot.is_table:
            return self.model.score(lot.items)
        return self.model.score(lot.items, lot.columns if set(self.asked) <= set(lot.columns) else None)


def maker_of(model: Trained) -> ModelMaker:
    """What augmentations ask of a model."""
    asked = model.experiment.task.attributes if model.conditions is None else model.conditions.titles
    return ModelMaker(model, tuple(asked), model.experiment.task.game.adversarial)


def lot_of(model: Trained, items: Any, labels: Any, label: str | None = None) -> Lot:
    """Labelled items in memory in a model's form.

    Args:
        model: the model.
        items: a frame, or pictures ``(n, h, w, c)``.
        labels: one an item, or of pictures a sequence for each attribute; of a frame None where they are in it.
        label: the column or attribute that is the class.

    Raises:
        RequestError: the items have not the model's columns or shape, or the label is not there.
        DataError: there are no labels.
    """
    if model.modality.described():
        if labels is not None:
            label = str(label or getattr(labels, "name", None) or "")
            if not label:
                raise RequestError("labels beside a table need the column's name; give label=")
            items = model.modality.framed(items, without=label).assign(**{label: list(labels)})
        frame = model.modality.conformed(items)
        return Lot.of_rows(frame, label or _target(frame))
    items = model.modality.conformed(items)
    columns = labels if isinstance(labels, Mapping) else {} if labels is None else {_own(model, label): labels}
    return _pictures(
        model, items, {str(name): np.asarray(values).astype(str) for name, values in columns.items()}, label
    )


def lot_of_data(model: Trained, data: Dataset, label: str | None = None) -> Lot:
    """A data set that was read in a model's way.

    Raises:
        RequestError: it has not the model's columns or shape, or the label is not there.
        DataError: there are no labels.
    """
    if data.modality != model.modality.name:
        raise RequestError(f"the data are {data.modality}, and the model learned {model.modality.name}")
    items = data.items[np.arange(len(data))]
    if model.modality.described():
        try:
            items = model.modality.conformed(items)
        except RequestError as error:
            raise RequestError(f"{data.names[0].rpartition('#')[0]}: {error}") from None
        return lot_of(model, items, None, label)
    if not data.attributes:
        raise DataError("the data have no labels; class folders, labels.csv or a label pattern give some")
    return lot_of(model, items, data.attributes, label)


def _target(frame: Any) -> str:
    """The last column of two to ten values."""
    few = [str(name) for name in frame.columns if 2 <= frame[name].nunique() <= _VALUES]
    if not few:
        raise DataError(f"no column of the table looks like a class (two to {_VALUES} values); name one as the label")
    return few[-1]


def _own(model: Trained, label: str | None) -> str:
    """The attribute that labels without a name are of."""
    titles = () if model.conditions is None else model.conditions.titles
    if label is None and len(titles) > 1:
        raise RequestError(f"the model knows the attributes {', '.join(titles)}; say which is meant with label")
    return label or next(iter(titles), "label")


def _pictures(model: Trained, items: np.ndarray, columns: dict[str, np.ndarray], label: str | None) -> Lot:
    known = {n: v for n, v in columns.items() if model.conditions is not None and n in model.conditions.titles}
    if not columns:
        raise DataError("the pictures have no labels; give one a picture")
    if not known:
        raise RequestError(
            f"the model was trained without {', '.join(columns)}, so it cannot make items of a class; train with labels"
        )
    if label is None and len(known) > 1:
        raise RequestError(f"the pictures have the attributes {', '.join(known)}; say which is the class with label")
    title = label or next(iter(known))
    if title not in known:
        raise RequestError(choices(title, "attribute", list(known)))
    short = [name for name, values in known.items() if len(values) != len(items)]
    if short:
        raise RequestError(f"{len(known[short[0]])} labels '{short[0]}' do not fit {len(items)} pictures")
    return Lot(items, known, title)


def unlearned(model: Trained, lot: Lot, beside: Lot) -> Lot:
    """The items of a lot that had no part in a model's training and are not in another lot."""
    known = {*gather_again(model.experiment, model.modality).learned().tolist(), *_digests(beside)}
    return lot.rows(np.flatnonzero([digest not in known for digest in _digests(lot)]))


def _digests(lot: Lot) -> list[bytes]:
    return (digests_of_rows(lot.items) if lot.is_table else digests_of_pictures(lot.items)).tolist()


def held_back(model: Trained, data: Dataset, lot: Lot) -> np.ndarray:
    """Which items of a data set can measure what a model's items are worth, ``(n,)`` bool.

    The set's own *report* split (its official test split where it has one), and what is in the model's; without all
    items that had a part in its training.

    Args:
        model: the model.
        data: the data set.
        lot: its items in the model's form, so that equal items have equal hashes.
    """
    own = gather_again(model.experiment, model.modality)
    learned, reported = set(own.learned().tolist()), set(own.data.digests[own.splits.report].tolist())
    digests: list[bytes] = _digests(lot) if lot.is_table else data.digests.tolist()
    found = np.zeros(len(data), bool)
    found[split(data, model.experiment.select).report] = True
    return np.array([(is_own or d in reported) and d not in learned for is_own, d in zip(found, digests, strict=True)])
