"""Translate pictures of English words into pictures of Chinese ones, and let a classifier read them.

Needs a Chinese font that fontconfig knows; on Debian, apt-get install fonts-noto-cjk.

python examples/words.py --minutes 5
"""

import argparse
from pathlib import Path

import sparring
from sparring.data.words import Words
from sparring.errors import DataError


def main() -> None:
    """Trains on renderings of words and reads what becomes of unseen ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="length by the clock")
    parser.add_argument("--steps", type=int, help="length in generator updates")
    parser.add_argument("--count", type=int, default=3600, help="renderings")
    parser.add_argument("--out", type=Path, default=Path("runs/example-words"))
    asked = parser.parse_args()

    words, length = Words(count=asked.count), {"minutes": asked.minutes, "steps": asked.steps}
    try:
        model = sparring.train(words, task="translation", out=asked.out, overwrite=True, **length)
    except DataError as error:
        print(f"nothing was learned: {error}")
        return
    found = model.evaluate(metrics=["class-shares"])
    read = next(row for row in found.rows if row.name.startswith("label-agreement"))
    print(f"{read.value:.1%} of {found.protocol['generated']} unseen words read correctly, real ones {read.floor:.1%}")


if __name__ == "__main__":
    main()
