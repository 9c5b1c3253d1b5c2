"""Series: windows of one length in several channels, scaled by one linear map that is undone on output."""

import base64
import csv
import re
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Shaped
from PIL import Image, ImageDraw
from pydantic import Field, model_validator
from torch import Tensor

from sparring.errors import RequestError, TrainingError
from sparring.files import write_atomic
from sparring.modalities import Modality
from sparring.modalities.frames import pandas
from sparring.modalities.windows import Windows
from sparring.types import DataSpec

Scaling = Literal["whitened", "range"]

WIDEST = 512
"""Numbers of a window above which directions are not told apart: the map would be larger than the networks."""
MOST = 20_000
"""Windows that the map is learned from."""

_LEAST = 1e-8
"""Variance of a direction, as a share of the widest one's, below which it is left small."""
_SHRINKAGE = 1e-3
"""Share of the mean variance that is added to every direction's where windows are few."""
_DECIMALS = 6
_CELL = (150, 90)
_ACROSS = 6
_KIND = re.compile(r"bool|float(16|32|64)|u?int(8|16|32|64)")
_COLOURS = ("#1f5fa8", "#b0413e", "#3f8f4f", "#8a5fb0", "#c98a1b", "#4fa3a5", "#70543e", "#c2649a")


class Series(Modality):
    """Windows ``(n, steps, channels)``; networks see ``(n, channels, steps)``.

    Each channel's range becomes -1 to 1. Then, where they are few enough, the numbers of a window are decorrelated by
    the inverse square root of their covariance (Kessy et al. 2018, ZCA), so that the small differences between channels
    and from step to step are as large for the networks as the slow changes beside which they would vanish.
    """

    recipe: ClassVar[str] = "series"
    plural: ClassVar[str] = "series"
    titles: tuple[str, ...] = Field(min_length=1, description="the channels' names")
    kinds: tuple[str, ...] = Field(description="type of each channel")
    low: tuple[float, ...] = Field(description="least value of each channel")
    high: tuple[float, ...] = Field(description="greatest value of each channel")
    decimals: tuple[int, ...] = Field(
        default=(), description="decimals of each channel; -1: as they come; none: so all"
    )
    steps: int = Field(ge=1, description="length of a window")
    key: str = Field(default="sequence", description="name of the column that tells windows apart in files")
    index: str = Field(default="step", description="name of the column of steps in files")
    mean: str = Field(default="", description="mean scaled window, channel by channel; float64 in base 64")
    covariance: str = Field(default="", description="of scaled windows, as the mean; empty: not decorrelated")

    @model_validator(mode="after")
    def _fits(self) -> "Series":
        count, wide = len(self.titles), len(self.titles) * self.steps
        for name in ("kinds", "low", "high"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} says {len(getattr(self, name))} channels, and titles {count}")
        for kind in self.kinds:
            if not _KIND.fullmatch(kind):
                raise ValueError(f"kinds: '{kind}' is no type of numbers")
        for name, size in {"mean": wide, "covariance": wide * wide}.items():
            text = getattr(self, name)
            if text and len(_numbers(text, name)) != size:
                raise ValueError(f"{name} does not hold {size} numbers")
        return self

    @classmethod
    def fit(cls, items: Any) -> Self:
        """From :class:`~sparring.modalities.windows.Windows`, or an array ``(n, steps, channels)``.

        Raises:
            RequestError: the items are no windows, or one has no number.
        """
        if not isinstance(items, Windows):
            items = np.asarray(items)
            if items.ndim != 3 or not items.size or items.dtype.kind not in "biuf":
                raise RequestError(f"series are numbers (n, steps, channels), not {items.dtype} {items.shape}")
            items = Windows.of(items)
        rows = np.linspace(0, len(items) - 1, min(len(items), MOST)).astype(np.int64)
        values = items.values.astype(np.float64)
        if not np.isfinite(values).all():
            raise RequestError("a series holds NaN or infinity; fill it in before")
        plain = cls(
            titles=items.titles,
            kinds=items.kinds,
            low=tuple(values.min(0).tolist()),
            high=tuple(values.max(0).tolist()),
            decimals=tuple(_decimals(column, kind) for column, kind in zip(values.T, items.kinds, strict=True)),
            steps=items.steps,
            key=items.key,
            index=items.index,
        )
        if items.scaling == "range" or items.steps * values.shape[1] > WIDEST or len(rows) < 2:
            return plain
        flat = plain.scaled(items[rows]).reshape(len(rows), -1)
        mean = flat.mean(0)
        covariance = (flat - mean).T @ (flat - mean) / len(rows)
        if len(rows) < 4 * len(mean):
            # So few windows leave directions in which held-back ones would be enormous.
            covariance += np.eye(len(mean)) * _SHRINKAGE * np.trace(covariance) / len(mean)
        return plain.but(mean=_text(mean), covariance=_text(covariance))

    def spec(self) -> DataSpec:
        return DataSpec((len(self.titles), self.steps))

    def described(self) -> dict[str, str]:
        return {
            title: f"from {low:.6g} to {high:.6g}, {kind}"
            for title, kind, low, high in zip(self.titles, self.kinds, self.low, self.high, strict=True)
        }

    def scaled(self, items: Shaped[np.ndarray, "n t c"]) -> Float[np.ndarray, "n c t"]:
        """Windows with each channel's range from -1 to 1, float64; a constant channel is 0."""
        low, span = np.asarray(self.low), np.asarray(self.high) - np.asarray(self.low)
        found = (np.asarray(items, np.float64) - low) / np.where(span > 0, span, 1.0) * 2 - 1
        return np.where(span > 0, found, 0.0).transpose(0, 2, 1)

    @cached_property
    def _directions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Mean, directions and the deviation along each, or None where windows are not decorrelated."""
        if not self.covariance:
            return None
        mean = _numbers(self.mean, "mean")
        values, vectors = np.linalg.eigh(_numbers(self.covariance, "covariance").reshape(len(mean), len(mean)))
        return mean, vectors, np.sqrt(np.maximum(values, 0) + max(_LEAST * float(values[-1]), 1e-12))

    def encode(self, items: Shaped[np.ndarray, "n t c"]) -> Float[Tensor, "n c t"]:
        """Scaled windows, float32.

        Raises:
            RequestError: the windows have other steps or channels.
        """
        items = np.asarray(items)
        if items.ndim != 3 or items.shape[1:] != (self.steps, len(self.titles)):
            raise RequestError(
                f"windows (n, {self.steps}, {len(self.titles)}) are wanted, not an array {tuple(items.shape)}"
            )
        found = self.scaled(items)
        if self._directions is not None:
            mean, vectors, deviations = self._directions
            flat = (found.reshape(len(found), -1) - mean) @ vectors / deviations @ vectors.T
            found = flat.reshape(found.shape)
        return torch.from_numpy(np.ascontiguousarray(found, np.float32))

    def decode(self, encoded: Float[Tensor, "n c t"]) -> Shaped[np.ndarray, "n t c"]:
        """Windows in the ranges, decimals and types of the data; of mixed types, in one that holds all.

        Raises:
            TrainingError: a number is not finite.
        """
        made = encoded.detach().double().cpu().numpy()
        if not np.isfinite(made).all():
            raise TrainingError("the generator made series that are not finite; its weights have diverged")
        if self._directions is not None:
            mean, vectors, deviations = self._directions
            made = ((made.reshape(len(made), -1) @ vectors * deviations) @ vectors.T + mean).reshape(made.shape)
        low, high = np.asarray(self.low), np.asarray(self.high)
        found = (made.transpose(0, 2, 1).clip(-1, 1) + 1) / 2 * (high - low) + low
        for channel, decimals in enumerate(self.decimals):
            if decimals >= 0:
                found[..., channel] = np.round(found[..., channel], decimals)
        found = np.clip(found, low, high)
        return found.astype(np.result_type(*self.kinds))

    def write(self, items: np.ndarray, path: Path, ending: str, conditions: dict[str, np.ndarray]) -> list[Path]:
        path, table = path if ending else path / "samples.csv", self._columns(items, conditions)
        if ending == ".parquet":
            with write_atomic(path) as aside:
                pandas().DataFrame(table).to_parquet(aside, index=False)
        else:
            self._write_text(table, path, "\t" if ending == ".tsv" else ",")
        return [path]

    def _columns(self, items: np.ndarray, conditions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A long table: number of the window, step, channels in their own types, attributes."""
        count, steps = items.shape[:2]
        channels = {
            title: items[..., i].reshape(-1).astype(kind)
            for i, (title, kind) in enumerate(zip(self.titles, self.kinds, strict=True))
        }
        where = {self.key: np.repeat(np.arange(count), steps), self.index: np.tile(np.arange(steps), count)}
        return where | channels | {name: np.repeat(values, steps) for name, values in conditions.items()}

    @staticmethod
    def _write_text(columns: dict[str, np.ndarray], path: Path, separator: str) -> None:
        with write_atomic(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, delimiter=separator, lineterminator="\n")
            table.writerow(columns)
            table.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))

    def preview(self, items: np.ndarray, path: Path) -> None:
        """A plot of each window, every channel over its own range in a colour of its own."""
        across = max(1, min(_ACROSS, len(items)))
        down = max(1, -(-len(items) // across))
        picture = Image.new("RGB", (across * _CELL[0], down * _CELL[1]), "white")
        draw = ImageDraw.Draw(picture)
        for number, window in enumerate(self.scaled(items)):
            left, top = number % across * _CELL[0], number // across * _CELL[1]
            draw.rectangle((left, top, left + _CELL[0] - 1, top + _CELL[1] - 1), outline="#dddddd")
            for channel, line in enumerate(window):
                x = left + 4 + np.arange(self.steps) * ((_CELL[0] - 9) / max(1, self.steps - 1))
                y = top + 4 + (1 - (np.clip(line, -1, 1) + 1) / 2) * (_CELL[1] - 9)
                for start, end in pairwise(zip(x.tolist(), y.tolist(), strict=True)):
                    draw.line((*start, *end), fill=_COLOURS[channel % len(_COLOURS)])
        with write_atomic(Path(path)) as aside:
            picture.save(aside, "png")

    @classmethod
    def endings(cls) -> tuple[str, ...]:
        return (".csv", ".tsv", ".parquet", ".npy", ".npz", ".png")


def _decimals(column: Float[np.ndarray, " n"], kind: str) -> int:
    """With how many decimals all numbers of a channel are written; -1 where they are more than a few."""
    if np.dtype(kind).kind in "biu":
        return 0
    for decimals in range(_DECIMALS + 1):
        if np.allclose(column, np.round(column, decimals), rtol=1e-12, atol=0):
            return decimals
    return -1


def _text(numbers: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, "<f8").tobytes()).decode("ascii")


def _numbers(text: str, name: str) -> Float[np.ndarray, " n"]:
    """What :func:`_text` wrote, float64.

    Raises:
        ValueError: it is nothing of the kind; the message tells the name.
    """
    try:
        found = np.frombuffer(base64.b64decode(text, validate=True), "<f8")
    except ValueError:
        raise ValueError(f"{name} is damaged") from None
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds what is no number")
    return found
