"""Plain deep restorers without norm, after DnCNN (Zhang et al. 2017) and VDSR (Kim et al. 2016)."""

from math import ceil

from pydantic import Field
from torch import Tensor, nn

from sparring.networks import Architecture
from sparring.networks.given import BICUBIC, enlarged, joined, scale_of, start
from sparring.networks.judges import Judge, Patch
from sparring.networks.layers import he
from sparring.types import DataSpec, Samples


class Plain(Architecture):
    """Convolutions of 3x3 with ReLU that make what is added to the given picture, bicubically enlarged where needed."""

    translates = True
    width: int = Field(default=48, ge=1, le=1024, description="channels of the hidden layers")
    depth: int = Field(default=9, ge=2, le=64, description="layers")
    judge: Judge = Field(default=Patch(), description="the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        return PlainRestorer(self, spec, latent)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return self.judge.discriminator(spec)


class PlainRestorer(nn.Module):
    """The residual begins at zero, so that training begins at the given picture."""

    def __init__(self, family: Plain, spec: DataSpec, latent: int):
        super().__init__()
        self.scale, self.channels = scale_of(type(family), spec), spec.shape[0]
        self.stride, self.footprint = 1, 16 * family.width * self.scale**2
        self.reach = ceil(family.depth / self.scale) + (BICUBIC if self.scale > 1 else 0)
        before, self.body = spec.given[0] + latent, nn.Sequential()
        for _ in range(family.depth - 1):
            self.body.append(nn.Conv2d(before, family.width, 3, padding=1)).append(nn.ReLU())
            before = family.width
        he(self.body, "relu")
        self.output = nn.Conv2d(before, self.channels, 3, padding=1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, latent: Tensor | None, condition: Tensor) -> Samples:
        given = enlarged(condition, self.scale)
        return Samples(start(given, self.channels) + self.output(self.body(joined(given, latent))))
