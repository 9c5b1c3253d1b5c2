"""Mode coverage: mixtures with known centres (Lin et al. 2018, PacGAN, section 4.1) and stacked digits.

Published protocol: 2,500 points of a mixture, 26,000 pictures of three stacked digits (Srivastava et al. 2017, VEEGAN).
"""

from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field

from sparring.data import Dataset, Items
from sparring.errors import RequestError
from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.features import FittedFeatures
from sparring.metrics.intervals import NORMAL, inner_end, largest_share, share, smallest_share

Counts = Int[np.ndarray, " modes"]

FEW = 8
"""Points of a mode below which nothing is said of how sure its variance is."""


class MixtureModes(Metric):
    """Modes covered, share of high-quality points, and each mode's share and variance beside the truth."""

    modalities: ClassVar[tuple[str, ...]] = ("points",)
    rank: ClassVar[int | None] = 70

    centres: tuple[tuple[float, ...], ...] = Field(default=(), description="means of the equally likely Gaussians")
    sigma: float = Field(default=0.05, gt=0, description="their standard deviation in each dimension")
    radius: float = Field(
        default=3.0, gt=0, description="a point is of high quality within so many standard deviations"
    )

    featured: ClassVar[bool] = False
    protocol: ClassVar[str] = (
        "a point belongs to its nearest centre and is of high quality within the radius; a mode is covered by one such "
        "point; shares and variances are those of the high-quality points, as ratios to the truth of equal Gaussians "
        "cut at the radius; intervals: score interval of a share (Wilson), normal on the logarithm of a variance, the "
        "inner end of the smallest and the largest at once for all modes that may be it (Sidak); none of the count of "
        "modes"
    )

    def about(self, data: Dataset) -> Self | None:
        """With the centres and the spread that the data's source knows of."""
        if "centres" not in data.known:
            return None
        return self.but(centres=tuple(map(tuple, data.known["centres"])), sigma=data.known["sigma"])

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """The centres must be known and lie where the points do."""
        if not self.centres:
            return "the data's modes are not known"
        if len({len(centre) for centre in self.centres}) > 1:
            return "the centres have not all as many coordinates"
        if len(fake.items.shape) != 2 or fake.items.shape[1] != len(self.centres[0]):
            return f"items of shape {tuple(fake.items.shape[1:])} are no points with {len(self.centres[0])} coordinates"
        return None if len(fake) else "there are no judged items"

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        points = np.asarray(fake.items[:], np.float64)
        found = mixture_coverage(points, np.asarray(self.centres), self.sigma, radius=self.radius)
        good = int(found.counts.sum())
        return {
            "modes-covered": Reading(float((found.counts > 0).sum()), better="higher"),
            "high-quality-share": share(good, len(points)),
            "mode-share-smallest": _times(smallest_share(found.counts, max(1, good)), len(found.counts)),
            "mode-share-largest": _times(largest_share(found.counts, max(1, good)), len(found.counts)),
            "mode-variance-smallest": _extreme_variance(found, -1),
            "mode-variance-largest": _extreme_variance(found, 1),
        }


class MixtureCoverage(NamedTuple):
    """What the points of a mixture cover; one entry a mode.

    Attributes:
        counts: high-quality points of each mode.
        shares: share of the high-quality points, as a ratio to equal shares.
        variances: variance of the high-quality points around their own mean, as a ratio to the truth; 0 where a mode
            has fewer than two points.
        errors: standard errors of the variances; infinite where there are fewer than :data:`FEW` points.
    """

    counts: Counts
    shares: Float[np.ndarray, " modes"]
    variances: Float[np.ndarray, " modes"]
    errors: Float[np.ndarray, " modes"]


def mixture_coverage(
    points: Float[np.ndarray, "n d"], centres: Float[np.ndarray, "modes d"], sigma: float, *, radius: float = 3.0
) -> MixtureCoverage:
    """What points cover of a mixture of equally likely Gaussians; points that are not finite cover nothing."""
    points = points[np.isfinite(points).all(1)]
    squared = np.stack([np.square(points - centre).sum(1) for centre in centres], 1)
    nearest = squared.argmin(1)
    good = squared[np.arange(len(points)), nearest] <= (radius * sigma) ** 2
    counts = np.bincount(nearest[good], minlength=len(centres))
    variances, errors = np.zeros(len(centres)), np.full(len(centres), np.inf)
    for mode in np.flatnonzero(counts > 1):
        cloud = points[good & (nearest == mode)]
        squares = np.square(cloud - cloud.mean(0)).mean(1)
        variances[mode] = squares.sum() / (len(cloud) - 1)
        if len(cloud) >= FEW:
            errors[mode] = squares.std(ddof=1) / np.sqrt(len(cloud))
    truth = sigma**2 * _kept_variance(points.shape[1], radius)
    shares = counts * len(centres) / max(1, counts.sum())
    return MixtureCoverage(counts, shares, variances / truth, errors / truth)


def _times(reading: Reading, factor: int) -> Reading:
    assert reading.low is not None
    assert reading.high is not None
    return Reading(factor * reading.value, factor * reading.low, factor * reading.high, reading.better)


