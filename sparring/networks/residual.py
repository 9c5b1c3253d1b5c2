"""Residual restorers with sub-pixel enlargement, after EDSR (Lim et al. 2017) and ESPCN (Shi et al. 2016)."""

from pydantic import Field
from torch import Tensor, nn

from sparring.networks import Architecture
from sparring.networks.given import BICUBIC, enlarged, joined, scale_of, start
from sparring.networks.judges import Judge, Patch
from sparring.networks.layers import he
from sparring.types import DataSpec, Samples


class Residual(Architecture):
    """Residual blocks without norm at the given picture's size; the last layer makes all pixels of the enlarged one."""

    translates = True
    width: int = Field(default=48, ge=1, le=1024, description="channels")
    blocks: int = Field(default=5, ge=1, le=64, description="residual blocks, of two layers each")
    judge: Judge = Field(default=Patch(), description="the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return ResidualRestorer(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return self.judge.discriminator(spec)


class Block(nn.Module):
    """Convolution, ReLU, convolution, added to what came in; EDSR's block. It begins as the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.first = he(nn.Conv2d(width, width, 3, padding=1), "relu")
        self.activation = nn.ReLU()
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.second(self.activation(self.first(maps)))


class ResidualRestorer(nn.Module):
    """Entry, blocks with a skip over all of them, and an exit by pixel shuffle; training begins at bicubic."""

    def __init__(self, family: Residual, spec: DataSpec, latent: int):
        super().__init__()
        self.scale, self.channels = scale_of(type(family), spec), spec.shape[0]
        self.stride, self.reach = 1, max(2 * family.blocks + 4, BICUBIC)
        width = family.width
        self.footprint = 4 * (4 * width + 3 * self.channels * self.scale**2)
        self.entry = he(nn.Conv2d(spec.given[0] + latent, width, 3, padding=1), "relu")
        self.blocks = nn.Sequential(*(Block(width) for _ in range(family.blocks)))
        self.last = he(nn.Conv2d(width, width, 3, padding=1), "relu")
        self.activation = nn.ReLU()
        self.output = nn.Conv2d(width, self.channels * self.scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(self.scale)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, latent: Tensor | None, condition: Tensor) -> Samples:
        maps = self.entry(joined(condition, latent))
        maps = self.activation(self.last(self.blocks(maps)) + maps)
        base = start(enlarged(condition, self.scale), self.channels)
        return Samples(base + self.shuffle(self.output(maps)))
