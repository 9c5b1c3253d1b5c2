"""Groups of like items in the place of labels: found, kept, drawn, told to the networks."""

from itertools import islice

import numpy as np
import pytest
import torch

import sparring
from sparring.data.arrays import Arrays
from sparring.errors import RequestError, RunError
from sparring.experiment import gather
from sparring.learning import steps
from sparring.limits import Limits
from sparring.modalities.clusters import Clusters, Groups
from sparring.tasks.generation import Generation

CENTRES = np.array([[0.0, 0, 0, 0], [9, 0, 0, 0], [0, 9, 0, 9]])
QUICK = ["training.precision=fp32", "training.layout=contiguous", "training.batch=16", "task.clusters=3"]


def blobs(counts, seed=0):
    kinds = np.repeat(np.arange(3), counts)
    noise = np.random.default_rng(seed).normal(size=(len(kinds), 4)) * 0.3
    return torch.from_numpy((CENTRES[kinds] + noise).astype(np.float32)).view(-1, 1, 2, 2), kinds


@pytest.fixture(scope="module")
def shades(tmp_path_factory):
    """150 pictures, dark, grey and bright ones in the shares 1 : 2 : 3."""
    source = np.random.default_rng(0)
    kinds = source.permutation(np.repeat([30, 120, 220], [25, 50, 75]))
    path = tmp_path_factory.mktemp("data") / "shades.npy"
    np.save(path, (kinds[:, None, None] + source.integers(-20, 20, (150, 8, 8))).astype(np.uint8))
    return path


def test_groups_are_those_that_lie_apart():
    items, kinds = blobs([20, 30, 50])
    found = Clusters.fit(items, 3)
    assert sorted(found.counts) == [20, 30, 50]
    pairs = set(zip(kinds.tolist(), found.codes(items).tolist(), strict=True))
    assert len(pairs) == 3
    others, kinds = blobs([4, 4, 4], seed=1)
    assert set(zip(kinds.tolist(), found.codes(others).tolist(), strict=True)) == pairs
    encoded = found.encode(found.codes(items))
    assert encoded.shape == (100, 3)
    assert encoded.argmax(1).tolist() == found.codes(items).tolist()


@pytest.mark.filterwarnings("error")
def test_no_group_is_empty():
    items = torch.tensor([0.0, 1.0]).repeat(30)[:, None]
    found = Clusters.fit(items, 5)
    assert found.width <= 2
    assert (found.counts > 0).all()


def test_groups_come_back_as_they_were_and_damage_is_named(tmp_path):
    items, _ = blobs([20, 30, 50])
    found = Clusters.fit(items, 3)
    found.save(tmp_path)
    again = Clusters.load(tmp_path, 3, 4)
    for name, part in vars(found).items():
        np.testing.assert_array_equal(vars(again)[name], part)
    for width, numbers in ((2, 4), (3, 5)):
        with pytest.raises(RunError, match=r"clusters\.npz does not belong"):
            Clusters.load(tmp_path, width, numbers)
    data = (tmp_path / "clusters.npz").read_bytes()
    (tmp_path / "clusters.npz").write_bytes(data[:60])
    with pytest.raises(RunError, match=r"clusters\.npz cannot be read"):
        Clusters.load(tmp_path, 3, 4)
    Clusters(found.mean * np.nan, found.components, found.centres, found.counts).save(tmp_path)
    with pytest.raises(RunError, match="does not belong"):
        Clusters.load(tmp_path, 3, 4)


def test_groups_are_drawn_as_often_as_the_data_have_them():
    items, _ = blobs([10, 30, 60])
    asking = Groups(Clusters.fit(items, 3))
    drawn = asking.draw(4, range(4000), {})
    assert drawn.columns == {}
    shares = drawn.encoded.mean(0).numpy()
    np.testing.assert_allclose(shares, asking.clusters.counts / 100, atol=0.03)
    assert torch.equal(asking.draw(4, range(50, 60), {}).encoded, drawn.encoded[50:60])
    with pytest.raises(RequestError, match="cannot be asked for"):
        asking.draw(0, range(3), {"cluster": "1"})


