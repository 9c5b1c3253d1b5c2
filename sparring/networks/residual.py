"""Residual restorers with sub-pixel enlargement, after EDSR (Lim et al. 2017) and ESPCN (Shi et al. 2016)."""

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_unshuffle

from sparring.networks import Architecture
from sparring.networks.given import BICUBIC, enlarged, joined, scale_of, start
from sparring.networks.judges import Judge, Patch
from sparring.networks.layers import he
from sparring.types import DataSpec, Samples


class Residual(Architecture):
    """Residual blocks without norm at the given picture's size; the last layer makes all pixels of the enlarged one.

    With ``fold`` 2 the blocks work at half the size, on four pixels at once, as in FFDNet (Zhang et al. 2018).
    """

    translates = True
    width: int = Field(default=48, ge=1, le=1024, description="channels")
    blocks: int = Field(default=5, ge=1, le=64, description="residual blocks, of two layers each")
    fold: int = Field(
        default=1,
        ge=1,
        le=4,
        description="pixels a side that become channels first, so that layers see as much further",
    )
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
        self.activation = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, maps: Tensor) -> Tensor:
        # In place, as large maps are costly to come by; no layer's gradient needs what is overwritten.
        return self.second(self.activation(self.first(maps))).add_(maps)


class ResidualRestorer(nn.Module):
    """Entry, blocks with a skip over all of them, and an exit by pixel shuffle; training begins at bicubic."""

    def __init__(self, family: Residual, spec: DataSpec, latent: int):
        super().__init__()
        self.scale, self.channels = scale_of(type(family), spec), spec.shape[0]
        self.fold = self.stride = family.fold
        self.reach = max(family.fold * (2 * family.blocks + 4), BICUBIC)
        width, finer = family.width, self.scale * family.fold
        self.footprint = 4 * (4 * width // family.fold**2 + 3 * self.channels * self.scale**2)
        self.entry = he(nn.Conv2d(spec.given[0] * family.fold**2 + latent, width, 3, padding=1), "relu")
        self.blocks = nn.Sequential(*(Block(width) for _ in range(family.blocks)))
        self.last = he(nn.Conv2d(width, width, 3, padding=1), "relu")
        self.activation = nn.ReLU(inplace=True)
        self.output = nn.Conv2d(width, self.channels * finer**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(finer)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, latent: Tensor | None, condition: Tensor) -> Samples:
        height, width = condition.shape[2:]
        whole = pad(condition, (0, -width % self.fold, 0, -height % self.fold), mode="replicate")
        maps = self.entry(joined(pixel_unshuffle(whole, self.fold), latent))
        maps = self.activation(self.last(self.blocks(maps)).add_(maps))
        made = self.shuffle(self.output(maps))[:, :, : height * self.scale, : width * self.scale]
        return Samples(start(enlarged(condition, self.scale), self.channels) + made)
