"""What tasks from pictures to pictures share: a generator that is given a picture, and how its output is finished."""

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from sparring.errors import RequestError
from sparring.tasks import Task
from sparring.types import Batch, DataSpec

Picture = Float[Tensor, "c h w"]


class PictureTask(Task):
    """A task whose generator makes a picture of a picture.

    Attributes:
        masked: whether the generator is also given which places are known, as a last channel.
        recolours: whether a grey picture may get colours.
    """

    masked: ClassVar[bool] = False
    recolours: ClassVar[bool] = False

    @abstractmethod
    def channels(self, data: DataSpec) -> int:
        """Channels of the picture that a user gives, without a mask: 1 grey, 3 RGB."""

    @abstractmethod
    def finish(self, made: Float[Tensor, "n c h w"], given: Float[Tensor, "n d p q"]) -> Float[Tensor, "n c h w"]:
        """What a user gets, from what the generator made of what it was given."""


def prepared(picture: Float[Tensor, "n c h w"], mask: Float[Tensor, "n 1 h w"] | None) -> Float[Tensor, "n d h w"]:
    """What a generator is given: the picture, or, with a mask, the picture grey in its holes and the mask."""
    return picture if mask is None else torch.cat([picture * mask, mask], 1)


class Degraded(NamedTuple):
    """A picture as a user would give it, with what should become of it."""

    given: Picture
    target: Picture
    mask: Float[Tensor, "1 h w"] | None = None


class Restoration(PictureTask):
    """A task that makes its examples from clean pictures."""

    paired: ClassVar[bool] = True
    source: ClassVar[str] = "photos"

    @abstractmethod
    def degrade(self, clean: Picture, source: torch.Generator) -> Degraded:
        """One example of a clean picture; what is drawn comes from ``source``."""

    def batch(self, data: Batch) -> Batch:
        assert data.keys is not None, "degradations are drawn by the keys of a batch"
        examples = [
            self.degrade(clean, torch.Generator().manual_seed(int(key)))
            for clean, key in zip(data.target, data.keys, strict=True)
        ]
        given = torch.stack([example.given for example in examples])
        masks = [example.mask for example in examples if example.mask is not None]
        mask = torch.stack(masks) if masks else None
        target = torch.stack([example.target for example in examples])
        return Batch(target, prepared(given, mask), mask, keys=data.keys)


def picture_task(task: Task) -> PictureTask:
    """The task, where it is one from pictures to pictures.

    Raises:
        RequestError: it is another.
    """
    if isinstance(task, PictureTask):
        return task
    raise RequestError(f"a model of the task '{task.name}' makes new items, by 'sparring sample', and restores none")


def needs_pictures(task: Task, data: DataSpec) -> None:
    """Refuses data of which no generator could be given a picture."""
    if len(data.shape) != 3:
        raise RequestError(f"the task '{task.name}' works on pictures, not on items of shape {data.shape}")
