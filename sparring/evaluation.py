"""Evaluation: every number with its protocol, its interval, its floor and its baselines.

The *report* split is the reference. The floor of a number is the same number for held-back real items (the *select*
split) in the place of generated ones, at the same counts; a baseline's is that for items made without any training.
Features are learned on the *train* split alone, or training-free; their name is part of the number's name. Which
metrics, features and baselines judge is said by :mod:`sparring.jury`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from sparring.audit import suspects
from sparring.errors import DataError
from sparring.experiment import Material
from sparring.jury import Jury
from sparring.metrics import Evidence, Metric, Specimens
from sparring.metrics.features import FittedFeatures
from sparring.metrics.pixel_memorisation import PixelMemorisation
from sparring.randomness import derive
from sparring.tasks import Task

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
        baselines: the same for each baseline that it was taken of, by the baseline's name.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    better: str = ""
    baselines: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """All numbers of an evaluation.

    Attributes:
        rows: the numbers.
        protocol: how they were taken: features, counts, reference split, seed.
        refused: metrics that could not be taken, with the reason.
        pairs: the most suspicious generated pictures beside training and held-back ones, as
            :func:`sparring.audit.suspects` gives them, where a memorisation metric was taken of pictures.
    """

    rows: tuple[Row, ...]
    protocol: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    pairs: np.ndarray | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"metrics": [asdict(row) for row in self.rows], "protocol": self.protocol, "refused": self.refused}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The evaluation that :meth:`to_json` gave."""
        return cls(tuple(Row(**row) for row in value["metrics"]), value["protocol"], value["refused"])

    def lines(self) -> list[str]:
        """A table for people."""
        columns = list(dict.fromkeys(name for row in self.rows for name in row.baselines))
        intervals = ["" if r.low is None or r.high is None else f"{r.low:.4g} to {r.high:.4g}" for r in self.rows]
        first = max([34, *(len(row.name) + 1 for row in self.rows)])
        third = max([22, *(len(text) + 2 for text in intervals)])
        head = f"{'metric':<{first}}{'value':>11}{'95 % interval':>{third}}{'floor':>11}"
        lines = [head + "".join(f"{name:>{len(name) + 3}}" for name in columns)]
        for row, interval in zip(self.rows, intervals, strict=True):
            told = [f"{row.baselines[n]:.4g}" if n in row.baselines else "" for n in columns]
            beside = "".join(f"{text:>{len(n) + 3}}" for n, text in zip(columns, told, strict=True))
            floor = "" if row.floor is None else f"{row.floor:.4g}"
            lines.append(f"{row.name:<{first}}{row.value:>11.4g}{interval:>{third}}{floor:>11}{beside}".rstrip())
        lines += [f"{name}: not taken, {reason}" for name, reason in self.refused.items()]
        beaten = f"; {', '.join(columns)}: for items made without a model" if columns else ""
        real = self.protocol.get("floor", "held-back real items")
        lines.append(f"floor: the same number for {real}{beaten}; " + ", ".join(_said(self.protocol)))
        return lines


def _said(protocol: dict[str, Any]) -> list[str]:
    told = {name: value for name, value in protocol.items() if name != "floor" and not isinstance(value, dict)}
    return [f"{name.replace('_', ' ')} {value}" for name, value in told.items()]


class Gauge:
    """Training-free numbers, taken again and again while training; what stays the same is worked out once.

    The reference is the *select* split, or *train* where nothing is held back; the floor is that of other items that
    were learned from.

    Attributes:
        held: whether the reference is held back.

    Args:
        task: what the model is for.
        material: what the experiment works on.
        count: items of each side, at most.
        seed: of the features.
    """

    def __init__(self, task: Task, material: Material, *, count: int, seed: int = 0):
        splits = material.splits
        self.jury = Jury.quick(task, material.data, seed=seed)
        self.held = bool(len(splits.select))
        learned = _spread(splits.train, 2 * count)[::2]
        reference = _spread(splits.select if self.held else splits.train, count)
        self.fitted = self.jury.fit(take(material, splits.train, 2 * count).items, None)
        self.floor, self.test = (evidence(take(material, rows, count), self.fitted) for rows in (learned, reference))
        name = "select" if self.held else "train"
        alone = "" if self.held else ", and none is held back: copies of them would look best"
        self.protocol = {
            "features": _named(self.fitted),
            "reference": f"{len(reference)} of {name}",
            "floor": f"training items{alone}",
            "seed": seed,
        }

    def __call__(self, made: Specimens, scores: tuple[np.ndarray, np.ndarray] | None = None) -> Evaluation:
        """The numbers of what a model makes.

        Args:
            made: generated items.
            scores: the discriminator's verdicts on training and on held-back items, where there is one.
        """
        learned, held = scores if scores is not None and self.held else (None, None)
        test, floor = replace(self.test, scores=held), replace(self.floor, scores=learned)
        sides = Sides(floor, test, evidence(made, self.fitted))
        rows, refused = _rows(self.jury.metrics, sides, {"floor": floor}, self.fitted)
        return Evaluation(tuple(rows), {**self.protocol, "generated": len(made)}, refused)


