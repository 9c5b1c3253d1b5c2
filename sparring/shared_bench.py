"""The bench of a comparison: what all runs are measured by."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from sparring.bench import MOST
from sparring.counts import Entrants, told
from sparring.differences import Difference, between_pairs
from sparring.errors import RequestError
from sparring.experiment import Material
from sparring.games import Autoencoding
from sparring.jackknife import GROUPS, LEVEL, Number, Taken
from sparring.jury import Jury
from sparring.metrics import Evidence, Metric, Specimens
from sparring.metrics.features import FittedFeatures
from sparring.metrics.psnr import Psnr
from sparring.modalities.frames import TableItems
from sparring.model import EVALUATION_SEED, Model
from sparring.sides import Eyes, Labelled, take, taught


def _refused(metric: str, taken: Taken) -> dict[str, str]:
    """Why a metric cannot be taken of runs; of all alike, where none of them is left."""
    reasons = dict.fromkeys(taken.refused.values())
    if not taken.runs and len(reasons) == 1:
        return {metric: next(iter(reasons))}
    said = "; ".join(f"{run}: {reason}" for run, reason in taken.refused.items())
    return {metric: said} if said else {}


class SharedBench:
    """What all runs are measured by."""

    def __init__(self, first: Model, material: Material, count: int):
        splits, self.material = material.splits, material
        self.jury = Jury.of(first.experiment.task, material.data)
        self.labelled = Labelled.of(material)
        labels = taught(material, self.labelled)
        self.fitted: FittedFeatures | None = self.jury.fit_once(material, labels, first.run.folder / "features")
        self.count = min(count, len(splits.report))
        self.train, self.real = (take(material, rows, self.count) for rows in (splits.train, splits.report))
        self.test = self.side(self.real)
        self.held = self.side(take(material, splits.select, self.count)) if len(splits.select) else None
        self.refused: dict[str, str] = {}
        features = "none" if self.fitted is None else self.fitted.name
        self.protocol: dict[str, Any] = {
            "features": features,
            "generated": self.count,
            "reference": f"{len(self.real)} held back",
            "seeds": f"samples {EVALUATION_SEED}, features {self.jury.seed}",
            "intervals": f"95 %, jackknife of {GROUPS} groups, each difference by itself",
            "real": f"chance of {LEVEL:g} that any that is called so is none (Holm)",
        }

    def side(self, items: Specimens) -> Evidence:
        return Eyes(self.fitted)(items, self.labelled.of_columns(items.columns))

    def judged(self, model: Model) -> Evidence:
        return self.side(model.specimens(self.material, self.count))

    def measure(
        self, made: dict[str, Evidence]
    ) -> tuple[dict[str, dict[str, Number]], list[Difference], dict[str, float]]:
        """Every quick number of every run, the differences of every pair, and the floors, each at one count."""
        numbers: dict[str, dict[str, Number]] = {}
        floors: dict[str, float] = {}
        differences: list[Difference] = []
        asked: list[tuple[Metric, Entrants]] = []
        learned = self.side(self.train)
        if any(metric.paired for metric in self.jury.metrics):
            # What a metric learns from is what an evaluation gives it, else a number of that name were another.
            learned = replace(learned, whole=take(self.material, self.material.splits.train, MOST).items)
        first, *rest = made
        whole = Entrants(made[first], self.held, {run: made[run] for run in rest})
        for metric in self.jury.metrics:
            if not ((metric.quick or metric.paired) and metric.judging):
                continue
            even = whole.even(metric, learned, self.test)
            runs = {first: even.fake, **even.others}
            taken = Taken(metric, learned, self.test, runs, neighbours=self.material.data.modality == "series")
            self.refused |= _refused(metric.name, taken)
            if not taken.better:
                continue
            asked.append((metric, even))
            floors |= self._floor(metric, learned, None if metric.paired else even.floor)
            for number in taken.better:
                name = metric.printed(number, self.protocol["features"])
                numbers[name] = {run: taken.number(number, run) for run in taken.runs}
                differences += between_pairs(name, number, taken)
        self.protocol |= told(asked, self.count)
        return numbers, differences, floors

    def audit(
        self, made: dict[str, Evidence], foreign: Collection[str]
    ) -> tuple[dict[str, dict[str, Number]], dict[str, float]]:
        """Numbers that tell of copies with their own intervals, and their floors: a copier is as good as real data.

        Args:
            made: what each run made.
            foreign: runs that learned from other items than the first, of which copies are looked for here.
        """
        numbers: dict[str, dict[str, Number]] = {}
        floors: dict[str, float] = {}
        items, rows = self.material.data.items, self.material.splits.train
        learned = self.side(take(self.material, rows, MOST))
        learned = replace(learned, whole=items[rows]) if isinstance(items, TableItems) else learned
        for metric in (metric for metric in self.jury.metrics if metric.audited and metric.judging):
            floors |= self._floor(metric, learned, self.held)
            reasons = {run: metric.refusal(learned, self.test, side) for run, side in made.items()}
            reasons |= dict.fromkeys(foreign, "learned from other items")
            for run in (run for run, reason in reasons.items() if reason is None):
                for number, reading in metric(learned, self.test, made[run]).items():
                    name = metric.printed(number, self.protocol["features"])
                    numbers.setdefault(name, {})[run] = Number(reading.value, reading.low, reading.high)
            if said := "; ".join(f"{run}: {reason}" for run, reason in reasons.items() if reason is not None):
                self.refused[metric.name] = said
        if numbers:
            self.protocol["copies"] = f"looked for among {len(learned):,} of {len(rows):,} training items"
        return numbers, floors

    def _floor(self, metric: Metric, learned: Evidence, held: Evidence | None) -> dict[str, float]:
        """A metric's numbers of held-back real items, by their printed names; none where it cannot be taken of them."""
        if held is None or metric.refusal(learned, self.test, held) is not None:
            return {}
        readings = metric(learned, self.test, held)
        return {metric.printed(name, self.protocol["features"]): reading.value for name, reading in readings.items()}

    def reconstructions(self, models: dict[str, Model]) -> Taken:
        """How held-back pictures come back from the models that can give them back, held against what they were."""
        able = {name: model for name, model in models.items() if isinstance(model.experiment.task.game, Autoencoding)}
        pictures, again, reasons = self.real.items, {}, {}
        for name, model in able.items():
            if len(pictures.shape) != 4:
                reasons[name] = "taken of pictures"
                continue
            try:
                made = model.reconstruct(pictures, self.real.columns)
            except RequestError as error:
                reasons[name] = str(error)
            else:
                again[name] = Evidence(made, np.zeros((len(made), 0)), truth=pictures)
        if reasons:
            self.refused["reconstruction"] = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        return Taken(Psnr(), self.test, self.test, again)
