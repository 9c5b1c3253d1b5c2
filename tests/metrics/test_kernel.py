import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.image.kid import KernelInceptionDistance

from benchmarks.intervals import clusters
from sparring.metrics import Evidence
from sparring.metrics.intervals import NORMAL, standard_error
from sparring.metrics.kernel import Kid, _kernels, _paired, _shuffled, grouped_distance, kernel_distance, some


class Rows(torch.nn.Module):
    """Features for torchmetrics: pictures are the features themselves."""

    def forward(self, rows):
        return rows.flatten(1)


def side(features) -> Evidence:
    return Evidence(features, features)


@pytest.mark.filterwarnings("ignore:Metric `Kernel:UserWarning")
def test_it_equals_torchmetrics_over_one_subset_of_everything():
    source = np.random.default_rng(0)
    real, made = source.normal(size=(300, 6)), source.normal(0.3, 1.2, size=(300, 6))
    rival = KernelInceptionDistance(feature=Rows(), subsets=1, subset_size=300, normalize=True).set_dtype(torch.float64)
    rival.update(torch.from_numpy(real).view(-1, 1, 1, 6), real=True)
    rival.update(torch.from_numpy(made).view(-1, 1, 1, 6), real=False)
    found = Kid()(side(real), side(real), side(made))["kid"].value
    assert found == pytest.approx(float(rival.compute()[0]), rel=1e-6)


