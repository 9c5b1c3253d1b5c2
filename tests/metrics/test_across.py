"""GAN-train and GAN-test against scikit-learn, and what faults of a model do to them."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, f1_score

from sparring.data.named import Digits
from sparring.evaluation import evaluate
from sparring.experiment import gather
from sparring.jury import Jury
from sparring.metrics import Evidence, Specimens
from sparring.metrics.features.classifier import Classifier
from sparring.metrics.gan_train import GanTest, GanTrain, accuracy_and_f1
from sparring.sides import Judged
from sparring.tasks.generation import Generation

NOTHING = np.zeros((0, 0))
QUICK = GanTrain(learner=Classifier(width=8, features=32, epochs=6))


def digits() -> tuple[np.ndarray, np.ndarray]:
    found = load_digits()
    return (found.images * 255 / 16).astype(np.uint8)[..., None], found.target.astype(np.int64)


def side(items: np.ndarray, labels: np.ndarray | None, predicted: np.ndarray | None = None) -> Evidence:
    return Evidence(items, NOTHING, labels, predicted)


def test_both_figures_equal_scikit_learn():
    source = np.random.default_rng(0)
    labels = source.integers(0, 5, 400)
    predicted = np.where(source.random(400) < 0.7, labels, source.integers(0, 6, 400))
    found = accuracy_and_f1("x", labels, predicted)
    assert found["x-accuracy"].value == pytest.approx(accuracy_score(labels, predicted))
    macro = f1_score(labels, predicted, average="macro", labels=np.unique(labels))
    assert found["x-f1"].value == pytest.approx(macro)


def test_the_interval_of_f1_covers_the_truth_as_often_as_it_says():
    source = np.random.default_rng(0)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = source.choice(3, count, p=[0.6, 0.3, 0.1])
        return labels, np.where(source.random(count) < 0.8, labels, source.integers(0, 3, count))

    truth = accuracy_and_f1("x", *drawn(400_000))["x-f1"].value
    found = [accuracy_and_f1("x", *drawn(500))["x-f1"] for _ in range(300)]
    assert 0.91 <= np.mean([reading.low <= truth <= reading.high for reading in found]) <= 0.985


def test_what_is_learned_from_real_items_serves_and_from_swapped_labels_does_not():
    items, labels = digits()
    test, real = side(items[1200:], labels[1200:]), side(items[:1200], labels[:1200])
    good = QUICK(real, test, real)
    assert good["gan-train-accuracy"].value > 0.85
    assert good["gan-train-f1"].value == pytest.approx(good["gan-train-accuracy"].value, abs=0.03)
    swapped = QUICK(real, test, side(items[:1200], np.where(labels[:1200] < 5, labels[:1200], 14 - labels[:1200])))
    assert swapped["gan-train-accuracy"].value < good["gan-train-accuracy"].value - 0.3


def test_the_classifier_of_real_items_says_whether_the_asked_class_was_made():
    labels = np.array([0, 0, 1, 1, 2, 2])
    fake = side(np.zeros((6, 2)), labels, np.array([0, 0, 1, 1, 2, 0]))
    found = GanTest()(fake, fake, fake)
    assert found["gan-test-accuracy"].value == pytest.approx(5 / 6)
    assert found["gan-test-f1"].value == pytest.approx((0.8 + 1 + 2 / 3) / 3)


def test_an_unconditional_model_is_refused_and_told_why():
    items, labels = digits()
    real, plain = side(items, labels, labels), side(items, None, labels)
    for metric in (GanTest(), GanTrain()):
        assert "not asked for classes" in metric.refusal(real, real, plain)
    assert "no labels" in GanTrain().refusal(real, plain, real)
    assert "no labels" in GanTest().refusal(real, real, side(items, labels))
    assert "single class" in GanTrain().refusal(real, real, side(items, np.zeros(len(items), np.int64)))


@pytest.mark.parametrize(("count", "learned"), [(None, (1440, 1440)), (300, (300, 300))])
def test_gan_train_learns_from_as_many_items_as_the_model_did_beside_real_on_real(monkeypatch, count, learned):
    material = gather(Generation(attributes=("label",)), Digits().load())
    rows, taken = material.splits.train, []
    learns = GanTrain.__call__

    def noted(self, train, test, fake):
        taken.append(len(fake))
        return learns(self, train, test, fake)

    monkeypatch.setattr(GanTrain, "__call__", noted)
    jury = Jury.of(Generation(attributes=("label",)), material.data, metrics=[GanTrain(), GanTest()], count=count)
    # What a perfect model would make: other items of the training split, or the same.
    judged = Judged(lambda n: Specimens(material.data.items[rows[:n]], material.columns(rows[:n])), lambda side: None)
    found = {row.name: row for row in evaluate(judged, material, replace(jury, baselines=())).rows}
    assert [abs(got - wanted) < 60 for got, wanted in zip(taken, learned, strict=True)] == [True, True]
    assert taken[0] == taken[1]
    whole = count is None
    assert found["gan-train-accuracy"].floor > (0.93 if whole else 0.8)
    assert found["gan-train-accuracy"].value == pytest.approx(found["gan-train-accuracy"].floor, abs=0.12)
    if whole:
        assert found["gan-train-accuracy"].value == found["gan-train-accuracy"].floor
        low, high = found["gan-test-accuracy"].low, found["gan-test-accuracy"].high
        assert high - low < 0.03, "as many generated items are tested as were learned from"
