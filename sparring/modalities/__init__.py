"""The kind: a modality is a codec between what the user gave and what networks see."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from sparring.errors import RequestError
from sparring.files import write_npy, write_samples
from sparring.modalities.asking import Asking, Nothing
from sparring.part import Part
from sparring.types import DataSpec


class Modality(Part):
    """A codec whose fields are what it learned of the data; it is saved as JSON in the run.

    ``decode(encode(items))`` equals ``items`` for items that the data hold.

    Attributes:
        at_once: items that the generator makes in one pass.
        plural: what messages call several items.
        recipe: name of the recipe by which such data are learned where none is named.
        previewed: items that a preview needs to say something; 0: as many as there is room for.
        legend: how a preview is read, where it does not show the items themselves.
    """

    kind: ClassVar[str] = "modality"
    home: ClassVar[str] = "sparring.modalities"
    at_once: ClassVar[int] = 64
    plural: ClassVar[str] = "items"
    recipe: ClassVar[str] = "mlp"
    previewed: ClassVar[int] = 0
    legend: ClassVar[str] = ""

    @classmethod
    @abstractmethod
    def fit(cls, items: Any) -> Self:
        """The codec for these items, an array-like whose first axis is the item."""

    @abstractmethod
    def spec(self) -> DataSpec:
        """What one encoded item looks like, without conditions."""

    @abstractmethod
    def encode(self, items: np.ndarray) -> Tensor:
        """Items as the user gave them, as float32 for the networks, ``(n, *spec.shape)``."""

    @abstractmethod
    def decode(self, encoded: Tensor) -> np.ndarray:
        """What networks made, in the form and integer type of the user's items."""

    def save(self, items: Any, path: str | Path, conditions: dict[str, np.ndarray] | None = None) -> list[Path]:
        """Writes decoded items: into a folder, or into one file whose ending says its form.

        Args:
            items: decoded items.
            path: a folder, or a file with an ending from :meth:`endings`.
            conditions: one array ``(n,)`` per attribute, stored where the form can hold them.

        Returns:
            The files that were written.

        Raises:
            RequestError: the ending is not one of this modality's; the message names those.
        """
        path, conditions = Path(path), conditions or {}
        ending = "" if path.is_dir() else path.suffix.lower()
        if ending and ending not in self.endings():
            raise RequestError(
                f"'{path}': {self.plural} are written to {', '.join(self.endings())} or a folder, not {ending}"
            )
        if ending == ".png":
            self.preview(items, path)
        elif ending == ".npz":
            write_samples(path, items, conditions)
        elif ending == ".npy":
            write_npy(path, items)
        else:
            return self.write(items, path, ending, conditions)
        return [path]

    @abstractmethod
    def write(self, items: Any, path: Path, ending: str, conditions: dict[str, np.ndarray]) -> list[Path]:
        """Writes decoded items in a form of the modality's own.

        Args:
            items: decoded items.
            path: a folder, there or not, or a file.
            ending: the file's, one of :meth:`endings` that is neither a picture nor an array; "" for a folder.
            conditions: one array ``(n,)`` per attribute.

        Returns:
            The files that were written.
        """

    @abstractmethod
    def preview(self, items: np.ndarray, path: Path) -> None:
        """One picture that shows the items side by side."""

    def askable(self) -> tuple[str, ...]:
        """What can be asked for of items themselves, rather than of labels beside them; () where nothing can."""
        return ()

    def asking(self, titles: tuple[str, ...]) -> Asking:
        """What can be asked for where the data have no labels beside the items.

        Args:
            titles: those of :meth:`askable` that the task learns by.
        """
        return Nothing()

    def finished(self, encoded: Tensor, requests: Mapping[str, Any]) -> Any:
        """Decoded items, brought within what was asked for."""
        return self.decode(encoded)

    def framed(self, items: Any, *, without: str = "") -> Any:
        """An array of a user's with the columns that were learned, where the data have some; all else as it is.

        Args:
            items: of a user.
            without: the column that is not among them.

        Raises:
            RequestError: it has another number of columns.
        """
        return items

    def conformed(self, items: Any) -> Any:
        """Items of a user's in the form of those that were learned: columns in their order and types, or an array.

        Raises:
            RequestError: they are of another form.
        """
        return np.asarray(items)

    def described(self) -> dict[str, str]:
        """What each column of the data is, in words; {} where items have no columns."""
        return {}

    def counted(self) -> int:
        """Items learned from, counted with noise; 0 where nothing was learned privately."""
        return 0

    def joined(self, parts: list[Any], beside: Any = None) -> Any:
        """Decoded items of several blocks as one.

        Args:
            parts: the blocks.
            beside: items of a user's that they will stand beside, whose identifiers they do not repeat.
        """
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @classmethod
    @abstractmethod
    def endings(cls) -> tuple[str, ...]:
        """The file endings that :meth:`save` knows."""
