"""The rival: the tutorials' DCGAN in a plain eager float32 PyTorch loop, with nothing of this library in it."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

LATENT = 100


class Generator(nn.Module):
    """Dense 7x7x256, then transposed 5x5 convolutions to 128, 64 and 1 channels; batch norm, leaky ReLU, tanh."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(LATENT, 7 * 7 * 256, bias=False),
            nn.BatchNorm1d(7 * 7 * 256, momentum=0.2),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, (256, 7, 7)),
            nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False),
            nn.BatchNorm2d(128, momentum=0.2),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(128, 64, 5, 2, 2, output_padding=1, bias=False),
            nn.BatchNorm2d(64, momentum=0.2),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(64, 1, 5, 2, 2, output_padding=1, bias=False),
            nn.Tanh(),
        )
        _as_keras_begins(self)

    def forward(self, latents: Tensor) -> Tensor:
        return self.layers(latents)


class Discriminator(nn.Module):
    """Convolutions 5x5 of stride 2 to 64 and 128 channels, leaky ReLU and dropout .3 after each, and one logit."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 64, 5, 2, 2),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Conv2d(64, 128, 5, 2, 2),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Linear(7 * 7 * 128, 1),
        )
        _as_keras_begins(self)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layers(pictures).flatten()


def _as_keras_begins(network: nn.Module) -> None:
    """Glorot's uniform weights and zero biases, with which the tutorial starts."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@dataclass(frozen=True)
class Setting:
    """Hyperparameters of the loop."""

    rate: float
    beta1: float
    beta2: float = 0.999
    batch: int = 256

    @property
    def title(self) -> str:
        """For tables."""
        return f"tutorial DCGAN, Adam {self.rate:g}, beta1 {self.beta1:g}"


class PlainLoop:
    """One step after the other, as the tutorial writes them; pictures lie in memory as float32.

    Args:
        generator: called with latents ``(n, 100)``.
        discriminator: called with pictures, gives logits ``(n,)``.
        players: whose parameters learn, generator first.
        pictures: ``(n, 1, 28, 28)`` in [-1, 1].
        setting: the hyperparameters.
    """

    def __init__(
        self,
        generator: Callable[[Tensor], Tensor],
        discriminator: Callable[[Tensor], Tensor],
        players: tuple[nn.Module, nn.Module],
        pictures: Tensor,
        setting: Setting,
    ):
        self.generator, self.discriminator, self.players = generator, discriminator, players
        self.pictures, self.batch = pictures, setting.batch
        betas = (setting.beta1, setting.beta2)
        self.optimisers = [torch.optim.Adam(player.parameters(), lr=setting.rate, betas=betas) for player in players]
        self.order = torch.randperm(len(pictures))
        self.position = 0
        self.images = 0

    def step(self) -> None:
        """The discriminator's update, then the generator's."""
        for player in self.players:
            player.train()
        real = self._next()
        fake = self.generator(torch.randn(len(real), LATENT))
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        self.optimisers[1].zero_grad()
        loss = cross_entropy(self.discriminator(real), ones) + cross_entropy(self.discriminator(fake.detach()), zeros)
        loss.backward()
        self.optimisers[1].step()
        self.optimisers[0].zero_grad()
        cross_entropy(self.discriminator(fake), ones).backward()
        self.optimisers[0].step()
        self.images += len(real)

    def _next(self) -> Tensor:
        if self.position + self.batch > len(self.order):
            self.order, self.position = torch.randperm(len(self.pictures)), 0
        rows = self.order[self.position : self.position + self.batch]
        self.position += self.batch
        return self.pictures[rows]

    def play(self, seconds: float) -> tuple[float, int]:
        """Steps for about so long; the seconds it took and the images seen."""
        begun, before = time.monotonic(), self.images
        while time.monotonic() - begun < seconds:
            self.step()
        return time.monotonic() - begun, self.images - before


@torch.no_grad()
def sampled(generator: nn.Module, count: int, seed: int) -> np.ndarray:
    """Pictures ``(n, 28, 28, 1)`` uint8, in eval mode, from latents that are the same each time."""
    generator.eval()
    latents = torch.randn(count, LATENT, generator=torch.Generator().manual_seed(seed))
    made = torch.cat([generator(part) for part in latents.split(500)])
    return ((made + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def in_minus_one_to_one(pictures: np.ndarray) -> Tensor:
    """Pictures ``(n, h, w, c)`` uint8 as float32 ``(n, c, h, w)``."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def best(trajectory: Iterable[dict[str, float]]) -> dict[str, float]:
    """The point of a trajectory with the least distance on the *select* split."""
    return min(trajectory, key=lambda point: point["select"])
