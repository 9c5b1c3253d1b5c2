"""Checks: what the data hold, what is wrong with them, and what training on them would take."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sparring import wording
from sparring.data import Dataset, Fault, Items
from sparring.data.images import Images
from sparring.experiment import HOLD_BACK_FROM
from sparring.forecast import Forecast, forecast
from sparring.learning import choose_device
from sparring.proposal import Proposal, propose
from sparring.tasks.picture import PictureTask

FEW = 1000
"""Below so many items, what is learned is near to copies unless the discriminator sees them changed."""

TINY = 10
"""A class of fewer items is learned by heart."""

BLANK = 0.02
"""A picture whose values span no more than this share of their range is all but empty."""

_NAMED = 3
_CHUNK = 256


@dataclass(frozen=True)
class Findings:
    """What :func:`check` found.

    Attributes:
        splits: items to learn from, to choose by and to report on.
        shape: of one item as networks see it; ``(channels, height, width)`` of a picture.
        stored: pictures by the size in which they are stored, ``"48x64"``, most frequent first.
        attributes: items by value, for each attribute.
        official_test: items in the official test split; 0 where there is none.
        skipped: what cannot be used, and why.
        notes: what was changed on reading.
        duplicates: names of items that are equal, a group each.
        leaks: of those groups, the ones with items on both sides of the official split.
        blank: names of pictures of nearly one colour.
        warnings: what is wrong, in words.
        forecast: what would be trained.
        columns: what each column of a table is; empty for anything else.
    """

    splits: dict[str, int]
    shape: tuple[int, ...]
    stored: dict[str, int]
    attributes: dict[str, dict[str, int]]
    official_test: int
    skipped: tuple[Fault, ...]
    notes: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]
    leaks: tuple[tuple[str, ...], ...]
    blank: tuple[str, ...]
    warnings: tuple[str, ...]
    forecast: Forecast
    columns: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "skipped": [fault._asdict() for fault in self.skipped]}

    def lines(self) -> list[str]:
        """For people."""
        labels = [f"labels   {name}: {_counted(counts)}" for name, counts in self.attributes.items()]
        return [
            f"found    {wording.usage(self.splits, self.shape)}",
            *([f"stored   {_counted(self.stored)}"] if self.stored else []),
            *(f"column   {name}: {said}" for name, said in self.columns.items()),
            *(labels or (["labels   none"] if not self.columns else [])),
            *([f"split    {self.official_test:,} items are an official test split"] if self.official_test else []),
            *(f"note     {note}" for note in self.notes),
            *wording.skipped(self.skipped),
            *(f"warning  {warning}" for warning in self.warnings),
            *self.forecast.lines(),
        ]


def check(
    data: Any,
    *,
    labels: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
    device: str = "auto",
    **proposing: Any,
) -> Findings:
    """Reads the data, looks for what is wrong with them, and plays a few steps of what would be trained.

    Nothing is written but temporary files, which are gone afterwards.

    Args:
        data: as in :func:`sparring.train`.
        labels: of in-memory data.
        device: where training would compute.
        **proposing: what :func:`sparring.propose` takes: ``recipe``, ``size``, ``settings`` and others.

    Raises:
        RequestError: an unknown name or value, or data that can be read in several ways; the message names those. Or
            no part of a batch fits into memory.
        DataError: nothing is usable.
        TrainingError: memory ran out in the steps that are played.
    """
    where = choose_device(device)
    with tempfile.TemporaryDirectory(prefix="sparring-") as store:
        proposal = propose(data, labels=labels, store=Path(store), **proposing)
        return _findings(proposal, where)


def _findings(proposal: Proposal, device: torch.device) -> Findings:
    material, source, task = proposal.material, proposal.experiment.data, proposal.experiment.task
    read = material.data
    duplicates = _duplicates(read)
    official = np.zeros(len(read), bool) if read.test is None else read.test
    leaks = [group for group in duplicates if len(set(official[group])) > 1]
    blank = list(_blank(read.items))
    stored = source.survey().sizes if isinstance(source, Images) else {}
    asked = material.conditions.attributes if material.conditions is not None else ()
    quantities = {attribute.title for attribute in asked if not attribute.classes}
    attributes = {name: dict(Counter(values.tolist()).most_common()) for name, values in read.attributes.items()}
    expected = forecast(proposal, device)
    return Findings(
        splits={name: len(rows) for name, rows in vars(material.splits).items()},
        shape=material.spec.shape,
        stored={f"{height}x{width}": count for (height, width), count in stored.items()},
        attributes=attributes,
        official_test=int(official.sum()),
        skipped=read.faults,
        notes=read.notes,
        duplicates=_names(read, duplicates),
        leaks=_names(read, leaks),
        blank=tuple(str(read.names[row]) for row in blank),
        warnings=(
            *_too_few(proposal),
            *_weak_labels(attributes, quantities),
            *_repetitions(read, duplicates, leaks),
            *_emptiness(read, blank),
            *task.risks(material.spec),
            *([expected.refused] if expected.refused else []),
        ),
        forecast=expected,
        columns=material.modality.described(),
    )


def _duplicates(read: Dataset) -> list[np.ndarray]:
    """Rows of equal items, a group each, in the order of the first."""
    _, group, counts = np.unique(read.digests, return_inverse=True, return_counts=True)
    rows = np.argsort(group, kind="stable")
    groups = np.split(rows, np.cumsum(counts)[:-1])
    return sorted((g for g in groups if len(g) > 1), key=lambda g: int(g[0]))


def _names(read: Dataset, groups: list[np.ndarray]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(str(read.names[row]) for row in group) for group in groups)


def _blank(items: Items) -> Iterator[int]:
    """Rows of pictures of nearly one colour."""
    if len(items.shape) != 4:
        return
    width = np.iinfo(items.dtype).max * BLANK
    for start in range(0, len(items), _CHUNK):
        chunk = items[np.arange(start, min(start + _CHUNK, len(items)))]
        span = np.ptp(chunk.reshape(len(chunk), -1, chunk.shape[-1]), axis=1).max(axis=1)
        yield from (start + np.flatnonzero(span <= width)).tolist()


def _too_few(proposal: Proposal) -> Iterator[str]:
    count, task = len(proposal.material.data), proposal.experiment.task
    augmented = any(view.augments for view in getattr(task.game, "views", ()))
    if count < HOLD_BACK_FROM:
        lost = "nothing can be measured, and what is made will be near to copies"
        lost = "all numbers are of what was learned from" if isinstance(task, PictureTask) else lost
        yield f"{count} items are very few: below {HOLD_BACK_FROM} none is held back, so {lost}; gather more"
    elif count < FEW:
        changeable = len(proposal.material.spec.shape) == 3 and hasattr(task.game, "views")
        remedy = "they will be augmented; " if augmented else ""
        if changeable and not augmented:
            remedy = "augment them with --set game.views=adaptive-augment, and "
        yield f"{count} items are few: below {FEW:,} a discriminator learns them by heart; {remedy}gather more"


def _weak_labels(attributes: dict[str, dict[str, int]], quantities: set[str]) -> Iterator[str]:
    for name, counts in attributes.items():
        if len(counts) == 1:
            yield f"{name} has one value only, '{next(iter(counts))}', so there is nothing to choose by it"
        tiny = {value: count for value, count in counts.items() if count < TINY}
        if tiny and len(counts) > 1 and name not in quantities:
            yield (
                f"{name}: {len(tiny)} of {len(counts)} values have fewer than {TINY} items ({_counted(tiny)}), "
                "which will be learned by heart"
            )


def _repetitions(read: Dataset, duplicates: list[np.ndarray], leaks: list[np.ndarray]) -> Iterator[str]:
    if duplicates:
        spare = sum(len(group) - 1 for group in duplicates)
        named = "; ".join(" = ".join(names[:_NAMED]) for names in _names(read, duplicates[:_NAMED]))
        said = "item repeats another" if spare == 1 else "items repeat others"
        yield f"{spare:,} {said} exactly ({named}); repeated items are learned by heart sooner"
    if leaks:
        named = "; ".join(" = ".join(names[:_NAMED]) for names in _names(read, leaks[:_NAMED]))
        said = "item of the test split is" if len(leaks) == 1 else "items of the test split are"
        yield f"{len(leaks):,} {said} in the training data too ({named}); take them out of one of both"


def _emptiness(read: Dataset, blank: list[int]) -> Iterator[str]:
    if blank:
        named = ", ".join(str(read.names[row]) for row in blank[:_NAMED])
        yield f"{len(blank):,} pictures are of nearly one colour ({named}); remove them if that is not meant"


def _counted(counts: dict[str, int]) -> str:
    """The most frequent values with their counts, and how many more there are."""
    shown = 8 if len(counts) > 10 else 10
    most = sorted(counts.items(), key=lambda pair: -pair[1])[:shown]
    more = f" and {len(counts) - shown:,} more" if len(counts) > shown else ""
    return ", ".join(f"{value} ({count:,})" for value, count in most) + more