def _extreme_variance(found: MixtureCoverage, side: Literal[-1, 1]) -> Reading:
    """The smallest variance, or with ``side`` 1 the largest, with an interval for that of the true ones.

    As of the shares, the end that lies towards the other variances must hold at once for all modes
    that may be the extreme.
    """
    value = float(side * (side * found.variances).max())
    better = "lower" if side > 0 else "higher"
    known = np.isfinite(found.errors) & (found.variances > 0)
    if not known.all():
        return Reading(value, better=better)
    logs, errors = np.log(found.variances), found.errors / found.variances
    outer = side * (side * logs + NORMAL * errors).max()
    inner = -side * inner_end(lambda width: (-side * logs - width * errors, -side * logs + width * errors))
    low, high = sorted(np.exp([float(outer), inner]))
    return Reading(value, min(value, float(low)), max(value, float(high)), better)


def _kept_variance(dimensions: int, radius: float) -> float:
    """Variance in each dimension of a standard Gaussian that is cut at a radius."""
    shape, bound = torch.tensor(dimensions / 2, dtype=torch.float64), torch.tensor(radius**2 / 2, dtype=torch.float64)
    return float(torch.special.gammainc(shape + 1, bound) / torch.special.gammainc(shape, bound))


class StackedModes(Metric):
    """How many classes of stacked pictures are made, and the divergence of their distribution from the data's."""

    modalities: ClassVar[tuple[str, ...]] = ("image",)
    rank: ClassVar[int | None] = 70
    classed: ClassVar[bool] = True

    classes: int | None = Field(
        default=None, ge=2, le=1000, description="classes of one channel; none: nothing is stacked"
    )
    channels: int = Field(default=3, ge=1, le=8, description="pictures that are stacked")
    least: int = Field(default=1, ge=1, description="pictures of a mode from which on it counts as made")

    protocol: ClassVar[str] = (
        "modes by the classifier of each channel; the data's distribution is the product of the channels' class shares "
        "among training items; the divergence of a perfect model is (modes - 1) / (2 count); no intervals: a count of "
        "modes is no average, and both change with the count of items"
    )

    def about(self, data: Dataset) -> Self | None:
        """With the classes and channels that the data's source knows of."""
        if "stacked" not in data.known:
            return None
        classes = int(data.known["stacked"].max()) + 1
        return self.but(classes=max(2, classes), channels=data.known["stacked"].shape[1])

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """The classes of each channel must be known, and found by a classifier."""
        if self.classes is None:
            return "the data are no stacked classes"
        for side, noun in ((train, "training"), (fake, "judged")):
            if side.predicted is None or len(side.predicted) == 0:
                return f"there is no classifier's verdict on {noun} items"
            if side.predicted.min() < 0 or side.predicted.max() >= self.classes**self.channels:
                return f"the classes of {noun} items are not within 0 to {self.classes**self.channels - 1}"
        return None

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        assert self.classes is not None
        assert train.predicted is not None
        assert fake.predicted is not None
        counts = np.bincount(fake.predicted, minlength=self.classes**self.channels)
        return {
            "stacked-modes": Reading(float((counts >= self.least).sum()), better="higher"),
            "stacked-divergence": Reading(divergence(counts, self._truth(train.predicted, self.classes))),
        }

    def _truth(self, predicted: Int[np.ndarray, " n"], classes: int) -> Float[np.ndarray, " modes"]:
        """The product of the channels' class shares; one count more in each keeps every mode possible."""
        truth = np.ones(1)
        for digits in unstack(predicted, classes, self.channels):
            counts = np.bincount(digits, minlength=classes) + 1
            truth = np.multiply.outer(truth, counts / counts.sum()).ravel()
        return truth


def stacked_classes(features: FittedFeatures, items: Items, classes: int = 10) -> Int[np.ndarray, " n"]:
    """Number of the mode of each stacked picture, the first channel's class as the highest digit.

    Args:
        features: a classifier of single grey pictures.
        items: pictures ``(n, h, w, c)``.
        classes: of one channel.

    Raises:
        RequestError: the features come without a classifier.
    """
    numbers = np.zeros(len(items), np.int64)
    for channel in range(items.shape[-1]):
        found = features.classify(np.ascontiguousarray(items[:][..., channel : channel + 1]))
        if found is None:
            raise RequestError(f"{features.name} features come without a classifier; take classifier features")
        numbers = numbers * classes + found
    return numbers


def unstack(numbers: Int[np.ndarray, " n"], classes: int, channels: int) -> Int[np.ndarray, "channels n"]:
    """The class of each channel from the number of a mode."""
    powers = classes ** np.arange(channels - 1, -1, -1)
    return numbers // powers[:, None] % classes


def divergence(counts: Counts, truth: Float[np.ndarray, " modes"]) -> float:
    """Kullback-Leibler divergence of the counted distribution from the truth, in nats."""
    shares = counts / max(1, counts.sum())
    there = shares > 0
    return float((shares[there] * np.log(shares[there] / truth[there])).sum())