def quick(task: Task, material: Material, made: Specimens, *, seed: int) -> Evaluation:
    """The numbers of a :class:`Gauge` at once."""
    return Gauge(task, material, count=len(made), seed=seed)(made)


@dataclass(frozen=True)
class Judged:
    """What an evaluation asks of a model, so that it needs to know no more of it.

    Attributes:
        sample: ``n`` decoded items with what belongs to each.
        score: the discriminator's verdict on items, ``(n,)``; None where it has none on such items.
    """

    sample: Callable[[int], Specimens]
    score: Callable[[Specimens], np.ndarray | None]


def evaluate(judged: Judged, material: Material, jury: Jury, *, cache: Path | None = None) -> Evaluation:
    """Every number with its interval, its floor and its baselines.

    Args:
        judged: the model.
        material: what it was trained on, or what it is to be compared with.
        jury: what judges it; at most :data:`MOST` items are generated, whatever its count.
        cache: a folder in which fitted features are kept.

    Raises:
        DataError: no items are held back to compare with.
        RequestError: the features that were asked for cannot describe such items.
    """
    splits = material.splits
    if not len(splits.report):
        raise DataError(
            f"{len(material.data)} items are too few to hold any back, so nothing can be measured honestly; "
            "evaluate with --against and other items of the kind"
        )
    labelled = Labelled.of(material)
    fitted = jury.fit_once(material, taught(material, labelled), cache)
    real = take(material, splits.report, MOST)
    made = judged.sample(min(jury.count or len(real), MOST))
    # More training items than samples, for a copy is only found where its original is looked at.
    learned = take(material, splits.train, MOST)
    equal = learned if len(learned) <= len(made) else take(material, splits.train, len(made))

    def side(items: Specimens, *, scored: bool = True) -> Evidence:
        return evidence(items, fitted, labelled.of_columns(items.columns), judged.score(items) if scored else None)

    sides = Sides(side(learned), side(real), side(made))
    others = {"floor": side(take(material, splits.select, len(made)))} if len(splits.select) else {}
    for baseline in jury.baselines:
        if baseline.refusal(equal, made) is None:
            found = baseline(equal, made, derive(jury.seed, baseline.name))
            others[baseline.name] = sides.train if found is learned else side(found, scored=False)
    rows, refused = _rows(jury.metrics, sides, others, fitted)
    protocol = _protocol(sides, others.get("floor"), fitted) | {"seed": jury.seed}
    taken = {metric.name: metric for metric in jury.metrics if metric.name not in refused}
    protocol["how_described"] = {} if fitted is None else fitted.part.to_json()
    protocol["metrics"] = {name: {"how": part.protocol, "settings": part.to_json()} for name, part in taken.items()}
    audited = any(isinstance(metric, PixelMemorisation) for metric in jury.metrics)
    pairs = suspects(learned.items, real.items, made.items) if audited else None
    return Evaluation(tuple(rows), protocol, refused, pairs)


def taught(material: Material, labelled: "Labelled") -> np.ndarray | None:
    """The classes of the *train* split that features learn, ``(n,)`` or a column for each channel; None without."""
    # Where each channel has a class of its own, those are learned; the label of an item would have too many values.
    channels, rows = material.data.known.get("stacked"), material.splits.train
    return labelled.numbers(rows) if channels is None else channels[rows]


