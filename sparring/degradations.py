"""Degradations: how a clean picture becomes the one that a restorer is given. Every step is a part, and steps compose.

A picture is ``(c, h, w)`` float32 in [-1, 1]. What is drawn comes from the generator that is passed in, so that a
degraded picture is a function of the picture and a seed.
"""

from abc import abstractmethod
from collections.abc import Sequence
from math import ceil
from typing import ClassVar, Self

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from sparring.part import Part
from sparring.pictures import from_jpeg, to_jpeg

Picture = Float[Tensor, "c h w"]
HALF = 127.5
"""Steps of 8 bits in one unit of the encoded range."""
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness, ITU-R BT.601."""


class Degradation(Part):
    """The kind."""

    kind: ClassVar[str] = "degradation"
    home: ClassVar[str] = "sparring.degradations"

    @abstractmethod
    def __call__(self, picture: Picture, source: torch.Generator) -> Picture:
        """The degraded picture; draws come from ``source`` alone."""


def _ordered(low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"low = {low} is above high = {high}")


def degrade(steps: Sequence[Degradation], picture: Picture, source: torch.Generator) -> Float[Tensor, "d p q"]:
    """The picture after all steps, in their order."""
    for step in steps:
        picture = step(picture, source)
    return picture


def between(low: float, high: float, source: torch.Generator) -> float:
    """A uniform draw; the bound itself, without a draw, where both are equal."""
    return low if low == high else low + (high - low) * float(torch.rand((), generator=source))


class GaussianNoise(Degradation):
    """White Gaussian noise of a strength drawn from an interval; values may leave the range, as in DnCNN's protocol."""

    low: float = Field(default=25.0, ge=0, le=255, description="least standard deviation, in steps of 8 bits")
    high: float = Field(default=25.0, ge=0, le=255, description="greatest; equal to low for one known strength")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ordered(self.low, self.high)
        return self

    def __call__(self, picture: Picture, source: torch.Generator) -> Picture:
        strength = between(self.low, self.high, source) / HALF
        return picture + strength * torch.randn(picture.shape, generator=source)


class Stored(Degradation):
    """The picture as a file of 8 bits holds it: cut to its range and rounded."""

    def __call__(self, picture: Picture, source: torch.Generator) -> Picture:
        return rounded(picture)


class SaltAndPepper(Degradation):
    """Pixels that turn black or white."""

    low: float = Field(default=0.02, ge=0, le=1, description="least share of the pixels")
    high: float = Field(default=0.1, ge=0, le=1, description="greatest share")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ordered(self.low, self.high)
        return self

    def __call__(self, picture: Picture, source: torch.Generator) -> Picture:
        share = between(self.low, self.high, source)
        draws = torch.rand(picture.shape[1:], generator=source)
        return torch.where(draws < share / 2, -1.0, torch.where(draws < share, 1.0, picture))


class Blur(Degradation):
    """A Gaussian blur."""

    low: float = Field(default=0.5, gt=0, le=20, description="least standard deviation in pixels")
    high: float = Field(default=1.5, gt=0, le=20, description="greatest")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ordered(self.low, self.high)
        return self

    def __call__(self, picture: Picture, source: torch.Generator) -> Picture:
        sigma = between(self.low, self.high, source)
        reach = ceil(3 * sigma)
        line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
        line = line / line.sum()
        maps = pad(picture[:, None], (reach,) * 4, mode="replicate")
        return conv2d(conv2d(maps, line[None, None, :, None]), line[None, None, None, :])[:, 0]


class Jpeg(Degradation):
    """Compression as JPEG, by Pillow; the picture is rounded to 8 bits on the way."""

    low: int = Field(default=20, ge=1, le=95, description="least quality")
    high: int = Field(default=60, ge=1, le=95, description="greatest quality")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ordered(self.low, self.high)
        return self

    def __call__(self, picture: Picture, source: torch.Generator) -> Picture:
        return from_jpeg(to_jpeg(picture, round(between(self.low, self.high, source))))


class LowLight(Degradation):
    """Less light, and the noise that comes with it: range [0, 1] to ``gain * x**gamma``, then Gaussian noise."""

    gain_low: float = Field(default=0.2, gt=0, le=1, description="least share of the light")
    gain_high: float = Field(default=0.6, gt=0, le=1, description="greatest")
    gamma: float = Field(default=1.5, gt=0, le=5, description="exponent; above 1 shadows get deeper")
    noise: float = Field(default=4.0, ge=0, le=255, description="standard deviation of the noise, in steps of 8 bits")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.gain_low > self.gain_high:
            raise ValueError(f"gain_low = {self.gain_low} is above gain_high = {self.gain_high}")
        return self

    def __call__(self, picture: Picture, source: torch.Generator) -> Picture:
        gain = between(self.gain_low, self.gain_high, source)
        dark = gain * ((picture.clamp(-1, 1) + 1) / 2) ** self.gamma
        return dark * 2 - 1 + self.noise / HALF * torch.randn(picture.shape, generator=source)


