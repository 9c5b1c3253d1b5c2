"""The faults that the sanity table plants are of the size that they say."""

import numpy as np
import pytest

from benchmarks import sanity
from benchmarks.judges import Held
from sparring.metrics import Evidence, Metric, Reading, ranked
from sparring.metrics.pixel_memorisation import PixelMemorisation


@pytest.fixture
def held() -> Held:
    return Held(np.random.default_rng(0).integers(0, 200, (100, 12, 12, 1), dtype=np.uint8), np.arange(100) % 10)


def test_every_fault_keeps_count_and_form(held):
    for fault in sanity.FAULTS:
        spoilt = fault.plant(held, held, np.random.default_rng(0))
        assert (spoilt.pictures.shape, spoilt.pictures.dtype) == (held.pictures.shape, np.uint8), fault.name
        assert len(sanity.labels_of(spoilt)) == 100


def test_faults_are_of_the_size_that_they_say(held):
    source = np.random.default_rng(0)
    assert set(sanity.labels_of(sanity.without(held, 3))) == set(range(3, 10))
    assert len(np.unique(sanity.repeated(held, 10).pictures, axis=0)) == 10
    assert (sanity.labels_of(sanity.swapped(held, 0.2, source)) != held.labels).sum() == 20
    train = Held(held.pictures[::-1], held.labels)
    assert (sanity.copied(held, train, 0.1).pictures == train.pictures).all((1, 2, 3)).sum() == 10
    assert np.std(sanity.noisy(held, 0.05, source).pictures.astype(float) - held.pictures) == pytest.approx(12.7, abs=2)
    assert sanity.blurred(held, 1.0).pictures.std() < held.pictures.std() / 2


def test_a_number_has_moved_where_no_value_is_in_both_intervals():
    assert sanity.moved(Reading(1, 0.9, 1.1), Reading(1.3, 1.2, 1.4))
    assert sanity.moved(Reading(1, 0.9, 1.1), Reading(0.5))
    assert not sanity.moved(Reading(1, 0.9, 1.1), Reading(1.2, 1.05, 1.4))
    assert "**1.3**" in sanity.table({"x": Reading(1, 0.9, 1.1)}, {"blur": {"x": Reading(1.3, 1.2, 1.4)}})


def test_copies_are_caught_by_the_audit_that_every_evaluation_takes():
    defaults = {part.name for part in ranked(Metric.parts().values(), "image")}
    assert {"memorisation", "pixel-memorisation", "membership-distance"} <= defaults
    source = np.random.default_rng(0)
    train, other, reference = (
        Held(source.integers(0, 256, (1500, 6, 6, 1), dtype=np.uint8), np.arange(1500) % 10) for _ in range(3)
    )

    def copies(held: Held) -> Reading:
        sides = [Evidence(side.pictures, np.zeros((1500, 1)), side.labels) for side in (train, reference, held)]
        return PixelMemorisation()(*sides)["pixel-copies"]

    clean = copies(other)
    for share in (0.02, 0.1):
        spoilt = copies(sanity.copied(other, train, share))
        assert sanity.moved(clean, spoilt)
        assert spoilt.value == pytest.approx(share, abs=0.01)
