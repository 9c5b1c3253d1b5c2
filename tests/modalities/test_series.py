import csv

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from sparring.errors import RequestError, TrainingError
from sparring.modalities import Modality
from sparring.modalities.series import Series
from sparring.modalities.windows import Windows


def prices(count=300, steps=12) -> Windows:
    """Overlapping windows of two channels that hardly differ and one of whole numbers."""
    source = np.random.default_rng(0)
    level = 100 + source.normal(size=count + steps).cumsum()
    near = level + 0.3 * source.normal(size=len(level))
    sold = source.integers(0, 5000, len(level))
    values = np.stack([level.round(2), near.round(2), sold], 1)
    titles, kinds = ("open", "close", "sold"), ("float64", "float64", "int64")
    return Windows(values, np.arange(count), steps, titles, kinds)


def test_windows_overlap_and_are_cut_when_they_are_asked_for():
    items = prices(5, 4)
    assert items.shape == (5, 4, 3)
    assert np.array_equal(items[np.array([2])][0], items.values[2:6])
    assert np.array_equal(items[1], items.values[1:5])
    assert items[1:3].shape == (2, 4, 3)
    both = items.joined(items)
    assert np.array_equal(both[np.array([7])], items[np.array([2])])


def test_some_windows_hold_no_step_of_the_others():
    items = prices(60, 4)
    rows = np.array([2, 3, 40, 10])
    some = items.only(rows)
    assert np.array_equal(some[np.arange(4)], items[rows])
    assert len(some.values) == 5 + 4 + 4
    assert items.only(np.arange(60)).values.shape == items.values[:63].shape


@pytest.mark.parametrize("scaling", ["whitened", "range"])
def test_windows_come_back_with_their_ranges_and_decimals(scaling):
    items = prices()
    items = Windows(items.values, items.starts, items.steps, items.titles, items.kinds, scaling=scaling)
    codec = Series.fit(items)
    assert bool(codec.covariance) == (scaling == "whitened")
    again = Modality.from_json(codec.to_json())
    assert again == codec
    back = again.decode(codec.encode(items[np.arange(20)]))
    assert np.allclose(back, items[np.arange(20)], atol=0.011)
    assert np.array_equal(back, back.round(2))
    assert np.array_equal(back[..., 2], back[..., 2].round())


def test_an_array_comes_back_in_its_own_type():
    counts = np.random.default_rng(0).integers(-5, 90, (50, 6, 2)).astype(np.int16)
    codec = Series.fit(counts)
    back = codec.decode(codec.encode(counts))
    assert back.dtype == np.int16
    assert np.array_equal(back, counts)
    assert codec.spec().shape == (2, 6)


def test_a_difference_of_channels_is_as_large_as_what_they_have_in_common():
    items = prices(3000)
    whole = items[np.arange(3000)]
    for scaling, large in (("whitened", True), ("range", False)):
        codec = Series.fit(Windows(items.values, items.starts, 12, items.titles, items.kinds, scaling=scaling))
        encoded = codec.encode(whole)
        gap = (encoded[:, 0] - encoded[:, 1]).std() / encoded[:, 0].std()
        assert (gap > 0.5) == large
    flat = Series.fit(items).encode(whole).flatten(1).double()
    covariance = torch.cov(flat.T)
    assert torch.allclose(covariance, torch.eye(36, dtype=torch.float64), atol=0.1)


def test_what_is_made_stays_within_the_ranges_whatever_the_networks_say():
    items = prices()
    codec = Series.fit(items)
    wild = codec.decode(torch.randn(40, 3, 12, generator=torch.Generator().manual_seed(0)) * 30)
    assert (wild >= items.values.min(0)).all()
    assert (wild <= items.values.max(0)).all()
    with pytest.raises(TrainingError, match="not finite"):
        codec.decode(torch.full((1, 3, 12), float("nan")))


def test_constant_channels_and_windows_wider_than_a_map_are_scaled_by_range():
    constant = np.stack([np.full((30, 400), 7.0), np.random.default_rng(0).normal(size=(30, 400))], 2)
    codec = Series.fit(constant)
    assert not codec.covariance
    back = codec.decode(codec.encode(constant))
    assert (back[..., 0] == 7).all()
    assert np.allclose(back, constant, atol=1e-6)


def test_few_windows_leave_no_direction_in_which_others_would_be_enormous():
    source = np.random.default_rng(0)
    codec = Series.fit(source.normal(size=(20, 10, 2)))
    assert float(codec.encode(source.normal(size=(20, 10, 2))).abs().max()) < 200


def test_a_long_table_is_written_with_names_and_types(tmp_path):
    items = prices()
    codec = Series.fit(items)
    made = items[np.arange(3)]
    codec.save(made, tmp_path / "x.csv", {"kind": np.array(["a", "b", "a"])})
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["sequence", "step", "open", "close", "sold", "kind"]
    assert len(rows) == 1 + 3 * 12
    assert rows[13][:2] == ["1", "0"]
    assert rows[13][4] == str(int(made[1, 0, 2]))
    assert rows[13][5] == "b"
    codec.save(made, tmp_path / "x.parquet")
    frame = pd.read_parquet(tmp_path / "x.parquet")
    assert frame["sold"].dtype == np.int64
    assert np.array_equal(frame["open"].to_numpy().reshape(3, 12), made[..., 0])


def test_arrays_and_a_picture_are_written(tmp_path):
    items = prices()
    codec = Series.fit(items)
    made = items[np.arange(8)]
    codec.save(made, tmp_path / "x.npy")
    assert np.array_equal(np.load(tmp_path / "x.npy"), made)
    codec.save(made, tmp_path / "x.npz", {"kind": np.arange(8)})
    assert set(np.load(tmp_path / "x.npz")) == {"samples", "kind"}
    codec.save(made, tmp_path / "x.png")
    picture = np.asarray(Image.open(tmp_path / "x.png"))
    assert picture.shape == (180, 900, 3)
    assert (picture != 255).any(2).mean() > 0.02
    assert codec.save(made, tmp_path / "folder") == [tmp_path / "folder" / "samples.csv"]
    with pytest.raises(RequestError, match=r"not \.wav"):
        codec.save(made, tmp_path / "x.wav")


@pytest.mark.parametrize("items", [np.zeros((4, 3)), np.zeros((0, 3, 2)), np.full((4, 3, 1), np.nan)])
def test_what_is_no_series_is_refused(items):
    with pytest.raises(RequestError, match="series"):
        Series.fit(items)


def test_windows_of_another_length_are_refused():
    with pytest.raises(RequestError, match="12, 3"):
        Series.fit(prices()).encode(np.zeros((2, 5, 3)))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"low": (0.0, 1.0)}, "low"),
        ({"kinds": ("str",)}, "str"),
        ({"mean": "AAAA"}, "mean"),
        ({"covariance": "?"}, "covariance"),
    ],
)
def test_a_damaged_codec_is_refused(fields, named):
    with pytest.raises(RequestError, match=named):
        Series(**{"titles": ("x",), "kinds": ("float64",), "low": (0.0,), "high": (1.0,), "steps": 3} | fields)
