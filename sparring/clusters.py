"""Clusters: parts of a data set without labels, told apart while it is learned."""

from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

PATIENCE = 200
"""Items a cluster from which centres are learned; then they stay, so that a number keeps its meaning."""
_MEMORY = 64.0
"""Items by which a centre is at most held where it was."""


class Clusters(nn.Module):
    """Mini-batch k-means, Sculley 2010, algorithm 1, over the items' own values, and each cluster's share of them.

    The first items are the first centres. Of several processes each moves the centres by its own items, and they are
    averaged as all buffers are.

    Args:
        count: of clusters.
        shape: of one item.

    Attributes:
        centres: ``(k, d)``, flattened items.
        weights: items that each centre stands for, up to a limit.
        shares: items that fell to each since its centre stays.
        seen: items that centres were learned from.
    """

    centres: Tensor
    weights: Tensor
    shares: Tensor
    seen: Tensor

    def __init__(self, count: int, shape: tuple[int, ...]):
        super().__init__()
        self.count = count
        self.register_buffer("centres", torch.zeros(count, prod(shape)))
        self.register_buffer("weights", torch.zeros(count))
        self.register_buffer("shares", torch.zeros(count))
        self.register_buffer("seen", torch.zeros(()))

    @torch.no_grad()
    def learn(self, items: Float[Tensor, "n *shape"]) -> Float[Tensor, "n k"]:
        """The clusters of real items, one-hot; centres move towards them while they are learned."""
        flat = items.flatten(1).to(self.centres)
        seen = int(self.seen)
        if seen < PATIENCE * self.count:
            first = flat[: max(0, self.count - seen)]
            self.centres[seen : seen + len(first)] = first
            self.weights[seen : seen + len(first)] = 1
            self.seen += len(flat)
            self._move(flat[len(first) :])
            if seen + len(flat) >= PATIENCE * self.count:
                self.shares.zero_()
        fallen = self(items)
        self.shares += fallen.sum(0)
        return fallen

    def _move(self, flat: Float[Tensor, "n d"]) -> None:
        fallen = self._fallen(flat)
        counts = fallen.sum(0)
        self.weights.add_(counts).clamp_(max=_MEMORY)
        rate = (counts / self.weights.clamp_min(1)).clamp_max(1).unsqueeze(1)
        means = (fallen.T @ flat) / counts.clamp_min(1).unsqueeze(1)
        self.centres.lerp_(means, rate)

    @torch.no_grad()
    def forward(self, items: Float[Tensor, "n *shape"]) -> Float[Tensor, "n k"]:
        """The cluster whose centre is nearest to each item, one-hot."""
        return self._fallen(items.flatten(1).to(self.centres))

    def _fallen(self, flat: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        # In full precision whatever networks run in: centres that lie close would be taken for one another.
        with torch.autocast(flat.device.type, enabled=False):
            distances = torch.cdist(flat, self.centres)
        distances = distances.masked_fill(self.weights == 0, torch.inf)
        return one_hot(distances.argmin(1), self.count).to(flat)

    def drawn(self, draws: Float[Tensor, " n"]) -> Float[Tensor, "n k"]:
        """Clusters one-hot, each as often as items fell to it, by uniform draws on [0, 1)."""
        ends = self.shares.double().cumsum(0)
        chosen = torch.searchsorted(ends, draws.double() * ends[-1], right=True)
        return one_hot(chosen.clamp_max(self.count - 1), self.count).to(self.shares)
