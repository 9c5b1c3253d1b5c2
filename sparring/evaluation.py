"""Evaluation: every number with its protocol, its interval, its floor and its baselines.

The *report* split is the reference. The floor of a number is the same number for held-back real items (the *select*
split) in the place of generated ones, at the same counts; a baseline's is that for items made without any training.
Where the floor has fewer items, :mod:`sparring.counts` says which numbers are taken at its count, and which without it.
Features are learned on the *train* split alone, or training-free; their name is part of the number's name. Which
metrics, features and baselines judge is said by :mod:`sparring.jury`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from sparring.audit import suspects
from sparring.bench import Bench
from sparring.counts import Entrants, told
from sparring.errors import DataError, RunError
from sparring.experiment import Material
from sparring.jury import Jury
from sparring.metrics import Evidence, Metric, Specimens
from sparring.metrics.discriminator import Discriminator
from sparring.metrics.features import FittedFeatures
from sparring.metrics.pixel_memorisation import PixelMemorisation
from sparring.sides import Eyes, Judged, take
from sparring.tasks import Task
from sparring.tasks.picture import PictureTask

QUICK_COUNT = 1000
"""Generated and real items in the quick numbers while training."""

_FACTS = {"resizing": "features_resizing", "digest": "digest"}
"""What of the features is printed, and how it is called."""


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
        count: judged items that it was taken of, or None where it looks at none.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    better: str = ""
    baselines: dict[str, float] = field(default_factory=dict)
    count: int | None = None


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
        """The evaluation that :meth:`to_json` gave.

        Raises:
            RunError: it is none.
        """
        try:
            rows = tuple(Row(**row) for row in value["metrics"])
            return cls(rows, dict(value["protocol"]), dict(value["refused"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"what is stored is no evaluation ({error}); 'sparring evaluate' makes it anew") from None

    def lines(self) -> list[str]:
        """A table for people."""
        columns = self._columns()
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
        return [*lines, self.how()]

    def how(self) -> str:
        """What the columns are and how the numbers were taken, one line."""
        rivals = str(self.protocol.get("other_models", "")).split(", ")
        columns = [name for name in self._columns() if name not in rivals]
        beaten = [f"{', '.join(columns)}: for items made without a model"] if columns else []
        return "; ".join([self._floor(), *beaten, ", ".join(_said(self.protocol))])

    def _columns(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row.baselines))

    def _floor(self) -> str:
        """What the floor is, or why there is none."""
        if "no_floor" in self.protocol:
            return f"no floor: {self.protocol['no_floor']}"
        learned = self.protocol.get("floors_of_training_items")
        more = f", of {learned} for training items" if learned else ""
        return f"floor: the same number for {self.protocol.get('floor', 'held-back real items')}{more}"


def _said(protocol: dict[str, Any]) -> list[str]:
    unsaid = ("floor", "no_floor", "floors_of_training_items")
    told = {name: value for name, value in protocol.items() if name not in unsaid and not isinstance(value, dict)}
    return [f"{name.replace('_', ' ')} {value}" for name, value in told.items()]


class Gauge:
    """Training-free numbers, taken again and again while training; what stays the same is worked out once.

    The reference is the *select* split, and the floor that of items that were learned from. Where nothing is held back
    the reference is *train* and there is no floor, for its items would be among the reference.

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
        learned, reference = splits.train, splits.select if self.held else splits.train
        self.fitted = self.jury.fit(take(material, learned, 2 * count).items, None)
        self.eyes = Eyes(self.fitted)
        self.train, self.test = (self.eyes(take(material, rows, count)) for rows in (learned, reference))
        name = "select" if self.held else "train"
        none = "no items are held back, and copies of the training items would look best"
        none = "no pictures of what is made are held back" if isinstance(task, PictureTask) else none
        self.protocol = {
            "features": _named(self.fitted),
            "reference": f"{len(self.test)} of {name}",
            **({"floor": f"{len(self.train):,} training items"} if self.held else {"no_floor": none}),
            "seeds": f"features {seed}" if isinstance(task, PictureTask) else f"samples 0, features {seed}",
        }

    def __call__(self, made: Specimens, scores: tuple[np.ndarray, np.ndarray] | None = None) -> Evaluation:
        """The numbers of what a model makes.

        Args:
            made: generated items.
            scores: the discriminator's verdicts on training and on held-back items, where there is one.
        """
        learned, held = scores if scores is not None and self.held else (None, None)
        train, test = replace(self.train, scores=learned), replace(self.test, scores=held)
        alone = Entrants(self.eyes(made))
        usual = replace(alone, floor=train) if self.held else alone
        # The floor is here of training items, which are no floor of a number that is itself of them.
        found = _rows(
            self.jury.metrics,
            train,
            test,
            lambda metric: (usual if metric.judging else alone).even(metric, train, test),
            self.eyes,
        )
        counts = told(found.taken, len(made))
        return Evaluation(tuple(found.rows), {**self.protocol, "generated": len(made), **counts}, found.refused)


def quick(task: Task, material: Material, made: Specimens, *, seed: int) -> Evaluation:
    """The numbers of a :class:`Gauge` at once."""
    return Gauge(task, material, count=len(made), seed=seed)(made)


