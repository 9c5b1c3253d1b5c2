import numpy as np
import pytest
from sklearn.datasets import load_digits

from sparring.errors import RequestError
from sparring.metrics import Evidence
from sparring.metrics.features import as_tensor
from sparring.metrics.features.classifier import Classifier, Lesson
from sparring.metrics.features.identity import Identity
from sparring.metrics.features.random_conv import RandomConv
from sparring.metrics.frechet import Frechet
from sparring.metrics.kernel import Kid


def digits() -> tuple[np.ndarray, np.ndarray]:
    found = load_digits()
    return np.repeat(np.repeat((found.images * 255 / 16).astype(np.uint8), 2, 1), 2, 2)[..., None], found.target


def test_the_classifier_learns_digits_and_says_how_well():
    pictures, labels = digits()
    network = Classifier(width=8, features=32, epochs=8).fit(pictures[:1400], labels[:1400], 0)
    assert network.facts["held_back"] == 140
    assert network.facts["accuracy"] > 0.9
    found = network.classify(pictures[1400:])
    assert (found == labels[1400:]).mean() > 0.88
    assert network(pictures[1400:]).shape == (397, 32)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 40, 1), (8, 8, 3), (28, 28, 1), (50, 33, 4), (130, 70, 3)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_pictures_of_any_size_channels_and_depth_have_features(shape, kind):
    pictures = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (20, *shape), dtype=kind, endpoint=True)
    few = Classifier(epochs=1, width=4, features=8).fit(pictures, np.arange(20) % 2, 0)
    assert few(pictures).shape == (20, 8)
    free = RandomConv().fit(pictures, None, 0)
    assert free(pictures).shape == (20, 144 + 2 * shape[2])
    assert np.isfinite(free(pictures)).all()


def test_training_free_features_of_the_fitted_pictures_have_no_mean_and_unit_variance():
    pictures = np.random.default_rng(0).integers(0, 256, (50, 9, 9, 1), dtype=np.uint8)
    features = RandomConv().fit(pictures, None, 0)(pictures)
    assert np.allclose(features.mean(0), 0, atol=1e-9)
    assert np.allclose(features.std(0), 1)


@pytest.mark.parametrize("brightness", [60, 127.5])
def test_training_free_features_tell_a_negative_from_its_picture(brightness):
    source = np.random.default_rng(0)
    specks = source.random((60, 24, 24, 1)) < 0.1
    pictures = np.rint(brightness + 50 * (specks - specks.mean((1, 2), keepdims=True))).astype(np.uint8)
    negatives = np.rint(2 * brightness - pictures).clip(0, 255).astype(np.uint8)
    features = RandomConv().fit(pictures[:30], None, 0)
    real, others, turned = features(pictures[:30]), features(pictures[30:]), features(negatives[30:])
    apart, chance = (np.linalg.norm(side.mean(0) - real.mean(0)) for side in (turned, others))
    assert apart > 10 * chance


def test_pictures_as_light_as_dark_have_no_skewness_that_rounding_could_make_much_of():
    source = np.random.default_rng(0)
    halves = np.repeat([2, 255], 70 * 35).astype(np.uint8)
    pictures = np.stack([source.permutation(halves).reshape(70, 70, 1) for _ in range(40)])
    assert np.abs(RandomConv(size=128).fit(pictures[:20], None, 0)(pictures[20:])[:, :2]).max() < 1e-3


def test_eight_and_sixteen_bits_of_the_same_picture_are_the_same_numbers():
    eight = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    assert np.allclose(as_tensor(eight), as_tensor(eight.astype(np.uint16) * 257), atol=1e-6)
    assert as_tensor(eight).min() == -1
    assert as_tensor(eight).max() == 1


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (None, "no labels"),
        (np.zeros(40, int), "single class"),
        (np.arange(39), "do not fit"),
        (np.arange(40) / 2, "integers"),
        (np.arange(40) - 1, "integers"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(labels, reason):
    with pytest.raises(RequestError, match=reason):
        Classifier().fit(np.zeros((40, 8, 8, 1), np.uint8), labels, 0)


def test_too_few_labelled_pictures_are_refused():
    assert "fewer than 20" in Classifier().refusal(np.zeros((19, 8, 8, 1), np.uint8), np.arange(19))


def test_pictures_of_floats_are_refused_and_points_only_by_picture_features():
    assert RandomConv().refusal(np.zeros((40, 8, 8, 1)), None)
    assert RandomConv().refusal(np.zeros((40, 2)), None)
    assert Identity().refusal(np.zeros((40, 2)), None) is None
    assert Identity().refusal(np.zeros((40, 8, 8, 1)), None)


def test_grey_pictures_are_never_mirrored_while_the_classifier_learns():
    picture = np.zeros((1, 16, 16, 1), np.uint8)
    picture[:, :, 12:] = 255
    for count, coloured in ((1, False), (3, True)):
        lesson = Lesson(np.repeat(picture, count, 3), np.zeros(1, int), np.zeros(1, int), 0)
        seen = [batch for batch, _ in lesson.batches(8, 8)]
        lit = {bool(batch[row, 0, :, :4].max() > 0) for batch in seen for row in range(8)}
        assert lit == ({True, False} if coloured else {False})


def blobs(count: int, seed: int, modes: int = 5) -> np.ndarray:
    """Grey pictures of a bar whose angle is one of a few, at a random place: digits in small."""
    source = np.random.default_rng(seed)
    angle = source.integers(0, modes, count) * np.pi / 5 + source.normal(0, 0.05, count)
    y, x = np.mgrid[:20, :20] - 9.5
    x, y = x - source.normal(0, 1.5, (count, 1, 1)), y - source.normal(0, 1.5, (count, 1, 1))
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    along, across = cos * x + sin * y, cos * y - sin * x
    lit = np.clip(2 - np.abs(across), 0, 1) * np.clip(7 - np.abs(along), 0, 1)
    return (lit * 255).astype(np.uint8)[..., None]


def blurred(pictures: np.ndarray, times: int) -> np.ndarray:
    found = pictures.astype(float)
    for _ in range(times):
        for axis in (1, 2):
            found = (np.roll(found, 1, axis) + 2 * found + np.roll(found, -1, axis)) / 4
    return found.astype(np.uint8)


def noisy(pictures: np.ndarray, level: int) -> np.ndarray:
    noise = np.random.default_rng(9).normal(0, 1, pictures.shape) * level
    return np.clip(pictures + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("metric", [Frechet(), Kid()], ids=lambda metric: metric.name)
def test_training_free_distances_grow_with_blur_with_noise_and_with_every_mode_dropped(metric):
    features = RandomConv().fit(blobs(800, 0), None, 0)

    def side(pictures):
        return Evidence(pictures, features(pictures))

    test, fresh = side(blobs(800, 1)), blobs(800, 2)

    def distance(pictures):
        return metric(test, test, side(pictures))[metric.name].value

    floor = distance(fresh)
    for faults in (
        [blurred(fresh, times) for times in (1, 2, 4)],
        [noisy(fresh, level) for level in (8, 16, 32)],
        [blobs(800, 2, modes) for modes in (4, 3, 1)],
    ):
        found = [floor, *map(distance, faults)]
        assert found == sorted(found)
        assert found[1] > 1.15 * floor
        assert found[-1] > 5 * max(floor, 1e-3)
