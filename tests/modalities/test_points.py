import csv

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from sparring.errors import RequestError, TrainingError
from sparring.modalities import Modality
from sparring.modalities.points import Points


def points(count=200, dimensions=2):
    return (np.random.default_rng(0).normal(size=(count, dimensions)) * [3] * dimensions + 7).astype(np.float32)


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=st.floats(-1e6, 1e6, width=32))
)
@settings(deadline=None, max_examples=50)
def test_points_come_back(items):
    codec = Points.fit(items)
    back = codec.decode(codec.encode(items))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, items, rtol=1e-6, atol=1e-6 * (np.ptp(items) + np.abs(items).max()))


def test_encoded_points_have_mean_zero_and_one_scale_for_all_dimensions():
    items = points() * np.array([1, 10], np.float32)
    encoded = Points.fit(items).encode(items)
    torch.testing.assert_close(encoded.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    assert float((encoded.double() ** 2).mean()) == pytest.approx(1, abs=1e-5)
    assert float(encoded[:, 1].std() / encoded[:, 0].std()) == pytest.approx(
        items[:, 1].std() / items[:, 0].std(), 1e-3
    )


def test_points_that_are_all_the_same_are_encoded_as_zero():
    items = np.full((4, 2), 5, np.float32)
    assert not Points.fit(items).encode(items).any()


def test_wrong_dimensions_and_infinite_points_are_refused():
    with pytest.raises(RequestError, match=r"\(n, 2\) are wanted"):
        Points.fit(points()).encode(points(dimensions=3))
    with pytest.raises(RequestError, match="at least one point"):
        Points.fit(np.zeros((0, 2), np.float32))
    with pytest.raises(TrainingError, match="not finite"):
        Points.fit(points()).decode(torch.full((1, 2), float("inf")))


def test_a_fitted_codec_comes_back_from_json():
    codec = Points.fit(points())
    assert Modality.from_json(codec.to_json()) == codec


def test_every_form_holds_the_same_points(tmp_path):
    items, codec = points(), Points.fit(points())
    side = {"side": np.where(items[:, 0] > 7, "right", "left")}
    for name in ("x.npy", "x.npz", "x.csv", "x.png"):
        assert codec.save(items, tmp_path / name, side) == [tmp_path / name]
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), items)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as read:
        np.testing.assert_array_equal(read["samples"], items)
        assert read["side"].tolist() == side["side"].tolist()
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_array_equal(np.array([[r["x1"], r["x2"]] for r in rows]).astype(np.float32), items)
    assert [r["side"] for r in rows] == side["side"].tolist()


def test_a_folder_gets_a_table_and_an_unknown_ending_is_refused(tmp_path):
    assert Points.fit(points()).save(points(), tmp_path / "made") == [tmp_path / "made" / "points.csv"]
    with pytest.raises(RequestError, match=r"not \.wav"):
        Points.fit(points()).save(points(), tmp_path / "x.wav")


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_preview_shows_points_where_they_are(dimensions, tmp_path):
    items = np.zeros((2, dimensions), np.float32)
    items[1, :2] = 1
    Points.fit(items).preview(items, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as read:
        dark = np.argwhere(np.asarray(read)[..., 0] < 250)
    assert len(dark) == 18
    if dimensions > 1:  # the second dimension points upwards
        assert dark[:9, 1].min() > dark[9:, 1].max()
