"""Colorization: colour for grey pictures; and decolorization, its inverse."""

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from sparring.data import Decoded
from sparring.degradations import LUMA, grey
from sparring.errors import RequestError
from sparring.games import Game
from sparring.games.paired import Paired
from sparring.networks.plain import Plain
from sparring.networks.unet import Unet
from sparring.tasks.picture import Degraded, Picture, Restoration, examples, needs_pictures
from sparring.terms import L1
from sparring.types import Batch, DataSpec


class Colorization(Restoration):
    """RGB pictures from grey ones, whose brightness is kept."""

    game: Game = Field(default=Paired(network=Unet(width=16), terms=(L1(),)), description="the game that is played")

    def spec(self, data: DataSpec) -> DataSpec:
        _needs_colour(self, data)
        return DataSpec(data.shape, given=(1, *data.shape[1:]))

    def batch(self, data: Batch) -> Batch:
        return examples(self, data)

    def channels(self, data: DataSpec) -> int:
        return 1

    def degrade(self, clean: Picture, source: torch.Generator) -> Degraded:
        return Degraded(grey(clean), clean)

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        luma = (made * made.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
        return made + (given - luma)


class Decolorization(Restoration):
    """Grey pictures from RGB ones, learned; its answer is known, so it shows whether anything is learned at all."""

    game: Game = Field(
        default=Paired(network=Plain(width=16, depth=3), terms=(L1(),), adversary=0.0),
        description="the game that is played",
    )

    def spec(self, data: DataSpec) -> DataSpec:
        _needs_colour(self, data)
        return DataSpec((1, *data.shape[1:]), given=data.shape)

    def batch(self, data: Batch) -> Batch:
        return examples(self, data)

    def channels(self, data: DataSpec) -> int:
        return data.shape[0]

    def degrade(self, clean: Picture, source: torch.Generator) -> Degraded:
        return Degraded(clean, grey(clean))

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        return made

    def wanted(self, items: Decoded) -> Decoded:
        luma = np.rint(np.asarray(items, np.float64) @ np.array(LUMA))
        return np.repeat(luma[..., None], 3, axis=3).astype(items.dtype)


def _needs_colour(task: Restoration, data: DataSpec) -> None:
    needs_pictures(task, data)
    if data.shape[0] != 3:
        raise RequestError(f"the task '{task.name}' learns from RGB pictures; these have {data.shape[0]} channel(s)")
