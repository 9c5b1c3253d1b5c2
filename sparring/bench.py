"""The bench of an evaluation: every side looked at once, and what each metric is asked about."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from sparring.counts import Entrants, thinned
from sparring.experiment import Material
from sparring.jury import Jury
from sparring.metrics import Evidence, Metric, Specimens
from sparring.modalities.frames import TableItems
from sparring.randomness import derive
from sparring.sides import Eyes, Judged, Labelled, take, taught

MOST = 10_000
"""Real items of a side in an evaluation, and generated ones where no count is asked for."""


class Bench:
    """What everything in an evaluation is looked at by.

    Attributes:
        eyes: describe items.
        labelled: the attribute that a classifier can learn.
        real: items of the reference.
        learned: items that the model learned from.
        made: items of the model.
        train: what the model learned from, looked at.
        test: the reference, looked at.
        usual: what most metrics are asked about.
        rivals: names of the columns of other models.

    Args:
        judged: the model.
        material: what it was trained on, or what it is to be compared with.
        jury: what judges it.
        cache: a folder in which fitted features are kept.
    """

    def __init__(self, judged: Judged, material: Material, jury: Jury, cache: Path | None):
        self.judged, self.material, self.jury = judged, material, jury
        known = {"floor", *(baseline.name for baseline in jury.baselines)}
        self.rivals = [f"run {name}" if name in known else name for name in judged.beside]
        self.labelled = Labelled.of(material)
        labels = taught(material, self.labelled)
        fitted = jury.fit_once(material, labels, cache)
        self.eyes = Eyes(fitted, jury.classifier(fitted, material, labels, cache))
        splits = material.splits
        self.real = take(material, splits.report, max(MOST, jury.count or 0))
        self.made = judged.sample(jury.count or len(self.real))
        # More training items than samples, for a copy is only found where its original is looked at.
        self.learned = take(material, splits.train, MOST)
        self.train, self.test, fake = self._known(), self._side(self.real), self._side(self.made)
        held = self._side(take(material, splits.select, len(fake))) if len(splits.select) else None
        self.usual = Entrants(fake, held, self._others(self.made))

    def entrants(self, metric: Metric) -> Entrants:
        """What a metric is asked about, at equal counts where its value depends on them."""
        found = self._plentiful(metric) if metric.plenty else self.usual
        if metric.learns:
            # What learns is held against itself on what the model learned from: real on real.
            found = Entrants(found.fake, thinned(self.train, len(found.fake)), found.others)
        return found.even(metric, self.train, self.test, asked=self.jury.count is not None)

    def _side(self, items: Specimens, *, scored: bool = True) -> Evidence:
        """One side, looked at."""
        labels = self.labelled.of_columns(items.columns)
        return self.eyes(items, labels, self.judged.score(items) if scored else None, self.judged.threshold)

    def _known(self) -> Evidence:
        """What the model learned from; of a table, all rows stand beside those that are looked at."""
        items, rows = self.material.data.items, self.material.splits.train
        side = self._side(self.learned)
        return replace(side, whole=items[rows]) if isinstance(items, TableItems) and len(side) < len(rows) else side

    def _others(self, made: Specimens) -> dict[str, Evidence]:
        """Baselines and other models, as many items of each as the model made."""
        splits, found = self.material.splits, {}
        # A baseline has as many items to go by as are judged.
        known = self.learned if len(made) >= len(self.learned) else take(self.material, splits.train, len(made))
        for baseline in self.jury.baselines:
            if baseline.refusal(known, made) is None:
                items = baseline(known, made, derive(self.jury.seed, baseline.name))
                found[baseline.name] = self.train if items is self.learned else self._side(items, scored=False)
        rivals = zip(self.rivals, self.judged.beside.values(), strict=True)
        return found | {name: self._side(other(len(made)), scored=False) for name, other in rivals}

    def _plentiful(self, metric: Metric) -> Entrants:
        """As many judged items as were learned from, or as were asked for, where the metric can be taken of any."""
        if len(self._plenty) == len(self.made) or metric.refusal(self.train, self.test, self.usual.fake) is not None:
            return self.usual
        others = self._plenty_others if metric.compared and metric.depends_on_count else self.usual.others
        return Entrants(self._plenty_fake, self.usual.floor, others)

    @cached_property
    def _plenty(self) -> Specimens:
        wanted = len(self.learned)
        if wanted <= len(self.made):
            return self.made.first(wanted)
        return self.made if self.jury.count is not None else self.judged.sample(wanted)

    @cached_property
    def _plenty_fake(self) -> Evidence:
        count = len(self._plenty)
        fewer = count <= len(self.made)
        return self.usual.fake.some(np.arange(count)) if fewer else self._side(self._plenty, scored=False)

    @cached_property
    def _plenty_others(self) -> dict[str, Evidence]:
        return self._others(self._plenty)