def _protocol(sides: "Sides", floor: Evidence | None, fitted: FittedFeatures | None) -> dict[str, Any]:
    found: dict[str, Any] = {"features": _named(fitted), "generated": len(sides.fake)}
    found["reference"] = f"{len(sides.test)} held back"
    if floor is not None:
        found["floor_items"] = len(floor)
    facts = {} if fitted is None else fitted.facts
    if "accuracy" in facts:
        found["classifier_accuracy"] = round(facts["accuracy"], 4)
    return found | {name: facts[name] for name in ("resizing", "digest") if name in facts}


def _named(fitted: FittedFeatures | None) -> str:
    return "none" if fitted is None else fitted.name


@dataclass(frozen=True)
class Sides:
    """The three sides of a comparison: what was learned from, the reference, and what is judged."""

    train: Evidence
    test: Evidence
    fake: Evidence


def _rows(
    metrics: tuple[Metric, ...], sides: Sides, others: dict[str, Evidence], fitted: FittedFeatures | None
) -> tuple[list[Row], dict[str, str]]:
    """The numbers of every metric; ``others`` are put in the place of what is judged, the floor among them."""
    rows: list[Row] = []
    refused: dict[str, str] = {}
    for metric in metrics:
        reason = metric.refusal(sides.train, sides.test, sides.fake)
        if reason is not None:
            refused[metric.name] = reason
            continue
        beside: dict[str, dict[str, float]] = {}
        for title, other in others.items():
            wanted = metric.judging and (title == "floor" or metric.compared)
            if wanted and metric.refusal(sides.train, sides.test, other) is None:
                for name, reading in metric(sides.train, sides.test, other).items():
                    beside.setdefault(name, {})[title] = reading.value
        for name, reading in metric(sides.train, sides.test, sides.fake).items():
            values = beside.get(name, {})
            floor = values.pop("floor", None)
            title = _title(metric, name, fitted)
            rows.append(Row(title, reading.value, reading.low, reading.high, floor, reading.better, values))
    return rows, refused


def _title(metric: Metric, number: str, fitted: FittedFeatures | None) -> str:
    """The number's name with the features', or the one that it has in these features alone, as FID."""
    own = fitted.part.title(number, fitted.facts) if fitted is not None and metric.featured else None
    return own or metric.printed(number, _named(fitted))


def evidence(
    side: Specimens,
    fitted: FittedFeatures | None,
    labels: np.ndarray | None = None,
    scores: np.ndarray | None = None,
) -> Evidence:
    """One side of a comparison, looked at by the features."""
    if fitted is None:
        return Evidence(side.items, np.zeros((len(side), 0)), labels, None, scores, None, side.given, side.truth)
    look = fitted.look(side.items)
    predicted = look.classes if fitted.part.own_classes else None
    return Evidence(side.items, look.features, labels, predicted, scores, look.probabilities, side.given, side.truth)


def take(material: Material, rows: np.ndarray, most: int) -> Specimens:
    """At most so many items of a split, spread evenly over it, with their attributes."""
    rows = _spread(rows, most)
    given = None if material.data.given is None else material.data.given[rows]
    return Specimens(material.data.items[rows], material.columns(rows), given)


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


@dataclass(frozen=True)
class Labelled:
    """The attribute that a classifier can learn: the first with few classes and enough items of each.

    Attributes:
        values: of all items, or None where there is no such attribute.
        title: its name.
    """

    values: np.ndarray | None
    title: str = ""

    @classmethod
    def of(cls, material: Material) -> Self:
        """The attribute of these data."""
        for name, values in material.data.attributes.items():
            _, counts = np.unique(values[material.splits.train], return_counts=True)
            if 2 <= len(counts) <= 200 and np.median(counts) >= 10:
                return cls(values, name)
        return cls(None)

    def numbers(self, rows: np.ndarray) -> np.ndarray | None:
        """The numbers of the classes in these rows of the data, sorted by name."""
        return None if self.values is None else self._numbers(self.values[rows])

    def of_columns(self, columns: dict[str, np.ndarray]) -> np.ndarray | None:
        """The numbers of the classes in these columns; None where they do not hold the attribute."""
        return self._numbers(columns[self.title]) if self.values is not None and self.title in columns else None

    def _numbers(self, values: np.ndarray) -> np.ndarray:
        assert self.values is not None
        found = {name: number for number, name in enumerate(np.unique(self.values))}
        return np.array([found[value] for value in values], np.int64)
