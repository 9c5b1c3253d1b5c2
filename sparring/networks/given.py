"""What the families that make a picture of a picture share: sizes, the entry, and what is added to the output.

Such a generator is called as ``generator(latent, given)`` with ``given`` ``(n, *spec.given)`` of any height and width;
its output is ``scale`` times as large. It tells about itself, for tiles:

* ``scale``: height of the output by that of the input,
* ``stride``: tiles begin at multiples of so many pixels of the input,
* ``reach``: an output pixel depends on input pixels at most so far away, or None where it depends on all of them,
* ``footprint``: bytes that its maps take at once, per pixel of the input, as measured.
"""

from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from sparring.errors import RequestError
from sparring.networks import Architecture
from sparring.types import DataSpec

BICUBIC = 3
"""Pixels of the input that a bicubically enlarged pixel depends on, to each side."""


def scale_of(family: type[Architecture], spec: DataSpec) -> int:
    """By how much pictures are enlarged.

    Raises:
        RequestError: no picture is given, or it does not grow by a whole number.
    """
    if len(spec.given) != 3 or len(spec.shape) != 3:
        raise RequestError(
            f"{family.name} makes pictures of pictures and needs a task that gives it one; see 'sparring list task'"
        )
    scale = ceil(spec.shape[1] / spec.given[1])
    if tuple(side // scale for side in spec.shape[1:]) != tuple(spec.given[1:]):
        raise RequestError(f"{family.name} enlarges by whole numbers, not {spec.given} to {spec.shape}")
    return scale


def joined(given: Float[Tensor, "n c h w"], latent: Float[Tensor, "n d"] | None) -> Tensor:
    """The given picture with one constant map for each number of the latent."""
    if latent is None or latent.shape[1] == 0:
        return given
    maps = latent[:, :, None, None].expand(-1, -1, *given.shape[2:])
    return torch.cat([given, maps.to(given.dtype)], 1)


def enlarged(pictures: Float[Tensor, "n c h w"], scale: int) -> Tensor:
    """Bicubically enlarged by a whole number."""
    if scale == 1:
        return pictures
    size = [side * scale for side in pictures.shape[2:]]
    return interpolate(pictures, size=size, mode="bicubic", align_corners=False, antialias=True)


def start(given: Float[Tensor, "n c h w"], channels: int) -> Tensor:
    """What a residual is added to: the given picture's first channels, one grey channel repeated where it has one."""
    return given[:, :channels] if given.shape[1] >= channels else given[:, :1].expand(-1, channels, -1, -1)
