"""Facts: what recipes know of the data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What a recipe chooses by.

    Attributes:
        modality: name of the codec.
        shape: of one encoded item.
        count: items to learn from.
        attributes: names of the attributes to be conditioned on.
        choices: how many choices a row of a table has.
        task: name of the task.
        registered: whether the two pictures of a pair lie on each other, pixel on pixel, where there are pairs.
    """

    modality: str
    shape: tuple[int, ...]
    count: int
    attributes: tuple[str, ...] = ()
    choices: int = 0
    task: str = "generation"
    registered: bool = True
