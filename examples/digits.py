"""Learn the built-in handwritten digits, make some on demand, and ask the discriminator about them.

python examples/digits.py --minutes 2
"""

import argparse
from pathlib import Path

import numpy as np

import sparring


def main() -> None:
    """Trains, samples with and without a condition, scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="length by the clock")
    parser.add_argument("--steps", type=int, help="length in generator updates")
    parser.add_argument("--out", type=Path, default=Path("runs/example-digits"))
    asked = parser.parse_args()

    model = sparring.train("digits", out=asked.out, minutes=asked.minutes, steps=asked.steps, overwrite=True)

    digits = model.sample(64, seed=0)
    print(f"made {digits.shape} {digits.dtype}")
    model.save(digits, asked.out / "digits.png")

    sevens = model.sample(16, seed=0, condition={"label": "7"})
    model.save(sevens, asked.out / "sevens")
    verdicts = model.score(sevens, {"label": np.repeat("7", 16)})
    print(f"the discriminator's verdict on sevens: {verdicts.mean():.3f} in the mean")
    print(f"look at {asked.out / 'digits.png'} and {asked.out / 'sevens'}")


if __name__ == "__main__":
    main()