def evaluate(judged: Judged, material: Material, jury: Jury, *, cache: Path | None = None) -> Evaluation:
    """Every number with its interval, its floor and its baselines.

    Args:
        judged: the model.
        material: what it was trained on, or what it is to be compared with.
        jury: what judges it.
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
    found = _rows(jury.metrics, bench.train, bench.test, bench.entrants, bench.eyes)
    audited = any(isinstance(metric, PixelMemorisation) for metric in jury.metrics)
    pairs = suspects(bench.learned.items, bench.real.items, bench.made.items) if audited else None
    return Evaluation(tuple(found.rows), _protocol(bench, found), found.refused, pairs)


@dataclass
class _Found:
    """What the metrics gave.

    Attributes:
        rows: their numbers.
        refused: those that could not be taken, with the reason.
        taken: each of the others that judge, with what it was asked about.
    """

    rows: list[Row] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[Metric, Entrants]] = field(default_factory=list)


def _protocol(bench: Bench, found: _Found) -> dict[str, Any]:
    fitted, classifier, floor = bench.eyes.features, bench.eyes.classifier, bench.usual.floor
    taken = {metric.name: metric for metric in bench.jury.metrics if metric.name not in found.refused}
    said: dict[str, Any] = {"features": _named(fitted), "generated": len(bench.made)}
    said |= told(found.taken, len(bench.made))
    splits = bench.material.splits
    said["reference"] = f"{_of(len(bench.test), len(splits.report))} held back"
    if any(metric.audited for metric in taken.values()):
        said["copies_looked_for_among"] = f"{_of(len(bench.train), len(splits.train))} training items"
    if floor is None:
        said["no_floor"] = "no items are held back for one"
    else:
        said["floor_items"] = len(floor)
    if learning := [name for name, metric in taken.items() if metric.learns]:
        said["floors_of_training_items"] = ", ".join(learning)
    if bench.rivals:
        said["other_models"] = ", ".join(bench.rivals)
    judge = taken.get(Discriminator.name)
    if isinstance(judge, Discriminator):
        threshold = bench.judged.threshold if judge.threshold is None else judge.threshold
        said["discriminator_threshold"] = "fitted" if threshold is None else threshold
        said |= {"discriminator_asked": bench.judged.asked} if bench.judged.asked else {}
    facts = {} if fitted is None else fitted.facts
    known = facts if classifier is None else classifier.facts
    if "accuracy" in known:
        said["classifier_accuracy"] = round(known["accuracy"], 4)
    if bench.material.data.resizing:
        said["pictures"] = bench.material.data.resizing
    said |= {called: facts[name] for name, called in _FACTS.items() if name in facts}
    drawn = [] if bench.judged.seed is None else [f"samples {bench.judged.seed}"]
    said["seeds"] = ", ".join([*drawn, f"features and baselines {bench.jury.seed}"])
    said["how_described"] = {} if fitted is None else fitted.part.to_json()
    said |= {name: metric.told() for name, metric in taken.items() if metric.told()}
    how = {name: "; ".join(filter(None, (metric.told(), metric.protocol))) for name, metric in taken.items()}
    return said | {"metrics": {name: {"how": how[name], "settings": m.to_json()} for name, m in taken.items()}}


def _of(taken: int, there: int) -> str:
    return f"{taken:,}" if taken == there else f"{taken:,} of {there:,}"


def _named(fitted: FittedFeatures | None) -> str:
    return "none" if fitted is None else fitted.name


def _rows(
    metrics: tuple[Metric, ...],
    train: Evidence,
    test: Evidence,
    entrants: Callable[[Metric], Entrants],
    eyes: Eyes,
) -> _Found:
    """The numbers of every metric: of what is judged, and of what is put in its place, the floor among that."""
    found = _Found()
    for metric in metrics:
        asked = entrants(metric)
        reason = metric.refusal(train, test, asked.fake)
        if reason is not None:
            found.refused[metric.name] = reason
            continue
        if metric.judging:
            found.taken.append((metric, asked))
        beside = _beside(metric, train, test, asked)
        for name, reading in metric(train, test, asked.fake).items():
            values = beside.get(name, {})
            floor = values.pop("floor", None)
            title = _title(metric, name, eyes.classifier if metric.classed else eyes.features)
            count = metric.looked_at(len(asked.fake)) if metric.judging else None
            row = Row(title, reading.value, reading.low, reading.high, floor, reading.better, values, count)
            found.rows.append(row)
    return found


def _beside(metric: Metric, train: Evidence, test: Evidence, asked: Entrants) -> dict[str, dict[str, float]]:
    """The metric's numbers of the floor and of all others, by the number's and their name."""
    if not metric.judging:
        return _unlearned(metric, test, asked)
    others = {} if asked.floor is None else {"floor": asked.floor}
    others |= asked.others if metric.compared else {}
    found: dict[str, dict[str, float]] = {}
    for title, other in others.items():
        if metric.refusal(train, test, other) is None:
            for name, reading in metric(train, test, other).items():
                found.setdefault(name, {})[title] = reading.value
    return found


def _unlearned(metric: Metric, test: Evidence, asked: Entrants) -> dict[str, dict[str, float]]:
    """The floor of a number of real items alone: held-back ones in the place of those that were learned from."""
    held = asked.floor
    if held is None or metric.refusal(held, test, asked.fake) is not None:
        return {}
    return {name: {"floor": reading.value} for name, reading in metric(held, test, asked.fake).items()}


def _title(metric: Metric, number: str, fitted: FittedFeatures | None) -> str:
    """The number's name with the features', or the one that it has in these features alone, as FID."""
    own = fitted.part.title(number, fitted.facts) if fitted is not None and metric.featured else None
    return own or metric.printed(number, _named(fitted))
