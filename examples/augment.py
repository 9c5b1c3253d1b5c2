"""Few handwritten digits, more of them by a model, and whether a classifier is the better for it.

A model needs minutes until its digits are worth anything; with a few steps the verdict is that they do not help.

python examples/augment.py --minutes 3
"""

import argparse
from pathlib import Path

import numpy as np

import sparring

FEW = 150


def main() -> None:
    """Learns 150 digits, adds as many generated ones, and measures on the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="length by the clock")
    parser.add_argument("--steps", type=int, help="length in generator updates")
    parser.add_argument("--out", type=Path, default=Path("runs/example-augment"))
    asked = parser.parse_args()

    data = sparring.propose("digits").material.data
    items, labels = np.asarray(data.items[np.arange(len(data))]), data.attributes["label"]
    rows = np.random.default_rng(0).permutation(len(items))
    few, others = rows[:FEW], rows[FEW:]

    model = sparring.train(
        items[few],
        labels=labels[few].tolist(),
        out=asked.out,
        minutes=asked.minutes,
        steps=asked.steps,
        overwrite=True,
    )
    found = model.augment(items[few], labels[few], factor=2, held=(items[others], labels[others]), seeds=1)
    print("\n".join(found.lines()))


if __name__ == "__main__":
    main()
