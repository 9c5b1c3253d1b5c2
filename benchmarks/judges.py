"""Judges: classifiers and distances of the library's own metrics, fitted once and the same for every run."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.ledger import HOME
from sparring.files import write_atomic
from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.features import Features, FittedFeatures
from sparring.metrics.features.classifier import Classifier

CACHE = HOME / "cache"
"""Fitted judges, outside of version control."""
SEED = 0
"""Of every judge."""


@dataclass(frozen=True)
class Held:
    """Pictures with their labels.

    Attributes:
        pictures: ``(n, h, w, c)`` integers.
        labels: numbers of their classes ``(n,)``, or None.
    """

    pictures: np.ndarray
    labels: np.ndarray | None

    def first(self, count: int) -> "Held":
        """The first ``count``."""
        return Held(self.pictures[:count], None if self.labels is None else self.labels[:count])


@dataclass(frozen=True)
class Real:
    """A data set by split.

    Attributes:
        train: what models and judges learn from.
        select: for floors and choices.
        report: the reference of reported numbers.
        classes: the names of the labels, sorted; empty where the data have none.
    """

    train: Held
    select: Held
    report: Held
    classes: tuple[str, ...]

    def held_back(self) -> Held:
        """*select* and *report* together."""
        sides = [self.select, self.report]
        labels = [side.labels for side in sides if side.labels is not None]
        return Held(np.concatenate([side.pictures for side in sides]), np.concatenate(labels) if labels else None)


def real(data: str, label: str | None = None, **reading: Any) -> Real:
    """Real pictures by the library's own splits.

    Args:
        data: as ``sparring train`` takes it.
        label: the attribute that is the label; the first where it is not given.
        **reading: how the data are read, as ``sparring.propose`` takes it.
    """
    import sparring

    material = sparring.propose(data, **reading).material
    words = material.data.attributes.get(label or next(iter(material.data.attributes), ""))
    classes = () if words is None else tuple(sorted(set(words.tolist())))

    def held(rows: np.ndarray) -> Held:
        labels = None if words is None else np.searchsorted(classes, words[rows])
        return Held(np.asarray(material.data.items[rows]), labels)

    splits = material.splits
    return Real(held(splits.train), held(splits.select), held(splits.report), classes)


class Network(Protocol):
    """What a judge looks with."""

    @property
    def name(self) -> str: ...
    def __call__(self, items: np.ndarray) -> np.ndarray: ...
    def classify(self, items: np.ndarray) -> np.ndarray | None: ...


class Judge:
    """A feature network, with a classifier where it has one.

    Args:
        fitted: by the library, or one of the benchmarks' own.
    """

    def __init__(self, fitted: Network):
        self.fitted = fitted
        self.name = fitted.name

    def features(self, pictures: np.ndarray) -> np.ndarray:
        """Features ``(n, d)`` float64."""
        return self.fitted(pictures)

    def classes(self, pictures: np.ndarray) -> np.ndarray:
        """The class of each picture ``(n,)``.

        Raises:
            ValueError: this judge has no classifier.
        """
        found = self.fitted.classify(pictures)
        if found is None:
            raise ValueError(f"the judge {self.name} has no classifier")
        return found

    def evidence(self, held: Held) -> Evidence:
        """Pictures with their features, as the library's metrics take them."""
        return Evidence(held.pictures, self.features(held.pictures), held.labels)


def fit_judge(learned: Held, passes: int | None = None) -> Judge:
    """A classifier of these pictures' labels, of the library's kind, with the fixed seed.

    Args:
        learned: what it learns.
        passes: over the pictures; by their number where it is None.
    """
    return Judge(_fitted(learned, passes))


def _fitted(learned: Held, passes: int | None = None) -> FittedFeatures:
    return Classifier(epochs=passes).fit(learned.pictures, learned.labels, SEED)


def cached_judge(name: str, data: Real, folder: Path = CACHE) -> Judge:
    """The classifier of a data set's *train* split: fitted once, and the same for every run.

    It is fitted anew where the data or the fields of the library's classifier have changed.
    """
    made_by = json.dumps(Classifier().to_json(), sort_keys=True)
    kept = folder / f"{name}-{fingerprint(data.train, made_by)}"
    if not kept.is_dir():
        print(f"fits the judge of {name}, once", file=sys.stderr, flush=True)
        aside = kept.with_name(f"{kept.name}.partial")
        aside.mkdir(parents=True, exist_ok=True)
        _fitted(data.train).save(aside)
        aside.rename(kept)
    judge = Judge(FittedFeatures.load(kept))
    held = data.held_back()
    right = float(np.mean(judge.classes(held.pictures) == held.labels))
    print(f"the judge of {name} is right on {right:.2%} of {len(held.pictures):,} held-back pictures", file=sys.stderr)
    return judge


