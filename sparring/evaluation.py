"""Evaluation: every number with its protocol, its interval and its floor.

The *report* split is the reference. The floor of a number is the same number for held-back real items (the *select*
split) in the place of generated ones, at the same counts. Features are those of a small classifier of the data's own
labels, learned on the *train* split alone, or training-free ones; their name is part of the number's name.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from sparring.errors import DataError
from sparring.experiment import Material
from sparring.metrics import Evidence, Metric
from sparring.metrics.discriminator import Discriminator
from sparring.metrics.features import Features, FittedFeatures
from sparring.metrics.features.classifier import Classifier
from sparring.metrics.features.identity import Identity
from sparring.metrics.features.random_conv import RandomConv
from sparring.metrics.frechet import Frechet
from sparring.metrics.kernel import Kid
from sparring.metrics.precision_recall import PrecisionRecall
from sparring.metrics.shares import ClassShares

QUICK_COUNT = 1000
"""Generated and real items in the quick numbers while training."""

MOST = 10_000
"""Generated and reference items in an evaluation, where the data hold as many."""


@dataclass(frozen=True)
class Row:
    """One number of an evaluation.

    Attributes:
        name: with the features in brackets, ``"frechet[classifier]"``.
        value: of the generated items.
        low: lower end of its 95 % interval, or None.
        high: upper end.
        floor: the same for held-back real items, or None where there are too few.
        better: ``"lower"`` or ``"higher"``, or ``""`` where neither is.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    better: str = ""


