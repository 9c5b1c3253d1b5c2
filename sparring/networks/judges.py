"""Judges: discriminators of patches, which families that make pictures of pictures are matched with."""

from abc import abstractmethod
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from sparring.networks.layers import LeakyReLU, halvings, he, spectrally_normalised
from sparring.part import Part
from sparring.types import DataSpec, Score

GROWTH = 8
"""How many times wider than at the picture a layer may get."""


class Judge(Part):
    """The kind: builds a discriminator of pictures and, where one was given, of pairs with the given picture."""

    kind: ClassVar[str] = "judge"
    home: ClassVar[str] = "sparring.networks.judges"

    @abstractmethod
    def discriminator(self, spec: DataSpec) -> nn.Module:
        """A discriminator with fresh weights, called as ``discriminator(items, given)``."""


class Patch(Judge):
    """PatchGAN, Isola et al. 2017: a verdict for each patch; at several scales as in pix2pixHD (Wang et al. 2018)."""

    width: int = Field(default=32, ge=1, le=1024, description="channels of the first layer; they double to eightfold")
    layers: int = Field(default=3, ge=1, le=6, description="layers of stride 2; fewer where the picture is small")
    scales: int = Field(default=1, ge=1, le=4, description="judges, each of the picture at half the size of the last")
    norm: Literal["none", "instance"] = Field(default="none", description="norm between the layers")
    spectral: bool = Field(
        default=False, description="spectral norm, which bounds the judge's slope and makes it slow to learn"
    )

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return spectrally_normalised(PatchJudges(self, spec), self.spectral)


class PatchJudges(nn.Module):
    """One patch discriminator a scale."""

    def __init__(self, part: Patch, spec: DataSpec):
        super().__init__()
        channels = spec.shape[0] + (spec.given[0] if spec.given else 0)
        grids = [tuple(-(-side // 2**i) for side in spec.shape[1:]) for i in range(part.scales)]
        self.judges = nn.ModuleList(PatchJudge(part, channels, min(grid)) for grid in grids)

    def forward(self, items: Tensor, condition: Tensor | None = None) -> list[Score]:
        if condition is not None:
            if condition.shape[2:] != items.shape[2:]:
                condition = interpolate(condition, size=items.shape[2:], mode="nearest")
            items = torch.cat([items, condition.to(items.dtype)], 1)
        found = []
        for number, judge in enumerate(self.judges):
            items = avg_pool2d(items, 2, ceil_mode=True) if number else items
            found.append(judge(items))
        return found


class PatchJudge(nn.Module):
    """Strided 4x4 convolutions, one more of stride 1, and a verdict at each place."""

    def __init__(self, part: Patch, channels: int, shortest: int):
        super().__init__()
        count = min(part.layers, max(1, halvings(shortest, shortest, 4)))
        widths = [channels, *(part.width * min(2**i, GROWTH) for i in range(count + 1))]
        self.steps = nn.ModuleList()
        for number, (before, after) in enumerate(pairwise(widths)):
            last = number == count
            # A picture one pixel thin is widened, so that there is a place for the kernel.
            layer = nn.Conv2d(before, after, 3, 1, 1) if last else nn.Conv2d(before, after, 4, 2, 1 + (shortest < 2))
            norm = nn.InstanceNorm2d(after) if part.norm == "instance" and number and shortest > 3 else nn.Identity()
            self.steps.append(nn.Sequential(layer, norm, LeakyReLU()))
        self.verdict = nn.Conv2d(widths[-1], 1, 3, 1, 1)
        he(self, "leaky-relu")

    def forward(self, items: Tensor) -> Score:
        features = []
        for step in self.steps:
            items = step(items)
            features.append(items)
        return Score(self.verdict(items)[:, 0], tuple(features))
