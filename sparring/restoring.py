"""Restoring: what a model from pictures to pictures makes of a user's picture, or of held-back examples."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sparring.baselines.classical import noise
from sparring.data.reader import Reader
from sparring.data.stills import Still
from sparring.degradations import HALF, grey, resize
from sparring.errors import RequestError
from sparring.experiment import Material
from sparring.metrics import Specimens
from sparring.metrics.psnr import ratios
from sparring.modalities.image import Image
from sparring.tasks.picture import PictureTask, prepared, takes_strength, with_strength
from sparring.tiles import Grid, tiled
from sparring.training import sample
from sparring.types import DataSpec

WAYS = 8
"""To turn a picture: by quarters, and its mirror image."""


@dataclass(frozen=True)
class Restorer:
    """A trained picture task.

    Attributes:
        task: what is given and what is wanted.
        players: the averaged players, in eval mode.
        spec: what one item of the training data looked like.
        tile: height and width of a tile; None chooses.
        seed: of the latent, where the game has one.
        strength: standard deviation of the noise in steps of 8 bits, where the network is told it; None estimates it.
        scale: by how much height and width grow, where the task enlarges; None: as learned, else that resized.
        turns: how many ways a picture is turned, of four and their mirror images; what is made of each is turned back,
            and their mean is the result (Timofte et al. 2016, section 3.5). It takes as many times longer.
    """

    task: PictureTask
    players: nn.ModuleDict
    spec: DataSpec
    tile: int | None = None
    seed: int = 0
    strength: float | None = None
    scale: float | None = None
    turns: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.turns <= WAYS:
            raise RequestError(f"turns = {self.turns}: a picture can be turned 1 to {WAYS} ways")
        if self.tile is not None and self.tile < 32:
            raise RequestError(f"tile = {self.tile}: must be at least 32 pixels")
        if self.strength is not None and not self.told:
            raise RequestError(f"strength = {self.strength}: this model is not told it; train with task.told=true")
        if self.strength is not None and not 0 <= self.strength <= 255:
            raise RequestError(f"strength = {self.strength}: the noise's deviation is 0 to 255")
        most = self.grid.scale
        if self.scale is not None and not 1 < self.scale <= most:
            remedy = (
                f"1 to {most} are possible, more by task.scale" if most > 1 else f"{self.task.name} does not enlarge"
            )
            raise RequestError(f"scale = {self.scale}: {remedy}")

    @property
    def told(self) -> bool:
        """Whether the network is told how strong the noise is."""
        return takes_strength(self.task, self.spec)

    @property
    def grid(self) -> Grid:
        """How pictures are cut into tiles."""
        generator = self.players["generator"]
        told = {name: getattr(generator, name) for name in ("scale", "stride", "reach", "footprint")}
        return Grid(self.tile, **told)

    def picture(self, still: Still, mask: np.ndarray | None = None) -> Still:
        """The picture restored, in its own depth, with its own alpha; a grey one stays grey unless colour is added.

        Args:
            still: the picture.
            mask: holes, ``(h, w)`` bool, True where something is to be filled in.

        Raises:
            RequestError: the task needs a mask and there is none, or it has another size.
        """
        most = np.iinfo(still.pixels.dtype).max
        values = torch.from_numpy(still.pixels.astype(np.float32) * (2 / most) - 1).permute(2, 0, 1)
        wanted, made_channels = self.task.channels(self.spec), self.task.spec(self.spec).shape[0]
        known = self._known(still, mask)
        if len(values) == wanted:
            made = self.tensor(values[None], known)
        elif wanted == 1 and made_channels == 1 and not self.task.recolours:
            # A model of grey pictures restores the channels of a coloured one by themselves.
            made = torch.cat([self.tensor(channel[None, None], known) for channel in values], 1)
        elif wanted == 1:
            made = self.tensor(grey(values)[None], known)
        else:
            made = self.tensor(values.expand(wanted, -1, -1)[None], known)
            made = made if self.task.recolours or made.shape[1] == 1 else grey(made[0])[None]
        if self.scale is not None:
            height, width = (max(1, round(side * self.scale)) for side in still.pixels.shape[:2])
            made = resize(made[0], (height, width))[None]
        # In place: what is made of a large picture is several times as large as the picture.
        levels = made[0].clamp_(-1, 1).add_(1).mul_(most / 2).round_()
        pixels = levels.permute(1, 2, 0).numpy().astype(still.pixels.dtype)
        alpha = still.alpha
        if alpha is not None and self.task.masked and mask is None:
            # What was transparent is filled in; where nothing else was, the picture is opaque now.
            alpha = np.where(alpha == 0, most, alpha).astype(alpha.dtype)
            alpha = alpha if (alpha < most).any() else None
        return Still(pixels, _alpha(alpha, pixels.shape[:2]))

    def _known(self, still: Still, mask: np.ndarray | None) -> Tensor | None:
        """1 where the picture is known, ``(1, 1, h, w)``; the alpha channel says so where no mask is given."""
        if not self.task.masked:
            if mask is not None:
                raise RequestError(f"the task '{self.task.name}' takes no mask; leave it out")
            return None
        if mask is None and still.alpha is not None and (still.alpha == 0).any():
            mask = still.alpha == 0
        if mask is None:
            raise RequestError(
                f"the task '{self.task.name}' needs a mask: a file beside the picture whose name ends in _mask, "
                "transparent holes, or --mask"
            )
        if mask.shape != still.pixels.shape[:2]:
            raise RequestError(f"the mask of {mask.shape} does not fit the picture of {still.pixels.shape[:2]}")
        return torch.from_numpy(~mask).float()[None, None]

    @torch.no_grad()
    def tensor(self, picture: Tensor, known: Tensor | None = None) -> Tensor:
        """What the task makes of one encoded picture ``(1, c, h, w)``, float32.

        Args:
            picture: in [-1, 1], or beyond it where noise is not clipped.
            known: 1 where it is known, ``(1, 1, h, w)``, where the task has holes.
        """
        weights = next(self.players.parameters())
        given = prepared(picture, known).to(weights)
        if self.told:
            steps = self.strength if self.strength is not None else _strength(picture)
            given = with_strength(given, torch.tensor([steps / HALF]))
        latent = self.task.game.draw(self.seed, [0]).to(weights)

        def network(part: Tensor) -> Tensor:
            return self.task.game.sample(self.players, part, latent).value.float()

        # On CPUs convolutions of large pictures are a third faster with their channels last.
        def turned(way: int) -> Tensor:
            part = _turned(given, way).contiguous(memory_format=torch.channels_last)
            return _turned_back(tiled(network, part, self.grid), way)

        made = turned(0)
        for way in range(1, self.turns):
            made += turned(way)
        return self.task.finish(made / self.turns if self.turns > 1 else made, given).cpu()


def _turned(pictures: Tensor, way: int) -> Tensor:
    """Pictures ``(n, c, h, w)`` in one of eight ways; 0 leaves them."""
    turned = torch.rot90(pictures, way % 4, (2, 3))
    return turned.flip(3) if way >= WAYS // 2 else turned


def _turned_back(pictures: Tensor, way: int) -> Tensor:
    """What :func:`_turned` is undone by."""
    return torch.rot90(pictures.flip(3) if way >= WAYS // 2 else pictures, -(way % 4), (2, 3))


def _strength(picture: Tensor) -> float:
    """The estimated noise of a picture ``(1, c, h, w)``, in steps of 8 bits."""
    return float(np.mean([noise(plane) for plane in (picture[0] * HALF).numpy()]))


def _alpha(alpha: np.ndarray | None, size: tuple[int, ...]) -> np.ndarray | None:
    """The alpha of the input at the size of the output."""
    if alpha is None or alpha.shape == size:
        return alpha
    most = np.iinfo(alpha.dtype).max
    enlarged = resize(torch.from_numpy(alpha.astype(np.float32))[None], (size[0], size[1]))[0]
    return enlarged.clamp(0, most).round().numpy().astype(alpha.dtype)


EXAMPLE_SEED = 1
"""Of the degradations of examples, the same at every look."""


def examples(
    task: PictureTask, players: nn.ModuleDict, material: Material, rows: np.ndarray, seed: int = EXAMPLE_SEED
) -> Specimens:
    """Outputs for these rows of the data, with what was given and what it should have been; of other seeds, others.

    What was given has the mask as a last channel, full where the picture is known. Grey pictures are repeated to the
    channels of the data's own, so that all can be compared.
    """
    reader = material.reader(rows, seed)
    assert isinstance(reader, Reader), "a picture task reads pictures"
    batch = task.batch(reader.at(rows))
    assert batch.condition is not None, "a picture task gives pictures"
    made = sample(task.game, players, batch.condition, task.game.draw(0, range(len(rows)))).value
    codec = reader.modality
    channels = codec.spec().shape[0]

    def decoded(pictures: Tensor) -> np.ndarray:
        return codec.decode(pictures.expand(-1, channels, -1, -1) if pictures.shape[1] == 1 else pictures)

    given = batch.condition
    if takes_strength(task, material.spec):
        given = given[:, :-1]
    if task.masked:
        # A mask of 0 and 1 becomes the least and the greatest value of the pictures' type.
        given = torch.cat([given[:, :-1], given[:, -1:] * 2 - 1], 1)
    truth = decoded(batch.target) if task.paired else None
    finished = decoded(task.finish(made, batch.condition))
    return Specimens(finished, material.columns(rows), codec.decode(given), truth)


def beside(shown: Specimens) -> np.ndarray:
    """Each input, output and truth side by side, ``(n, h, 2 w or 3 w, c)``, as the outputs are."""
    _, height, width, channels = shown.items.shape
    assert shown.given is not None, "only what was made of something can stand beside it"
    most = np.iinfo(shown.items.dtype).max
    given = shown.given
    if given.shape[3] in (2, 4) and given.shape[3] != channels:
        known = given[..., -1:] > most // 2
        given = np.where(known, given[..., :-1], np.asarray(most // 2, given.dtype))
    given = np.repeat(given, channels, 3) if given.shape[3] == 1 else given[..., :channels]
    rows = np.arange(height) * given.shape[1] // height
    columns = np.arange(width) * given.shape[2] // width
    parts = [given[:, rows][:, :, columns], shown.items, *([] if shown.truth is None else [shown.truth])]
    return np.concatenate(parts, 2)


def sheet(shown: Specimens) -> tuple[Image, np.ndarray]:
    """The pictures of :func:`beside` with the codec that shows them."""
    pictures = beside(shown)
    return Image.fit(pictures), pictures


def ranked_cases(shown: Specimens, each: int = 3) -> dict[str, np.ndarray]:
    """The best, the median and the worst outputs by PSNR, each beside its input and truth as :func:`beside` shows it.

    Args:
        shown: examples whose truth is known.
        each: pictures of a kind, at most.
    """
    assert shown.truth is not None, "without a truth there is no best"
    most = np.iinfo(shown.truth.dtype).max
    made, truth = (side.astype(np.float64) * (255 / most) for side in (shown.items, shown.truth))
    order = np.argsort(-ratios(made, truth), kind="stable")
    middle = max(0, (len(order) - each) // 2)
    pictures = beside(shown)
    return {
        "best": pictures[order[:each]],
        "median": pictures[order[middle : middle + each]],
        "worst": pictures[order[-each:]],
    }
