import sys

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

from sparring.baselines import Baseline
from sparring.baselines.classical import Bm3d, NonLocalMeans, Telea, noise
from sparring.baselines.given import Identity, MeanColour, NearestTraining
from sparring.metrics import Evidence, Specimens
from sparring.metrics.holes import HolePsnr
from sparring.metrics.perceptual_distance import PerceptualDistance, distances, learned_network
from sparring.metrics.psnr import Psnr

PAIRED = [part() for part in Baseline.parts().values() if part.paired and part.__module__.startswith("sparring.")]


def truths(count=5, channels=3, size=24, seed=0):
    draws = torch.rand(count, channels, 4, 4, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(draws, (size, size), mode="bicubic").clamp(0, 1)
    return (smooth * 255).round().permute(0, 2, 3, 1).to(torch.uint8).numpy()


def holed(count=5, channels=3):
    truth = truths(count, channels)
    alpha = np.full((*truth.shape[:3], 1), 255, np.uint8)
    alpha[:, 6:14, 8:16] = 0
    given = np.concatenate([np.where(alpha > 0, truth, 127).astype(np.uint8), alpha], 3)
    return Specimens(truth // 2, given=given, truth=truth)


def noisy(channels=3):
    truth = truths(channels=channels, size=48)
    given = truth + np.random.default_rng(0).normal(0, 20, truth.shape)
    return Specimens(truth, given=np.clip(given, 0, 255).round().astype(np.uint8), truth=truth)


def psnr(side):
    evidence = Evidence(side.items, np.zeros((len(side), 0)), given=side.given, truth=side.truth)
    metric = Psnr() if side.given.shape == side.items.shape else HolePsnr()
    assert metric.refusal(evidence, evidence, evidence) is None
    return next(iter(metric(evidence, evidence, evidence).values())).value


class StandIn:
    """In the place of the package bm3d, which is not free for all use: the mean of 3x3, and what it was asked."""

    def __init__(self):
        self.asked = []

    def bm3d(self, plane, deviation):
        self.asked.append((plane, deviation))
        wide = np.pad(plane, 1, mode="edge")
        return np.mean([wide[y : y + len(plane), x : x + plane.shape[1]] for y in range(3) for x in range(3)], 0)


@pytest.fixture
def bm3d(monkeypatch):
    package = StandIn()
    monkeypatch.setitem(sys.modules, "bm3d", package)
    return package


def test_bm3d_is_told_the_noise_in_the_unit_of_its_planes(bm3d):
    judged = noisy()
    assert Bm3d().refusal(judged, judged) is None
    made = Bm3d()(judged, judged, 0)
    assert psnr(made) > psnr(Identity()(judged, judged, 0)) + 5
    planes, deviations = zip(*bm3d.asked, strict=True)
    assert len(planes) == 5 * 3
    assert all(plane.ndim == 2 and plane.min() >= 0 and plane.max() <= 1 for plane in planes)
    assert np.mean(deviations) * 255 == pytest.approx(20, rel=0.15)


def test_without_the_package_bm3d_is_left_out_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    assert "pip install bm3d" in Bm3d().refusal(noisy(), noisy())


@pytest.mark.usefixtures("bm3d")
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("baseline", PAIRED, ids=lambda part: part.name)
def test_an_answer_has_the_form_of_the_items(baseline, channels):
    train, judged = Specimens(truths(9, channels, seed=4)), holed(channels=channels)
    if baseline.refusal(train, judged) is not None:
        judged = noisy(channels)
    assert baseline.refusal(train, judged) is None
    made = baseline(train, judged, 0)
    assert (made.items.shape, made.items.dtype) == (judged.items.shape, np.uint8)
    assert made.truth is judged.truth
    assert baseline.refusal(train, Specimens(judged.items))


@pytest.mark.parametrize("baseline", [MeanColour(), Telea(), NearestTraining()], ids=lambda part: part.name)
def test_what_was_known_is_kept(baseline):
    judged = holed()
    made = baseline(Specimens(truths(9, seed=4)), judged, 0).items
    known = judged.given[..., -1] > 0
    np.testing.assert_array_equal(made[known], judged.truth[known])


def test_better_means_fill_holes_better():
    judged, train = holed(), Specimens(truths(9, seed=4))
    grey, mean, telea = (psnr(part(train, judged, 0)) for part in (Identity(), MeanColour(), Telea()))
    assert grey < mean < telea
    found = NearestTraining()(Specimens(np.concatenate([train.items, judged.truth])), judged, 0)
    np.testing.assert_array_equal(found.items, judged.truth)


def test_the_nearest_pair_is_found_by_what_was_given():
    train = Specimens(truths(6, seed=1), given=truths(6, 1, seed=2))
    judged = Specimens(train.items[[4, 2]] // 2, given=train.given[[4, 2]])
    made = NearestTraining()(Specimens(train.items, given=np.repeat(train.given, 3, 3)), judged, 0)
    np.testing.assert_array_equal(made.items, train.items[[4, 2]])
    assert NearestTraining().refusal(Specimens(train.items), judged)


def test_identity_enlarges_and_repeats_grey():
    small = truths(2, 1, 12)
    made = Identity()(Specimens(small), Specimens(np.zeros((2, 24, 24, 3), np.uint8), given=small), 0).items
    assert made.shape == (2, 24, 24, 3)
    assert np.array_equal(made[..., 0], made[..., 2])
    assert abs(made.mean() - small.mean()) < 3


def test_non_local_means_takes_noise_away():
    judged = noisy()
    identity, found = (psnr(part(judged, judged, 0)) for part in (Identity(), NonLocalMeans()))
    assert found > identity + 3


def test_the_strength_of_noise_is_estimated():
    plane = 100 + np.random.default_rng(0).normal(0, 17, (64, 64))
    assert noise(plane) == pytest.approx(17, rel=0.1)


def test_hole_psnr_is_of_the_holes_alone():
    judged = holed()
    made = judged.truth.copy()
    made[:, 6:14, 8:16] = np.clip(made[:, 6:14, 8:16].astype(int) - 10, 0, 255)
    made[:, 0, 0] = 0  # known, so that it does not count
    hole = (slice(None), slice(6, 14), slice(8, 16))
    errors = np.square((made[hole].astype(float) - judged.truth[hole]) / 255).mean((1, 2, 3))
    expected = (-10 * np.log10(errors)).mean()
    assert psnr(Specimens(made, given=judged.given, truth=judged.truth)) == pytest.approx(expected)


@pytest.mark.parametrize("network", ["random", "learned"])
def test_perceptual_distance_is_zero_for_equal_pictures_and_sees_blur_where_psnr_sees_noise(network):
    truth = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    metric = PerceptualDistance(network=network)
    name = {"random": "perceptual[random-filters]", "learned": "perceptual[learned]"}[network]

    def distance(made):
        side = Evidence(made, np.zeros((3, 0)), truth=truth)
        return metric(side, side, side)[name].value

    assert distance(truth) == pytest.approx(0, abs=1e-9)
    near = np.clip(truth.astype(int) + 8, 0, 255).astype(np.uint8)
    soft = ((truth.astype(int) + np.roll(truth, 1, 1) + np.roll(truth, 1, 2)) // 3).astype(np.uint8)
    assert 0 < distance(near) < distance(soft)


def test_learned_perceptual_distance_minds_a_blur_more_than_a_shift_of_twice_the_squared_error():
    digits = np.repeat(np.repeat(load_digits().images * 15, 4, 1), 4, 2).astype(np.uint8)[..., None]
    truth, learned = digits[:40], digits[40:400]
    blurred = np.rint(gaussian_filter(truth.astype(float), (0, 1.5, 1.5, 0))).astype(np.uint8)
    shifted = np.roll(truth, 1, 2)
    assert np.square(shifted - truth.astype(float)).mean() > 2 * np.square(blurred - truth.astype(float)).mean()
    network = learned_network(learned)
    blur, shift = (distances(network, side, truth).mean() for side in (blurred, shifted))
    assert 2 * shift < blur
    again = learned_network(learned)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
