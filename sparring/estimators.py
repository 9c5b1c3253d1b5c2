"""Estimators in the manner of scikit-learn, where users expect one: a table in, a synthetic table out."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sparring.api import train
from sparring.errors import RequestError
from sparring.learning import refuse_run_in_the_way
from sparring.modalities.frames import Frame, pandas
from sparring.model import Model, load
from sparring.privacy import secret
from sparring.run import Run


class TableGAN:
    """A generator of rows, ``TableGAN(epochs=300).fit(df).sample(1000, condition={"sex": "Female"})``.

    Args:
        epochs: how often each row is read; the recipe's length where it is None.
        minutes: stop after so many minutes instead, if that comes first.
        recipe: ``table``, ``ctgan`` or another recipe for tables; ``default`` is ``table``, or ``private``.
        private: keep differential privacy of single rows, see ``docs/privacy.md``.
        epsilon: of private training.
        delta: of private training.
        seed: of everything random.
        out: the run's folder; a temporary one, gone with this object, where it is None.
        overwrite: whether a run that is in ``out`` already may be replaced.
        settings: overrides of any part's fields, ``("training.batch=1000",)``.

    Attributes:
        model_: what was learned, after :meth:`fit`.
    """

    def __init__(  # noqa: PLR0913
        self,
        epochs: int | None = 300,
        *,
        minutes: float | None = None,
        recipe: str = "default",
        private: bool = False,
        epsilon: float | None = None,
        delta: float | None = None,
        seed: int = 0,
        out: str | Path | None = None,
        overwrite: bool = False,
        settings: Sequence[str] = (),
    ):
        self.epochs, self.minutes, self.recipe = epochs, minutes, recipe
        self.private, self.epsilon, self.delta = private, epsilon, delta
        self.seed, self.out, self.overwrite, self.settings = seed, out, overwrite, settings
        self.model_: Model | None = None
        self._array: np.dtype | None = None
        self._labels: dict[str, Any] = {}

    def fit(
        self,
        data: Frame | np.ndarray | str | Path,
        discrete_columns: Sequence[Any] | None = None,
        *,
        rules: Sequence[str] = (),
    ) -> Self:
        """Learns a table.

        Args:
            data: a frame, an array ``(n, d)``, or a path of a CSV, TSV or Parquet file.
            discrete_columns: columns whose values are categories, whatever they look like, by label, of an array by
                number; the others are found out.
            rules: what holds in every row, ``"start <= end"``, ``"0 <= age <= 120"``, ``"city + country"``.

        Raises:
            DataError: the table cannot be learned.
            RequestError: a column or setting is not there, the data are of another form, or ``out`` holds a run.
        """
        if not isinstance(data, (str, Path, np.ndarray, pandas().DataFrame)) or getattr(data, "ndim", 2) != 2:
            shape = f" of shape {data.shape}" if isinstance(data, np.ndarray) else ""
            raise RequestError(
                f"data: a frame, an array (n, d) or a path is wanted, not {type(data).__name__}{shape}; "
                "pandas.DataFrame makes a frame of lists and dictionaries"
            )
        self._array = data.dtype if isinstance(data, np.ndarray) else None
        self._labels = {str(label): label for label in getattr(data, "columns", ())}
        called = {}
        if isinstance(data, np.ndarray):
            called = {i: f"x{i + 1}" for i in range(data.shape[-1])}
            data = pandas().DataFrame(data, columns=list(called.values()))
        discrete = [called.get(name, str(name)) for name in discrete_columns or ()]
        if self.out is None:
            folder = tempfile.mkdtemp(prefix="sparring-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            out = Path(folder) / "run"
        else:
            out = Path(self.out)
        refuse_run_in_the_way(Run(out), resume=False, overwrite=self.overwrite)
        source = self._source(data, out / "data", secret(None) if self.private else None)
        kinds = {**source.kinds, **dict.fromkeys(discrete, "categorical")}
        source = source.but(kinds=kinds, rules=(*source.rules, *rules))
        # The exact number of private rows must not show in the length.
        told = self.epochs is not None and not self.private
        images = max(1, (self.epochs or 0) * len(source.load().items)) if told else None
        self.model_ = train(
            source,
            out=out,
            recipe=None if self.recipe == "default" else self.recipe,
            private=self.private,
            epsilon=self.epsilon,
            delta=self.delta,
            epochs=self.epochs if self.private else None,
            seed=self.seed,
            settings=list(self.settings),
            images=images,
            minutes=self.minutes,
            overwrite=self.overwrite or self.out is None,
        )
        return self

    @staticmethod
    def _source(data: Any, folder: Path, key: int | None) -> Any:
        from sparring.data.opening import open_data
        from sparring.data.tables import Tables, store_frame

        source = open_data(str(data)) if isinstance(data, str | Path) else store_frame(data, folder, key)
        if not isinstance(source, Tables):
            raise RequestError(f"'{data}' is no table; give a frame, or a .csv, .tsv or .parquet file")
        return source

    def sample(
        self, n: int = 1000, *, condition: Mapping[str, Any] | None = None, seed: int = 0, refine: int = 1
    ) -> Frame | np.ndarray:
        """New rows as a frame with the columns, order and types of the data; as an array, where that was learned from.

        Args:
            n: how many.
            condition: what is asked of columns, ``{"sex": "Female", "age": (30, 40)}``; every row meets it.
            seed: of the rows.
            refine: candidates for each row, of which one is taken, see :meth:`sparring.Model.sample`.

        Raises:
            RequestError: nothing was learned yet, or there is no such column or value.
        """
        made = self._fitted().sample(n, seed=seed, condition=condition, refine=refine)
        if self._array is not None:
            return made.to_numpy(self._array)
        # Labels of columns may have been numbers.
        return made.rename(columns=self._labels)

    def evaluate(self, **asked: Any) -> Any:
        """Judges what was learned, as :meth:`sparring.Model.evaluate` does."""
        return self._fitted().evaluate(**asked)

    def save(self, folder: str | Path) -> Path:
        """Copies the run to a folder, from which :meth:`load` and :func:`sparring.load` read it."""
        return Path(shutil.copytree(self._fitted().run.folder, folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """What was learned in a run's folder."""
        estimator = cls()
        estimator.model_ = load(folder)
        return estimator

    def _fitted(self) -> Model:
        if self.model_ is None:
            raise RequestError("TableGAN has learned nothing yet; call fit first")
        return self.model_
