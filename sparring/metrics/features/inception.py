"""The Inception-v3 of FID (Szegedy et al. 2016; weights of TensorFlow's 2015-12-05 release; Heusel et al. 2017).

It differs from the Inception-v3 that is commonly trained in where its pooling counts the border, in the maximum in the
place of the mean in its last block, and in its 1,008 classes. The names and shapes of its tensors are those of
``pt_inception-2015-12-05``, the common port of these weights.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu

from sparring.data import Items
from sparring.data.download import Remote
from sparring.errors import RequestError
from sparring.metrics.features import CPU, Features, FittedFeatures, picture_fault
from sparring.metrics.features.pretrained import find_weights, load_into, read_weights

PUBLISHED = Remote(
    "pt_inception-2015-12-05-6726825d.pth", "sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
)
"""The weights by which FID is defined."""

SIDE = 299
"""Pixels to which every picture is resized."""


class Inception(Features):
    """The 2,048 numbers of Inception-v3's last pooling; the Fréchet distance in them, by the published weights, is FID.

    Pictures are resized to 299 pixels as TensorFlow 1 did it: bilinear, pixel 0 on pixel 0, without smoothing when
    pictures shrink. 0 to 255 becomes (x - 128) / 128; grey pictures are grey in all three channels.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    kept: ClassVar[bool] = False
    chunk: ClassVar[int] = 8

    weights: str = Field(
        default="", description="file of the weights, .pth or .safetensors; none: SPARRING_DATA/inception, else fetched"
    )
    mirrors: tuple[str, ...] = Field(
        default=("https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/",),
        description="addresses that end in /, from which the weights are fetched once",
    )

    def refusal(self, items: Items, labels: np.ndarray | None) -> str | None:
        return colour_fault(items)

    def fit(self, items: Items, labels: np.ndarray | None, seed: int, *, device: torch.device = CPU) -> FittedFeatures:
        if reason := self.refusal(items, labels):
            raise RequestError(f"{self.name}: {reason}")
        weights = read_weights(self.name, find_weights(self.name, self.weights, PUBLISHED, self.mirrors), PUBLISHED)
        facts = {
            "shape": list(items.shape[1:]),
            "digest": weights.digest,
            "resizing": f"bilinear to {SIDE}x{SIDE} as TensorFlow 1, no smoothing; (x - 128) / 128",
        }
        network = self.build(facts)
        load_into(network, weights, self.name)
        return FittedFeatures(self, facts, network.to(device).eval())

    def build(self, facts: Mapping[str, Any]) -> "InceptionV3":
        return InceptionV3()

    def prepare(self, items: np.ndarray, facts: Mapping[str, Any]) -> Tensor:
        return levels(items)

    def title(self, number: str, facts: Mapping[str, Any]) -> str | None:
        return "FID" if number == "frechet" and facts["digest"] == PUBLISHED.digest else None


def colour_fault(items: Items) -> str | None:
    """Why items are neither grey nor colour pictures, in one line, or None where they are."""
    if reason := picture_fault(items):
        return reason
    return None if items.shape[3] in (1, 3) else f"pictures of {items.shape[3]} channels are neither grey nor colour"


def levels(items: np.ndarray) -> Float[Tensor, "n 3 h w"]:
    """Pictures of integers ``(n, h, w, c)`` as 0 to 255 in three channels."""
    scaled = items.astype(np.float32) * np.float32(255 / np.iinfo(items.dtype).max)
    tensor = torch.from_numpy(scaled).permute(0, 3, 1, 2)
    return tensor.expand(-1, 3, -1, -1)


def resized(pictures: Float[Tensor, "n c h w"], side: int = SIDE) -> Float[Tensor, "n c side side"]:
    """Bilinear as in TensorFlow 1: output pixel i lies at i * old / new of the input, the last pixel is repeated."""
    down, across = (_weights(old, side).to(pictures) for old in pictures.shape[2:])
    return torch.einsum("ih,nchw,jw->ncij", down, pictures, across)


def _weights(old: int, new: int) -> Float[Tensor, "new old"]:
    at = torch.arange(new, dtype=torch.float64) * (old / new)
    low = at.floor().long().clamp(max=old - 1)
    high = (low + 1).clamp(max=old - 1)
    share = (at - low)[:, None]
    one = torch.eye(old, dtype=torch.float64)
    return (1 - share) * one[low] + share * one[high]


