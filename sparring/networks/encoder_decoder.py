"""Encoder-decoder: a picture is taken in as a whole and another drawn anew, where the two do not lie on each other.

The encoder-decoder of Isola et al. 2017 (pix2pix, section 3.2.1), without skips, so that nothing is carried across
unchanged. Strided convolutions and a dense layer make a code of the picture; dense layers and transposed convolutions
make a drawing of the code. The drawing is laid where the given picture has what it shows, as by a spatial transformer
(Jaderberg et al. 2015) that only moves: so it is learned once for all places. The place is the centre of mass of a map
of attention (Finn et al. 2016) with an offset that the code tells.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, batch_norm, grid_sample, pad

from sparring.networks import Architecture
from sparring.networks.given import enlarged, scale_of
from sparring.networks.judges import Judge, Patch
from sparring.networks.layers import LeakyReLU, crop, halvings, sizes
from sparring.types import DataSpec, Samples, precise

GROWTH = 8
"""How many times wider than the finest maps smaller ones may get."""

_SMALLEST = 2
"""Pixels of the encoder's smallest maps' shorter side, at most."""

_START = 16
"""Pixels of the decoder's start grid's shorter side, at most; a norm on it, or a smaller one, slowed learning down."""

_OFFSET = 0.1
"""Offset of the place, as a share of half a side, that a code of unit size tells."""


class EncoderDecoder(Architecture):
    """Strided convolutions with batch norm to a code; dense layers to a start grid, transposed convolutions, a place.

    Pictures of another size than was learned are averaged to the learned grid, and the drawing is stretched to theirs.
    """

    translates = True
    width: int = Field(default=32, ge=1, le=512, description="channels of the finest maps; they double to eightfold")
    code: int = Field(default=512, ge=1, le=65536, description="width of the code of the whole picture")
    mapping: int = Field(default=512, ge=1, le=65536, description="units of a dense layer between code and drawing")
    drawing: int = Field(
        default=8, ge=1, le=512, description="channels of the drawing's finest maps; they double to eightfold"
    )
    judge: Judge = Field(default=Patch(), description="the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return Redrawer(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return self.judge.discriminator(spec)


class Redrawer(nn.Module):
    """The network; it sees the whole picture, which is padded below and on the right to what the halvings divide."""

    def __init__(self, family: EncoderDecoder, spec: DataSpec, latent: int):
        super().__init__()
        self.scale, self.reach = scale_of(type(family), spec), None
        self.footprint = 4 * family.width * self.scale**2
        shorter = min(spec.shape[1:])
        count = max(1, halvings(shorter, shorter, _SMALLEST))
        self.stride = 2**count
        self.grid = -(-spec.shape[1] // self.stride), -(-spec.shape[2] // self.stride)
        widths = [spec.given[0], *(family.width * min(2**i, GROWTH) for i in range(count))]
        halving = [_Halving(a, b) for a, b in pairwise(widths)]
        self.fine, self.coarse = nn.Sequential(*halving[:2]), nn.Sequential(*halving[2:])
        smallest = widths[-1] * self.grid[0] * self.grid[1]
        self.code = nn.Sequential(*_dense(smallest, family.code))
        self.attention = nn.Conv2d(widths[min(2, count)], 1, 1)
        self.offset = nn.Linear(family.code, 2)
        for layer in (self.attention, self.offset):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.offset.bias)
        self.draw = Drawing(family, spec.shape, family.code + latent)

    def forward(self, latent: Tensor | None, condition: Tensor) -> Samples:
        given = enlarged(condition, self.scale)
        size = given.shape[2], given.shape[3]
        below, right = (-side % self.stride for side in size)
        fine = self.fine(pad(given, (0, right, 0, below), mode="replicate") if below or right else given)
        maps = self.coarse(fine)
        if maps.shape[2:] != self.grid:
            maps = adaptive_avg_pool2d(maps, self.grid)
        code = self.code(maps.flatten(1))
        place = centre(self.attention(fine)) + _OFFSET * precise(self.offset(code))
        if latent is not None:
            code = torch.cat([code, latent.to(code.dtype)], 1)
        return Samples(laid(precise(self.draw(code)), place, size).tanh_())


class Drawing(nn.Module):
    """A code through dense layers to a start grid, and through transposed convolutions without norm to a picture."""

    def __init__(self, family: EncoderDecoder, shape: tuple[int, ...], code: int):
        super().__init__()
        channels, height, width = shape
        shorter = min(height, width)
        count = max(1, halvings(shorter, shorter, _START))
        self.grids = sizes(height, width, count)
        widths = [family.drawing * min(2**i, GROWTH) for i in range(count - 1, -1, -1)]
        self.start = (widths[0], *self.grids[0])
        start = widths[0] * self.grids[0][0] * self.grids[0][1]
        self.dense = nn.Sequential(*_dense(code, family.mapping), nn.Linear(family.mapping, start))
        self.activation = LeakyReLU()
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise([*widths, channels]))

    def forward(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        maps = self.dense(code).unflatten(1, self.start)
        for up, size in zip(self.up, self.grids[1:], strict=True):
            maps = crop(up(self.activation(maps)), size)
        return maps


class _Halving(nn.Sequential):
    """A 4x4 convolution of stride 2, batch norm, ReLU."""

    def __init__(self, before: int, after: int):
        super().__init__(nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def _dense(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Linear(before, after, bias=False), RowNorm(after), nn.ReLU()


class RowNorm(nn.BatchNorm1d):
    """Batch norm of rows; a row that is alone, and has no deviation, is normed by the running statistics."""

    def forward(self, input: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        if len(input) > 1 or not self.training:
            return super().forward(input)
        return batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def centre(attention: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 2"]:
    """The centre of mass of the softmax over all places, across and down, in [-1, 1] from edge to edge."""
    mass = precise(attention).flatten(1).softmax(1).unflatten(1, attention.shape[2:])

    across, down = (_middles(side, mass) for side in (mass.shape[2], mass.shape[1]))
    return torch.stack([mass.sum(1) @ across, mass.sum(2) @ down], 1)


def laid(
    drawing: Float[Tensor, "n c p q"], place: Float[Tensor, "n 2"], size: tuple[int, int]
) -> Float[Tensor, "n c h w"]:
    """Drawings in a picture of that size with their middles at a place, bilinearly; around them their edges go on.

    Args:
        drawing: stretched to the picture.
        place: across and down, in [-1, 1] from edge to edge of the picture.
        size: height and width of the picture.
    """
    across, down = (_middles(side, place) for side in size[::-1])
    grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), 2) - place[:, None, None]
    return grid_sample(drawing, grid, padding_mode="border", align_corners=False)


def _middles(side: int, like: Tensor) -> Float[Tensor, " side"]:
    """The middles of so many pixels in a row, in [-1, 1] from edge to edge."""
    return (2 * torch.arange(side, device=like.device, dtype=like.dtype) + 1) / side - 1