def digit_judge(data: Real) -> Judge:
    """The judge of MNIST, which stacked MNIST shares."""
    return cached_judge("mnist", data)


class PlainClassifier(nn.Module):
    """The digit classifier of many tutorials: two convolutions, each with pooling, and a dense layer of 128.

    Its features are that layer's, after the ReLU. It learns by Adam, rate 1e-3, in four passes of batches of 128
    without augmentation. The library's own classifier, with its moved pictures and batch norm, lowers the floor by more
    than the distances of generated digits, so ratios of the two are not comparable: both are reported.
    """

    name = "plain-classifier"

    def __init__(self, classes: int):
        super().__init__()
        pooled = [nn.ReLU(), nn.MaxPool2d(2)]
        convolutions = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        dense = nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU()
        self.body = nn.Sequential(convolutions[0], *pooled, convolutions[1], *pooled, *dense)
        self.head = nn.Linear(128, classes)

    def learn(self, held: Held, passes: int = 4) -> None:
        """Learns pictures ``(n, 28, 28, 1)`` and their labels."""
        pictures, labels = self._scaled(held.pictures), torch.from_numpy(labels_of(held).astype(np.int64))
        optimiser = torch.optim.Adam(self.parameters(), 1e-3)
        for _ in range(passes):
            for rows in torch.randperm(len(pictures)).split(128):
                optimiser.zero_grad()
                cross_entropy(self.head(self.body(pictures[rows])), labels[rows]).backward()
                optimiser.step()
        self.eval().requires_grad_(False)

    def forward(self, items: np.ndarray) -> np.ndarray:
        """Features ``(n, 128)`` float64."""
        return torch.cat([self.body(part) for part in self._scaled(items).split(500)]).double().numpy()

    def classify(self, items: np.ndarray) -> np.ndarray:
        """The class of each picture ``(n,)``."""
        return self.head(torch.from_numpy(self(items)).float()).argmax(1).numpy()

    @staticmethod
    def _scaled(pictures: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255


def plain_digit_judge(data: Real, folder: Path = CACHE) -> Judge:
    """:class:`PlainClassifier` of a data set's *train* split: learned once, and the same for every run."""
    kept = folder / f"plain-{fingerprint(data.train)}.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        classifier = PlainClassifier(len(data.classes))
        if kept.is_file():
            load_model(classifier, kept)
            classifier.eval().requires_grad_(False)
        else:
            classifier.learn(data.train)
            with write_atomic(kept) as aside:
                save_model(classifier, str(aside))
    return Judge(classifier)


def training_free_judge(data: Real) -> Judge:
    """Random convolutions in units of the *train* split, for pictures without labels."""
    return Judge(Features.find("random-conv")().fit(data.train.pictures, None, SEED))


def fingerprint(held: Held, *more: str) -> str:
    """A content hash of pictures, labels and what else matters."""
    digest = hashlib.blake2b(held.pictures.tobytes(), digest_size=6)
    digest.update(b"" if held.labels is None else held.labels.tobytes())
    digest.update("".join(more).encode())
    return digest.hexdigest()


def frechet(fake: np.ndarray, reference: np.ndarray) -> float:
    """Fréchet distance between two sets of features ``(n, d)``, by the library's metric."""
    real, made = (Evidence(items=features, features=features) for features in (reference, fake))
    return measure("frechet", real, real, made)["frechet"].value


def measure(metric: str, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
    """The numbers of one of the library's metrics.

    Raises:
        SystemExit: it cannot be taken of these items.
    """
    taken = Metric.find(metric)()
    reason = taken.refusal(train, test, fake)
    if reason is not None:
        raise SystemExit(f"{metric} cannot be taken: {reason}")
    return taken(train, test, fake)


def labels_of(held: Held) -> np.ndarray:
    """The labels of pictures that have some."""
    assert held.labels is not None, "these pictures have labels"
    return held.labels


def accuracy_and_f1(predicted: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Accuracy, and F1 averaged over the classes with equal weight."""
    from sklearn.metrics import accuracy_score, f1_score

    return float(accuracy_score(labels, predicted)), float(f1_score(labels, predicted, average="macro"))
