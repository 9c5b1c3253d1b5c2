"""A loss of your own: one class, which the library, the command line and stored runs find by its name.

cd examples && sparring train digits --plugin own_loss --set loss=pearson --steps 200
python examples/own_loss.py --steps 200
"""

import argparse
from pathlib import Path

import torch
from pydantic import Field

import sparring
from sparring.losses import AdversarialLoss
from sparring.types import Scalar, Scores, verdict


class Pearson(AdversarialLoss):
    """Pearson's chi-squared divergence, Nowozin et al. 2016 (f-GAN), tables 1 and 2, with V as the score itself."""

    curvature: float = Field(0.25, gt=0, description="cost of high scores of generated items; 1/4 as published")

    def discriminator(self, real: Scores, fake: Scores, target: Scores | None = None) -> Scalar:
        score = verdict(fake)
        return (score + self.curvature * score.square()).mean() - verdict(real).mean()

    def generator(self, real: Scores | None, fake: Scores) -> Scalar:
        return -torch.mean(verdict(fake))


def main() -> None:
    """Trains with the loss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200, help="length in generator updates")
    parser.add_argument("--out", type=Path, default=Path("runs/example-own-loss"))
    asked = parser.parse_args()

    settings = ["loss=pearson", "loss.curvature=0.5"]
    model = sparring.train("digits", out=asked.out, steps=asked.steps, settings=settings, overwrite=True)
    print(f"trained with {model.experiment.task.game}")


if __name__ == "__main__":
    main()
