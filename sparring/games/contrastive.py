"""The one-sided unpaired game of Park et al. 2020 (CUT): a patch must be more like its own origin than like others."""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from sparring.errors import RequestError
from sparring.games import Game, Play, Turn, unbounded
from sparring.games.discrimination import Discrimination, memories
from sparring.losses import LeastSquares, UnpairedLoss
from sparring.memories import settle
from sparring.networks.judges import Judge, Patch
from sparring.networks.unet import Unet, UnetTranslator
from sparring.penalties import Penalty
from sparring.randomness import per_sample
from sparring.types import Batch, DataSpec, Samples, Scores, Terms, precise


class Contrastive(Game):
    """One generator, whose own encoder tells patches apart, and one discriminator.

    The head that maps features to where they are compared is made with the other players, since the U-Net knows its
    widths; all places of a level are compared where it has fewer than ``patches``.
    """

    network: Unet = Field(default=Unet(norm="instance", depth=3), description="the generator")
    judge: Judge = Field(default=Patch(norm="instance"), description="the discriminator")
    loss: UnpairedLoss = Field(default=LeastSquares(), description="the adversarial loss; not a relativistic one")
    penalties: tuple[Penalty, ...] = Field(default=(), description="penalties on the discriminator")
    contrast: float = Field(default=1.0, ge=0, description="weight of the contrast of patches")
    identity: bool = Field(default=True, description="also take the contrast of pictures of the other domain")
    temperature: float = Field(default=0.07, gt=0, description="of the contrast: PatchNCE's tau")
    patches: int = Field(default=256, ge=2, le=4096, description="places of a level that are compared")
    width: int = Field(default=64, ge=1, le=1024, description="numbers in which a patch is compared")

    def risks(self, spec: DataSpec) -> Sequence[str]:
        loose = "contrast = 0: nothing ties what is made to what was given; give --set game.contrast=1"
        judge = unbounded(self.loss, lambda: self.judge.discriminator(DataSpec(spec.shape)), self.penalties)
        return [*judge, *([] if self.contrast else [loose])]

    def players(self, spec: DataSpec) -> nn.ModuleDict:
        if spec.given != spec.shape:
            raise RequestError(f"contrastive translates pictures of one shape, not {spec.given} to {spec.shape}")
        generator = self.network.generator(spec, 0)
        assert isinstance(generator, UnetTranslator), "a U-Net has maps to compare"
        widths = [maps.shape[1] for maps in generator.encode(torch.zeros(1, *spec.given))]
        return nn.ModuleDict({
            "generator": generator,
            "head": nn.ModuleList(
                nn.Sequential(nn.Linear(w, self.width), nn.ReLU(), nn.Linear(self.width, self.width)) for w in widths
            ),
            "discriminator": self.judge.discriminator(DataSpec(spec.shape)),
            **memories(self.penalties),
        })  # fmt: skip

    def averaged(self) -> tuple[str, ...]:
        return ("generator",)

    def turns(self, step: int) -> Sequence[Turn]:
        judge = Turn("discriminator", ("discriminator",), self._discriminate, after=settle)
        return [judge, Turn("generator", ("generator", "head"), self._generate, counts=True)]

    def draw(self, seed: int, numbers: Sequence[int]) -> Tensor:
        return per_sample("normal", seed, numbers, (0,))

    def sample(self, players: nn.ModuleDict, condition: Tensor | None, latents: Tensor) -> Samples:
        assert condition is not None, "a contrastive game translates given pictures"
        return players["generator"](latents, condition)

    def score(self, players: nn.ModuleDict, batch: Batch) -> Scores:
        return players["discriminator"](batch.target)

    def _discriminate(self, play: Play) -> Terms:
        with torch.no_grad():
            fake = precise(play.players["generator"](None, play.batch.condition).value)
        return Discrimination(self.loss, self.penalties)(play, play.batch.target, fake)

    def _generate(self, play: Play) -> Terms:
        given, wanted = play.batch.condition, play.batch.target
        assert given is not None, "a contrastive game needs pictures of both domains"
        made = precise(play.players["generator"](None, given).value)
        terms: Terms = {"adversary": self.loss.generator(None, play.players["discriminator"](made))}
        if self.contrast:
            terms["contrast"] = self.contrast * self._contrast(play, given, made, "given")
        if self.contrast and self.identity:
            kept = precise(play.players["generator"](None, wanted).value)
            terms["identity"] = self.contrast * self._contrast(play, wanted, kept, "wanted")
        return terms

    def _contrast(self, play: Play, origin: Tensor, made: Tensor, name: str) -> Tensor:
        """PatchNCE, eq. 3: the mean over levels."""
        encoder, heads = play.players["generator"], play.players["head"]
        assert isinstance(encoder, UnetTranslator), "a U-Net has maps to compare"
        assert isinstance(heads, nn.ModuleList), "a head a level"
        found = []
        for level, (maps, true, head) in enumerate(
            zip(encoder.encode(made), encoder.encode(origin), heads, strict=True)
        ):
            places = maps.shape[2] * maps.shape[3]
            order = play.noise.uniform(f"{name} {level}", places).argsort(1)[:, : self.patches]
            found.append(patch_contrast(_rows(maps, order, head), _rows(true, order, head).detach(), self.temperature))
        return torch.stack(found).mean()


def _rows(maps: Tensor, order: Tensor, head: nn.Module) -> Tensor:
    """Features at some places, mapped to unit length, ``(n, places, width)``."""
    rows = maps.flatten(2).transpose(1, 2)
    chosen = rows.gather(1, order[..., None].expand(-1, -1, rows.shape[2]))
    return normalize(precise(head(chosen)), dim=2)


def patch_contrast(made: Tensor, origin: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding each patch's own origin among the picture's; both ``(n, places, width)``."""
    likeness = made @ origin.transpose(1, 2) / temperature
    own = torch.arange(made.shape[1], device=made.device).expand(len(made), -1)
    return cross_entropy(likeness.flatten(0, 1), own.flatten())
