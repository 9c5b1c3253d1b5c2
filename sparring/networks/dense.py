"""Dense networks on flattened items: the tutorials' first GAN."""

from math import prod
from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from sparring.networks import Architecture
from sparring.networks.layers import (
    Activation,
    DenseDiscriminator,
    DenseGenerator,
    Embedded,
    dense,
    glorot,
    spectrally_normalised,
)
from sparring.types import DataSpec

Width = Annotated[int, Field(ge=1, le=65536)]


class Dense(Architecture):
    """One hidden layer of 128 leaky rectified units on each side; tanh makes pictures."""

    any_shape: ClassVar[bool] = True
    hidden: tuple[Width, ...] = Field(
        default=(128,), min_length=1, description="widths of the generator's hidden layers"
    )
    judge: tuple[Width, ...] = Field(
        default=(128,), min_length=1, description="widths of the discriminator's hidden layers"
    )
    activation: Activation = Field(default="leaky-relu", description="after each hidden layer")
    spectral: bool = Field(default=False, description="spectral norm in the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        entry = Embedded(latent, spec.condition)
        body = glorot(dense((entry.width, *self.hidden), self.activation))
        return DenseGenerator(spec.shape, entry, body, self.hidden[-1])

    def discriminator(self, spec: DataSpec) -> nn.Module:
        body = glorot(dense((prod(spec.shape), *self.judge), self.activation))
        return spectrally_normalised(DenseDiscriminator(spec.condition, body, self.judge[-1]), self.spectral)
