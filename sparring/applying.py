"""Applying a picture model to files, single ones and folders; a failure is named, and the rest is done."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sparring.data import Fault
from sparring.data.files import is_picture, link_fault
from sparring.data.stills import ENDINGS, read_still, split_alpha, write_still
from sparring.errors import DataError, RequestError, SparringError
from sparring.restoring import Restorer

MASK = "_mask"
"""How the name of a file ends that is the mask of the picture beside it."""


@dataclass(frozen=True)
class Job:
    """One picture, where it goes, and its mask.

    Attributes:
        source: the picture.
        target: the file that it becomes.
        mask: its holes, where it has some.
        refused: why it is not read; empty where it is.
    """

    source: Path
    target: Path
    mask: Path | None = None
    refused: str = ""


@dataclass(frozen=True)
class Applied:
    """What came of a call.

    Attributes:
        written: the files that were written.
        failed: inputs that could not be done, and why.
    """

    written: tuple[Path, ...]
    failed: tuple[Fault, ...]


def apply_files(
    restorer: Restorer, jobs: Sequence[Job], *, overwrite: bool = False, on_file: Callable[[Job], None] | None = None
) -> Applied:
    """Restores every picture and writes it.

    Args:
        restorer: the model.
        jobs: what is to be done, as :func:`plan` says.
        overwrite: replace files that are there; an input never is.
        on_file: is called before each picture.

    Raises:
        RequestError: a target is there already.
    """
    if not overwrite:
        there = [job.target for job in jobs if job.target.exists()]
        if there:
            raise RequestError(f"{there[0]} is there already; --overwrite replaces it, or give another -o")
    written, failed = [], []
    for job in jobs:
        if on_file is not None:
            on_file(job)
        try:
            if job.refused:
                raise DataError(job.refused)
            made = restorer.picture(read_still(job.source), None if job.mask is None else read_mask(job.mask))
            write_still(made, job.target)
        except (SparringError, MemoryError, OSError) as error:
            failed.append(Fault(str(job.source), str(error) or type(error).__name__))
            continue
        written.append(job.target)
    return Applied(tuple(written), tuple(failed))


def apply_to(
    restorer: Restorer,
    pictures: np.ndarray | str | Path | Sequence[str | Path],
    *,
    out: str | Path | None,
    mask: np.ndarray | str | Path | None,
    overwrite: bool,
) -> np.ndarray | Applied:
    """Restores an array to an array, files and folders to files."""
    if isinstance(pictures, np.ndarray):
        return apply_array(restorer, pictures, None if mask is None else np.asarray(mask))
    if out is None or isinstance(mask, np.ndarray):
        raise RequestError("files need out=, a folder or a file to be written to, and masks in files")
    inputs = [pictures] if isinstance(pictures, str | Path) else list(pictures)
    return apply_files(restorer, plan(inputs, out, mask), overwrite=overwrite)


def apply_array(restorer: Restorer, pictures: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Restores pictures in memory.

    Args:
        restorer: the model.
        pictures: ``(h, w, c)`` or ``(n, h, w, c)`` uint8 or uint16; of 1 or 3 channels, or 2 or 4 with alpha.
        mask: holes, ``(h, w)`` or ``(n, h, w)`` bool.

    Raises:
        RequestError: they are no such pictures.
    """
    if pictures.ndim not in (3, 4) or pictures.dtype not in (np.uint8, np.uint16) or not 1 <= pictures.shape[-1] <= 4:
        raise RequestError(
            f"pictures are uint8 or uint16 (h, w, c) or (n, h, w, c), not {pictures.dtype} {pictures.shape}"
        )
    several = pictures if pictures.ndim == 4 else pictures[None]
    masks = [None] * len(several) if mask is None else np.broadcast_to(mask.astype(bool), several.shape[:3])
    made = []
    for picture, holes in zip(several, masks, strict=True):
        still = restorer.picture(split_alpha(picture), holes)
        alpha = [] if still.alpha is None else [still.alpha[..., None]]
        made.append(np.concatenate([still.pixels, *alpha], 2))
    return np.stack(made) if pictures.ndim == 4 else made[0]


