"""The jury: which metrics, features and baselines judge, by what the task and the data ask for."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from sparring.baselines import Baseline
from sparring.data import Dataset, Decoded
from sparring.errors import RequestError, RunError
from sparring.experiment import Material
from sparring.metrics import Metric, ranked
from sparring.metrics.features import Features, FittedFeatures
from sparring.tasks import Task


@dataclass(frozen=True)
class Jury:
    """What judges a model, and how.

    Attributes:
        metrics: in the order of the table.
        features: those that may describe the items; the first that do not refuse them are taken.
        baselines: what a model must beat, in the order of the columns.
        count: items to be generated; as many as the reference holds where it is None.
        seed: of features and baselines.
        classifiers: those that may learn the data's own labels, for metrics that ask for the class of an item.
    """

    metrics: tuple[Metric, ...]
    features: tuple[Features, ...]
    baselines: tuple[Baseline, ...] = ()
    count: int | None = None
    seed: int = 0
    classifiers: tuple[Features, ...] = ()

    @classmethod
    def of(
        cls,
        task: Task,
        data: Dataset,
        *,
        metrics: Sequence[Metric] = (),
        features: Features | None = None,
        count: int | None = None,
    ) -> Self:
        """Everything that ranks for such a task and such data.

        Args:
            task: what the model is for.
            data: the data set.
            metrics: those that are wished; the task's, else all that rank, where none are named.
            features: those that are wished; suited to the data where they have no settings of their own.
            count: items to be generated.
        """
        modality = data.modality
        beaten = task.baselines or [b for b in ranked(Baseline.parts().values(), modality) if b.paired == task.paired]
        described = tuple(_features(data)) if features is None else (_suited(features, data),)
        taken = _about(metrics, data) if metrics else _defaults(task, data)
        own = tuple(part for part in _features(data) if part.own_classes)
        return cls(taken, described, tuple(part() for part in beaten), count, classifiers=own)

    @classmethod
    def quick(cls, task: Task, data: Dataset, *, seed: int) -> Self:
        """What takes seconds: features that need no learning, and metrics that say they are quick."""
        metrics = tuple(metric for metric in _defaults(task, data) if metric.quick)
        return cls(metrics, tuple(part for part in _features(data) if part.quick), seed=seed)

    def fit(self, items: Decoded, labels: np.ndarray | None) -> FittedFeatures | None:
        """The first features that do not refuse the items; None where there are none for such data."""
        chosen = self._chosen(items, labels)
        return None if chosen is None else chosen.fit(items, labels, self.seed)

    def fit_once(self, material: Material, labels: np.ndarray | None, cache: Path | None) -> FittedFeatures | None:
        """The features of the *train* split, from the cache where they were fitted before.

        Args:
            material: the data.
            labels: of the *train* split, or None.
            cache: a folder of fitted features, or None.
        """
        rows = material.splits.train
        items = material.data.items[rows]
        part = self._chosen(items, labels)
        if part is None or cache is None or not part.kept:
            return None if part is None else part.fit(items, labels, self.seed)
        learned = hashlib.blake2b(material.data.digests[rows].tobytes(), digest_size=8)
        learned.update(b"" if labels is None else labels.tobytes())
        learned.update(json.dumps(part.to_json()).encode())
        folder = cache / f"{part.name}-{self.seed}-{learned.hexdigest()}"
        try:
            return FittedFeatures.load(folder)
        except RunError:
            # Not there yet, broken, or of a version with other features.
            folder.mkdir(parents=True, exist_ok=True)
            part.fit(items, labels, self.seed).save(folder)
        # Read back, so that a second evaluation has the same memory layout and gives the same last digit.
        return FittedFeatures.load(folder)

    def classifier(
        self, fitted: FittedFeatures | None, material: Material, labels: np.ndarray | None, cache: Path | None
    ) -> FittedFeatures | None:
        """What tells the class of an item: the features where they learned the data's labels, else a classifier.

        None where no metric asks, or where there are no labels that one could learn.
        """
        if labels is None or not any(metric.classed for metric in self.metrics):
            return None
        if fitted is not None and fitted.part.own_classes:
            return fitted
        items = material.data.items[material.splits.train]
        able = tuple(part for part in self.classifiers if part.refusal(items, labels) is None)
        return replace(self, features=able).fit_once(material, labels, cache) if able else None

    def _chosen(self, items: Decoded, labels: np.ndarray | None) -> Features | None:
        reasons = {}
        for part in self.features:
            reason = part.refusal(items, labels)
            if reason is None:
                return part
            reasons[part.name] = reason
        if len(self.features) == 1:  # asked for by name, or the only ones for such data
            raise RequestError("; ".join(f"{name} features: {reason}" for name, reason in reasons.items()))
        return None


def wished(metrics: Sequence[str | Metric], features: str | None, weights: str | Path | None) -> dict[str, Any]:
    """What :meth:`Jury.of` is told by metrics or their names, the name of features, and the file of their weights.

    Raises:
        RequestError: nothing has such a name, or the features have no weights of a file.
    """
    metrics = (metrics,) if isinstance(metrics, str | Metric) else metrics
    described = None if features is None else Features.find(features)()
    if weights is not None:
        if described is None or "weights" not in type(described).model_fields:
            raise RequestError(f"weights = {weights}: name the features that they are of, such as inception")
        described = described.but(weights=str(weights))
    return {"metrics": [m if isinstance(m, Metric) else Metric.find(m)() for m in metrics], "features": described}


def _features(data: Dataset) -> list[Features]:
    return [part.suggested(len(data)) for part in ranked(Features.parts().values(), data.modality)]


def _suited(features: Features, data: Dataset) -> Features:
    """Named features as they are suggested for the data; those that were set by hand are left as they are."""
    return type(features).suggested(len(data)) if features == type(features)() else features


def _defaults(task: Task, data: Dataset) -> tuple[Metric, ...]:
    """The task's own metrics, else those that rank; without those that have nothing to say of the data."""
    known = task.metrics or ranked(Metric.parts().values(), data.modality)
    described = bool(_features(data))
    fitting = [part for part in known if (task.paired or not part.paired) and (described or not part.featured)]
    told = [part().about(data) for part in fitting]
    return tuple(metric for metric in told if metric is not None)


def _about(metrics: Sequence[Metric], data: Dataset) -> tuple[Metric, ...]:
    """Named metrics with what is known of the data; one that was set by hand is left as it is."""
    return tuple((metric.about(data) or metric) if metric == type(metric)() else metric for metric in metrics)
