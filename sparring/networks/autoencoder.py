"""The tutorials' autoencoding generator: noise is encoded into a short code, and the code decoded into the item."""

from math import prod
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from sparring.errors import RequestError
from sparring.networks import Architecture
from sparring.networks.dcgan import StridedDiscriminator
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


class Autoencoder(Architecture):
    """Noise, encoder, low-dimensional code, decoder, item; against strided convolutions or dense layers."""

    any_shape: ClassVar[bool] = True
    width: int = Field(default=256, ge=1, le=65536, description="units of each hidden layer")
    depth: int = Field(default=2, ge=1, le=64, description="hidden layers of the encoder and of the decoder")
    code: int = Field(default=32, ge=1, le=65536, description="width of the code")
    judge: Literal["conv", "dense"] = Field(
        default="conv", description="the discriminator's layers; dense judges any shape"
    )
    channels: int = Field(default=64, ge=1, le=4096, description="channels of the convolutional judge's first layer")
    activation: Activation = Field(default="leaky-relu", description="after each hidden layer")
    dropout: float = Field(
        default=0.3, ge=0, lt=1, description="share of the convolutional judge's activations dropped"
    )
    spectral: bool = Field(default=False, description="spectral norm in the discriminator")

    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        entry = Embedded(latent, spec.condition)
        hidden = [self.width] * self.depth
        encoder = dense((entry.width, *hidden), self.activation)
        decoder = dense((self.code, *hidden), self.activation)
        body = nn.Sequential(encoder, nn.Linear(self.width, self.code), decoder)
        return DenseGenerator(spec.shape, entry, glorot(body), self.width)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        if self.judge == "dense":
            body = glorot(dense((prod(spec.shape), *[self.width] * self.depth), self.activation))
            return spectrally_normalised(DenseDiscriminator(spec.condition, body, self.width), self.spectral)
        if len(spec.shape) != 3:
            raise RequestError(
                f"autoencoder.judge = 'conv' judges pictures, not items of shape {spec.shape}; use judge=dense"
            )
        network = StridedDiscriminator(spec, self.channels, kernel=5, name=self.activation, dropout=self.dropout)
        return spectrally_normalised(network, self.spectral)
