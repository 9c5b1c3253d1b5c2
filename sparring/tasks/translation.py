"""Translation: a picture of another kind from a given one, learned from pairs."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from sparring.errors import RequestError
from sparring.games import Game
from sparring.games.paired import Paired
from sparring.networks.judges import Patch
from sparring.networks.unet import Unet
from sparring.tasks.picture import PictureTask, needs_pictures
from sparring.terms import L1
from sparring.types import Batch, DataSpec


class Translation(PictureTask):
    """The counterpart of a picture: labels or sketches to photos, and back; pix2pix (Isola et al. 2017)."""

    paired: ClassVar[bool] = True
    source: ClassVar[str] = "pairs"
    recolours: ClassVar[bool] = True
    game: Game = Field(
        default=Paired(
            network=Unet(width=16, norm="instance", residual=False, judge=Patch(width=32)),
            terms=(L1(),),
            warm=0.1,
        ),
        description="the game that is played",
    )

    def spec(self, data: DataSpec) -> DataSpec:
        needs_pictures(self, data)
        if not data.given:
            raise RequestError(
                "translation learns from pairs: a folder of side-by-side pictures, or of two folders A and B"
            )
        return data

    def channels(self, data: DataSpec) -> int:
        return data.given[0]

    def batch(self, data: Batch) -> Batch:
        return data

    def finish(self, made: Tensor, given: Tensor) -> Tensor:
        return made
