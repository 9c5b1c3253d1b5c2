"""Mixtures of Gaussians, ring of 8 and grid of 25: modes, high-quality share, each mode's share and variance, time.

Protocol of PacGAN (Lin et al. 2018, section 4.1): 2,500 samples; one is of high quality within three standard
deviations of the nearest centre, and a mode is covered where a sample of high quality is.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement
from sparring.data.synthetic import Grid, Ring

MIXTURES = {"ring": Ring(), "grid": Grid()}
WITHIN = 3.0
"""Standard deviations within which a sample is of high quality."""
TRUE_QUALITY = 1 - exp(-(WITHIN**2) / 2)
"""High-quality share of the true distribution in two dimensions."""
TRUE_VARIANCE = (1 - exp(-(WITHIN**2) / 2) * (1 + WITHIN**2 / 2)) / TRUE_QUALITY
"""Mean squared distance a dimension of what the true distribution has within them, over its variance."""


@dataclass(frozen=True)
class Coverage:
    """How samples lie in a mixture of equally likely round Gaussians.

    Attributes:
        modes: modes with a sample of high quality.
        quality: share of the samples that are of high quality.
        shares: each mode's share of those, over the true share.
        variances: mean squared distance a dimension of those to the mode's centre, over the true one; 0 without any.
    """

    modes: int
    quality: float
    shares: np.ndarray
    variances: np.ndarray


def coverage(points: np.ndarray, centres: np.ndarray, sigma: float) -> Coverage:
    """How points ``(n, 2)`` lie around centres ``(modes, 2)``."""
    distances = np.linalg.norm(points[:, None].astype(np.float64) - centres[None], axis=2) / sigma
    nearest, distance = distances.argmin(1), distances.min(1)
    good = distance <= WITHIN
    found = np.bincount(nearest[good], minlength=len(centres))
    squares = np.bincount(nearest[good], weights=distance[good] ** 2 / 2, minlength=len(centres))
    return Coverage(
        modes=int((found > 0).sum()),
        quality=float(good.mean()),
        shares=found * len(centres) / max(found.sum(), 1),
        variances=squares / np.maximum(found, 1) / TRUE_VARIANCE,
    )


def judged(name: str, seen: Coverage) -> list[Measurement]:
    """The figures of one run."""
    modes = len(seen.shares)
    return [
        Measurement(f"{name}: modes of {modes}", seen.modes, f">= {modes}"),
        Measurement(f"{name}: high quality", seen.quality, ">= 0.95", floor=TRUE_QUALITY),
        Measurement(f"{name}: smallest share of a mode / truth", float(seen.shares.min()), ">= 0.5"),
        Measurement(f"{name}: largest share of a mode / truth", float(seen.shares.max()), "<= 2"),
        Measurement(f"{name}: smallest variance of a mode / truth", float(seen.variances.min()), ">= 0.5"),
        Measurement(f"{name}: largest variance of a mode / truth", float(seen.variances.max()), "<= 2"),
    ]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mixtures", description=__doc__)
    parser.add_argument("--seeds", nargs="+", default=["0-9"], help="seeds, such as 0 1 2 or 0-9")
    parser.add_argument("--data", nargs="+", choices=[*MIXTURES], default=[*MIXTURES], help="which mixtures")
    parser.add_argument("--items", type=int, default=2_500, help="samples to draw")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides for both, for smoke tests")
    parser.add_argument("--steps", type=int, default=None, help="generator updates, for smoke tests")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("mixtures", argv, asked.results)
    for name in asked.data:
        for seed in runs.seeds_option(asked.seeds):
            _run(ledger, name, seed, asked)
    print(ledger.table())
    return 0


def _run(ledger: Ledger, name: str, seed: int, asked: argparse.Namespace) -> None:
    import sparring

    source = MIXTURES[name]
    out = asked.scratch / f"{name}-{seed}"
    options = ["--seed", str(seed), *(["--steps", str(asked.steps)] if asked.steps else [])]
    options += [part for setting in asked.settings for part in ("--set", setting)]
    cost = runs.train(name, out, *options)
    made = sparring.load(out).sample(asked.items, seed=seed)
    seen = coverage(made, source.centres(), source.sigma)
    common = {"seed": seed, "minutes": round(cost.minutes, 3), "items": asked.items}
    for measurement in judged(name, seen):
        ledger.add(replace(measurement, **common, more=cost.summary()))
    ledger.add(Measurement(f"{name}: wall time, seconds", cost.minutes * 60, "< 60", **common, more=cost.summary()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
