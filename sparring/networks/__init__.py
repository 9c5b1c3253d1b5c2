"""The kind: an architecture builds a generator and a discriminator that match each other for a data specification."""

from abc import abstractmethod
from typing import ClassVar

from torch import nn

from sparring.part import Part
from sparring.types import DataSpec


class Architecture(Part):
    """A family of matching generators and discriminators; its fields are their sizes.

    A generator is called as ``generator(latent, condition)`` with ``latent`` ``(n, d)`` and ``condition``
    ``(n, spec.condition)`` or None, and returns :class:`~sparring.types.Samples` of ``(n, *spec.shape)`` in [-1, 1]
    for pictures. A discriminator is called as ``discriminator(items, condition)`` and returns
    :data:`~sparring.types.Scores`. Where ``spec.condition`` is 0, ``condition`` is None. A family that translates is
    given a picture ``(n, *spec.given)`` in the place of ``condition``; see :mod:`sparring.networks.given`.

    Attributes:
        any_shape: whether the family makes items of any shape, or pictures alone.
        sequential: whether the family makes series ``(channels, steps)`` alone.
        translates: whether the generator makes a picture of a picture rather than of a latent vector.
        by_the_million: whether items are made in such numbers that their latents are drawn all at once.
    """

    kind: ClassVar[str] = "network"
    home: ClassVar[str] = "sparring.networks"
    any_shape: ClassVar[bool] = False
    sequential: ClassVar[bool] = False
    translates: ClassVar[bool] = False
    by_the_million: ClassVar[bool] = False

    @abstractmethod
    def generator(self, spec: DataSpec, latent: int) -> nn.Module:
        """A generator with fresh weights from torch's global generator.

        Args:
            spec: what one item looks like.
            latent: width of the latent vector.

        Raises:
            RequestError: this family cannot make items of that shape; the message names the reason.
        """

    @abstractmethod
    def discriminator(self, spec: DataSpec) -> nn.Module:
        """A discriminator with fresh weights.

        Args:
            spec: what the discriminator's view of one item looks like.
        """


def choices_of(generator: nn.Module) -> int:
    """How many of the last numbers of its latent vector decide which choices a generator takes; 0 of most."""
    return getattr(generator, "choices", 0)
