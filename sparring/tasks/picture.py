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
        gamma: of R1, were a verdict that of one patch of 8x8 pixels; what lies near its truth is told from it by a
            steep discriminator alone.
    """

    translates: ClassVar[bool] = True
    masked: ClassVar[bool] = False
    recolours: ClassVar[bool] = False
    gamma: ClassVar[float] = 0.1

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
    """A task that makes its examples from clean pictures, or takes those that the data hold."""

    paired: ClassVar[bool] = True
    source: ClassVar[str] = "photos"

    @abstractmethod
    def degrade(self, clean: Picture, source: torch.Generator) -> Degraded:
        """One example of a clean picture; what is drawn comes from ``source``."""


def examples(task: Restoration, data: Batch) -> Batch:
    """The pairs that the data hold, else one degraded picture for each clean one, drawn by its key."""
    if data.condition is not None:
        return Batch(data.target, data.condition, keys=data.keys)
    assert data.keys is not None, "degradations are drawn by the keys of a batch"
    made = [
        task.degrade(clean, torch.Generator().manual_seed(int(key)))
        for clean, key in zip(data.target, data.keys, strict=True)
    ]
    given = torch.stack([example.given for example in made])
    masks = [example.mask for example in made if example.mask is not None]
    mask = torch.stack(masks) if masks else None
    target = torch.stack([example.target for example in made])
    return Batch(target, prepared(given, mask), mask, keys=data.keys)


def with_strength(given: Float[Tensor, "n c h w"], strength: Float[Tensor, " n"]) -> Float[Tensor, "n d h w"]:
    """Pictures with one more channel: the strength of their noise, in encoded units."""
    return torch.cat([given, strength[:, None, None, None].expand(-1, 1, *given.shape[2:]).to(given)], 1)


def takes_strength(task: PictureTask, data: DataSpec) -> bool:
    """Whether the generator is told how strong the noise is."""
    return task.spec(data).given[0] > task.channels(data) + task.masked


def picture_task(task: Task) -> PictureTask:
    """The task, where it is one from pictures to pictures.

    Raises:
        RequestError: it is another.
    """
    if isinstance(task, PictureTask):
        return task
    raise RequestError(f"a model of the task '{task.name}' makes new items, by 'sparring sample', and restores none")


def refuse_other_settings(first: Task, other: Task, names: tuple[str, str]) -> None:
    """Refuses to set models beside each other that are given other pictures: another task, or other settings but game.

    Args:
        first: a task.
        other: another; any may be beside any where none gives pictures.
        names: of the runs that learned them.

    Raises:
        RequestError: they are; the message names the fields.
    """
    if not any(isinstance(task, PictureTask) for task in (first, other)):
        return
    one, two = (task.to_json() | {"game": None} for task in (first, other))
    if one != two:
        fields = ", ".join(field for field in one if one[field] != two.get(field))
        which = f"{first.name} and {other.name}" if first.name != other.name else f"{first.name} of other {fields}"
        raise RequestError(
            f"{names[0]} and {names[1]} are given other pictures ({which}); only runs of one task and its settings "
            "can be compared"
        )


def needs_pictures(task: Task, data: DataSpec) -> None:
    """Refuses data of which no generator could be given a picture."""
    if len(data.shape) != 3:
        raise RequestError(f"the task '{task.name}' works on pictures, not on items of shape {data.shape}")
