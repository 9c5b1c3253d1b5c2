"""Learn points around eight centres on a circle, and count the centres that the model has found.

A game that collapses makes points near a few of them only.

python examples/mixture.py --minutes 0.5
"""

import argparse
from pathlib import Path

import numpy as np

import sparring
from sparring.data.synthetic import Ring


def modes(points: np.ndarray, ring: Ring) -> tuple[int, float]:
    """Centres with a point within three standard deviations, and the share of points that are so near to one."""
    distance = np.linalg.norm(points[:, None] - ring.centres()[None], axis=2)
    near = distance.min(1) < 3 * ring.sigma
    return len(np.unique(distance.argmin(1)[near])), float(near.mean())


def main() -> None:
    """Trains on the ring and counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="length by the clock")
    parser.add_argument("--steps", type=int, help="length in generator updates")
    parser.add_argument("--loss", default="relativistic-pairing", help="'sparring list loss' shows them")
    parser.add_argument("--out", type=Path, default=Path("runs/example-mixture"))
    asked = parser.parse_args()

    ring = Ring()
    settings = [f"game.loss={asked.loss}"]
    length = {"minutes": asked.minutes, "steps": asked.steps}
    model = sparring.train(ring, out=asked.out, settings=settings, overwrite=True, **length)
    found, quality = modes(model.sample(2500), ring)
    print(f"{found} of {ring.modes} modes, {quality:.0%} of the points within three standard deviations of one")


if __name__ == "__main__":
    main()