@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 5), st.integers(0, 100))
def test_it_equals_the_sums_over_all_pairs(first, second, width, seed):
    source = np.random.default_rng(seed)
    x, y = source.normal(size=(first, width)), source.normal(1, 2, size=(second, width))

    def kernel(a, b):
        return (a @ b / width + 1) ** 3

    truth = np.mean([kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    truth += np.mean([kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    truth -= 2 * np.mean([kernel(a, b) for a in x for b in y])
    assert kernel_distance(x, y).value == pytest.approx(truth, rel=1e-9, abs=1e-9)


def test_more_rows_than_a_chunk_give_the_same_sums():
    source = np.random.default_rng(0)
    x, y = source.normal(size=(1500, 2)), source.normal(0.5, 1, size=(1100, 2))
    turned = kernel_distance(y, x)
    assert kernel_distance(x, y).value == pytest.approx(turned.value, rel=1e-9)
    assert np.allclose(kernel_distance(x, y).influences[0], turned.influences[1])


@pytest.mark.parametrize("shift", [0.05, 0.3])
def test_the_interval_covers_the_truth_as_often_as_it_says(shift):
    source = np.random.default_rng(0)
    truth = kernel_distance(source.normal(size=(5000, 8)), source.normal(shift, 1, size=(5000, 8))).value
    found = [kernel_distance(source.normal(size=(400, 8)), source.normal(shift, 1, size=(300, 8))) for _ in range(100)]
    assert 90 <= sum(each.ends[0] <= truth <= each.ends[1] for each in found) <= 99


def test_between_equal_sides_the_error_is_not_counted_twice():
    """By the lower end, beyond which the truth would be; the upper one has the variance of the distance that it is."""
    source = np.random.default_rng(0)
    found = [kernel_distance(source.normal(size=(400, 8)), source.normal(size=(300, 8))) for _ in range(20)]
    doubled = [standard_error(*each.influences) for each in found]
    errors = [(each.value - each.ends[0]) / NORMAL for each in found]
    assert np.mean(errors) < 0.9 * np.mean(doubled)
    assert all(abs(each.value) <= 3 * error for each, error in zip(found, errors, strict=True))


def test_the_upper_end_holds_where_the_estimate_is_too_low_and_its_variance_with_it():
    """Of clusters a few directions have most of the variance: in proportion to the distance 15 would miss."""
    source = np.random.default_rng(0)
    found = [kernel_distance(*(clusters(source, 1000, far).features for far in (0, 0.05))) for _ in range(100)]
    truth = np.mean([each.value for each in found])
    assert sum(each.ends[1] < truth for each in found) <= 3


def test_what_pairs_tell_of_the_kernel_is_what_all_pairs_do():
    rows = np.random.default_rng(0).normal(0.5, [1.5, 1, 0.5], (1500, 3))
    kernel = (rows @ rows.T / 3 + 1) ** 3
    np.fill_diagonal(kernel, 0)
    means = kernel.sum(1) / 1499
    centred = kernel - means[:, None] - means + means.mean()
    np.fill_diagonal(centred, 0)
    influence = rows[:, 0] - rows[:, 0].mean()

    def told(count):
        part = _shuffled(rows[:count])
        return _paired(
            lambda *places: _kernels(part, *places), _shuffled(means[:count]), _shuffled(influence[:count] + 5)
        )

    found = told(1500)
    assert found.energy == pytest.approx((np.square(centred).sum() / 1500 / 1499) ** 0.5, rel=0.15)
    assert found.carried == pytest.approx((influence @ centred @ influence / 1500 / 1499) ** 0.5, rel=0.15)
    assert told(2).energy > 0


def restored(source, count, noise=0.5, each=1, width=8):
    """Rows of features, and what was made from each: near it, by noise of its own."""
    true = source.normal(0.3, 1, (count, 1, width))
    return true, true + noise * source.normal(size=(count, each, width))


@given(st.integers(2, 12), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(0, 100))
def test_of_groups_it_equals_the_sums_over_all_pairs_of_different_groups(groups, first, second, width, seed):
    source = np.random.default_rng(seed)
    x, y = source.normal(size=(groups, first, width)), source.normal(1, 2, size=(groups, second, width))

    def mean(a, b):
        kernels = [
            (u @ v / width + 1) ** 3 for i, one in enumerate(a) for j, other in enumerate(b) if i != j
            for u in one for v in other
        ]  # fmt: skip
        return np.mean(kernels)

    truth = mean(x, x) + mean(y, y) - 2 * mean(x, y)
    assert grouped_distance(x, y).value == pytest.approx(truth, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("each", [1, 4])
def test_of_pictures_and_what_was_made_from_them_it_has_no_bias_and_its_interval_holds(each):
    source = np.random.default_rng(0)
    truth = kernel_distance(*(restored(source, 5000)[side][:, 0] for side in (0, 1))).value
    found = [grouped_distance(*restored(source, 40, each=each)) for _ in range(200)]
    values = np.array([one.value for one in found])
    assert abs(values.mean() - truth) < 4 * values.std() / 200**0.5
    assert 180 <= sum(one.ends[0] <= truth <= one.ends[1] for one in found) <= 198
    plain = [kernel_distance(true[:, 0], made[:, 0]).value for true, made in (restored(source, 40) for _ in range(50))]
    assert np.mean(plain) < truth - 0.5 * abs(truth)


@pytest.mark.parametrize("each", [1, 2])
def test_what_was_made_from_a_picture_of_the_reference_is_found_by_its_truth(each):
    source = np.random.default_rng(0)
    true, made = restored(source, 30, each=each)
    pictures = source.integers(0, 256, (30, 4, 4, 1), np.uint8)
    order = source.permutation(30 * each)
    truths, rows = np.repeat(pictures, each, 0)[order], made.reshape(-1, 8)[order]
    test, fake = Evidence(pictures, true[:, 0]), Evidence(truths, rows, truth=truths)
    found = Kid()(test, test, fake)["kid"]
    assert found.value == pytest.approx(grouped_distance(true, made).value, rel=1e-9)
    assert Kid(most=20)(test, test, fake)["kid"].value == pytest.approx(
        grouped_distance(true[:20], made[:20]).value, rel=1e-9
    )
    others = Evidence(truths, rows, truth=255 - truths)
    assert Kid()(test, test, others)["kid"].value == pytest.approx(kernel_distance(true[:, 0], rows).value, rel=1e-9)


def test_of_more_items_than_wanted_the_same_are_chosen_each_time():
    rows = np.arange(100)
    assert len(some(rows, 10, 0)) == 10
    assert np.array_equal(some(rows, 10, 0), some(rows, 10, 0))
    assert not np.array_equal(some(rows, 10, 0), some(rows, 10, 1))
    assert np.array_equal(some(rows, 100, 0), rows)
