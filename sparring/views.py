"""Views: what the discriminator sees of an item. Each is differentiable, and views compose."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from math import radians
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sparring.errors import RequestError
from sparring.memories import Memory
from sparring.part import Part
from sparring.pictures import brighten, contrast, cut, saturate, translate, warp
from sparring.randomness import Noise
from sparring.types import DataSpec


@dataclass(frozen=True)
class Sight:
    """The circumstances of one look.

    Attributes:
        noise: draws of this turn.
        name: what is looked at ("real", "fake"), so that two looks in a turn draw differently.
        progress: share of the planned run that is over, in [0, 1].
        memory: the module that :meth:`View.memory` made, where there is one.
    """

    noise: Noise
    name: str
    progress: float
    memory: nn.Module | None = None


class View(Part):
    """The kind.

    Attributes:
        augments: whether items are changed at random, so that few of them are harder to learn by heart.
    """

    kind: ClassVar[str] = "view"
    home: ClassVar[str] = "sparring.views"
    augments: ClassVar[bool] = False

    def spec(self, spec: DataSpec) -> DataSpec:
        """What the discriminator sees of an item with this specification."""
        return spec

    @abstractmethod
    def __call__(self, items: Tensor, condition: Tensor | None, sight: Sight) -> tuple[Tensor, Tensor | None]:
        """The view of items ``(n, ...)`` and of their conditions."""

    def memory(self) -> nn.Module | None:
        """A module with the buffers that the view keeps from step to step, if any."""
        return None


class Pack(View):
    """PacGAN, Lin et al. 2018: neighbouring items are judged together, side by side in their channels or features.

    Item ``i`` of the view holds items ``i * count`` to ``i * count + count - 1``; likewise the conditions.
    """

    count: int = Field(default=2, ge=1, le=64, description="items in a pack; divides the batch")

    def spec(self, spec: DataSpec) -> DataSpec:
        return DataSpec((self.count * spec.shape[0], *spec.shape[1:]), self.count * spec.condition)

    def __call__(self, items: Tensor, condition: Tensor | None, sight: Sight) -> tuple[Tensor, Tensor | None]:
        if items.shape[0] % self.count:
            raise RequestError(
                f"pack.count = {self.count} does not divide the {items.shape[0]} items of {sight.name}; "
                "choose a batch that it divides, for every process"
            )
        packed = None if condition is None else condition.reshape(-1, self.count * condition.shape[1])
        return items.reshape(-1, self.count * items.shape[1], *items.shape[2:]), packed


class InstanceNoise(View):
    """Instance noise, Sønderby et al. 2017, section 3: Gaussian noise that fades out linearly over the run."""

    deviation: float = Field(default=0.1, ge=0, description="standard deviation at the start")
    until: float = Field(default=1.0, gt=0, le=1, description="share of the run at which no noise is left")

    def __call__(self, items: Tensor, condition: Tensor | None, sight: Sight) -> tuple[Tensor, Tensor | None]:
        deviation = self.deviation * max(0.0, 1 - sight.progress / self.until)
        if not deviation:
            return items, condition
        return items + deviation * _draws(items, sight, "instance-noise", *items.shape[1:], normal=True), condition


class DiffAugment(View):
    """DiffAugment, Zhao et al. 2020: colour, translation and cutout of real and generated pictures alike."""

    augments: ClassVar[bool] = True
    color: bool = Field(default=True, description="change brightness, saturation and contrast")
    translation: float = Field(default=0.125, ge=0, lt=1, description="largest shift, as a share of height and width")
    cutout: float = Field(
        default=0.5, ge=0, le=1, description="height and width of the hole, as a share of the picture's"
    )
    fill: float = Field(
        default=0.0, ge=-1, le=1, description="value outside the shifted picture and in the hole; -1 is black"
    )

    def __call__(self, items: Tensor, condition: Tensor | None, sight: Sight) -> tuple[Tensor, Tensor | None]:
        _picture(self, items)
        given = items
        draws = _draws(items, sight, self.name, 7)
        if self.color:
            items = brighten(items, draws[:, 0] - 0.5)
            items = saturate(items, draws[:, 1] * 2)
            items = contrast(items, draws[:, 2] + 0.5)
        if self.translation:
            items = translate(items, draws[:, 3:5], self.translation, self.fill)
        if self.cutout:
            items = cut(items, draws[:, 5:7], share=self.cutout, fill=self.fill)
        return _laid(items, given), condition


class Strength(Memory):
    """What adaptive augmentation remembers.

    Attributes:
        strength: p, the probability of each change of an item, in [0, 1].
        images: real items that had been seen when p was last moved.
    """

    strength: Tensor
    images: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("strength", torch.zeros((), dtype=torch.float64))
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))


class AdaptiveAugment(View):
    """Adaptive augmentation, Karras et al. 2020: each change of an item has probability p, which follows overfitting.

    What lies outside a moved picture is its mirror image, so that no edge gives a change away.
    """

    augments: ClassVar[bool] = True
    target: float = Field(
        default=0.6, gt=0, lt=1, description="gap between learned and held-back items that p keeps to"
    )
    speed: float = Field(default=0.1, gt=0, description="share of the planned images in which p could go from 0 to 1")
    limit: float = Field(
        default=0.8, ge=0, le=1, description="largest p; above 0.8 the generator learns the changes too"
    )
    unseen: float = Field(
        default=0.5, ge=0, le=1, description="p where nothing is held back, so that there is no gap to be seen"
    )
    every: int = Field(default=4, ge=1, description="steps from one look at the gap to the next")
    flip: bool = Field(default=False, description="mirror left to right, which digits and letters do not bear")
    translation: float = Field(default=0.125, ge=0, lt=1, description="shift, as a share of height and width")
    scale: float = Field(default=0.2, ge=0, le=1, description="deviation of size, in doublings")
    stretch: float = Field(
        default=0.2, ge=0, le=1, description="deviation of the ratio of width to height, in doublings"
    )
    rotation: float = Field(default=15.0, ge=0, le=180, description="largest rotation in degrees")
    brightness: float = Field(default=0.2, ge=0, le=2, description="deviation of brightness; the range of pixels is 2")
    contrast: float = Field(default=0.5, ge=0, le=4, description="deviation of contrast, in doublings")
    saturation: float = Field(default=1.0, ge=0, le=4, description="deviation of colourfulness, in doublings")
    cutout: float = Field(
        default=0.5, ge=0, le=1, description="height and width of the grey hole, as a share of the picture's"
    )

    def memory(self) -> nn.Module:
        return Strength()

    @torch.no_grad()
    def assume(self, memory: nn.Module) -> None:
        """Sets p, in place, where no items are held back."""
        assert isinstance(memory, Strength), "adaptive-augment needs the memory that it made"
        memory.strength.fill_(min(self.unseen, self.limit))

    @torch.no_grad()
    def update(  # noqa: PLR0913, PLR0917
        self, memory: nn.Module, train: Tensor, select: Tensor, fake: Tensor, images: int, planned: int
    ) -> None:
        """Tells the memory, which moves p up where the discriminator knows its training items by heart, else down.

        The gap is (train - select) / (train - fake) between mean verdicts, r_v of Karras et al. 2020, eq. 1: 0 where
        held-back items pass for learned ones, 1 where they pass for generated ones.

        Args:
            memory: the module that :meth:`memory` made.
            train: verdicts on real items that are learned from, ``(n,)``.
            select: verdicts on real items that are held back.
            fake: verdicts on generated items.
            images: real items seen so far.
            planned: real items that the whole run will see.
        """
        assert isinstance(memory, Strength), "adaptive-augment needs the memory that it made"
        move = partial(self._move, memory, images=images, planned=planned)
        memory.tell(move, train.mean() - fake.mean(), train.mean() - select.mean())

    def _move(self, memory: "Strength", apart: Tensor, gap: Tensor, *, images: int, planned: int) -> None:
        """Moves p by how far apart the discriminator keeps both sides, and by its gap on real items."""
        overfits = (gap > self.target * apart.clamp(min=0)) & (apart > 0)
        way = (images - memory.images) / (self.speed * planned)
        memory.strength += torch.where(overfits.to(way.device), way, -way).to(memory.strength)
        memory.strength.clamp_(0, self.limit)
        memory.images.fill_(images)

    def __call__(self, items: Tensor, condition: Tensor | None, sight: Sight) -> tuple[Tensor, Tensor | None]:
        _picture(self, items)
        assert isinstance(sight.memory, Strength), "adaptive-augment needs the memory that it made"
        if not sight.memory.strength:
            return items, condition
        given = items
        draws = _draws(items, sight, self.name, 16)
        normal = _draws(items, sight, f"{self.name} normal", 7, normal=True)
        chosen = (draws[:, :10] < sight.memory.strength).unbind(1)
        items = warp(items, *self._motion(items.shape[2:], chosen, draws, normal))
        items = contrast(items, torch.where(chosen[6], (normal[:, 4] * self.contrast).exp2(), 1), about_mean=False)
        items = saturate(items, torch.where(chosen[7], (normal[:, 5] * self.saturation).exp2(), 1))
        items = brighten(items, torch.where(chosen[8], normal[:, 6] * self.brightness, 0))
        items = cut(items, draws[:, 14:16], share=self.cutout, fill=0.0, chosen=chosen[9])
        return _laid(items, given), condition

    def _motion(
        self, size: torch.Size, chosen: tuple[Tensor, ...], draws: Tensor, normal: Tensor
    ) -> tuple[Tensor, ...]:
        """The affine map from places of the view to places of the picture: ``(n, 2, 2)``, and pixels ``(n, 2)``."""
        extent = draws.new_tensor(size)
        whole = ((draws[:, 10:12] * 2 - 1) * self.translation * extent).round()
        part = normal[:, 0:2] * self.translation * extent
        shift = torch.where(chosen[0][:, None], whole, 0) + torch.where(chosen[1][:, None], part, 0)
        zoom = torch.where(chosen[2], (normal[:, 2] * self.scale).exp2(), 1)
        ratio = torch.where(chosen[3], (normal[:, 3] * self.stretch / 2).exp2(), 1)
        turn = torch.where(chosen[4], (draws[:, 12] * 2 - 1) * radians(self.rotation), 0)
        mirror = torch.where(chosen[5] & (draws[:, 13] < 0.5), -1, 1) if self.flip else 1
        cosine, sine = turn.cos(), turn.sin()
        down, across = zoom * ratio, zoom / ratio * mirror
        matrix = torch.stack([cosine * down, sine * across, -sine * down, cosine * across], 1)
        return matrix.unflatten(1, (2, 2)), shift


def _picture(view: View, items: Tensor) -> None:
    if items.ndim != 4:
        raise RequestError(f"{view.name} changes pictures, not items of shape {tuple(items.shape[1:])}; leave it out")


def _draws(items: Tensor, sight: Sight, name: str, *shape: int, normal: bool = False) -> Tensor:
    """One draw an item, in the items' type; a pack takes the draw of its first item."""
    draw = sight.noise.normal if normal else sight.noise.uniform
    draws = draw(f"{name} {sight.name}", *shape).to(items.dtype)
    return draws[:: max(1, draws.shape[0] // items.shape[0])]


def _laid(items: Tensor, given: Tensor) -> Tensor:
    """The items in the memory layout of those that were given."""
    last = given.is_contiguous(memory_format=torch.channels_last)
    return items.contiguous(memory_format=torch.channels_last) if last else items