@dataclass(frozen=True)
class Evaluation:
    """All numbers of an evaluation.

    Attributes:
        rows: the numbers.
        protocol: how they were taken: features, counts, reference split, seed.
        refused: metrics that could not be taken, with the reason.
    """

    rows: tuple[Row, ...]
    protocol: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"metrics": [asdict(row) for row in self.rows], "protocol": self.protocol, "refused": self.refused}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The evaluation that :meth:`to_json` gave."""
        return cls(tuple(Row(**row) for row in value["metrics"]), value["protocol"], value["refused"])

    def lines(self) -> list[str]:
        """A table for people."""
        head = f"{'metric':<34}{'value':>11}{'95 % interval':>22}{'floor':>11}"
        lines = [head]
        for row in self.rows:
            interval = "" if row.low is None or row.high is None else f"{row.low:.4g} to {row.high:.4g}"
            floor = "" if row.floor is None else f"{row.floor:.4g}"
            lines.append(f"{row.name:<34}{row.value:>11.4g}{interval:>22}{floor:>11}")
        lines += [f"{name}: not taken, {reason}" for name, reason in self.refused.items()]
        lines.append("floor: the same number for held-back real items; " + ", ".join(_said(self.protocol)))
        return lines


def _said(protocol: dict[str, Any]) -> list[str]:
    return [f"{name.replace('_', ' ')} {value}" for name, value in protocol.items()]


def quick(material: Material, made: np.ndarray, seed: int) -> Evaluation:
    """Training-free numbers within seconds, against the *select* split, or *train* where nothing is held back.

    The floor is that of other items that were learned from.

    Args:
        material: what the experiment works on.
        made: generated items, decoded.
        seed: of the features.
    """
    splits = material.splits
    against, name = (splits.select, "select") if len(splits.select) else (splits.train, "train")
    real = _take(material, against, len(made))[0]
    learned = _take(material, splits.train, 2 * len(made))[0]
    fitted = _training_free(material).fit(learned, None, seed)
    test, fake, other = (_evidence(items, fitted) for items in (real, made, learned[::2]))
    rows, refused = _rows((Frechet(), Kid()), (other, test, fake), other, fitted)
    protocol = {"features": fitted.name, "generated": len(made), "reference": f"{len(real)} of {name}", "seed": seed}
    return Evaluation(tuple(rows), protocol, refused)


def default_metrics() -> tuple[Metric, ...]:
    """The metrics of an evaluation for which none are named."""
    return (Frechet(), Kid(), PrecisionRecall(), ClassShares(), Discriminator())


@dataclass(frozen=True)
class Judged:
    """What an evaluation asks of a model, so that it needs to know no more of it.

    Attributes:
        sample: ``n`` decoded items with the attributes that each was made for.
        score: the discriminator's verdict on decoded items with their attributes.
    """

    sample: Callable[[int], tuple[np.ndarray, dict[str, np.ndarray]]]
    score: Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray]


def evaluate(  # noqa: PLR0913
    judged: Judged,
    material: Material,
    *,
    metrics: Sequence[Metric] = (),
    count: int | None = None,
    cache: Path | None = None,
    seed: int = 0,
) -> Evaluation:
    """Every number with its interval and its floor.

    Args:
        judged: the model.
        material: what it was trained on, or what it is to be compared with.
        metrics: the metrics; :func:`default_metrics` where none are named.
        count: generated items, at most :data:`MOST`; as many as the reference holds where not given.
        cache: a folder in which fitted features are kept.
        seed: of the features.

    Raises:
        DataError: no items are held back to compare with.
    """
    splits = material.splits
    if not len(splits.report):
        raise DataError(
            f"{len(material.data)} items are too few to hold any back, so nothing can be measured honestly; "
            "evaluate with --against and other items of the kind"
        )
    real, columns = _take(material, splits.report, MOST)
    title = _label(material)
    fitted = _fit(material, title, seed, cache)
    classes = {} if title is None else _classes(material.data.attributes[title])
    made, asked = judged.sample(min(count or len(real), MOST))
    learned, learned_columns = _take(material, splits.train, len(made))

    def side(items: np.ndarray, cols: dict[str, np.ndarray]) -> Evidence:
        return _evidence(items, fitted, _numbers(cols.get(title or ""), classes), judged.score(items, cols))

    floor = side(*_take(material, splits.select, len(made))) if len(splits.select) else None
    sides = side(learned, learned_columns), side(real, columns), side(made, asked)
    rows, refused = _rows(metrics or default_metrics(), sides, floor, fitted)
    protocol: dict[str, Any] = {"features": fitted.name, "generated": len(made), "reference": f"{len(real)} held back"}
    if floor is not None:
        protocol["floor_items"] = len(floor.items)
    if "accuracy" in fitted.facts:
        protocol["classifier_accuracy"] = round(fitted.facts["accuracy"], 4)
    return Evaluation(tuple(rows), protocol | {"seed": seed}, refused)


def _rows(
    metrics: Sequence[Metric],
    sides: tuple[Evidence, Evidence, Evidence],
    floor: Evidence | None,
    fitted: FittedFeatures,
) -> tuple[list[Row], dict[str, str]]:
    train, test, fake = sides
    rows: list[Row] = []
    refused: dict[str, str] = {}
    for metric in metrics:
        reason = metric.refusal(train, test, fake)
        if reason is not None:
            refused[metric.name] = reason
            continue
        has_floor = floor is not None and metric.refusal(train, test, floor) is None
        floors = metric(train, test, floor) if has_floor and floor is not None else {}
        for name, reading in metric(train, test, fake).items():
            full = f"{name}[{fitted.name}]" if metric.featured else name
            bottom = floors[name].value if name in floors else None
            rows.append(Row(full, reading.value, reading.low, reading.high, bottom, reading.better))
    return rows, refused


def _evidence(
    items: np.ndarray, fitted: FittedFeatures, labels: np.ndarray | None = None, scores: np.ndarray | None = None
) -> Evidence:
    features, predicted = fitted.look(items)
    return Evidence(items, features, labels, predicted, scores)


def _take(material: Material, rows: np.ndarray, most: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """At most so many items of a split, spread evenly over it, with their attributes."""
    if len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
    return np.asarray(material.data.items[rows]), material.columns(rows)


def _label(material: Material) -> str | None:
    """The attribute that a classifier can learn: the first with few classes and enough items of each."""
    for name, values in material.data.attributes.items():
        _, counts = np.unique(values[material.splits.train], return_counts=True)
        if 2 <= len(counts) <= 200 and np.median(counts) >= 10:
            return name
    return None


def _classes(values: np.ndarray) -> dict[str, int]:
    return {name: number for number, name in enumerate(np.unique(values))}


def _numbers(values: np.ndarray | None, classes: dict[str, int]) -> np.ndarray | None:
    return None if values is None else np.array([classes[value] for value in values], np.int64)


def _training_free(material: Material) -> Features:
    return RandomConv() if material.data.items.shape[1:] and len(material.data.items.shape) == 4 else Identity()


def _fit(material: Material, title: str | None, seed: int, cache: Path | None) -> FittedFeatures:
    """The features for these data, from the cache where they were fitted before."""
    rows = material.splits.train
    labels = None
    if title is not None:
        labels = _numbers(material.data.attributes[title][rows], _classes(material.data.attributes[title]))
    items = np.asarray(material.data.items[rows])
    part: Features = Classifier()
    if part.refusal(items, labels) is not None:
        part = _training_free(material)
    folder = None
    if cache is not None:
        learned = hashlib.blake2b(material.data.digests[rows].tobytes(), digest_size=8)
        learned.update(b"" if labels is None else labels.tobytes())
        folder = cache / f"{part.name}-{seed}-{learned.hexdigest()}"
    if folder is not None and folder.is_dir():
        return FittedFeatures.load(folder)
    fitted = part.fit(items, labels, seed)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        fitted.save(folder)
        # Read back, so that a second evaluation has the same memory layout and gives the same last digit.
        return FittedFeatures.load(folder)
    return fitted
