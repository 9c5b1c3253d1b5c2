"""Evaluation: every number with its protocol, its interval, its floor and its baselines.

The *report* split is the reference. The floor of a number is the same number for held-back real items (the *select*
split) in the place of generated ones, at the same counts; a baseline's is that for items made without any training.
Features are learned on the *train* split alone, or training-free; their name is part of the number's name. Which
metrics, features and baselines judge is said by :mod:`sparring.jury`.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from sparring.audit import suspects
from sparring.errors import DataError
from sparring.experiment import Material
from sparring.jury import Jury
from sparring.metrics import Evidence, Metric, Specimens
from sparring.metrics.discriminator import Discriminator
from sparring.metrics.features import FittedFeatures
from sparring.metrics.pixel_memorisation import PixelMemorisation
from sparring.randomness import derive
from sparring.sides import Bench, Eyes, Judged, Sides, spread, take
from sparring.tasks import Task

QUICK_COUNT = 1000
"""Generated and real items in the quick numbers while training."""


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
        learned = spread(splits.train, 2 * count)[::2]
        reference = spread(splits.select if self.held else splits.train, count)
        self.fitted = self.jury.fit(take(material, splits.train, 2 * count).items, None)
        self.eyes = Eyes(self.fitted)
        self.floor, self.test = (self.eyes(take(material, rows, count)) for rows in (learned, reference))
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
        fake = self.eyes(made)
        sides = Sides(floor, test, fake, fake, floor)
        rows, refused = _rows(self.jury.metrics, sides, {"floor": floor}, self.eyes)
        return Evaluation(tuple(rows), {**self.protocol, "generated": len(made)}, refused)


def quick(task: Task, material: Material, made: Specimens, *, seed: int) -> Evaluation:
    """The numbers of a :class:`Gauge` at once."""
    return Gauge(task, material, count=len(made), seed=seed)(made)


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
    bench = Bench(judged, material, jury, cache)
    sides = bench.sides()
    others = {"floor": bench.side(take(material, splits.select, len(sides.fake)))} if len(splits.select) else {}
    for baseline in jury.baselines:
        if baseline.refusal(bench.equal, bench.made) is None:
            found = baseline(bench.equal, bench.made, derive(jury.seed, baseline.name))
            others[baseline.name] = sides.train if found is bench.learned else bench.side(found, scored=False)
    others |= {name: bench.side(other(len(sides.fake)), scored=False) for name, other in judged.beside.items()}
    rows, refused = _rows(jury.metrics, sides, others, bench.eyes)
    taken = {metric.name: metric for metric in jury.metrics if metric.name not in refused}
    protocol = _protocol(sides, others.get("floor"), bench.eyes, taken) | {"seed": jury.seed}
    audited = any(isinstance(metric, PixelMemorisation) for metric in jury.metrics)
    pairs = suspects(bench.learned.items, bench.real.items, bench.made.items) if audited else None
    return Evaluation(tuple(rows), protocol, refused, pairs)


def _protocol(sides: Sides, floor: Evidence | None, eyes: Eyes, taken: dict[str, Metric]) -> dict[str, Any]:
    fitted = eyes.features
    found: dict[str, Any] = {"features": _named(fitted), "generated": len(sides.fake)}
    if sides.plenty is not sides.fake:
        found["generated_for_gan-train"] = len(sides.plenty)
    found["reference"] = f"{len(sides.test)} held back"
    if floor is not None:
        found["floor_items"] = len(floor)
    if Discriminator.name in taken:
        found["discriminator_threshold"] = "fitted" if sides.fake.threshold is None else sides.fake.threshold
    facts = {} if fitted is None else fitted.facts
    known = facts if eyes.classifier is None else eyes.classifier.facts
    if "accuracy" in known:
        found["classifier_accuracy"] = round(known["accuracy"], 4)
    found |= {name: facts[name] for name in ("resizing", "digest") if name in facts}
    found["how_described"] = {} if fitted is None else fitted.part.to_json()
    return found | {"metrics": {name: {"how": m.protocol, "settings": m.to_json()} for name, m in taken.items()}}


def _named(fitted: FittedFeatures | None) -> str:
    return "none" if fitted is None else fitted.name


def _rows(
    metrics: tuple[Metric, ...], sides: Sides, others: dict[str, Evidence], eyes: Eyes
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
            beaten = sides.equal if title == "floor" and metric.learns else other
            if wanted and metric.refusal(sides.train, sides.test, beaten) is None:
                for name, reading in metric(sides.train, sides.test, beaten).items():
                    beside.setdefault(name, {})[title] = reading.value
        judged = sides.plenty if metric.plenty else sides.fake
        for name, reading in metric(sides.train, sides.test, judged).items():
            values = beside.get(name, {})
            floor = values.pop("floor", None)
            title = _title(metric, name, eyes.classifier if metric.classed else eyes.features)
            rows.append(Row(title, reading.value, reading.low, reading.high, floor, reading.better, values))
    return rows, refused


def _title(metric: Metric, number: str, fitted: FittedFeatures | None) -> str:
    """The number's name with the features', or the one that it has in these features alone, as FID."""
    own = fitted.part.title(number, fitted.facts) if fitted is not None and metric.featured else None
    return own or metric.printed(number, _named(fitted))
