"""The kind: a feature network describes items by numbers, in which distances mean something."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sparring.data import Items
from sparring.errors import RequestError, RunError, SparringError
from sparring.files import write_atomic
from sparring.part import Part

CPU = torch.device("cpu")

_FACTS, _WEIGHTS = "features.json", "features.safetensors"
_HIGHEST = {"uint8": 255.0, "uint16": 65535.0}


class Look(NamedTuple):
    """What a feature network says of items.

    Attributes:
        features: ``(n, d)`` float64.
        classes: the likeliest class of each, ``(n,)``, or None where the network knows no classes.
        probabilities: of every class, ``(n, classes)`` float64, or None.
    """

    features: Float[np.ndarray, "n d"]
    classes: Int[np.ndarray, " n"] | None
    probabilities: Float[np.ndarray, "n classes"] | None


@dataclass(frozen=True)
class FittedFeatures:
    """A feature network that is ready.

    Attributes:
        part: what made it.
        facts: plain values that its building needs, and what was found when it was fitted.
        network: maps items to features ``(n, d)`` and logits ``(n, classes)``, or None where it has no classes.
    """

    part: "Features"
    facts: dict[str, Any]
    network: nn.Module

    @property
    def name(self) -> str:
        """What stands in brackets behind a metric's name."""
        return self.part.name

    def __call__(self, items: Items) -> Float[np.ndarray, "n d"]:
        """Features in float64, in eval mode, without gradients, chunk by chunk."""
        return self.look(items).features

    def classify(self, items: Items) -> Int[np.ndarray, " n"] | None:
        """The likeliest class of each item, or None where the network knows no classes."""
        return self.look(items).classes

    def look(self, items: Items) -> Look:
        """Features and classes in one pass.

        Raises:
            RequestError: the items have another shape than those that the network was fitted to.
        """
        wanted = list(self.facts["shape"])
        if list(items.shape[1:]) != wanted:
            raise RequestError(f"{self.name}: items of shape {list(items.shape[1:])} are not of the fitted {wanted}")
        self.network.eval()
        place = next(iter(self.network.state_dict().values()), torch.zeros(0)).device
        features, classes, probabilities, chunk = [], [], [], self.part.chunk
        with torch.inference_mode():
            for start in range(0, max(1, len(items)), chunk):
                rows = self.part.prepare(np.asarray(items[start : start + chunk]), self.facts).to(place)
                filling = rows.new_zeros(chunk - len(rows), *rows.shape[1:])
                found, logits = self.network(torch.cat([rows, filling]))
                features.append(found[: len(rows)].double().cpu().numpy())
                if logits is not None:
                    classes.append(logits[: len(rows)].argmax(1).cpu().numpy())
                    probabilities.append(logits[: len(rows)].double().softmax(1).cpu().numpy())
        if not classes:
            return Look(np.concatenate(features), None, None)
        return Look(np.concatenate(features), np.concatenate(classes), np.concatenate(probabilities))

    def to(self, device: torch.device) -> "FittedFeatures":
        """The same network on another device; the weights move."""
        self.network.to(device)
        return self

    def save(self, folder: Path) -> None:
        """Writes weights as safetensors and the rest as JSON into a folder."""
        weights = {name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        with write_atomic(folder / _WEIGHTS) as aside:
            save_file(weights, aside)
        with write_atomic(folder / _FACTS) as aside:
            aside.write_text(json.dumps({"features": self.part.to_json(), "facts": self.facts}, indent=1), "utf-8")

    @staticmethod
    def load(folder: Path) -> "FittedFeatures":
        """What :meth:`save` wrote.

        Raises:
            RunError: a file is missing, broken, or does not fit the other.
        """
        try:
            written = json.loads((folder / _FACTS).read_text("utf-8"))
            part, facts = Features.from_json(written["features"]), dict(written["facts"])
            network = part.build(facts)
            network.load_state_dict(load_file(folder / _WEIGHTS))
        except (OSError, ValueError, LookupError, TypeError, RuntimeError, SafetensorError, SparringError) as error:
            raise RunError(f"'{folder}' holds no usable features ({error}); delete it to fit them anew") from None
        return FittedFeatures(part, facts, network.eval())


class Features(Part):
    """A way to describe items; fitted once to the training items of an experiment, then fixed.

    Attributes:
        modalities: names of the codecs whose items they describe; none: of all.
        rank: their place among those that are tried where none are named, the first that do not refuse are taken;
            None: only by name.
        quick: whether they need no learning, and so serve the numbers that are taken while training.
        kept: whether a fit is worth keeping in the run; not where its weights are a file of their own.
        own_classes: whether the classes that they know are those of the data's labels.
        chunk: items that the network sees at once. The last chunk is filled up, so that an item's features never depend
            on the count.
    """

    kind: ClassVar[str] = "features"
    home: ClassVar[str] = "sparring.metrics.features"
    modalities: ClassVar[tuple[str, ...]] = ()
    rank: ClassVar[int | None] = None
    quick: ClassVar[bool] = False
    kept: ClassVar[bool] = True
    own_classes: ClassVar[bool] = False
    chunk: ClassVar[int] = 128

    @classmethod
    def suggested(cls, count: int) -> Self:
        """The part as an evaluation takes it where none is named, for so many training items."""
        return cls()

    @abstractmethod
    def refusal(self, items: Items, labels: np.ndarray | None) -> str | None:
        """Why these features cannot be fitted to such items, in one line; None where they can."""

    @abstractmethod
    def fit(self, items: Items, labels: np.ndarray | None, seed: int, *, device: torch.device = CPU) -> FittedFeatures:
        """The network for such items.

        Args:
            items: pictures ``(n, h, w, c)`` uint8 or uint16, or points ``(n, d)``.
            labels: class of each item, ``(n,)`` integers from 0, or None.
            seed: of all that is drawn.
            device: where to compute.

        Raises:
            RequestError: what :meth:`refusal` says.
        """

    @abstractmethod
    def build(self, facts: Mapping[str, Any]) -> nn.Module:
        """The network of a fit with these facts, with weights that are yet to be loaded."""

    def prepare(self, items: np.ndarray, facts: Mapping[str, Any]) -> Tensor:
        """Items as the network takes them; :func:`as_tensor` where a class says no other."""
        return as_tensor(items)

    def title(self, number: str, facts: Mapping[str, Any]) -> str | None:
        """The name that a metric's number has in these features alone, as FID; None where it has none."""
        return None


def as_tensor(items: np.ndarray) -> Tensor:
    """Pictures ``(n, h, w, c)`` of integers as float32 ``(n, c, h, w)`` in [-1, 1]; points as float64."""
    if items.ndim == 2:
        return torch.from_numpy(np.ascontiguousarray(items, np.float64))
    scaled = items.astype(np.float32) * np.float32(2 / _HIGHEST[str(items.dtype)]) - np.float32(1)
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def shrinking(items: Items, size: int) -> str:
    """How pictures above a size are resized before a network of the library looks at them, in words."""
    return f"averaged down to {size} pixels a side" if max(items.shape[1:3]) > size else "none"


def picture_fault(items: Items) -> str | None:
    """Why items are no pictures of integers, in one line, or None where they are."""
    if len(items.shape) != 4 or str(items.dtype) not in _HIGHEST or 0 in items.shape:
        return f"items of shape {tuple(items.shape)} and type {items.dtype} are no pictures of uint8 or uint16"
    return None
