"""Enlarging: a labelled data set is read, enlarged by a run's items and written in its own form."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sparring.augmenting import Augmented, Wish, augmented
from sparring.benefit import Course
from sparring.errors import RequestError
from sparring.files import write_atomic
from sparring.lots import Trained, held_back, lot_of, lot_of_data, maker_of, unlearned
from sparring.modalities.image import png

ORIGIN = "origin"
"""The column that tells generated from real items."""
REAL, MADE = "real", "generated"
_UNLABELLED = (".png", ".npy")


def augment(  # noqa: PLR0913
    model: Trained,
    items: Any,
    labels: Any = None,
    *,
    label: str | None = None,
    factor: float | None = None,
    balance: bool = False,
    held: tuple[Any, Any] | None = None,
    seeds: int = 5,
    seed: int = 0,
) -> Augmented:
    """Balances or enlarges a labelled set in memory by a model's items, and measures whether that helps.

    Args:
        model: the trained model.
        items: pictures ``(n, h, w, c)`` in the model's form, or a frame with the model's columns.
        labels: of pictures: one a picture, or a sequence for each attribute. Of a frame: none, or one a row, which then
            go into the column ``label``.
        label: the attribute or column that is the class; found out where it is not given.
        factor: so many times as many items.
        balance: as many of each class as of the commonest; so too where there is no factor.
        held: other items and labels; without them nothing is measured. Those that had a part in the model's training
            or are among ``items`` are left out.
        seeds: times that each way is measured.
        seed: of everything that is drawn.

    Raises:
        RequestError: the items are not of the model's form, or nothing is to be added.
        DataError: the labels name a single class, or a class of one item.
    """
    refuse_few(seeds)
    real = lot_of(model, items, labels, label)
    other = real.rows(np.zeros(0, np.int64)) if held is None else lot_of(model, *held, real.title)
    other = other if held is None else unlearned(model, other, real)
    wish = Wish(factor, balance, Course(seeds, seed))
    return _renumbered(model, augmented(maker_of(model), model.modality.name, real, (real, other), wish))


def _renumbered(model: Trained, found: Augmented) -> Augmented:
    """Generated rows with fresh identifiers, none of them twice or a real row's; they stand behind the real ones."""
    real, made = (found.lot.rows(np.flatnonzero(found.generated == which)) for which in (False, True))
    made = replace(made, items=model.modality.joined([made.items], real.items))
    return replace(found, lot=real.joined(made))


def refuse_few(seeds: int) -> None:
    """Refuses no repetition at all."""
    if seeds < 1:
        raise RequestError(f"seeds = {seeds}: each way must be measured once at least")


@dataclass(frozen=True)
class Enlarged:
    """A data set that was enlarged.

    Attributes:
        path: what was written.
        found: what was added, and whether it helps.
    """

    path: Path
    found: Augmented

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"path": str(self.path), **self.found.to_json()}

    def lines(self) -> list[str]:
        """For people."""
        return [*self.found.lines(), f"written {self.path}"]


def enlarge(model: Trained, data: Any, out: Path, *, label: str | None, wish: Wish) -> Enlarged:
    """Enlarges a data set; its official test items are left out, for they measure.

    Args:
        model: the trained model.
        data: a data set that was read in the model's way.
        out: a folder or file that is not there yet.
        label: the attribute or column that is the class.
        wish: how much is added, and how it is measured.

    Raises:
        RequestError: the data are not of the model's form, or the output's form is not one of theirs.
        DataError: the labels name a single class, or a class of one item.
    """
    refuse_form(model, out)
    refuse_few(wish.course.seeds)
    lot = lot_of_data(model, data, label)
    held = held_back(model, data, lot)
    kept = np.ones(len(data), bool) if data.test is None else ~data.test
    sides = lot.rows(np.flatnonzero(kept & ~held)), lot.rows(np.flatnonzero(held))
    whole = lot.rows(np.flatnonzero(kept))
    found = _renumbered(model, augmented(maker_of(model), model.modality.name, whole, sides, wish))
    write(model, found, out)
    return Enlarged(out, found)


def refuse_form(model: Trained, out: Path) -> None:
    """Refuses an output that cannot hold labelled items, or that is there already."""
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise RequestError(f"{out} is there already; give another -o")
    forms = [ending for ending in model.modality.endings() if ending not in _UNLABELLED]
    if out.suffix and out.suffix.lower() not in forms:
        raise RequestError(f"'{out}': labelled items are written to a folder or {', '.join(forms)}, not {out.suffix}")


def write(model: Trained, found: Augmented, out: Path) -> None:
    """Writes a labelled set with what tells generated from real items.

    A table has a column of that; pictures of one attribute lie in class folders, and below each in ``real`` and
    ``generated``; of several attributes in these two folders, beside a ``labels.csv``.
    """
    lot, origin = found.lot, np.where(found.generated, MADE, REAL)
    if lot.is_table:
        model.modality.save(lot.items.assign(**{_free(lot.items): origin}), out)
    elif out.suffix:
        model.modality.save(np.asarray(lot.items), out, {**lot.columns, _free(lot.columns): origin})
    else:
        with write_atomic(out) as aside:
            _pictures(found, origin, aside)


def _free(taken: Any) -> str:
    return next(name for name in (ORIGIN, *(f"{ORIGIN}_{n}" for n in range(2, 99))) if name not in taken)


def _pictures(found: Augmented, origin: np.ndarray, folder: Path) -> None:
    lot = found.lot
    flat = len(lot.columns) > 1 or any(not _is_folder(label) for label in lot.counts())
    names = []
    for number, (label, what) in enumerate(zip(lot.labels, origin, strict=True)):
        path = Path(what if flat else f"{label}/{what}") / f"{number:06d}.png"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(png(lot.items[number]))
        names.append(path.as_posix())
    if flat:
        with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(_labels(found, origin, names))


def _labels(found: Augmented, origin: np.ndarray, names: list[str]) -> Iterator[list[str]]:
    columns = {**found.lot.columns, _free(found.lot.columns): origin}
    yield ["file", *columns]
    for number, name in enumerate(names):
        yield [name, *(str(values[number]) for values in columns.values())]


def _is_folder(label: str) -> bool:
    """Whether a label can be a folder's name as it stands."""
    return bool(label.strip()) and label == label.strip() and not set(label) & set('/\\:*?"<>|\0') and label[0] != "."
