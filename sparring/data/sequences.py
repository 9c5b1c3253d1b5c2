"""Sequences: series in arrays and in long tables, whole or as windows that are cut from them."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from sparring.data import Dataset, DataSource, Fault
from sparring.data.arrays import divided, read_arrays
from sparring.data.images import digests
from sparring.data.stretches import LEFT, Cut, uses_of
from sparring.data.tables import read_frame
from sparring.errors import DataError, RequestError, choices
from sparring.modalities.frames import Frame, Series, nulls, numbers
from sparring.modalities.series import Scaling
from sparring.modalities.windows import Windows

ENDINGS = (".csv", ".tsv", ".parquet", ".npy", ".npz")
WINDOW = 24
"""Steps of a window where one long series is given and nothing is said."""


class Long(NamedTuple):
    """Series one behind the other.

    Attributes:
        values: ``(steps, channels)``.
        firsts: where each series begins, and behind the last one where that ends, ``(series + 1,)``.
        names: of the series.
        titles: of the channels.
        kinds: types of the channels.
        attributes: of the series.
        test: which series are an official test split, or None.
        notes: what was made of them.
    """

    values: np.ndarray
    firsts: np.ndarray
    names: list[str]
    titles: tuple[str, ...]
    kinds: tuple[str, ...]
    attributes: dict[str, np.ndarray]
    test: np.ndarray | None
    notes: tuple[str, ...]


class Sequences(DataSource):
    """Series ``(n, t, c)`` or one long series ``(t, c)`` in ``.npy`` and ``.npz``, or a long table, a step a row."""

    path: str = Field(description=".npy, .npz, .csv, .tsv or .parquet file")
    window: int | None = Field(
        default=None, ge=2, le=100_000, description="steps of the windows that are cut; none: whole"
    )
    stride: int = Field(default=1, ge=1, description="steps from one window to the next")
    sequence_key: str | None = Field(default=None, description="column of a table that tells series apart")
    sequence_index: str | None = Field(default=None, description="column of a table by which steps are ordered")
    separator: str | None = Field(default=None, description="between the columns of text; none: by the first line")
    drop: tuple[str, ...] = Field(default=(), description="columns that are left out")
    missing: Literal["refuse", "fill"] = Field(
        default="refuse", description="what is done where a number is missing; fill: straight lines between neighbours"
    )
    stretches: int = Field(
        default=4, ge=1, description="of time, at most, each with a part to learn from, to choose by and to report on"
    )
    gap: int | None = Field(default=None, ge=0, description="steps left out between the parts; none: a window")
    scaling: Scaling = Field(default="whitened", description="decorrelated windows, or the range of each channel alone")

    @field_validator("path", mode="before")
    @classmethod
    def _text(cls, path: Any) -> Any:
        return os.fspath(path) if isinstance(path, os.PathLike) else path

    def title(self) -> str:
        return Path(self.path).expanduser().resolve().stem or "series"

    def alike(self, other: DataSource) -> DataSource:
        """Other files cut as these were; arrays and tables may stand in for each other."""
        path = getattr(other, "path", None)
        return other if path is None else self.but(path=path)

    def load(self) -> Dataset:
        tabular = Path(self.path).suffix.lower() in ENDINGS[:3]
        long = self._from_table() if tabular else self._from_array()
        values = self._whole(long)
        lengths = np.diff(long.firsts)
        window, notes = self._window(lengths)
        short = np.flatnonzero(lengths < window)
        counts = np.where(lengths < window, 0, (lengths - window) // self.stride + 1)
        if not counts.sum():
            raise DataError(f"'{self.path}': no series has {window} steps, the longest has {lengths.max()}; cut fewer")
        series = np.repeat(np.arange(len(counts)), counts)
        offsets = np.concatenate([np.arange(count) * self.stride for count in counts])
        names = {"key": self.sequence_key or "sequence", "index": self.sequence_index or "step"}
        names = {what: _unlike(name, long.titles) for what, name in names.items()}
        starts = long.firsts[:-1][series] + offsets
        windows = Windows(values, starts, window, long.titles, long.kinds, **names, scaling=self.scaling)
        test, said = self._tested(long, series, window)
        notes += said
        cut, prints, uses = bool((counts > 1).any()), digests(windows), None
        if cut:
            gap = window if self.gap is None else self.gap
            cuts = Cut(lengths, long.names, series, offsets, window=window, stretches=self.stretches, gap=gap)
            uses, said = uses_of(cuts, test)
            notes += (*said, *_without_equals(uses, prints, test))
        return Dataset(
            items=windows,
            modality="series",
            names=[f"{long.names[s]}@{o}" if cut else long.names[s] for s, o in zip(series, offsets, strict=True)],
            digests=prints,
            attributes={name: words[series] for name, words in long.attributes.items()},
            test=test,
            faults=tuple(Fault(long.names[s], f"{lengths[s]} steps are fewer than {window}") for s in short),
            notes=long.notes + notes,
            uses=uses,
        )

    def _tested(self, long: Long, series: np.ndarray, window: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """Which windows are of an official test split, or None, with a note where none can be.

        Raises:
            DataError: there are no others.
        """
        test = None if long.test is None else long.test[series]
        if test is None or not test.any():
            short = test is not None and long.test is not None and long.test.any()
            return None, (f"no series of the official test split has {window} steps: it is not kept",) if short else ()
        if test.all():
            raise DataError(f"'{self.path}': no series to learn from has {window} steps; cut fewer")
        return test, ()

    def _window(self, lengths: np.ndarray) -> tuple[int, tuple[str, ...]]:
        """Steps of a window, and a note where nobody said it."""
        if self.window is not None:
            return self.window, ()
        if len(lengths) > 1:
            if len(set(lengths.tolist())) > 1:
                raise DataError(
                    f"'{self.path}': series are {lengths.min()} to {lengths.max()} steps long; --window N cuts windows "
                    "of one length from them"
                )
            return int(lengths[0]), ()
        window = min(WINDOW, int(lengths[0]))
        return window, (f"windows of {window} steps were cut from one long series; --window sets others",)

    def _whole(self, long: Long) -> np.ndarray:
        """The values without missing ones.

        Raises:
            DataError: some are missing, and are not to be filled in.
        """
        values = long.values
        if values.dtype.kind != "f" or np.isfinite(values).all():
            return values
        lost = ~np.isfinite(values)
        channel = int(lost.any(0).argmax())
        said = (
            f"'{self.path}': {long.titles[channel]} has no number in {int(lost[:, channel].sum())} of {len(lost)} steps"
        )
        if self.missing == "refuse":
            array = self.path.endswith((".npy", ".npz"))
            dropped = "" if array else f", --set data.drop={long.titles[channel]} leaves the column out"
            raise DataError(
                f"{said}, first in step {int(lost[:, channel].argmax())}; --set data.missing=fill draws lines between "
                f"neighbours{dropped}"
            )
        filled = values.copy()
        for first, last in pairwise(long.firsts):
            for column in range(values.shape[1]):
                gone, steps = lost[first:last, column], np.arange(last - first)
                if gone.all():
                    raise DataError(f"{said}, and none at all in one of the series; leave it out")
                if gone.any():
                    known = filled[first:last, column][~gone]
                    filled[first:last, column][gone] = np.interp(steps[gone], steps[~gone], known)
        return filled

    def _from_array(self) -> Long:
        place = Path(self.path).expanduser()
        for name in ("sequence_key", "sequence_index"):
            if getattr(self, name) is not None:
                raise RequestError(f"{name}={getattr(self, name)}: '{self.path}' is an array and has no columns")
        arrays, notes = read_arrays(place)
        items, attributes, test, more = divided(arrays, self.path)
        if items.dtype.kind not in "biuf":
            raise DataError(f"'{self.path}' holds {items.dtype}, not real numbers")
        if items.ndim == 2 and self.window is None:
            raise DataError(
                f"'{self.path}': an array {items.shape} may be one long series (t, c), then give --window N, or many "
                "of one channel, then give (n, t, 1)"
            )
        if items.ndim not in (2, 3):
            raise DataError(f"'{self.path}': series are (n, t, c), or one long series (t, c), not {items.shape}")
        channels = items.shape[-1]
        if items.ndim == 3:
            count, steps = items.shape[:2]
            firsts = np.arange(count + 1, dtype=np.int64) * steps
        else:
            # No window may reach over the seam between what is learned and the official test split.
            seams = [] if test is None else (np.flatnonzero(np.diff(test)) + 1).tolist()
            firsts = np.array([0, *seams, len(items)], np.int64)
            count, attributes, test = len(firsts) - 1, {}, None if test is None else test[firsts[:-1]]
        values = np.ascontiguousarray(items).reshape(-1, channels)
        return Long(
            values,
            firsts,
            [f"{place.name}#{row}" for row in range(count)],
            tuple(f"x{i + 1}" for i in range(channels)),
            (str(items.dtype.newbyteorder("=")),) * channels,
            attributes,
            test,
            notes + more,
        )

    def _from_table(self) -> Long:
        frame, notes = read_frame(self.path, self.separator, self.drop)
        for role in ("sequence_key", "sequence_index"):
            name = getattr(self, role)
            if name is not None and name not in frame.columns:
                raise RequestError(f"{role}: {choices(name, 'column', list(frame.columns))}")
            if name is not None and nulls(frame[name]).any():
                raise DataError(
                    f"'{self.path}': {name} has no value in row {int(nulls(frame[name]).argmax())}; fill it in"
                )
        frame = self._ordered(frame)
        firsts, names = self._series(frame)
        rest = [name for name in frame.columns if name not in (self.sequence_key, self.sequence_index)]
        channels = [name for name in rest if frame[name].dtype.kind in "biuf"]
        attributes = {name: self._attribute(frame[name], firsts) for name in rest if name not in channels}
        if not channels:
            raise DataError(f"'{self.path}' has no column of numbers beside {', '.join(rest) or 'key and index'}")
        values = np.stack([_plain(frame[name]) for name in channels], 1)
        whole = all(frame[name].dtype.kind in "iu" for name in channels) and np.isfinite(values).all()
        values = values.astype(np.int64) if whole else values
        kinds = tuple(_kind(frame[name]) for name in channels)
        return Long(values, firsts, names, tuple(channels), kinds, attributes, None, notes)

    def _ordered(self, frame: Frame) -> Frame:
        """Series by series in the order of their first rows, steps by the index or else as they stand."""
        by = []
        if self.sequence_key is not None:
            by.append(frame[self.sequence_key].factorize()[0])
        if self.sequence_index is not None:
            by.append(frame[self.sequence_index].rank(method="dense").to_numpy(np.float64))
        if not by:
            return frame
        if self.sequence_index is not None:
            both = np.stack([np.asarray(column, np.float64) for column in by], 1)
            values, counts = np.unique(both, axis=0, return_counts=True)
            if counts.max() > 1:
                row = int(np.flatnonzero((both == values[counts.argmax()]).all(1))[1])
                word = frame[self.sequence_index].iloc[row]
                raise DataError(
                    f"'{self.path}': row {row} repeats {self.sequence_index} {word} of a series; name "
                    "the column that tells series apart by --sequence-key"
                )
        return frame.iloc[np.lexsort(by[::-1])].reset_index(drop=True)

    def _series(self, frame: Frame) -> tuple[np.ndarray, list[str]]:
        """Where each series begins, and its name."""
        name = Path(self.path).name
        if self.sequence_key is None:
            return np.array([0, len(frame)], np.int64), [name]
        codes, words = frame[self.sequence_key].factorize()
        firsts = np.concatenate([[0], np.cumsum(np.bincount(codes))]).astype(np.int64)
        return firsts, [f"{name}#{word}" for word in words]

    def _attribute(self, column: Series, firsts: np.ndarray) -> np.ndarray:
        """A column of words as one word a series."""
        words = column.astype(str).to_numpy(str)
        starts = words[firsts[:-1]]
        if (words != np.repeat(starts, np.diff(firsts))).any() or len(starts) == 1:
            dates = column.dtype.kind == "M" or self.sequence_index is None
            remedy = f"--sequence-index {column.name} orders the steps by it, or " if dates else ""
            raise DataError(
                f"'{self.path}': column {column.name} holds no numbers; {remedy}--set data.drop={column.name} "
                "leaves it out"
            )
        return starts


def _without_equals(uses: np.ndarray, prints: np.ndarray, test: np.ndarray | None) -> tuple[str, ...]:
    """Leaves out windows that equal one of the official test split, unless most do; with a note."""
    if test is None:
        return ()
    equal = ~test & np.isin(prints, prints[test])
    if not equal.any() or 2 * equal.sum() > (~test).sum():
        return ()
    uses[equal] = LEFT
    return (f"windows that equal one of the official test split, and are left out: {int(equal.sum()):,}",)


def _unlike(name: str, titles: Sequence[str]) -> str:
    """The name, or one near to it that no channel has."""
    while name in titles:
        name += "_"
    return name


def _plain(column: Series) -> np.ndarray:
    return numbers(column)


def _kind(column: Series) -> str:
    """NumPy's type of a channel; nullable types are their plain ones."""
    return str(column.dtype).lower().replace("boolean", "bool")
