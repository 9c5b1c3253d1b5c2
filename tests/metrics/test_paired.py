"""PSNR and SSIM beside torchmetrics and by hand."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from sparring.metrics import Evidence
from sparring.metrics.l1_distance import L1Distance
from sparring.metrics.psnr import HIGHEST, Psnr
from sparring.metrics.ssim import Ssim


def pictures(count: int = 5, channels: int = 3, seed: int = 0, kind=np.uint8) -> np.ndarray:
    """Smooth pictures, as differences of noise would hide mistakes in the window."""
    rough = np.random.default_rng(seed).normal(size=(count, 24, 20, channels))
    smooth = rough + np.roll(rough, 1, 1) + np.roll(rough, 1, 2)
    return np.clip((smooth * 0.15 + 0.5) * np.iinfo(kind).max, 0, np.iinfo(kind).max).astype(kind)


def beside(made: np.ndarray, truth: np.ndarray) -> list[Evidence]:
    side = Evidence(made, np.zeros((len(made), 0)), truth=truth)
    return [side, side, side]


def noisy(truth: np.ndarray, level: float, seed: int = 1) -> np.ndarray:
    top = np.iinfo(truth.dtype).max
    noise = np.random.default_rng(seed).normal(size=truth.shape) * level * top
    return np.clip(truth + noise, 0, top).astype(truth.dtype)


def tensors(*sides: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(side.astype(np.float64)).permute(0, 3, 1, 2) for side in sides]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_both_equal_torchmetrics(channels):
    truth = pictures(channels=channels)
    made = noisy(truth, 0.1)
    psnr = Psnr()(*beside(made, truth))["psnr"].value
    ssim = Ssim()(*beside(made, truth))["ssim"].value
    one, other = tensors(made, truth)
    expected = [peak_signal_noise_ratio(a[None], b[None], data_range=255.0) for a, b in zip(one, other, strict=True)]
    assert psnr == pytest.approx(float(torch.stack(expected).mean()))
    # torchmetrics also counts windows that reach over the border, into a reflection; cut off, its rest is the same.
    whole = structural_similarity_index_measure(one, other, data_range=255.0, return_full_image=True)
    assert isinstance(whole, tuple)
    assert ssim == pytest.approx(float(whole[1][..., 5:-5, 5:-5].mean()), abs=1e-6)


def test_a_crop_is_the_same_as_smaller_pictures():
    truth = pictures()
    made = noisy(truth, 0.1)
    inside = [side[:, 3:-3, 3:-3] for side in (made, truth)]
    for metric in (Psnr, Ssim, L1Distance):
        assert list(metric(crop=3)(*beside(made, truth)).values()) == list(metric()(*beside(*inside)).values())


def test_luma_is_that_of_the_studio_range():
    truth = np.zeros((1, 12, 12, 3), np.uint8)
    made = truth.copy()
    made[..., 1] = 255  # green: a luma of 16 + 128.553
    assert Psnr(channels="y")(*beside(made, truth))["psnr-y"].value == pytest.approx(20 * np.log10(255 / 128.553))
    assert L1Distance(channels="y")(*beside(made, truth))["l1-y"].value == pytest.approx(128.553)
    grey = pictures(channels=1)
    assert list(Ssim(channels="y")(*beside(noisy(grey, 0.1), grey)).values()) == list(
        Ssim()(*beside(noisy(grey, 0.1), grey)).values()
    )


def test_a_known_error_has_a_known_ratio_at_either_depth():
    for kind, step in ((np.uint8, 5), (np.uint16, 5 * 257)):
        truth = np.full((3, 12, 12, 1), 2000 if kind == np.uint16 else 40, kind)
        found = Psnr()(*beside(truth + kind(step), truth))["psnr"]
        assert found.value == pytest.approx(20 * np.log10(255 / 5))
        assert L1Distance()(*beside(truth + kind(step), truth))["l1"].value == pytest.approx(5)
        assert L1Distance()(*beside(truth - kind(step), truth))["l1"].value == pytest.approx(5)


def test_equal_pictures_are_perfect_and_worse_ones_score_lower():
    truth = pictures()
    assert Psnr()(*beside(truth, truth))["psnr"].value == HIGHEST
    assert Ssim()(*beside(truth, truth))["ssim"].value == pytest.approx(1)
    for metric in (Psnr(), Ssim()):
        found = [next(iter(metric(*beside(noisy(truth, level), truth)).values())) for level in (0.02, 0.1, 0.3)]
        assert [r.value for r in found] == sorted((r.value for r in found), reverse=True)
        assert all(r.low < r.value < r.high for r in found)


@pytest.mark.parametrize(
    ("metric", "made", "truth", "reason"),
    [
        (Psnr(), pictures(), None, "no truth"),
        (Psnr(), pictures(), pictures(4), "do not match"),
        (Psnr(), pictures().astype(float), pictures(), "no pictures"),
        (Psnr(channels="y"), pictures(channels=2), pictures(channels=2), "no luma"),
        (Psnr(crop=10), pictures(), pictures(), "border of 10"),
        (Ssim(crop=5), pictures(), pictures(), "14x10 are smaller than the window of 11"),
    ],
)
def test_what_cannot_be_compared_is_refused(metric, made, truth, reason):
    assert reason in metric.refusal(*beside(made, truth))