def test_an_item_is_of_the_group_that_is_nearest():
    items, _ = blobs([10, 30, 60])
    asking = Groups(Clusters.fit(items, 3))
    (own,) = asking.own(items, None)
    assert own.argmax(1).tolist() == asking.clusters.codes(items).tolist()


def test_every_item_is_told_its_group_and_the_shares_are_those_that_are_learned_from(shades):
    material = gather(Generation(clusters=3), Arrays(path=str(shades)).load())
    assert material.spec.condition == material.encoded.shape[1] == 3
    light = material.data.items[np.arange(150)].mean((1, 2, 3))
    groups = material.encoded.argmax(1).numpy()
    means = [light[groups == group] for group in range(3)]
    assert all(side.max() - side.min() < 60 for side in means)
    assert material.clusters.counts.tolist() == np.bincount(groups[material.splits.train], minlength=3).tolist()
    batch = material.reader(material.splits.train, 0).at(material.splits.train[:4])
    assert torch.equal(batch.condition, material.encoded[material.splits.train[:4]])


def test_a_model_with_groups_is_trained_sampled_scored_and_judged(shades, tmp_path):
    model = sparring.train(shades, out=tmp_path / "run", steps=3, settings=QUICK)
    assert model.codec.clusters == 3
    made = model.sample(8)
    assert made.shape == (8, 8, 8, 1)
    np.testing.assert_array_equal(model.sample(20)[:8], made)
    items = np.load(shades)[..., None]
    assert model.score(items).shape == (150,)
    with pytest.raises(RequestError, match="cannot be asked for"):
        model.sample(2, condition={"label": "1"})
    assert model.evaluate(count=12, metrics=["kid"], features="random-conv").rows


def test_an_interrupted_run_finds_the_same_groups_again(shades, tmp_path):
    experiment = sparring.propose(shades, settings=QUICK).experiment
    for name in ("whole", "parts"):
        records = steps(experiment, tmp_path / name, limits=Limits(steps=6))
        list(islice(records, None if name == "whole" else 1))
        records.close()
    list(steps(experiment, tmp_path / "parts", limits=Limits(steps=6), resume=True))
    first, second = ((tmp_path / name / "generator.safetensors").read_bytes() for name in ("whole", "parts"))
    assert first == second


def test_the_group_decides_what_is_made(shades, tmp_path):
    settings = [
        *QUICK,
        "training.batch=32",
        "training.optimiser.rate=2e-3",
        "training.average=0.05",
        "generator_width=8",
        "discriminator_width=8",
    ]
    model = sparring.train(shades, out=tmp_path / "run", steps=250, settings=settings)
    made = model.sample(120).mean((1, 2, 3))
    asked = model.asking.draw(0, range(120), {}).encoded.argmax(1).numpy()
    light = np.sort([made[asked == group].mean() for group in range(3)])
    np.testing.assert_allclose(light, [30, 120, 220], atol=35)


def test_an_autoencoder_gives_items_back_by_their_own_group(shades, tmp_path):
    model = sparring.train(shades, out=tmp_path / "run", recipe="vae", steps=2, settings=QUICK)
    assert model.reconstruct(np.load(shades)[:5, ..., None]).shape == (5, 8, 8, 1)


def test_what_cannot_be_grouped_is_refused(shades, tmp_path):
    with pytest.raises(RequestError, match=r"task\.clusters = 900: 120 items"):
        sparring.train(shades, out=tmp_path / "run", settings=["task.clusters=900"])
    (tmp_path / "rows.csv").write_text("a,b\n" + "".join(f"{i % 7},{i % 3}\n" for i in range(200)))
    with pytest.raises(RequestError, match="rows are told apart by their columns"):
        sparring.train(tmp_path / "rows.csv", out=tmp_path / "run", settings=["task.clusters=3"], unconditional=True)


def test_many_pictures_without_labels_have_groups_by_default():
    from sparring.facts import Facts
    from sparring.recipes import CLUSTERS, pyramid

    def task(count, attributes=()):
        return pyramid(Facts("image", (1, 8, 8), count, attributes))[0]

    assert [task(n).clusters for n in (100 * CLUSTERS - 1, 100 * CLUSTERS)] == [0, CLUSTERS]
    assert task(10**6, ("label",)).clusters == 0