class Downscale(Degradation):
    """Fewer pixels, by bicubic with antialiasing (a = -0.5, as Pillow and MATLAB have it), rounded to 8 bits."""

    factor: int = Field(default=4, ge=1, le=8, description="by how much height and width shrink")

    def __call__(self, picture: Picture, source: torch.Generator) -> Float[Tensor, "c p q"]:
        size = max(1, picture.shape[1] // self.factor), max(1, picture.shape[2] // self.factor)
        return rounded(resize(picture, size))


class Grey(Degradation):
    """Luma of ITU-R BT.601, as Pillow has it: one channel."""

    def __call__(self, picture: Picture, source: torch.Generator) -> Float[Tensor, "1 h w"]:
        return grey(picture)


def grey(picture: Picture) -> Float[Tensor, "1 h w"]:
    """The luma of a picture, one channel; one of one channel is as it was."""
    if picture.shape[0] == 1:
        return picture
    return (picture[:3] * torch.tensor(LUMA).to(picture)[:, None, None]).sum(0, keepdim=True)


def resize(picture: Picture, size: tuple[int, int]) -> Float[Tensor, "c p q"]:
    """Bicubic, antialiased where it shrinks; a = -0.5, as Pillow has it."""
    if tuple(picture.shape[1:]) == size:
        return picture
    return interpolate(picture[None], size=size, mode="bicubic", align_corners=False, antialias=True)[0]


def rounded(picture: Picture) -> Picture:
    """The nearest values that 8 bits have."""
    return ((picture.clamp(-1, 1) + 1) * HALF).round() / HALF - 1


class Holes(Part):
    """The kind: draws masks of what is known of a picture."""

    kind: ClassVar[str] = "holes"
    home: ClassVar[str] = "sparring.degradations"

    @abstractmethod
    def __call__(self, height: int, width: int, source: torch.Generator) -> Float[Tensor, "1 h w"]:
        """1 where a location is known and 0 in holes."""


class Rectangles(Holes):
    """Rectangles at uniform places inside of the picture."""

    low: float = Field(default=0.25, gt=0, le=1, description="least height and width, as a share of the picture's")
    high: float = Field(default=0.5, gt=0, le=1, description="greatest")
    count: int = Field(default=1, ge=1, le=100, description="rectangles a picture")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ordered(self.low, self.high)
        return self

    def __call__(self, height: int, width: int, source: torch.Generator) -> Float[Tensor, "1 h w"]:
        known = torch.ones(1, height, width)
        for _ in range(self.count):
            sides = [max(1, round(side * between(self.low, self.high, source))) for side in (height, width)]
            draws = torch.rand(2, generator=source)
            top, left = (
                int(d * (n - s + 1)) for d, n, s in zip(draws, (height, width), sides, strict=True)
            )  # fmt: skip
            known[:, top : top + sides[0], left : left + sides[1]] = 0
        return known


class Strokes(Holes):
    """Brush strokes: chains of thick segments, in the manner of Yu et al. 2019 (free-form inpainting), algorithm 1."""

    count: int = Field(default=3, ge=1, le=100, description="strokes a picture")
    segments: int = Field(default=4, ge=1, le=50, description="segments a stroke")
    length: float = Field(default=0.25, gt=0, le=1, description="longest segment, as a share of the shorter side")
    thickness: float = Field(default=0.08, gt=0, le=0.5, description="of the brush, as a share of the shorter side")

    def __call__(self, height: int, width: int, source: torch.Generator) -> Float[Tensor, "1 h w"]:
        short = min(height, width)
        place = torch.stack(
            torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij"), -1
        )
        known = torch.ones(height, width)
        for _ in range(self.count):
            at = torch.rand(2, generator=source) * torch.tensor([height, width])
            for _ in range(self.segments):
                angle, share = torch.rand(2, generator=source).tolist()
                turn = torch.tensor(angle * 2 * torch.pi)
                step = torch.stack([turn.sin(), turn.cos()]) * share * self.length * short
                known[_distance(place, at, step) <= max(0.5, self.thickness * short / 2)] = 0
                at = (at + step).clamp(min=torch.zeros(2), max=torch.tensor([height - 1.0, width - 1.0]))
        return known[None]


def _distance(
    place: Float[Tensor, "h w 2"], start: Float[Tensor, "2"], step: Float[Tensor, "2"]
) -> Float[Tensor, "h w"]:
    """From each place to the segment of that start and step."""
    along = ((place - start) @ step / step.square().sum().clamp(min=1e-9)).clamp(0, 1)
    return (place - start - along[..., None] * step).norm(dim=-1)
