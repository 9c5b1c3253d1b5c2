"""DINOv2's vision transformer (Oquab et al. 2023), whose features Stein et al. 2023 recommend for Fréchet distances."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, scaled_dot_product_attention

from sparring.data import Items
from sparring.data.download import Remote
from sparring.errors import RequestError
from sparring.metrics.features import CPU, Features, FittedFeatures
from sparring.metrics.features.inception import colour_fault, levels
from sparring.metrics.features.pretrained import find_weights, load_into, read_weights

SIDE = 224
"""Pixels to which every picture is resized: 16 patches of 14 a side."""

_PATCH, _GRID = 14, 37
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_OFFSET = 0.1
"""Added to the patches a side when the position's table is resized, as when the weights were published."""


class _Size(NamedTuple):
    width: int
    heads: int
    file: Remote
    folder: str


SIZES = {
    "small": _Size(
        384,
        6,
        Remote("dinov2_vits14_pretrain.pth", "sha256:b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9"),
        "dinov2_vits14/",
    )
}
"""The published network: ViT-S/14 without registers."""


class Dinov2(Features):
    """The class token of ViT-S/14 after its last norm, 384 numbers.

    Pictures are resized to 224 pixels, bicubic with smoothing, and standardised by ImageNet's means and spreads; grey
    pictures are grey in all three channels.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    kept: ClassVar[bool] = False
    chunk: ClassVar[int] = 8

    size: Literal["small"] = Field(default="small", description="of the network; small: ViT-S/14")
    weights: str = Field(
        default="", description="file of the weights, .pth or .safetensors; none: SPARRING_DATA/dinov2, else fetched"
    )
    mirrors: tuple[str, ...] = Field(
        default=("https://dl.fbaipublicfiles.com/dinov2/",),
        description="addresses that end in /, below which the published folders lie",
    )

    def refusal(self, items: Items, labels: np.ndarray | None) -> str | None:
        return colour_fault(items)

    def fit(self, items: Items, labels: np.ndarray | None, seed: int, *, device: torch.device = CPU) -> FittedFeatures:
        if reason := self.refusal(items, labels):
            raise RequestError(f"{self.name}: {reason}")
        size = SIZES[self.size]
        mirrors = [mirror + size.folder for mirror in self.mirrors]
        weights = read_weights(self.name, find_weights(self.name, self.weights, size.file, mirrors), size.file)
        facts = {
            "shape": list(items.shape[1:]),
            "digest": weights.digest,
            "resizing": f"bicubic to {SIDE}x{SIDE} with smoothing; ImageNet's means and spreads",
        }
        network = self.build(facts)
        load_into(network, weights, self.name)
        return FittedFeatures(self, facts, network.to(device).eval())

    def build(self, facts: Mapping[str, Any]) -> "VisionTransformer":
        return VisionTransformer(SIZES[self.size].width, SIZES[self.size].heads)

    def prepare(self, items: np.ndarray, facts: Mapping[str, Any]) -> Tensor:
        view = interpolate(levels(items), (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False)
        mean, spread = (torch.tensor(values)[:, None, None] for values in (_MEAN, _SPREAD))
        return (view.clamp(0, 255) / 255 - mean) / spread


class VisionTransformer(nn.Module):
    """A pre-norm transformer of twelve blocks on 14x14 patches, Dosovitskiy et al. 2021, with scaled branches.

    The names of its parts are those of the published tensors.

    Args:
        width: of a token.
        heads: of each attention.
        depth: blocks.
    """

    def __init__(self, width: int, heads: int, depth: int = 12):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + _GRID**2, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, _PATCH, _PATCH)})
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, pictures: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, None]:
        patches = self.patch_embed["proj"](pictures)
        grid = patches.shape[2:]
        tokens = patches.flatten(2).transpose(1, 2) + self._positions(*grid)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(pictures), -1, -1)
        tokens = torch.cat([first, tokens], 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens[:, 0]), None

    def _positions(self, rows: int, columns: int) -> Float[Tensor, "1 patches width"]:
        """The learned positions of 37x37 patches, resized to the picture's."""
        table = self.pos_embed[:, 1:].unflatten(1, (_GRID, _GRID)).permute(0, 3, 1, 2)
        if (rows, columns) != (_GRID, _GRID):
            scale = ((rows + _OFFSET) / _GRID, (columns + _OFFSET) / _GRID)
            table = interpolate(table, scale_factor=scale, mode="bicubic", antialias=False)
        return table.flatten(2).transpose(1, 2)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = _Attention(width, heads), _Perceptron(width)
        self.ls1, self.ls2 = (nn.ParameterDict({"gamma": nn.Parameter(torch.ones(width))}) for _ in range(2))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.ls1["gamma"] * self.attn(self.norm1(tokens))
        return tokens + self.ls2["gamma"] * self.mlp(self.norm2(tokens))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class _Perceptron(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(tokens)))
