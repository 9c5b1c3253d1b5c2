"""Points: vectors without neighbourhood, such as the mixtures on which mode coverage is measured."""

import csv
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from pydantic import Field
from torch import Tensor

from sparring.errors import RequestError, TrainingError
from sparring.files import write_atomic
from sparring.modalities import Modality
from sparring.types import DataSpec

_SIDE = 640
_EDGE = 24


class Points(Modality):
    """Points ``(n, d)`` float32, standardised by one mean a dimension and one scale for all."""

    plural: ClassVar[str] = "points"
    previewed: ClassVar[int] = 2000
    mean: tuple[float, ...] = Field(min_length=1, description="mean of each dimension")
    scale: float = Field(
        gt=0, description="root mean square deviation over all dimensions, which keeps the ratios of distances"
    )

    @classmethod
    def fit(cls, items: Any) -> Self:
        points = np.asarray(items[:], np.float64)
        if points.ndim != 2 or not points.size:
            raise RequestError(f"points are an array (n, d) with at least one point, not {points.shape}")
        mean = points.mean(0)
        scale = float(np.sqrt(np.mean((points - mean) ** 2)))
        return cls(mean=tuple(mean.tolist()), scale=scale or 1.0)

    def spec(self) -> DataSpec:
        return DataSpec((len(self.mean),))

    def encode(self, items: np.ndarray) -> Float[Tensor, "n d"]:
        """Standardised points, float32.

        Raises:
            RequestError: the points have another number of dimensions.
        """
        items = np.asarray(items)
        if items.ndim != 2 or items.shape[1] != len(self.mean):
            raise RequestError(f"points (n, {len(self.mean)}) are wanted, not an array {tuple(items.shape)}")
        standard = (np.asarray(items, np.float64) - np.asarray(self.mean)) / self.scale
        return torch.from_numpy(standard.astype(np.float32))

    def decode(self, encoded: Float[Tensor, "n d"]) -> np.ndarray:
        """Points on their own scale, float32.

        Raises:
            TrainingError: a coordinate is not finite.
        """
        values = encoded.detach().double().cpu().numpy()
        if not np.isfinite(values).all():
            raise TrainingError("the generator made points that are not finite; its weights have diverged")
        return (values * self.scale + np.asarray(self.mean)).astype(np.float32)

    def write(self, items: np.ndarray, path: Path, ending: str, conditions: dict[str, np.ndarray]) -> list[Path]:
        path = path if ending else path / "points.csv"
        _save_csv(items, path, conditions)
        return [path]

    def preview(self, items: np.ndarray, path: Path) -> None:
        with write_atomic(Path(path)) as aside:
            _scatter(items).save(aside, "png")

    @classmethod
    def endings(cls) -> tuple[str, ...]:
        return (".csv", ".npy", ".npz", ".png")


def _save_csv(items: np.ndarray, path: Path, conditions: dict[str, np.ndarray]) -> None:
    """One row a point, ``x1,x2,…`` and the attributes; as many digits as a float32 needs to come back exactly."""
    with write_atomic(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*(f"x{axis + 1}" for axis in range(items.shape[1])), *conditions])
        for point, *values in zip(items, *conditions.values(), strict=True):
            table.writerow([*map(str, point), *values])


def _scatter(items: np.ndarray) -> Image.Image:
    """The first two dimensions, both on one scale, the second upwards."""
    picture = Image.new("RGB", (_SIDE, _SIDE), "white")
    if len(items):
        flat = np.zeros((len(items), 2))
        flat[:, : min(2, items.shape[1])] = items[:, :2]
        middle = (flat.min(0) + flat.max(0)) / 2
        reach = float(np.abs(flat - middle).max()) or 1.0
        places = (flat - middle) / reach * [1, -1] * (_SIDE / 2 - _EDGE) + _SIDE / 2
        draw = ImageDraw.Draw(picture, "RGBA")
        for x, y in places:
            draw.rectangle((x - 1, y - 1, x + 1, y + 1), fill=(20, 60, 160, 110))
    return picture
