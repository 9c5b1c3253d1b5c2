import base64
import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib")
from sparring.reporting.figures import Line, curve, line
from sparring.reporting.findings import Curve
from sparring.reporting.story import _shrunk, _speed


def drawn(*, count=1, low=None, high=None):
    steps = tuple(range(10, 10 * count + 1, 10))
    uri = curve(Curve("kid[net]", steps, (0.5,) * count, (low,) * count, (high,) * count, 0.4, "lower"), 16)
    return base64.b64decode(uri.partition(",")[2]).decode()


@pytest.mark.parametrize("count", [1, 2])
def test_an_interval_is_drawn_of_one_reading_and_of_several(count):
    kind = "LineCollection" if count == 1 else "FillBetweenPolyCollection"
    assert kind in drawn(count=count, low=0.3, high=0.7)
    assert kind not in drawn(count=count)


def test_small_pictures_are_enlarged_by_whole_pixels_and_large_ones_shrunk(tmp_path):
    small = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    found = []
    for picture in (small, np.repeat(small, 40, 1)):
        Image.fromarray(picture).save(tmp_path / "x.png")
        with Image.open(io.BytesIO(base64.b64decode(_shrunk(tmp_path / "x.png").partition(",")[2]))) as shown:
            found.append(np.asarray(shown))
    assert [each.shape[1] for each in found] == [480, 480]
    assert np.array_equal(found[0][8::16, 8::16], small)


def test_the_speed_of_the_few_last_steps_is_left_out_beside_others():
    timing = [{"step": s, "images_per_second": v} for s, v in ((5, 100.0), (10, 110.0), (11, 9000.0))]
    timing.append({"step": 10, "seconds": 3.0})
    seen = {5: 50, 10: 100, 11: 110}
    assert _speed(timing, seen, 5).y == [100.0, 110.0]
    assert _speed(timing[2:], seen, 5).y == [9000.0]
    assert _speed([], seen, 5) is None


def test_a_line_of_one_reading_is_a_point_that_can_be_seen():
    drawn = [base64.b64decode(line(Line("gap", "share", x, x)).partition(",")[2]).decode() for x in ([1.0], [1.0, 2.0])]
    assert ["fill: #1f5fa8" in svg for svg in drawn] == [True, False]
