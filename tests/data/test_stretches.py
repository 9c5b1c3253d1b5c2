import numpy as np

from sparring.data.stretches import by_time


def test_one_stretch_holds_back_the_end_of_time():
    uses = by_time(np.arange(991), 10, 1000, stretches=1, gap=0)
    assert uses.tolist() == sorted(uses.tolist()) or set(uses) == {0, 1, 2, 3}
    assert uses[:741].tolist() == [0] * 741
    assert uses[-1] == 2
    assert (uses == 3).sum() == 18
