"""What the folders above pictures mean: wrappers, splits, and the order of names."""

import re
from collections import Counter
from collections.abc import Sequence

from sparring.data.files import stem

TRAIN, TEST = frozenset(["train", "training"]), frozenset(["test", "testing"])
VALIDATION = frozenset(["val", "valid", "validation"])
SPLITS = TRAIN | TEST | VALIDATION
Folders = tuple[str, ...]
"""The folders above a file, outermost first."""


def natural(name: str) -> tuple:
    """A sorting key by which ``img2`` comes before ``img10``, folder by folder; the same everywhere."""
    return tuple(_natural_part(part) for part in name.split("/")), name


def _natural_part(part: str) -> tuple:
    pieces = re.split(r"([0-9]+)", part.casefold())
    return tuple((len(p.lstrip("0")), p.lstrip("0")) if i % 2 else (0, p) for i, p in enumerate(pieces))


def unwrapped_folders(names: Sequence[str], several: bool) -> list[Folders]:
    """The folders of each picture below those that hold everything."""
    paths = [tuple(name.split("/")[:-1]) for name in names]
    if not several:
        return _unwrapped(paths)
    archives: dict[str, list[int]] = {}
    for i, path in enumerate(paths):
        archives.setdefault(path[0], []).append(i)
    inner: list[Folders] = [()] * len(paths)
    for rows in archives.values():
        for i, path in zip(rows, _unwrapped([paths[i][1:] for i in rows], stop=SPLITS), strict=True):
            inner[i] = path
    if all(path and path[0].lower() in SPLITS for path in inner):
        return _unwrapped(inner)
    return _unwrapped([(_archive_folder(path[0]), *rest) for path, rest in zip(paths, inner, strict=True)])


def _archive_folder(name: str) -> str:
    """The folder that an archive stands for: ``train`` for ``faces-train.zip``."""
    whole = stem(name)
    last = re.split(r"[-_. ]", whole)[-1]
    return last if last.lower() in SPLITS else whole


def _unwrapped(paths: list[Folders], stop: frozenset[str] = frozenset()) -> list[Folders]:
    while paths and all(paths) and len({path[0] for path in paths}) == 1 and paths[0][0].lower() not in stop:
        paths = [path[1:] for path in paths]
    return paths


def split_of(folders: dict[str, Folders]) -> tuple[dict[str, bool] | None, dict[str, Folders], list[str]]:
    """Which pictures are in the test split, the folders below the splits, and a note."""
    tops = Counter(path[0].lower() if path else "" for path in folders.values())
    if not (tops.keys() <= SPLITS and tops.keys() & TRAIN and tops.keys() - TRAIN):
        return None, folders, []
    held = TEST if tops.keys() & TEST else VALIDATION
    notes = []
    validation = sum(tops[name] for name in VALIDATION)
    if validation:
        notes.append(f"{validation} validation pictures are used as {'training' if held is TEST else 'test'} pictures")
    split = {name: path[0].lower() in held for name, path in folders.items()}
    inner = _unwrapped([path[1:] for path in folders.values()])
    return split, dict(zip(folders, inner, strict=True)), notes