class InceptionV3(nn.Module):
    """The network; the names of its parts are those of the published tensors."""

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3)
        self.Mixed_5b = _BlockA(192, 32)
        self.Mixed_5c = _BlockA(256, 64)
        self.Mixed_5d = _BlockA(288, 64)
        self.Mixed_6a = _BlockB(288)
        self.Mixed_6b = _BlockC(128)
        self.Mixed_6c = _BlockC(160)
        self.Mixed_6d = _BlockC(160)
        self.Mixed_6e = _BlockC(192)
        self.Mixed_7a = _BlockD()
        self.Mixed_7b = _BlockE(1280, last=False)
        self.Mixed_7c = _BlockE(2048, last=True)
        self.fc = nn.Linear(2048, 1008)

    def forward(self, pictures: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, Tensor]:
        view = (resized(pictures) - 128) / 128
        view = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(view)))
        view = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(max_pool2d(view, 3, 2)))
        view = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(max_pool2d(view, 3, 2))))
        view = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(view)))))
        features = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(view))).mean((2, 3))
        # Published inception scores leave the bias of the last layer out.
        return features, features @ self.fc.weight.T


class _Conv(nn.Module):
    """A convolution without bias, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int | tuple[int, int], **geometry: Any):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, bias=False, **geometry)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, view: Tensor) -> Tensor:
        return relu(self.bn(self.conv(view)))


def _mean(view: Tensor) -> Tensor:
    """The mean of 3x3 pixels; pixels beyond the border do not count."""
    return avg_pool2d(view, 3, 1, 1, count_include_pad=False)


class _BlockA(nn.Module):
    def __init__(self, inputs: int, pooled: int):
        super().__init__()
        self.branch1x1 = _Conv(inputs, 64, 1)
        self.branch5x5_1 = _Conv(inputs, 48, 1)
        self.branch5x5_2 = _Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = _Conv(inputs, 64, 1)
        self.branch3x3dbl_2 = _Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, padding=1)
        self.branch_pool = _Conv(inputs, pooled, 1)

    def forward(self, view: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(view)))
        wide = self.branch5x5_2(self.branch5x5_1(view))
        return torch.cat([self.branch1x1(view), wide, double, self.branch_pool(_mean(view))], 1)


class _BlockB(nn.Module):
    def __init__(self, inputs: int):
        super().__init__()
        self.branch3x3 = _Conv(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1 = _Conv(inputs, 64, 1)
        self.branch3x3dbl_2 = _Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, stride=2)

    def forward(self, view: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(view)))
        return torch.cat([self.branch3x3(view), double, max_pool2d(view, 3, 2)], 1)


class _BlockC(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        row, column = {"kernel": (1, 7), "padding": (0, 3)}, {"kernel": (7, 1), "padding": (3, 0)}
        self.branch1x1 = _Conv(768, 192, 1)
        self.branch7x7_1 = _Conv(768, width, 1)
        self.branch7x7_2 = _Conv(width, width, **row)
        self.branch7x7_3 = _Conv(width, 192, **column)
        self.branch7x7dbl_1 = _Conv(768, width, 1)
        self.branch7x7dbl_2 = _Conv(width, width, **column)
        self.branch7x7dbl_3 = _Conv(width, width, **row)
        self.branch7x7dbl_4 = _Conv(width, width, **column)
        self.branch7x7dbl_5 = _Conv(width, 192, **row)
        self.branch_pool = _Conv(768, 192, 1)

    def forward(self, view: Tensor) -> Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(view)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(view)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(view), single, double, self.branch_pool(_mean(view))], 1)


class _BlockD(nn.Module):
    def __init__(self):
        super().__init__()
        self.branch3x3_1 = _Conv(768, 192, 1)
        self.branch3x3_2 = _Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = _Conv(768, 192, 1)
        self.branch7x7x3_2 = _Conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = _Conv(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = _Conv(192, 192, 3, stride=2)

    def forward(self, view: Tensor) -> Tensor:
        small = self.branch3x3_2(self.branch3x3_1(view))
        wide = self.branch7x7x3_2(self.branch7x7x3_1(view))
        wide = self.branch7x7x3_4(self.branch7x7x3_3(wide))
        return torch.cat([small, wide, max_pool2d(view, 3, 2)], 1)


class _BlockE(nn.Module):
    """Its pooling is a mean in the block before the last, and a maximum in the last."""

    def __init__(self, inputs: int, *, last: bool):
        super().__init__()
        self.last = last
        self.branch1x1 = _Conv(inputs, 320, 1)
        self.branch3x3_1 = _Conv(inputs, 384, 1)
        self.branch3x3_2a = _Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = _Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = _Conv(inputs, 448, 1)
        self.branch3x3dbl_2 = _Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = _Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = _Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = _Conv(inputs, 192, 1)

    def forward(self, view: Tensor) -> Tensor:
        single = self.branch3x3_1(view)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(view))
        pooled = max_pool2d(view, 3, 1, 1) if self.last else _mean(view)
        branches = [
            self.branch1x1(view),
            *(self.branch3x3_2a(single), self.branch3x3_2b(single)),
            *(self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)),
            self.branch_pool(pooled),
        ]
        return torch.cat(branches, 1)
