"""Agreement: what a generator of rows also minimises, beside what the discriminator says."""

from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from sparring.part import Part
from sparring.types import Batch, Samples, Scalar, precise


class Agreement(Part):
    """The kind."""

    kind: ClassVar[str] = "agreement"
    home: ClassVar[str] = "sparring.agreement"

    @abstractmethod
    def __call__(self, made: Samples, batch: Batch) -> Scalar:
        """The weighted term.

        Args:
            made: generated rows, in the graph, with the log-probabilities of their choices.
            batch: real rows of the same conditions.
        """


class ConditionMatch(Agreement):
    """Cross-entropy between the choices that are asked for and those that are made, CTGAN, Xu et al. 2019, section 4.3.

    The mean over the columns that a row's condition names.
    """

    weight: float = Field(default=1.0, ge=0, description="weight")

    def __call__(self, made: Samples, batch: Batch) -> Scalar:
        if made.logits is None or batch.condition is None:
            return torch.zeros((), device=made.value.device)
        asked = precise(batch.condition)
        each = -(asked * precise(made.logits)).sum(1) / asked.sum(1).clamp_min(1)
        return self.weight * each.mean()


class MomentMatch(Agreement):
    """Squared difference between the mean products of all pairs of numbers of real and of generated rows.

    For choices these are the tables of how often each pair of values stands together: maximum mean discrepancy with the
    kernel (x · y)^2, on which a discriminator need not be learned. The estimate is without bias (Gretton et al. 2012,
    lemma 6, as each generated row shares its condition with one real row): no row is compared with itself or with the
    real row of its condition, as what a batch of any rows is apart by chance outweighs the rest and draws each row to
    its real one. It can be below 0.
    """

    weight: float = Field(default=1.0, ge=0, description="weight")

    def __call__(self, made: Samples, batch: Batch) -> Scalar:
        # Counts of pairs are told apart by less than what half precision would round away.
        with torch.autocast(made.value.device.type, enabled=False):
            rows, real = _with_one(made.value), _with_one(batch.target)
            # Both factors of a product have one gradient, as it is symmetric: it is taken of one of them, and doubled.
            count, apart = len(rows), (rows.detach().T @ rows - real.T @ real) / len(rows)
            found = apart.square().sum()
            alone = _kernel(rows, rows) + _kernel(real, real) - 2 * _kernel(rows, real)
            return self.weight * (count * (2 * found - found.detach()) - alone.mean()) / max(count - 1, 1)


def _kernel(rows: Float[Tensor, "n d"], others: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Squared scalar product of each row with the other of its number."""
    return (rows * others).sum(1).square()


def _with_one(rows: Tensor) -> Tensor:
    """Rows ``(n, d)`` with a one beside their numbers, in float32 or better."""
    rows = precise(rows)
    return torch.cat([rows, torch.ones_like(rows[:, :1])], 1)
