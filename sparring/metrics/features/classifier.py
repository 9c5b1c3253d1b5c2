"""Features of a small convolutional classifier that learns the user's own labels."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, pad, relu

from sparring.data import Items
from sparring.errors import RequestError
from sparring.metrics.features import CPU, Features, FittedFeatures, as_tensor, picture_fault, shrinking
from sparring.randomness import derive, order

LEAST = 20
"""Labelled items below which nothing can be learned and held back."""

_BATCH = 128
_HOLD_BACK = 10
_MOST_HELD_BACK = 5000
_SEEN = {1: 90_000, 3: 500_000}
_MOST_EPOCHS = 60
_GRID = 4


class Classifier(Features):
    """The last layer before the classes; learned by Adam on a one-cycle schedule (Smith & Topin 2018).

    A tenth of the items, at most 5,000, is held back to measure its accuracy, which the facts keep as ``accuracy``
    with its ``held_back`` count. Colour pictures are mirrored and shifted while it learns, grey ones shifted.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 20
    own_classes: ClassVar[bool] = True

    epochs: int | None = Field(default=None, ge=1, le=1000, description="passes over the items; none: by their number")
    width: int = Field(default=32, ge=4, le=512, description="channels of the first layer")
    features: int = Field(default=128, ge=2, le=2048, description="width of the layer that describes a picture")
    rate: float = Field(default=3e-3, gt=0, le=1, description="highest learning rate of the cycle")
    size: int = Field(
        default=64, ge=8, le=512, description="greater pictures are averaged down to so many pixels a side"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="of learning; auto: bf16 where the processor computes it"
    )

    @classmethod
    def suggested(cls, count: int) -> Self:
        """Half as wide, and of many items one pass, so that an evaluation takes minutes on two cores."""
        return cls(width=16, epochs=1 if count > 30_000 else None)

    def refusal(self, items: Items, labels: np.ndarray | None) -> str | None:
        if labels is None:
            return "the data have no labels; take random-conv"
        return picture_fault(items) or _label_fault(len(items), labels)

    def fit(self, items: Items, labels: np.ndarray | None, seed: int, *, device: torch.device = CPU) -> FittedFeatures:
        if reason := self.refusal(items, labels):
            raise RequestError(f"{self.name}: {reason}")
        assert labels is not None
        source = np.random.Generator(np.random.Philox(key=derive(seed, self.name, "held back")))
        shuffled = source.permutation(len(items))
        held = np.sort(shuffled[: min(_MOST_HELD_BACK, len(items) // _HOLD_BACK)])
        learned = np.sort(shuffled[len(held) :])
        facts = {"shape": list(items.shape[1:]), "classes": int(labels.max()) + 1, "held_back": len(held)}
        facts["resizing"] = shrinking(items, self.size)
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, self.name, "weights"))
            network = self.build(facts).to(device)
        self._learn(network, Lesson(items, labels, learned, derive(seed, self.name)), device)
        fitted = FittedFeatures(self, facts, network)
        found = fitted.classify(np.asarray(items[held]))
        facts["accuracy"] = float((found == labels[held]).mean())
        return fitted

    def build(self, facts: Mapping[str, Any]) -> "SmallNetwork":
        return SmallNetwork(self, tuple(facts["shape"]), facts["classes"])

    def _learn(self, network: nn.Module, lesson: "Lesson", device: torch.device) -> None:
        batch = min(_BATCH, max(8, len(lesson.rows) // 8))
        steps = max(1, self._epochs(lesson) * len(lesson.rows) // batch)
        network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.Adam(network.parameters(), self.rate, weight_decay=1e-5)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, self.rate, total_steps=steps + 1, pct_start=0.2)
        halved = _half(device) if self.precision == "auto" else self.precision == "bf16"
        for pictures, classes in lesson.batches(batch, steps):
            seen = pictures.to(device, memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=halved):
                logits = network(seen)[1]
            optimiser.zero_grad(set_to_none=True)
            cross_entropy(logits.float(), classes.to(device)).backward()
            optimiser.step()
            cycle.step()

    def _epochs(self, lesson: "Lesson") -> int:
        if self.epochs is not None:
            return self.epochs
        seen = _SEEN[3 if lesson.coloured else 1]
        return min(_MOST_EPOCHS, max(1, round(seen / len(lesson.rows))))


class Lesson(NamedTuple):
    """What the classifier learns from.

    Attributes:
        items: pictures.
        labels: of each.
        rows: those to be learned from.
        seed: of order and augmentation.
    """

    items: Items
    labels: np.ndarray
    rows: np.ndarray
    seed: int

    @property
    def coloured(self) -> bool:
        """Whether the pictures have colours, and so are seen from both sides."""
        return self.items.shape[3] >= 3

    def batches(self, size: int, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Augmented pictures ``(n, c, h, w)`` in [-1, 1] with their classes."""
        for step in range(steps):
            rows = np.sort(self.rows[order(len(self.rows), self.seed, step * size, size)])
            source = np.random.Generator(np.random.Philox(key=derive(self.seed, step)))
            classes = torch.from_numpy(self.labels[rows].astype(np.int64))
            yield _augmented(as_tensor(np.asarray(self.items[rows])), source, mirrored=self.coloured), classes


class SmallNetwork(nn.Module):
    """Convolutions with batch norm that halve the picture down to about seven pixels, then two dense layers.

    Args:
        part: the widths.
        shape: of a picture, ``(height, width, channels)``.
        classes: how many.
    """

    def __init__(self, part: Classifier, shape: tuple[int, ...], classes: int):
        super().__init__()
        self.size = part.size
        side, width = min(part.size, *shape[:2]), part.width
        # Pictures of 48 pixels and more are halved at once: full resolution would cost most of the time.
        stages = [_stage(shape[2], width, 2 if side >= 48 else 1)]
        side = -(-side // 2) if side >= 48 else side
        while side > 8 or len(stages) < 2:
            stages.append(_stage(width, min(2 * width, 4 * part.width), 2 if side > 4 else 1))
            side, width = -(-side // 2), min(2 * width, 4 * part.width)
        self.stages = nn.Sequential(*stages)
        self.last = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.last_norm = nn.BatchNorm2d(width)
        self.describe = nn.Linear(width * _GRID**2, part.features, bias=False)
        # Without the norm nearly half of the features died on digits, and were nothing for any item.
        self.describe_norm = nn.BatchNorm1d(part.features)
        self.classify = nn.Linear(part.features, classes)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        height, width = (min(side, self.size) for side in pictures.shape[2:])
        view = self.stages(adaptive_avg_pool2d(pictures, (height, width)))
        view = view + relu(self.last_norm(self.last(view)))
        features = relu(self.describe_norm(self.describe(adaptive_avg_pool2d(view, _GRID).flatten(1))))
        return features, self.classify(features)


def _label_fault(count: int, labels: np.ndarray) -> str | None:
    if labels.shape != (count,):
        return f"labels of shape {labels.shape} do not fit {count} items"
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        return "labels are not all integers from 0"
    if len(np.unique(labels)) < 2:
        return "the labels name a single class; take random-conv"
    return f"{count} labelled items are fewer than {LEAST}; take random-conv" if count < LEAST else None


def _stage(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _augmented(pictures: Tensor, source: np.random.Generator, *, mirrored: bool) -> Tensor:
    """Pictures moved by up to a sixteenth of their sides, and half of them mirrored."""
    count, _, height, width = pictures.shape
    down, right = max(1, height // 16), max(1, width // 16)
    edged = pad(pictures, (right, right, down, down), mode="replicate")
    rows = torch.from_numpy(source.integers(0, 2 * down + 1, (count, 1)) + np.arange(height))
    columns = source.integers(0, 2 * right + 1, (count, 1)) + np.arange(width)
    if mirrored:
        columns = np.where(source.random((count, 1)) < 0.5, columns[:, ::-1], columns)
    found = edged[torch.arange(count)[:, None, None], :, rows[:, :, None], torch.from_numpy(columns)[:, None, :]]
    return found.permute(0, 3, 1, 2)


def _half(device: torch.device) -> bool:
    """Whether the device computes bfloat16 itself; where it only imitates it, learning would slow down."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and supported is not None and supported()
