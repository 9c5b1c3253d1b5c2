"""GAN-train and GAN-test (Shmelkov et al. 2018, How good is my GAN?, section 3): classifiers across the two sides."""

from typing import ClassVar

import numpy as np
from jaxtyping import Int
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.features.classifier import Classifier
from sparring.metrics.intervals import around, share, standard_error

Labels = Int[np.ndarray, " n"]

_MOST_PASSES = 60
"""Passes over the items, at most: with few of them, more would teach them by heart."""


class GanTest(Metric):
    """A classifier of real training items, tested on generated ones: are they of the class that was asked for?"""

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    featured: ClassVar[bool] = False
    rank: ClassVar[int | None] = 51
    depends_on_count: ClassVar[bool] = False
    classed: ClassVar[bool] = True
    plenty: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "the evaluation's classifier, learned on training items, asked about as many generated items as there are "
        "training items, at most 10,000; F1 averaged over classes with equal weight; the floor is the same for "
        "held-back real items; intervals: score interval (Wilson), normal for F1, items drawn anew"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """The items must have been asked for by a class that a classifier knows."""
        if fake.predicted is None:
            return "the data have no labels from which a classifier could learn"
        return _unasked(fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.labels is not None
        assert fake.predicted is not None
        return accuracy_and_f1("gan-test", fake.labels, fake.predicted)


class GanTrain(Metric):
    """A classifier that learned from generated items alone, tested on real ones: do they hold what there is to learn?

    It falls where classes are confused, missing or without variety. The floor is real on real: the same classifier,
    learned from as many of the items that the model learned from.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    featured: ClassVar[bool] = False
    rank: ClassVar[int | None] = 50
    compared: ClassVar[bool] = False
    plenty: ClassVar[bool] = True
    learns: ClassVar[bool] = True

    learner: Classifier = Field(
        default=Classifier(width=8, features=64), description="the classifier that learns from the items"
    )
    seen: int = Field(
        default=30_000, ge=1, description="items that it looks at, in whole passes, where it does not say how many"
    )
    most: int = Field(default=10_000, ge=20, le=1_000_000, description="generated items to learn from, at most")
    seed: int = Field(default=0, ge=0, description="of the classifier")

    protocol: ClassVar[str] = (
        "a small classifier, the same for model and floor, learned from as many generated items as there are training "
        "items, at most 10,000, by the labels that were asked for, tested on the reference split; the floor is that of "
        "as many training items; F1 averaged over classes with equal weight; intervals: score interval (Wilson), "
        "normal for F1, reference items drawn anew, the classifier held fixed"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Both sides need labels, and the generated ones several classes; labels are never made up."""
        if test.labels is None:
            return "the data have no labels from which a classifier could learn"
        if len(test.labels) == 0:
            return "there are no reference items"
        return _unasked(fake) or self.learner.refusal(fake.items, fake.labels)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.labels is not None
        assert test.labels is not None
        rows = np.arange(len(fake.labels))[: self.most]
        learner = self.learner
        if learner.epochs is None:
            learner = learner.but(epochs=min(_MOST_PASSES, max(1, round(self.seen / len(rows)))))
        fitted = learner.fit(np.asarray(fake.items[rows]), fake.labels[rows], self.seed)
        found = fitted.classify(test.items)
        assert found is not None
        return accuracy_and_f1("gan-train", test.labels, found)


def _unasked(fake: Evidence) -> str | None:
    if fake.labels is None:
        return "the model was not asked for classes; train it with labels (pseudo-labels would measure the classifier)"
    return None if len(fake.labels) else "there are no judged items"


def accuracy_and_f1(name: str, labels: Labels, predicted: Labels) -> dict[str, Reading]:
    """Accuracy, and F1 averaged over the classes that there are, each weighing the same.

    Where all are right, no item moves F1, and its interval is that of the accuracy.
    """
    accurate = share(int((labels == predicted).sum()), len(labels))
    value, error = f1(labels, predicted)
    mean = around(value, error, within=(0.0, 1.0), better="higher")
    return {f"{name}-accuracy": accurate, f"{name}-f1": accurate if accurate.value in (0.0, 1.0) else mean}


def f1(labels: Labels, predicted: Labels) -> tuple[float, float]:
    """Macro F1 over the labels' classes, and its standard error by each item's influence."""
    classes = np.unique(labels)
    truth, found = labels[:, None] == classes, predicted[:, None] == classes
    both, either = (truth & found).mean(0), (truth.mean(0) + found.mean(0)) / 2
    each = both / either
    # F1 = both / either: the derivative in each item's indicators.
    influence = ((truth & found) - each * (truth.astype(float) + found) / 2) / either
    return float(each.mean()), standard_error(influence.mean(1))
