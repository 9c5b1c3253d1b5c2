import pytest
import torch

from sparring import tiles
from sparring.networks import Architecture
from sparring.tiles import Grid, outer, tiled
from sparring.types import DataSpec

FAMILIES = sorted({n for n, family in Architecture.parts().items() if family.translates} - {"encoder-decoder"})
"""Families whose pixels depend on what is near; the other sees the whole picture."""
SMALL = {"width": 4, "depth": 2, "blocks": 1}


def network(name, scale, **fields):
    torch.manual_seed(0)
    part = Architecture.find(name)()
    part = part.but(**{f: v for f, v in SMALL.items() if f in type(part).model_fields} | fields)
    made = part.generator(DataSpec((1, 16 * scale, 16 * scale), given=(1, 16, 16)), 0).double().eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.1)
    return made


def grid(made, tile):
    return Grid(tile, made.scale, made.stride, made.reach)


@pytest.mark.parametrize("size", [(100, 130), (64, 201), (37, 90), (20, 20)], ids=str)
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize(("name", "fields"), [*((name, {}) for name in FAMILIES), ("residual", {"fold": 2})], ids=str)
def test_tiles_give_what_the_whole_picture_gives(name, fields, scale, size):
    made = network(name, scale, **fields)
    given = torch.rand(1, 1, *size, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        whole = made(None, given).value
        parts = tiled(lambda part: made(None, part).value, given, grid(made, 40))
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-12)


def test_a_margin_that_is_too_small_leaves_seams():
    made = network("plain", 1, depth=6)
    given = torch.rand(1, 1, 100, 100, dtype=torch.float64)
    with torch.no_grad():
        whole = made(None, given).value
        parts = tiled(lambda part: made(None, part).value, given, Grid(40, reach=0))
    assert (parts - whole).abs().max() > 1e-6


def test_networks_that_see_the_whole_picture_are_blended_without_a_step():
    given = torch.zeros(1, 1, 64, 200, dtype=torch.float64)
    given[..., 100:] = 1
    parts = tiled(lambda part: part.mean().expand_as(part), given, Grid(64, reach=None))
    steps = parts.diff(dim=3).abs().max()
    assert parts.min() < 0.3
    assert parts.max() > 0.7
    assert steps < 0.1


@pytest.mark.parametrize("size", [1, 15, 40, 41, 57, 300])
def test_spans_cover_an_axis_in_multiples_of_the_stride(size):
    spans = Grid(stride=8, reach=5).spans(size, 40)
    covered = sorted({place for start, stop in spans for place in range(start, stop)})
    assert covered == list(range(size))
    assert all(start % 8 == 0 and (stop % 8 == 0 or stop == size) for start, stop in spans)


@pytest.mark.parametrize("reach", [5, 40, None])
@pytest.mark.parametrize("size", [(30, 40), (500, 700), (64, 9000), (3000, 2000)], ids=str)
def test_the_cut_keeps_to_the_memory_there_is_and_covers_the_picture(size, reach, monkeypatch):
    monkeypatch.setattr(tiles, "ROOM", 100_000 * 64)
    grid = Grid(stride=8, reach=reach, footprint=64)
    spans = grid.cut(*size)
    sides = [[b - a for a, b in (outer(*span, n, grid.margin) for span in s)] for s, n in zip(spans, size, strict=True)]
    assert max(sides[0]) * max(sides[1]) <= max(100_000, (4 * grid.margin + 8) ** 2)
    for found, whole in zip(spans, size, strict=True):
        assert sorted({place for start, stop in found for place in range(start, stop)}) == list(range(whole))
        assert found == sorted(found)


def test_a_picture_for_which_there_is_room_is_not_cut():
    assert Grid(reach=9, footprint=1000).cut(700, 900) == ([(0, 700)], [(0, 900)])


def test_the_cut_is_the_one_with_the_least_to_be_computed(monkeypatch):
    monkeypatch.setattr(tiles, "ROOM", 1000 * 400)
    rows, columns = Grid(reach=50, footprint=1).cut(1000, 600)
    # Two strips over the whole width have a margin at one cut alone.
    assert columns == [(0, 600)]
    assert len(rows) == 2
