"""The reference of an evaluation: what a model is compared with, and what a protocol says of it."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from sparring.codec import splits_of
from sparring.data import Dataset
from sparring.data.joining import joined
from sparring.errors import DataError, SparringError
from sparring.experiment import Experiment, Material
from sparring.modalities.frames import TableItems
from sparring.run import Run


def in_place(own: Material, other: Dataset, name: str) -> tuple[Material, dict[str, str]]:
    """Other data in the place of what a run's own hold back, but for items that had a part in its training.

    A floor of items that are themselves among the reference would be too low, and copies of training items look best.
    Rows of a table repeat others by nature: those that equal one are counted, and stay.

    Args:
        own: what the run worked on.
        other: the other data.
        name: what they are called.

    Raises:
        DataError: they hold items of another form, or none but what had a part in training.
    """
    if other.items.shape[1:] != own.data.items.shape[1:]:
        raise DataError(f"{name} holds items of {other.items.shape[1:]}, the run's are {own.data.items.shape[1:]}")
    depth, own_depth = (getattr(items, "dtype", None) for items in (other.items, own.data.items))
    if depth != own_depth:
        raise DataError(f"{name} holds items of {depth}, the run's are of {own_depth}; give others of that depth")
    titles, own_titles = (getattr(items, "titles", ()) for items in (other.items, own.data.items))
    if titles != own_titles and set(titles) == set(own_titles):
        raise DataError(f"{name} holds the channels {', '.join(titles)}, the run's stand as {', '.join(own_titles)}")
    known = np.isin(other.digests, own.learned())
    said, stay = {"reference_split": f"all of {name}"}, np.arange(len(other))
    if isinstance(other.items, TableItems):
        said |= {"known_rows": f"{int(known.sum()):,} equal one of training, and stay"} if known.any() else {}
    elif known.any():
        said["left_out"] = f"{int(known.sum()):,} that had a part in training"
        stay = np.flatnonzero(~known)
    if not len(stay):
        raise DataError(f"all {len(other):,} items of {name} had a part in training; give others to compare with")
    splits = replace(own.splits, report=stay + len(own.data))
    return replace(own, data=joined(own.data, other), splits=splits, encoded=None), said


def changed(run: Run, experiment: Experiment, material: Material) -> dict[str, str]:
    """What a protocol says where a run's data are not those that it was begun with; nothing where they are."""
    begun_with = splits_of(run, experiment)
    if begun_with is None or begun_with == material.splits.summary(material.data.digests):
        return {}
    return {"data": "changed since the run was begun: what it learned from may be held back here, and numbers flatter"}


def fair(material: Material, others: Mapping[str, Callable[[], Material]]) -> tuple[Material, dict[str, str]]:
    """A run's data without what others learned of its held-back items, and what a protocol says of that.

    Args:
        material: of the run.
        others: runs that learned from other items, with what reads these.

    Raises:
        DataError: no held-back items are left.
    """
    said, unread = {"learned_from_other_items": ", ".join(others)} if others else {}, []
    held = len(material.splits.report)
    for name, read in others.items():
        try:
            other = read()
        except SparringError:
            unread.append(name)
        else:
            material = _unlearned(material, other)
    left = held - len(material.splits.report)
    if held and left == held:
        raise DataError(f"{said['learned_from_other_items']} learned from all that is held back; compare others")
    if left:
        said["not_compared_with"] = f"{left:,} held-back items that one of these learned from"
    if unread:
        said["not_looked_at"] = f"the data of {', '.join(unread)}, which cannot be read"
    return material, said


def _unlearned(material: Material, other: Material) -> Material:
    """The material without held-back items that had a part in another training, but for rows of tables."""
    if isinstance(material.data.items, TableItems):
        return material
    known, splits = np.isin(material.data.digests, other.learned()), material.splits
    select, report = (rows[~known[rows]] for rows in (splits.select, splits.report))
    return replace(material, splits=replace(splits, select=select, report=report))
