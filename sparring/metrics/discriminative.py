"""How well a fixed judge tells generated from held-back windows (Yoon et al. 2019, section 5.1)."""

from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, leaky_relu

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.dynamics import refusal, windows
from sparring.metrics.intervals import share
from sparring.randomness import derive

LEAST = 20
"""Windows of a side below which a judge learns nothing."""

_BATCH = 64


class DiscriminativeScore(Metric):
    """|accuracy - .5| of a judge on windows that it has not learned: 0 where it cannot tell, .5 where it always can."""

    judge: Literal["convolutional", "recurrent"] = Field(
        default="convolutional", description="recurrent: units as few as in TimeGAN's notebook, half of the channels"
    )
    steps: int = Field(default=300, ge=1, description="updates of the judge")
    judges: int = Field(default=3, ge=1, description="judges, each with halves and weights of its own")
    seed: int = Field(default=0, ge=0, description="of halves, weights and batches")

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("series",)
    rank: ClassVar[int | None] = 50
    protocol: ClassVar[str] = (
        "a small network of convolutions over time learns one random half of the reference against one of as many "
        "judged windows, and is asked about the other halves; mean accuracy of three; windows overlap, so that it can "
        "learn them by heart, and the floor too is above 0; interval: score interval (Wilson) of one judge's share"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Halves of enough windows are needed."""
        few = min(len(test), len(fake)) < 2 * LEAST
        return refusal(train, test, fake) or (f"fewer than {2 * LEAST} windows on a side" if few else None)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        real, made = ranged(train, test, fake)
        count = min(len(real), len(made))
        right, asked = 0.0, 0
        for number in range(self.judges):
            hits = self._hits(real, made, count, derive(self.seed, self.name, number))
            right, asked = right + float(hits.mean()) / self.judges, len(hits)
        found = share(right * asked, asked)
        assert found.low is not None
        assert found.high is not None
        ends = sorted(abs(end - 0.5) for end in (found.low, found.high))
        low = 0.0 if found.low <= 0.5 <= found.high else ends[0]
        return {"discriminative-score": Reading(abs(right - 0.5), low, ends[1])}

    def _hits(self, real: np.ndarray, made: np.ndarray, count: int, seed: int) -> np.ndarray:
        """Of the windows that were not learned, which the judge is right about."""
        source = np.random.default_rng(seed)
        sides = [side[source.permutation(len(side))[:count]] for side in (real, made)]
        half = count // 2
        learned = torch.from_numpy(np.concatenate([side[:half] for side in sides]))
        truth = torch.from_numpy(np.repeat([1.0, 0.0], half).astype(np.float32))
        asked = torch.from_numpy(np.concatenate([side[half:] for side in sides]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = (Convolutional if self.judge == "convolutional" else TinyRecurrent)(*learned.shape[1:])
            self._teach(network, learned, truth, source)
            with torch.no_grad():
                said = torch.cat([network(part) for part in asked.split(1024)]).numpy() > 0
        return said == np.repeat([True, False], len(asked) // 2)

    def _teach(self, network: nn.Module, learned: Tensor, truth: Tensor, source: np.random.Generator) -> None:
        optimiser = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
        for _ in range(self.steps):
            rows = torch.from_numpy(source.integers(len(learned), size=_BATCH))
            loss = binary_cross_entropy_with_logits(network(learned[rows]), truth[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def ranged(train: Evidence, *sides: Evidence) -> list[np.ndarray]:
    """Windows ``(n, c, t)`` with each channel's range among the training windows from -1 to 1, float32."""
    learned = windows(train.items).astype(np.float64)
    low, span = learned.min((0, 1)), np.ptp(learned, (0, 1))
    wide = span > 1e-9 * np.maximum(np.abs(low), 1e-300)
    found = []
    for side in sides:
        values = (windows(side.items).astype(np.float64) - low) / np.where(wide, span, 1.0) * 2 - 1
        found.append(np.ascontiguousarray(values.clip(-1e3, 1e3).transpose(0, 2, 1), np.float32))
    return found


class Convolutional(nn.Module):
    """Values and their changes through three convolutions over time; mean and maximum of what they see."""

    def __init__(self, channels: int, steps: int):
        super().__init__()
        self.layers = nn.ModuleList([
            nn.Conv1d(2 * channels, 32, 3, padding=1),
            nn.Conv1d(32, 64, 3, stride=2, padding=1),
            nn.Conv1d(64, 64, 3, stride=2, padding=1),
        ])  # fmt: skip
        self.verdict = nn.Linear(128, 1)

    def forward(self, items: Float[Tensor, "n c t"]) -> Float[Tensor, " n"]:
        # Ten times as large, about as large as the values: what moves from step to step is small in a smooth series.
        changes = 10 * torch.diff(items, dim=2, prepend=items[..., :1])
        maps = torch.cat([items, changes], 1)
        for layer in self.layers:
            maps = leaky_relu(layer(maps), 0.2)
        return self.verdict(torch.cat([maps.mean(2), maps.amax(2)], 1)).squeeze(1)


class TinyRecurrent(nn.Module):
    """Gated recurrent units, half as many as channels, and a verdict on the last state, as in TimeGAN's notebook."""

    def __init__(self, channels: int, steps: int):
        super().__init__()
        self.units = nn.GRU(channels, max(1, channels // 2), batch_first=True)
        self.verdict = nn.Linear(max(1, channels // 2), 1)

    def forward(self, items: Float[Tensor, "n c t"]) -> Float[Tensor, " n"]:
        return self.verdict(self.units(items.transpose(1, 2))[1][-1]).squeeze(1)
