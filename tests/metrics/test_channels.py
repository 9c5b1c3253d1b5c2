from dataclasses import replace

import numpy as np
import pytest

from sparring.data.images import digests
from sparring.data.synthetic import Ring
from sparring.errors import RequestError
from sparring.evaluation import evaluate
from sparring.experiment import gather
from sparring.jury import Jury
from sparring.metrics import Specimens
from sparring.metrics.features import FittedFeatures
from sparring.metrics.features.channels import ChannelClassifier
from sparring.metrics.features.classifier import Classifier
from sparring.sides import Judged
from sparring.tasks.generation import Generation

QUICK = ChannelClassifier(learner=Classifier(epochs=6, width=4, features=8))


def stacked(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of three channels, a bright square in each or none, with the class of each channel."""
    source = np.random.default_rng(seed)
    labels = source.integers(0, 2, (count, 3))
    items = source.integers(0, 40, (count, 8, 8, 3), dtype=np.uint8)
    items[:, 2:6, 2:6] += (200 * labels[:, None, None]).astype(np.uint8)
    return items, labels


def test_the_combination_of_the_channels_classes_is_found_by_one_classifier(tmp_path):
    items, labels = stacked(150, 0)
    fitted = QUICK.fit(items, labels, 0)
    look = fitted.look(items)
    assert look.features.shape == (150, 24)
    assert look.probabilities is not None
    assert look.probabilities.shape == (150, 8)
    assert look.probabilities.sum(1) == pytest.approx(np.ones(150))
    assert np.mean(look.classes == labels @ [4, 2, 1]) > 0.95
    fitted.save(tmp_path)
    assert np.array_equal(FittedFeatures.load(tmp_path)(items), look.features)


def test_an_evaluation_of_stacked_pictures_counts_their_modes():
    items, labels = stacked(400, 1)
    data = replace(
        Ring(count=400).load(), items=items, modality="image", digests=digests(items), known={"stacked": labels}
    )
    material = gather(Generation(), data)
    jury = replace(Jury.of(Generation(), data), features=(QUICK,))
    lost = items[labels[:, 0] == 0][:100]  # half of the eight modes
    found = evaluate(Judged(lambda n: Specimens(lost), lambda side: None), material, jury)
    modes = next(row for row in found.rows if row.name == "stacked-modes[channel-classifier]")
    assert (modes.value, modes.baselines["training-items"]) == (4, 8)


def test_without_a_class_for_each_channel_it_refuses():
    items, labels = stacked(30, 0)
    assert "no class for each channel" in QUICK.refusal(items, labels[:, 0])
    assert "do not fit" in QUICK.refusal(items, labels[:, :2])
    assert "more than 4096" in QUICK.refusal(items, labels * 20)
    with pytest.raises(RequestError, match="channel-classifier: the data"):
        QUICK.fit(items, None, 0)
