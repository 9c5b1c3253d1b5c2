"""The kind: a data source reads what the user has into a data set of items with attributes."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from sparring.part import Part

Decoded = Any
"""Decoded items: an array ``(n, ...)``, or a frame of rows."""


class Items(Protocol):
    """An array-like: what a data set's items can be asked."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any, /) -> np.ndarray: ...


@runtime_checkable
class Varied(Protocol):
    """Items that look different each time they are read: random crops, mirrored pictures, random partners."""

    def drawn(self, rows: np.ndarray, keys: Sequence[int]) -> np.ndarray:
        """The items in these rows, each a function of its row and key alone."""
        ...


@runtime_checkable
class Joinable(Protocol):
    """Items that are more than an array, and know how others of their kind join them."""

    def joined(self, others: Any) -> Any:
        """These items with the others behind them."""
        ...


class Fault(NamedTuple):
    """An input that was skipped, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """What a source read, in the order of the names.

    Attributes:
        items: pictures ``(n, h, w, c)`` uint8 or uint16; points ``(n, d)`` float32; any array-like that takes an
            int64 array of rows.
        modality: the name of the codec that these items need.
        names: where each item comes from, relative to the source, ``(n,)``.
        digests: a content hash of each item, ``(n,)`` of dtype ``S32`` (hexadecimal); equal items have equal ones.
        attributes: one array of strings ``(n,)`` per attribute, empty where the data have no labels.
        test: whether an item is in the official test split, ``(n,)`` bool, or None where there is none.
        faults: what was skipped.
        notes: what was changed on reading, one line each ("12 pictures had transparency, composited on white").
        known: what the source knows of the distribution, for metrics: ``centres`` ``(modes, d)`` and ``sigma`` of a
            mixture of Gaussians; ``stacked``, the class of each channel of each picture, ``(n, channels)`` integers.
        given: what each item is to be made from, array-like of pictures, where the data say so; None where they do not.
        uses: of each item where the data say it, ``(n,)`` of 0 *train*, 1 *select*, 2 *report*, 3 left out; None: the
            experiment splits by content.
        reading: gives the batches of some rows, called as :func:`sparring.data.rows.read_rows`; None: items are read
            one by one in a shuffled order.
        resizing: how pictures were brought to their size, for the protocol of numbers; empty where none was.
    """

    items: Items
    modality: str
    names: Sequence[str]
    digests: np.ndarray
    attributes: dict[str, np.ndarray] = field(default_factory=dict)
    test: np.ndarray | None = None
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    known: dict[str, Any] = field(default_factory=dict)
    given: Items | None = None
    uses: np.ndarray | None = None
    reading: Callable[..., Any] | None = None
    resizing: str = ""

    def __len__(self) -> int:
        return len(self.items)


class DataSource(Part):
    """Where items come from, and how they are read.

    Attributes:
        before: fields that stored runs may lack, with what these runs had in their place; set on sources only.
    """

    before: ClassVar[dict[str, Any]] = {}
    kind: ClassVar[str] = "data"
    home: ClassVar[str] = "sparring.data"

    @abstractmethod
    def load(self) -> Dataset:
        """Reads everything that is usable.

        Raises:
            DataError: nothing is usable; the message names the source, the first reasons and the remedy.
        """

    def alike(self, other: "DataSource") -> "DataSource":
        """Other data, read in the way of these where they are of the same kind."""
        if type(other) is not type(self):
            return other
        kept = {field: getattr(self, field) for field in type(self).model_fields if field != "path"}
        return other.but(**kept)

    @abstractmethod
    def title(self) -> str:
        """A short name of the data for folders and headings, ``"faces"``."""
