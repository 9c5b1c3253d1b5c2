"""Counterparts: where pictures lie in a data set, and which of one folder belongs to which of another."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sparring.data import Fault
from sparring.data.files import stem
from sparring.data.layout import Folders, split_of, unwrapped_folders


class Place(NamedTuple):
    """Where a picture lies.

    Attributes:
        test: whether in the official test split.
        folders: below the splits and what holds everything, outermost first.
        name: without ending.
    """

    test: bool
    folders: Folders
    name: str


def places(names: Sequence[str], several: bool) -> tuple[dict[str, Place], list[str]]:
    """Where each of these pictures lies, and notes on folders of splits.

    Args:
        names: paths in the data set.
        several: whether their outermost folders are archives.
    """
    folders = dict(zip(names, unwrapped_folders(names, several), strict=True))
    split, inner, notes = split_of(folders)
    return {name: Place(split is not None and split[name], inner[name], stem(name)) for name in names}, notes


def counterparts(first: Mapping[str, Place], second: Mapping[str, Place]) -> tuple[dict[str, str], list[Fault]]:
    """Pictures of the second folder with their counterparts in the first, and those of either that have none.

    A counterpart is of the same split and name. Where a folder holds a name more than once, the folders between must
    be the same too.

    Args:
        first: pictures of one folder by path; the first of a place's folders is that folder itself.
        second: those of the other.
    """
    once = all(
        max(Counter((p.test, p.name) for p in side.values()).values(), default=1) == 1 for side in (first, second)
    )
    faults, found = [], []
    for side in (first, second):
        there: dict[tuple, str] = {}
        for path, place in side.items():
            key = place.test, () if once else place.folders[1:], place.name
            if key in there:
                faults.append(Fault(path, f"has the name of {there[key]}, which is used"))
            else:
                there[key] = path
        found.append(there)
    for side, others in (found, found[::-1]):
        faults += [
            Fault(path, "has no counterpart in the other folder") for key, path in side.items() if key not in others
        ]
    return {path: found[0][key] for key, path in found[1].items() if key in found[0]}, faults
