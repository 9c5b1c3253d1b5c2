"""A dense generator against a convolutional discriminator, a tutorial's network."""

from typing import Annotated

from pydantic import Field
from torch import nn

from sparring.networks import Architecture
from sparring.networks.dcgan import StridedDiscriminator
from sparring.networks.layers import (
    Activation,
    DenseGenerator,
    Embedded,
    dense,
    glorot,
    picture,
    spectrally_normalised,
)
from sparring.types import DataSpec

Width = Annotated[int, Field(ge=1, le=65536)]


class DenseConv(Architecture):
    """Generator 128-128-100 with batch norm; discriminator of strided 3x3 convolutions with dropout.

    The tutorial squeezed its output to [0, 1] and activated twice around batch norm; here tanh makes the picture, and
    the activation stands behind the norm.
    """

    hidden: tuple[Width, ...] = Field(
        default=(128, 128, 100), min_length=1, description="widths of the generator's layers"
    )
    width: int = Field(default=64, ge=1, le=4096, description="channels of the discriminator's first convolution")
    activation: Activation = Field(default="leaky-relu", description="after each hidden layer")
    momentum: float = Field(
        default=0.01, gt=0, le=1, description="share of the new batch in batch norm's running statistics"
    )
    dropout: float = Field(
        default=0.3, ge=0, lt=1, description="share of the discriminator's activations that is dropped"
    )
    spectral: bool = Field(default=False, description="spectral norm in the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        picture(type(self), spec.shape)
        entry = Embedded(latent, spec.condition)
        body = glorot(dense((entry.width, *self.hidden), self.activation, self.momentum))
        return DenseGenerator(spec.shape, entry, body, self.hidden[-1])

    def discriminator(self, spec: DataSpec) -> nn.Module:
        picture(type(self), spec.shape)
        network = StridedDiscriminator(spec, self.width, kernel=3, name=self.activation, dropout=self.dropout)
        return spectrally_normalised(network, self.spectral)
