import numpy as np
import pytest
from idxfiles import write_mnist

from sparring.data.synthetic import Grid, Ring, StackedMnist


@pytest.mark.parametrize(("source", "modes"), [(Ring(count=20_000), 8), (Grid(count=20_000), 25)])
def test_a_mixture_has_equal_modes_of_the_right_place_and_width(source, modes):
    data = source.load()
    centres = source.centres()
    assert centres.shape == (modes, 2)
    assert (data.items.shape, data.items.dtype, data.modality) == ((20_000, 2), np.float32, "points")
    away = np.linalg.norm(data.items[:, None] - centres, axis=2)
    nearest = away.argmin(1)
    assert np.bincount(nearest).min() > 0.85 * 20_000 / modes
    assert np.sqrt((away.min(1) ** 2).mean() / 2) == pytest.approx(source.sigma, rel=0.02)
    assert np.mean(away.min(1) < 3 * source.sigma) == pytest.approx(1 - np.exp(-4.5), abs=0.005)
    assert data.attributes == {}


def test_centres_are_where_the_protocol_puts_them():
    np.testing.assert_allclose(np.linalg.norm(Ring().centres(), axis=1), 1)
    assert sorted(set(Grid().centres().ravel().tolist())) == [-4, -2, 0, 2, 4]
    assert (Ring().sigma, Grid().sigma) == (0.01, 0.05)


@pytest.mark.parametrize("kind", [Ring, Grid])
def test_points_depend_on_the_seed_alone(kind):
    first, again, other = (kind(count=50, seed=seed).load() for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.items, again.items)
    assert (first.digests == again.digests).all()
    assert not (first.items == other.items).any()


def test_points_do_not_stand_in_the_order_of_modes():
    modes = np.linalg.norm(Ring(count=400).load().items[:, None] - Ring().centres(), axis=2).argmin(1)
    assert abs(np.corrcoef(modes[1:], modes[:-1])[0, 1]) < 0.2


@pytest.fixture
def stacked(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    write_mnist(tmp_path / "mnist", train=60, test=10)
    return StackedMnist(count=2500)


def test_stacked_digits_are_three_training_digits_in_three_channels(stacked):
    data = stacked.but(labelled=True).load()
    assert data.items.shape == (2500, 6, 5, 3)
    assert len(data) == 2500
    some = np.array([7, 2400, 7])
    shown = data.items[some]
    assert (shown.shape, shown.dtype) == ((3, 6, 5, 3), np.uint8)
    means = (shown.mean((1, 2)) // 20).astype(int)
    assert ["".join(map(str, row)) for row in means] == data.attributes["label"][some].tolist()
    np.testing.assert_array_equal(shown[0], data.items[7])
    np.testing.assert_array_equal(shown[:1], data.items[7:8])
    assert max(int(row) for name in data.names for row in name.split("+")) < 60


def test_stacked_digits_have_no_labels_and_cover_the_modes(stacked):
    assert stacked.load().attributes == {}
    assert len(set(stacked.but(labelled=True).load().attributes["label"])) > 850


def test_stacked_digits_depend_on_the_seed_alone(stacked):
    assert stacked.load().names == stacked.load().names
    assert stacked.load().names != stacked.but(seed=1).load().names


def test_stacked_digits_hold_no_copy_of_the_pictures(stacked):
    items = stacked.load().items
    assert items.items.nbytes + items.sources.nbytes < 80_000
