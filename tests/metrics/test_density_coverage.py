import numpy as np
import pytest

from sparring.metrics import Evidence
from sparring.metrics.density_coverage import DensityCoverage
from sparring.metrics.neighbours import balls, held
from sparring.metrics.precision_recall import PrecisionRecall


def side(features: np.ndarray) -> Evidence:
    return Evidence(features, features)


def by_hand(real: np.ndarray, made: np.ndarray, k: int) -> tuple[float, float]:
    """Naeem et al. 2020, eq. 5 and 6, one item at a time."""
    bounds = [np.sort([np.linalg.norm(x - other) for other in real])[k] for x in real]
    inside = [[np.linalg.norm(y - x) <= bound for x, bound in zip(real, bounds, strict=True)] for y in made]
    return float(np.sum(inside) / (k * len(made))), float(np.any(inside, axis=0).mean())


@pytest.mark.parametrize("k", [1, 3, 5])
def test_both_equal_the_sums_over_single_items(k):
    source = np.random.default_rng(k)
    real, made = source.normal(size=(60, 3)), source.normal(size=(60, 3)) * 0.8 + 0.3
    found = DensityCoverage(neighbours=k)(side(real), side(real), side(made))
    density, coverage = by_hand(real, made, k)
    assert found["density"].value == pytest.approx(density)
    assert found["coverage"].value == pytest.approx(coverage)


def test_chunks_change_nothing(monkeypatch):
    source = np.random.default_rng(0)
    real, made = source.normal(size=(50, 2)), source.normal(size=(40, 2))
    whole = held(real, made, balls(made, 3))
    monkeypatch.setattr("sparring.metrics.neighbours.CHUNK", 7)
    parts = held(real, made, balls(made, 3))
    assert all(np.array_equal(one, other) for one, other in zip(parts[:2], whole[:2], strict=True))
    assert parts[2:] == pytest.approx(whole[2:])


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.8, 0.3)])
def test_intervals_cover_what_many_evaluations_give_as_often_as_they_say(scale, shift):
    source = np.random.default_rng(0)

    def taken():
        real, made = side(source.normal(size=(150, 6))), side(source.normal(size=(150, 6)) * scale + shift)
        return PrecisionRecall()(real, real, made) | DensityCoverage()(real, real, made)

    found = [taken() for _ in range(300)]
    for name in ("precision", "recall", "density", "coverage"):
        truth = np.mean([numbers[name].value for numbers in found])
        # Of so few items they are a little wider than they need be; benchmarks.intervals takes more.
        assert 0.9 <= np.mean([n[name].low <= truth <= n[name].high for n in found]) <= 0.995, name


def test_real_items_have_density_one_and_the_coverage_that_theory_says():
    source = np.random.default_rng(0)
    found = DensityCoverage()(*[side(source.normal(size=(2000, 4))) for _ in range(3)])
    assert found["density"].value == pytest.approx(1, abs=0.05)
    assert found["coverage"].value == pytest.approx(1 - 2**-5, abs=0.015)


def test_one_outlier_adds_no_density_and_a_lost_half_halves_the_coverage():
    source = np.random.default_rng(0)
    real = np.concatenate([source.normal(size=(300, 2)) - 20, source.normal(size=(300, 2)) + 20])
    half = source.normal(size=(600, 2)) - 20
    found = DensityCoverage()(side(real), side(real), side(half))
    assert found["coverage"].value == pytest.approx(0.5, abs=0.03)
    assert found["density"].value > 0.8


def test_too_few_items_are_refused_and_the_kernel_distance_is_named():
    few, many = side(np.zeros((5, 2))), side(np.zeros((50, 2)))
    assert "take kid" in DensityCoverage().refusal(many, many, few)
    assert "reference" in DensityCoverage().refusal(many, few, many)
