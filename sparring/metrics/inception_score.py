"""Inception score (Salimans et al. 2016, section 4) by the classifier of the evaluation, whose name is part of it."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.intervals import NORMAL, standard_error

LEAST = 100
"""Items below which the mean prediction is too rough to be compared with."""


class InceptionScore(Metric):
    """exp of the mean divergence of each item's class probabilities from their mean: 1 to the number of classes.

    High where each item is surely of one class and all classes are made. It sees neither missing variety within a class
    nor copies, and means something only with the classifier that it names.
    """

    rank: ClassVar[int | None] = 40
    protocol: ClassVar[str] = (
        "probabilities of the evaluation's classifier, all items in one split; interval: for very many items, normal "
        "on the logarithm by each item's influence, after the bias of the mean prediction is taken off; it "
        "reaches to the value"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Without a classifier there are no probabilities."""
        if fake.probabilities is None and train.labels is not None:
            return "these features know no classes; take classifier, or inception for the published score"
        if fake.probabilities is None:
            return "the data have no labels from which a classifier could learn"
        if len(fake.probabilities) < LEAST:
            return f"{len(fake.probabilities)} judged items are fewer than {LEAST}; take kid, which needs two"
        return None if np.isfinite(fake.probabilities).all() else "probabilities of judged items are not all finite"

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert fake.probabilities is not None
        divergences = item_divergences(fake.probabilities)
        log, error = float(divergences.mean()), standard_error(divergences)
        classes = float(fake.probabilities.shape[1])
        # The items' own mean is nearer to them than that of very many, by half the spread of each class over its mean.
        mean, spread = fake.probabilities.mean(0), fake.probabilities.var(0)
        unbiased = log + float((spread / np.maximum(mean, 1e-300)).sum()) / (2 * len(divergences))
        low, high = np.exp(unbiased - NORMAL * error), np.exp(unbiased + NORMAL * error)
        value = min(classes, float(np.exp(log)))
        reading = Reading(value, min(value, max(1.0, float(low))), max(value, min(classes, float(high))), "higher")
        return {self.name: reading}


def item_divergences(probabilities: Float[np.ndarray, "n classes"]) -> Float[np.ndarray, " n"]:
    """Kullback-Leibler divergence of each item's probabilities from their mean, in nats; rounding below 0 is 0.

    Their spread is also the influence of each item on the mean divergence: the mean prediction minimises it.
    """
    mean = probabilities.mean(0)
    there = probabilities > 0
    ratio = np.where(there, probabilities, 1) / np.where(mean > 0, mean, 1)
    return np.maximum(0, np.where(there, probabilities * np.log(np.where(there, ratio, 1)), 0).sum(1))