def plan(inputs: Sequence[str | Path], out: str | Path, mask: str | Path | None = None) -> list[Job]:
    """What is to be done: every picture of the inputs, below ``out`` or as that one file.

    A link that is itself given is followed; one in a folder, or to a mask, that leads out of it is refused by name.

    Args:
        inputs: pictures, and folders that are searched for them.
        out: a folder, or, for one picture, a file with an ending of :data:`~sparring.data.stills.ENDINGS`.
        mask: one mask for all, or a folder with a mask of each picture's name.

    Raises:
        RequestError: there is no such input, none is a picture, or an output would take the place of an input.
    """
    found = [pair for entry in inputs for pair in _pictures(Path(entry).expanduser())]
    out = Path(out).expanduser()
    if not found:
        where = f" in {', '.join(map(str, inputs))}" if inputs else ""
        raise RequestError(f"there is no picture{where}; give pictures or folders of them")
    alone = len(found) == 1 and Path(inputs[0]).expanduser().is_file()
    if out.suffix and not out.is_dir():
        if not alone or out.suffix.lower() not in ENDINGS:
            raise RequestError(f"-o {out}: {len(found)} pictures go to a folder; one goes to a file in {ENDINGS}")
        targets = [out]
    else:
        targets = [out / name.with_suffix(".png") for _, name in found]
    doubled, times = Counter(targets).most_common(1)[0]
    if times > 1:
        raise RequestError(f"two inputs would become {doubled}; apply them one after the other")
    sources = {source.resolve() for source, _ in found}
    taken = [target for target in targets if target.resolve() in sources]
    if taken:
        raise RequestError(f"-o {out}: {taken[0]} is an input, which is never overwritten; give another folder")
    named, given = _masks(mask), {Path(path).expanduser() for path in (*inputs, *([] if mask is None else [mask]))}
    jobs = []
    for (source, name), target in zip(found, targets, strict=True):
        holes, root = named(source, name), source.parents[len(name.parts) - 1]
        within = {source: root} | ({} if holes is None else {holes: root if mask is None else Path(mask).expanduser()})
        refused = _refusal({path: folder for path, folder in within.items() if path not in given})
        jobs.append(Job(source, target, holes, refused))
    return jobs


def _refusal(within: dict[Path, Path]) -> str:
    """Why a file is not read, where one is a link that leads out of its folder; files by path with those folders."""
    faults = {path: link_fault(path, folder.resolve()) for path, folder in within.items()}
    return next((f"{path.name} is {fault}" for path, fault in faults.items() if fault), "")


def _pictures(entry: Path) -> Iterator[tuple[Path, Path]]:
    """The pictures of an input, each with its name below ``out``; masks are not among them."""
    if not entry.exists():
        raise RequestError(f"there is no file or folder '{entry}'")
    if entry.is_file():
        yield entry, Path(entry.name)
        return
    for path in sorted(entry.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(entry).parts)
        if path.is_file() and is_picture(path.name) and not hidden and not path.stem.endswith(MASK):
            yield path, path.relative_to(entry)


def _masks(mask: str | Path | None) -> Callable[[Path, Path], Path | None]:
    """What finds the mask of a picture: the one that is given, one of its name in the folder given, or one beside it.

    It takes the picture and its name below ``out``; in a folder of masks those of folders lie in folders or flat.
    """
    if mask is None:
        return lambda source, name: _mask_beside(source)
    given = Path(mask).expanduser()
    if given.is_file():
        return lambda source, name: given
    if not given.is_dir():
        raise RequestError(f"--mask {mask}: there is no such file or folder")
    there = {p.relative_to(given).with_suffix(""): p for p in sorted(given.rglob("*"), reverse=True) if p.is_file()}

    def named(source: Path, name: Path) -> Path:
        for inside in (name.with_suffix(""), Path(name.stem)):
            for ending in ("", MASK):
                if (found := there.get(inside.with_name(inside.name + ending))) is not None:
                    return found
        raise RequestError(f"--mask {mask}: there is no mask called {source.stem}{MASK}.png for {source}")

    return named


def _mask_beside(source: Path) -> Path | None:
    beside = source.with_name(f"{source.stem}{MASK}.png")
    return beside if beside.is_file() else None


def read_mask(path: Path) -> np.ndarray:
    """A mask file as ``(h, w)`` bool: True, where it is brighter than half, is a hole.

    Raises:
        DataError: it cannot be read.
    """
    try:
        pixels = read_still(path).pixels
    except DataError as error:
        raise DataError(f"mask {path}: {error}") from None
    return pixels.mean(2) > np.iinfo(pixels.dtype).max / 2
