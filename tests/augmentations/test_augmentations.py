"""What holds of every augmentation, and what each makes."""

import numpy as np
import pandas as pd
import pytest

from sparring.augmentations import Augmentation, Means
from sparring.augmentations.distortion import Distortion
from sparring.augmentations.generated import Generated
from sparring.augmentations.interpolation import Interpolation
from sparring.augmentations.jitter import Jitter
from sparring.augmentations.oversampling import Oversampling
from sparring.errors import RequestError
from sparring.lot import Lot
from tests.lots import Line, Oracle, pictures, rows

OURS = [part for _, part in sorted(Augmentation.parts().items()) if part.__module__.startswith("sparring.")]
WANTED = {"rare": 17, "common": 3}
CASES = [
    pytest.param(part(), lot, id=f"{part.name}-{kind}")
    for part in OURS
    for kind, lot in (("table", rows({"common": 20, "rare": 8}, 0)), ("image", pictures({"common": 20, "rare": 8}, 0)))
    if not part.modalities or kind in part.modalities
]


def means() -> Means:
    return Means(Line(), Oracle())


def same(first: Lot, second: Lot) -> bool:
    return first.items.equals(second.items) if first.is_table else np.array_equal(first.items, second.items)


@pytest.mark.parametrize(("way", "real"), CASES)
class TestEveryAugmentation:
    def test_it_makes_as_many_of_each_class_as_are_wanted_in_the_form_of_the_data(self, way, real):
        assert way.refusal(real, WANTED) is None
        made = way(real, WANTED, means(), 1)
        assert made.counts() == WANTED
        assert made.title == real.title
        if real.is_table:
            assert made.items.dtypes.equals(real.items.dtypes)
            assert list(made.items) == list(real.items)
            assert made.items["kind"].tolist() == made.labels.tolist()
        else:
            assert (made.items.dtype, made.items.shape) == (np.uint8, (20, 8, 8, 1))

    def test_the_same_seed_makes_the_same_and_another_does_not(self, way, real):
        assert same(way(real, WANTED, means(), 1), way(real, WANTED, means(), 1))
        assert not same(way(real, WANTED, means(), 1), way(real, WANTED, means(), 2))

    def test_the_real_items_stay_as_they_are(self, way, real):
        kept = real.items.copy()
        way(real, WANTED, means(), 1)
        assert same(Lot(kept, real.columns, real.title), real)

    def test_what_is_made_of_a_class_is_like_it(self, way, real):
        made = way(real, {"rare": 400}, means(), 1)
        if real.is_table:
            wanted = rows({"rare": 400}, 9) if isinstance(way, Generated) else real.rows(np.arange(20, 28))
            assert made.items["x0"].mean() == pytest.approx(wanted.items["x0"].mean(), abs=0.3)
        else:
            assert (made.items[:, 4:].mean() - made.items[:, :4].mean()) > 60


@pytest.mark.parametrize("way", [part() for part in OURS if part.rank is not None], ids=lambda way: way.name)
def test_a_class_without_an_item_is_refused(way):
    assert "'rare'" in way.refusal(rows({"common": 5}, 0), {"rare": 3})


def test_oversampling_repeats_each_item_of_a_class_as_often():
    real = rows({"common": 4, "rare": 5}, 0)
    made = Oversampling()(real, {"rare": 15}, means(), 0)
    assert made.items["x0"].value_counts().tolist() == [3] * 5
    assert set(made.items["x0"]) == set(real.items["x0"][4:])


def test_interpolation_lies_between_items_of_the_class_and_takes_the_commonest_word():
    frame = pd.DataFrame({"x": np.arange(30) * 1.001, "kind": ["a"] * 15 + ["b"] * 15, "word": ["u"] * 15 + ["v"] * 15})
    frame["lost"] = np.where(np.arange(30) % 2, np.nan, np.arange(30.0))
    made = Interpolation(neighbours=2)(Lot.of_rows(frame, "kind"), {"a": 200}, means(), 0).items
    assert made["x"].between(0, 14.1).all()
    assert made["x"].nunique() > 15, "places between items, not those of items alone"
    assert (made["word"] == "u").all()
    assert made["lost"].dropna().between(0, 14).all()


def test_interpolation_of_one_item_is_refused():
    assert "no neighbour" in str(Interpolation().refusal(rows({"common": 5, "rare": 1}, 0), {"rare": 3}))


def test_interpolation_of_equal_items_finds_neighbours_all_the_same():
    real = rows({"common": 3, "rare": 1}, 0)
    alike = real.rows(np.array([3, 3, 3, 3, 0, 1]))
    assert Interpolation()(alike, {"rare": 9}, means(), 0).counts() == {"rare": 9}


def test_jitter_moves_numbers_within_their_range_and_swaps_few_words():
    real = rows({"common": 200, "rare": 30}, 0)
    made = Jitter(noise=0.1, swap=0.2)(real, {"common": 200}, means(), 0).items
    known = real.items[:200]
    assert made["whole"].dtype == np.int64
    assert made["x0"].between(real.items["x0"].min(), real.items["x0"].max()).all()
    assert 0.005 < np.abs(np.sort(made["x0"]) - np.sort(known["x0"])).mean() < 0.3
    plain = Jitter(noise=0.0, swap=0.0)(real, {"common": 200}, means(), 0).items
    assert np.array_equal(np.sort(plain["x0"]), np.sort(known["x0"]))


def test_colour_pictures_are_mirrored_and_grey_ones_are_not():
    still = Distortion(shift=0, turn=0, scale=0, noise=0)
    for channels, mirrored in ((3, True), (1, False)):
        real = pictures({"common": 4, "rare": 4}, 0, channels)
        made = still(real, {"common": 80}, means(), 0).items
        ways = {tuple((item == other).all() for other in (*real.items, *real.items[:, :, ::-1])) for item in made}
        assert all(sum(way) == 1 for way in ways)
        assert any(any(way[8:]) for way in ways) == mirrored


def test_the_generated_are_filtered_by_the_discriminator_and_by_confidence():
    real = rows({"common": 200, "rare": 200}, 0)

    def distance(way: Generated) -> float:
        made = way(real, {"rare": 300}, means(), 0)
        return float(-Oracle().score(made).mean())

    assert distance(Generated(by_discriminator=0.3)) < 0.8 * distance(Generated())
    sure = Generated(by_classifier=0.3)(real, {"rare": 300}, Means(Line(), Oracle(lies=0.4)), 0)
    plain = Generated()(real, {"rare": 300}, Means(Line(), Oracle(lies=0.4)), 0)
    assert sure.items["x0"].mean() > plain.items["x0"].mean() + 0.4
    assert Generated(by_discriminator=0.3, by_classifier=0.5).said().count("best") == 2


def test_the_generated_need_a_model():
    with pytest.raises(RequestError, match="by a trained model"):
        Generated()(rows({"common": 3, "rare": 3}, 0), {"rare": 3}, Means(Line()), 0)
