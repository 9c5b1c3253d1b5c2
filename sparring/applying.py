"""Applying a picture model to files, single ones and folders; a failure is named, and the rest is done."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sparring.data import Fault
from sparring.data.decode import ENDINGS as READ_ENDINGS
from sparring.data.decode import FOREIGN_ENDINGS, unread
from sparring.data.files import is_picture, link_fault
from sparring.data.stills import ENDINGS, read_still, split_alpha, write_still
from sparring.errors import DataError, RequestError, SparringError
from sparring.memory import ran_out
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
        there = [job.target for job in jobs if not job.refused and job.target.exists()]
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
        except (SparringError, OSError) as error:
            failed.append(Fault(str(job.source), str(error) or type(error).__name__))
            continue
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            failed.append(Fault(str(job.source), "memory ran out; reduce the picture, or cut it into parts"))
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
    jobs = plan(inputs, out, mask, masked=restorer.task.masked)
    return apply_files(restorer, jobs, overwrite=overwrite)


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


def plan(
    inputs: Sequence[str | Path], out: str | Path, mask: str | Path | None = None, *, masked: bool = True
) -> list[Job]:
    """What is to be done: every picture of the inputs, below ``out`` or as that one file.

    A link that is itself given is followed; one in a folder, or to a mask, that leads out of it is refused by name. So
    are pictures of a folder in a form that is not read, and those of which a folder of masks has none.

    Args:
        inputs: pictures, and folders that are searched for them.
        out: a folder, or, for one picture, a file with an ending of :data:`~sparring.data.stills.ENDINGS`.
        mask: one mask for all, or a folder with a mask of each picture's name.
        masked: whether masks are taken: then files called as a picture beside them and ``_mask`` are no pictures.

    Raises:
        RequestError: there is no such input, none is a picture, a mask is given and none is taken, or an output would
            take the place of an input or of a mask.
    """
    if mask is not None and not masked:
        raise RequestError(f"--mask {mask}: this model takes no mask; leave it out")
    found = [pair for entry in inputs for pair in _files(Path(entry).expanduser(), masked)]
    foreign = [(source, name) for source, name in found if _foreign(source)]
    found = [(source, name) for source, name in found if not _foreign(source)]
    out = Path(out).expanduser()
    if not found and not foreign:
        where = f" in {', '.join(map(str, inputs))}" if inputs else ""
        raise RequestError(f"there is no picture{where}; give pictures or folders of them")
    targets = _targets(found, out, alone=len(found) == 1 and Path(inputs[0]).expanduser().is_file())
    named = _masks(mask) if masked else lambda source, name: None
    given = {Path(path).expanduser() for path in (*inputs, *([] if mask is None else [mask]))}
    jobs = []
    for (source, name), target in zip(found, targets, strict=True):
        try:
            holes, refused = named(source, name), ""
        except DataError as error:
            holes, refused = None, str(error)
        root = source.parents[len(name.parts) - 1]
        within = {source: root} | ({} if holes is None else {holes: root if mask is None else Path(mask).expanduser()})
        refused = refused or _refusal({path: folder for path, folder in within.items() if path not in given})
        jobs.append(Job(source, target, holes, refused))
    read = {path.resolve() for job in jobs for path in (job.source, job.mask) if path is not None}
    taken = next((job.target for job in jobs if job.target.resolve() in read), None)
    if taken is not None:
        raise RequestError(f"-o {out}: {taken} is an input, which is never overwritten; give another folder")
    return jobs + [Job(source, out / name, refused=unread(source.suffix.lower())) for source, name in foreign]


def _targets(found: Sequence[tuple[Path, Path]], out: Path, *, alone: bool) -> list[Path]:
    """The file that each picture becomes."""
    if not found:
        return []
    if out.suffix and not out.is_dir():
        if out.suffix.lower() not in ENDINGS:
            raise RequestError(f"-o {out}: files end in {', '.join(ENDINGS)}; for a folder of that name, make it first")
        if not alone:
            raise RequestError(f"-o {out}: {len(found)} pictures go to a folder, not to one file; give another -o")
        return [out]
    times = Counter(name.with_suffix("") for _, name in found)
    # Of several pictures of one name each keeps its ending too, "a.jpg.png".
    kept = [name.with_name(name.name + ".png") if times[name.with_suffix("")] > 1 else name for _, name in found]
    targets = [out / name.with_suffix(".png") for name in kept]
    doubled, most = Counter(targets).most_common(1)[0]
    if most > 1:
        raise RequestError(f"two inputs would become {doubled}; give them other names, or one at a time with -o FILE")
    return targets


def _refusal(within: dict[Path, Path]) -> str:
    """Why a file is not read, where one is a link that leads out of its folder; files by path with those folders."""
    faults = {path: link_fault(path, folder.resolve()) for path, folder in within.items()}
    return next((f"{path.name} is {fault}" for path, fault in faults.items() if fault), "")


def _foreign(path: Path) -> bool:
    return path.suffix.lower() in FOREIGN_ENDINGS


def _files(entry: Path, masked: bool) -> Iterator[tuple[Path, Path]]:
    """The pictures of an input, each with its name below ``out``; masks of others are not among them."""
    if not entry.exists():
        raise RequestError(f"there is no file or folder '{entry}'")
    if entry.is_file():
        yield entry, Path(entry.name)
        return
    files = [path for path in sorted(entry.rglob("*")) if path.is_file()]
    inside = [path for path in files if is_picture(path.name) or _foreign(path)]
    there = {path.with_suffix("") for path in inside}
    for path in inside:
        hidden = any(part.startswith(".") for part in path.relative_to(entry).parts)
        of = path.with_name(path.stem.removesuffix(MASK))
        if not hidden and not (masked and path.stem.endswith(MASK) and of in there):
            yield path, path.relative_to(entry)


def _masks(mask: str | Path | None) -> Callable[[Path, Path], Path | None]:
    """What finds the mask of a picture: the one that is given, one of its name in the folder given, or one beside it.

    It takes the picture and its name below ``out``; in a folder of masks those of folders lie in folders or flat. It
    raises a ``DataError`` where that folder has none.
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
        raise DataError(f"there is no mask called {source.stem}{MASK}.png in {mask}")

    return named


def _mask_beside(source: Path) -> Path | None:
    called = [source.with_name(f"{source.stem}{MASK}{ending}") for ending in (".png", *sorted(READ_ENDINGS))]
    return next((path for path in called if path.is_file()), None)


def read_mask(path: Path) -> np.ndarray:
    """A mask file as ``(h, w)`` bool: True, where it is brighter than half on black, is a hole.

    Raises:
        DataError: it cannot be read, or has no hole.
    """
    try:
        mask = read_still(path)
    except DataError as error:
        raise DataError(f"mask {path}: {error}") from None
    most = np.iinfo(mask.pixels.dtype).max
    bright = mask.pixels.mean(2) if mask.alpha is None else mask.pixels.mean(2) * (mask.alpha / most)
    holes = bright > most / 2
    if not holes.any():
        raise DataError(
            f"mask {path} has no hole: holes are brighter than half, and it reaches {bright.max() / most:.0%}"
        )
    return holes
