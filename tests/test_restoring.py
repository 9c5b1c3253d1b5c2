import numpy as np
import pytest

from sparring.metrics import Specimens
from sparring.restoring import beside, ranked_cases


def shown(count=5, channels=3, given=3, scale=1):
    truth = np.random.default_rng(0).integers(60, 190, (count, 8, 6, channels), np.uint8)
    steps = np.array([30, 10, 50, 20, 40], np.uint8)[:count, None, None, None]
    asked = np.zeros((count, 8 // scale, 6 // scale, given), np.uint8)
    return Specimens(truth + steps, given=asked, truth=truth)


@pytest.mark.parametrize(("channels", "given", "scale"), [(3, 3, 1), (3, 1, 1), (1, 1, 2), (3, 4, 1), (1, 2, 1)])
def test_input_output_and_truth_stand_side_by_side(channels, given, scale):
    seen = shown(channels=channels, given=given, scale=scale)
    found = beside(seen)
    assert found.shape == (5, 8, 18, channels)
    np.testing.assert_array_equal(found[:, :, 6:12], seen.items)
    np.testing.assert_array_equal(found[:, :, 12:], seen.truth)
    hidden = given != channels and given in (2, 4)  # holes are shown grey
    assert (found[:, :, :6] == (127 if hidden else 0)).all()


def test_cases_are_ranked_by_how_near_they_are_to_the_truth():
    seen = shown()
    found = ranked_cases(seen, each=1)
    for name, row in (("best", 1), ("median", 0), ("worst", 2)):
        np.testing.assert_array_equal(found[name][0], beside(seen)[row])
    assert len(ranked_cases(shown(2), each=3)["best"]) == 2
