"""Encoder-decoder: a picture is taken in as a whole and another drawn anew, where the two do not lie on each other.

The encoder-decoder of Isola et al. 2017 (pix2pix, section 3.2.1), without skips, so that nothing is carried across
unchanged. What a picture shows, wherever it lies, becomes a code: the mean and the maximum over all places. The code
says how the decoder scales and shifts its normed maps (conditional norms, Dumoulin et al. 2017; MUNIT, Huang et al.
2018); the smallest maps say where. As in :mod:`sparring.networks.pyramid` the finest maps have half the picture's size.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from sparring.networks import Architecture
from sparring.networks.given import enlarged, scale_of
from sparring.networks.judges import Judge, Patch
from sparring.networks.layers import halvings
from sparring.types import DataSpec, Samples, precise

GROWTH = 8
"""How many times wider than the finest maps smaller ones may get."""

_SMALLEST = 4
"""Pixels of the smallest maps' shorter side, at most."""


class EncoderDecoder(Architecture):
    """Strided convolutions to maps of about 4 pixels, a code of all of them, transposed convolutions that it steers."""

    translates = True
    width: int = Field(default=32, ge=1, le=512, description="channels of the finest maps; they double to eightfold")
    code: int = Field(default=256, ge=1, le=65536, description="width of the code of the whole picture")
    depth: int = Field(default=1, ge=0, le=64, description="residual blocks on the encoder's smallest maps")
    blocks: int = Field(default=2, ge=0, le=64, description="residual blocks on the decoder's smallest maps")
    judge: Judge = Field(default=Patch(), description="the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return Redrawer(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return self.judge.discriminator(spec)


class Redrawer(nn.Module):
    """The network; it sees the whole picture, which is padded below and on the right to what the halvings divide."""

    def __init__(self, family: EncoderDecoder, spec: DataSpec, latent: int):
        super().__init__()
        self.scale, self.reach, self.footprint = scale_of(type(family), spec), None, 24 * family.width
        shorter = min(spec.shape[1:])
        count = max(1, halvings(shorter, shorter, _SMALLEST))
        self.stride = 2**count
        widths = [family.width * min(2**i, GROWTH) for i in range(count)]
        smallest, steered = widths[-1], family.code + latent
        self.entry = nn.Conv2d(spec.given[0], widths[0], 4, 2, 1)
        self.down = nn.Sequential(
            *(nn.Sequential(Normed(a), nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(widths)),
            *(Block(smallest) for _ in range(family.depth)),
        )
        self.last = Normed(smallest)
        dense = nn.Linear(2 * smallest, family.code), nn.ReLU(), nn.Linear(family.code, family.code), nn.ReLU()
        self.code = nn.Sequential(*dense)
        self.blocks = nn.ModuleList(Block(smallest, steered) for _ in range(family.blocks))
        self.norms = nn.ModuleList(Normed(width, steered) for width in widths[::-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise([*widths[::-1], spec.shape[0]]))

    def forward(self, latent: Tensor | None, condition: Tensor) -> Samples:
        given = enlarged(condition, self.scale)
        height, width = given.shape[2:]
        maps = self.down(self.entry(pad(given, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")))
        seen = self.last(maps)
        code = self.code(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1))
        if latent is not None:
            code = torch.cat([code, latent.to(code.dtype)], 1)
        for block in self.blocks:
            maps = block(maps, code)
        for norm, up in zip(self.norms, self.up, strict=True):
            maps = up(norm(maps, code))
        return Samples(precise(maps[:, :, :height, :width]).tanh())


class Normed(nn.Module):
    """Batch norm and ReLU; a code, where there is one, says how the normed maps are scaled and shifted between them."""

    def __init__(self, width: int, code: int = 0):
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.steer = nn.Linear(code, 2 * width) if code else None
        if self.steer is not None:
            nn.init.normal_(self.steer.weight, std=0.5 / code**0.5)
            nn.init.zeros_(self.steer.bias)

    def forward(self, maps: Float[Tensor, "n c h w"], code: Float[Tensor, "n d"] | None = None) -> Tensor:
        maps = self.norm(maps)
        if self.steer is not None:
            scale, shift = self.steer(code).to(maps.dtype)[:, :, None, None].chunk(2, 1)
            maps = torch.addcmul(shift, maps, 1 + scale)
        return relu(maps)


class Block(nn.Module):
    """Norm, ReLU and a 3x3 convolution, twice, added to what came in (He et al. 2016)."""

    def __init__(self, width: int, code: int = 0):
        super().__init__()
        self.norms = nn.ModuleList(Normed(width, code) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, maps: Tensor, code: Tensor | None = None) -> Tensor:
        steps, made = zip(self.norms, self.convolutions, strict=True), maps
        for norm, convolution in steps:
            made = convolution(norm(made, code))
        return maps + made
