"""U-Net (Ronneberger et al. 2015) as pix2pix uses it (Isola et al. 2017): down, up, and a skip at each size."""

from itertools import pairwise
from math import ceil
from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, leaky_relu, pad

from sparring.networks import Architecture
from sparring.networks.given import BICUBIC, enlarged, joined, scale_of, start
from sparring.networks.judges import Judge, Patch
from sparring.networks.layers import SLOPE, LeakyReLU, he
from sparring.types import DataSpec, Samples

GROWTH = 8
"""How many times wider than at the picture a level may get."""


class Unet(Architecture):
    """Convolutions at each size with skips from down to up; sees far, and keeps detail.

    With ``norm=none`` a tile is what the whole picture would have there; instance norm looks at the whole picture.
    """

    translates = True
    width: int = Field(default=32, ge=1, le=512, description="channels at the picture's size; they double to eightfold")
    depth: int = Field(default=4, ge=1, le=8, description="halvings")
    norm: Literal["none", "instance"] = Field(default="none", description="norm of the hidden layers")
    residual: bool = Field(default=True, description="add the given picture to what is made")
    bounded: bool = Field(
        default=True,
        description="end in tanh where the given picture is not added; pictures of black or white may be stuck in it",
    )
    judge: Judge = Field(default=Patch(), description="the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return UnetTranslator(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return self.judge.discriminator(spec)


class UnetTranslator(nn.Module):
    """The network; pictures that 2**depth does not divide are padded below and on the right, and cropped again."""

    def __init__(self, family: Unet, spec: DataSpec, latent: int):
        super().__init__()
        self.scale, self.channels = scale_of(type(family), spec), spec.shape[0]
        self.family_residual, self.bounded, self.stride = family.residual, family.bounded, 2**family.depth
        # Level i adds 2**i each for its halving, its convolution and where it begins, and half of that on the way up.
        reach = ceil((2 + 7 * (2**family.depth - 1)) / self.scale) + (BICUBIC if self.scale > 1 else 0)
        self.reach = None if family.norm == "instance" else reach
        self.footprint = 16 * family.width * self.scale**2
        widths = [family.width * min(2**i, GROWTH) for i in range(family.depth + 1)]
        instance = family.norm == "instance"
        self.entry = he(nn.Conv2d(spec.given[0] + latent, widths[0], 3, padding=1), "leaky-relu")
        self.down = nn.ModuleList(
            nn.Sequential(
                LeakyReLU(),
                nn.Conv2d(a, b, 4, 2, 1),
                # The smallest maps may be of one pixel, of which there is no deviation.
                _norm(b, instance and i + 1 < family.depth),
                LeakyReLU(),
                nn.Conv2d(b, b, 3, padding=1),
            )
            for i, (a, b) in enumerate(pairwise(widths))
        )
        # The activations at the head of each are done in forward; their place numbers the weights of stored runs.
        self.up = nn.ModuleList(
            nn.Sequential(LeakyReLU(), nn.Conv2d(a + b, b, 3, padding=1), _norm(b, instance))
            for a, b in pairwise(widths[::-1])
        )
        he(self.down, "leaky-relu")
        he(self.up, "leaky-relu")
        self.output = nn.Conv2d(widths[0], self.channels, 3, padding=1)
        if family.residual:
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, latent: Tensor | None, condition: Tensor) -> Samples:
        given = enlarged(condition, self.scale)
        height, width = given.shape[2:]
        padded = pad(given, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")
        levels, maps = [], self.entry(joined(padded, latent))
        for down in self.down:
            _, halve, norm, _, conv = down  # pyright: ignore[reportGeneralTypeIssues]
            levels.append(_activated(maps))
            maps = conv(_activated(norm(halve(levels[-1]))))
        for up in self.up:
            _, conv, norm = up  # pyright: ignore[reportGeneralTypeIssues]
            maps = norm(doubled(conv, _activated(maps), levels.pop()))
        made = self.output(_activated(maps))[:, :, :height, :width]
        if self.family_residual:
            return Samples(start(given, self.channels) + made)
        return Samples(made.tanh() if self.bounded else made)

    def encode(self, pictures: Tensor) -> list[Tensor]:
        """The maps on the way down, from the picture's size to the smallest; for losses on them (CUT)."""
        height, width = pictures.shape[2:]
        padded = pad(pictures, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")
        levels = [self.entry(padded)]
        for down in self.down:
            levels.append(down(levels[-1]))
        return levels


def doubled(conv: nn.Conv2d, maps: Float[Tensor, "n a h w"], skip: Float[Tensor, "n b p q"]) -> Tensor:
    """A 3x3 convolution of the maps at twice their size (nearest) together with the skip, as if they were joined.

    Doubling and convolving is one transposed convolution with a kernel of 4x4, of less than half the work, and neither
    the doubled nor the joined maps ever stand in memory.
    """
    own, others = conv.weight.split([maps.shape[1], skip.shape[1]], 1)
    # The kernel of the doubling, 2x2 ones, convolved with the mirrored kernel.
    spread = avg_pool2d(own.flip(2, 3).transpose(0, 1), 2, 1, 1) * 4
    made = conv_transpose2d(maps, spread, conv.bias, stride=2, padding=1)
    return made.add_(conv2d(skip, others, padding=1))


def _activated(maps: Tensor) -> Tensor:
    """In place, as large maps are costly to come by; no layer's gradient needs what is overwritten."""
    return leaky_relu(maps, SLOPE, inplace=True)


def _norm(channels: int, instance: bool) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True) if instance else nn.Identity()
