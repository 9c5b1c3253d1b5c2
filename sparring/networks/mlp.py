"""Deep dense networks without norm: for points, and for pictures by flattening them."""

from math import prod
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from sparring.networks import Architecture
from sparring.networks.layers import (
    Activation,
    DenseDiscriminator,
    DenseGenerator,
    Embedded,
    dense,
    he,
    spectrally_normalised,
)
from sparring.types import DataSpec


class Mlp(Architecture):
    """Hidden layers of one width on both sides, with weights after He et al. 2015."""

    any_shape: ClassVar[bool] = True
    width: int = Field(default=128, ge=1, le=65536, description="units of each hidden layer")
    depth: int = Field(default=3, ge=1, le=64, description="hidden layers on each side")
    activation: Activation = Field(default="leaky-relu", description="after each hidden layer")
    norm: Literal["none", "batch"] = Field(default="none", description="norm in the generator's hidden layers")
    octaves: int = Field(
        default=0, ge=0, le=16, description="sines and cosines of 1, 2, 4 … times each number that the judge sees too"
    )
    falloff: float = Field(
        default=0.0, ge=0, le=4, description="power by which a wave's height falls with its frequency; 1: equal slopes"
    )
    spectral: bool = Field(default=False, description="spectral norm in the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        entry = Embedded(latent, spec.condition)
        momentum = 0.1 if self.norm == "batch" else None
        body = he(dense((entry.width, *[self.width] * self.depth), self.activation, momentum), self.activation)
        return DenseGenerator(spec.shape, entry, body, self.width)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        seen = prod(spec.shape) * (1 + 2 * self.octaves)
        body = he(dense((seen, *[self.width] * self.depth), self.activation), self.activation)
        if self.octaves:
            body.insert(0, FourierFeatures(self.octaves, self.falloff))
        return spectrally_normalised(DenseDiscriminator(spec.condition, body, self.width), self.spectral)


class FourierFeatures(nn.Module):
    """Numbers with their sines and cosines at doubling frequencies, Tancik et al. 2020, section 4.

    A dense network by itself hardly sees details that are a hundredth of the data's spread. Waves of equal height would
    let it see nothing else at first: their slopes double with each octave, and a generator that follows the steepest
    one is lost among its many crests. Heights that fall with the frequency let coarse structure be learned first.

    Args:
        octaves: frequencies 1, 2, 4 … in radians a unit.
        falloff: power of the frequency by which heights are divided.
    """

    def __init__(self, octaves: int, falloff: float = 0.0):
        super().__init__()
        self.frequencies = [2.0**octave for octave in range(octaves)]
        self.heights = [frequency**-falloff for frequency in self.frequencies]

    def forward(self, items: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        waves = [items]
        for frequency, height in zip(self.frequencies, self.heights, strict=True):
            angles = items * frequency
            waves += [angles.sin() * height, angles.cos() * height]
        return torch.cat(waves, 1)
