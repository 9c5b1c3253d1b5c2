import numpy as np
import pytest
from PIL import Image, ImageFilter

from sparring.metrics import Evidence
from sparring.metrics.sharpness import Sharpness, laplacian_variance


def pictures(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 12, 9, 3), dtype=np.uint8)


def evidence(items):
    return Evidence(items, np.zeros((len(items), 1)))


def blurred(items):
    return np.stack([np.asarray(Image.fromarray(item).filter(ImageFilter.GaussianBlur(1))) for item in items])


def test_the_laplacian_is_that_of_a_loop():
    (picture,) = pictures(1) / 255
    grey = picture.mean(2)
    inner = [grey[i - 1, j] + grey[i + 1, j] + grey[i, j - 1] + grey[i, j + 1] - 4 * grey[i, j]
             for i in range(1, 11) for j in range(1, 8)]  # fmt: skip
    assert laplacian_variance(pictures(1))[0] == pytest.approx(np.var(inner), rel=1e-4)


def test_blur_lowers_it_and_other_real_pictures_do_not():
    real, other = evidence(pictures(200)), evidence(pictures(200, 1))
    (honest,) = Sharpness()(real, real, other).values()
    assert honest.low < 1 < honest.high
    (blunt,) = Sharpness()(real, real, evidence(blurred(pictures(200, 1)))).values()
    assert blunt.high < 0.3


def test_sixteen_bits_are_as_sharp_as_eight():
    eight = pictures(5)
    sixteen = eight.astype(np.uint16) * 257
    assert np.allclose(laplacian_variance(sixteen), laplacian_variance(eight), rtol=1e-4)


def test_flat_pictures_are_as_sharp_as_each_other_and_points_are_refused():
    flat = evidence(np.zeros((5, 4, 4, 1), np.uint8))
    assert Sharpness()(flat, flat, flat)["sharpness"].value == 1
    assert "no pictures" in Sharpness().refusal(flat, evidence(np.zeros((5, 2))), flat)
