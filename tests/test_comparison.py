import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import sparring
from sparring.cli import main
from sparring.comparison import Comparison, compare
from sparring.data.opening import open_data
from sparring.differences import Difference
from sparring.errors import DataError, RequestError
from sparring.experiment import gather_again
from sparring.jackknife import GROUPS, Number, Taken, _groups, beyond_chance
from sparring.metrics import Evidence
from sparring.metrics.dynamics import Autocorrelation
from sparring.metrics.frechet import Frechet
from sparring.metrics.kernel import Kid
from sparring.metrics.psnr import Psnr
from sparring.model import load
from sparring.shared_bench import _refused

FIXED = ("training.precision=fp32", "training.layout=contiguous", "training.batch=16")

MENDING = (*FIXED, "network.width=4", "network.blocks=1", "training.optimiser.rate=0.01")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    small = (*FIXED, "generator_width=4")
    digits = open_data("digits").load()
    np.save(folder / "digits.npy", digits.items[np.arange(1200)])
    data = folder / "digits.npy"
    sparring.train(data, recipe="vae", settings=(*small, "latent=64"), steps=150, out=folder / "vae")
    sparring.train(data, recipe="pyramid", settings=(*small, "discriminator_width=4"), steps=3, out=folder / "gan")
    return [folder / "vae", folder / "gan"]


@pytest.fixture(scope="module")
def found(runs):
    return compare(runs)


def gaussian(count, seed, shift=0.0):
    rows = np.random.default_rng(seed).normal(size=(count, 3)) + shift
    return Evidence(rows, rows)


@pytest.mark.parametrize("metric", [Frechet(), Kid()], ids=lambda metric: metric.name)
def test_intervals_of_differences_cover_no_difference_and_find_a_real_one(metric):
    inside = 0
    for seed in range(0, 60, 3):
        test, same, other = (gaussian(120, seed + i) for i in range(3))
        taken = Taken(metric, test, test, {"a": same, "b": other})
        number = taken.number(metric.name, "b", less="a")
        inside += number.low <= 0 <= number.high
    assert inside >= 16
    taken = Taken(metric, gaussian(400, 1), gaussian(400, 2), {"a": gaussian(400, 3), "b": gaussian(400, 4, 0.4)})
    assert taken.number(metric.name, "b", less="a").low > 0


def test_what_runs_share_cancels_in_their_difference():
    test, made = gaussian(200, 0), gaussian(200, 1)
    nudged = Evidence(made.items, made.features + 0.03)
    taken = Taken(Frechet(), test, test, {"a": made, "b": nudged})
    alone, paired = taken.number("frechet", "b"), taken.number("frechet", "b", less="a")
    assert paired.high - paired.low < 0.5 * (alone.high - alone.low)
    assert len(taken.less) == GROUPS


def test_means_over_pictures_leave_groups_out_as_taking_them_again_would():
    source = np.random.default_rng(0)
    truth = source.integers(50, 200, (90, 4, 4, 1)).astype(np.uint8)
    made = [np.clip(truth + source.normal(0, spread, truth.shape), 0, 255).astype(np.uint8) for spread in (9, 10)]
    a, b = (Evidence(side, np.zeros((90, 0)), truth=truth) for side in made)
    taken = Taken(Psnr(), a, a, {"a": a, "b": b})
    kept = _groups(90, GROUPS, neighbours=False) != 3
    short = replace(a, items=made[0][kept], truth=truth[kept])
    assert taken.less[3]["a"]["psnr"] == pytest.approx(Psnr()(short, short, short)["psnr"].value)
    alone, paired = taken.number("psnr", "b"), taken.number("psnr", "b", less="a")
    assert paired.high < 0
    assert alone.low > 20
    few = Taken(Psnr(), a, a, {"a": replace(a, items=made[0][:1], truth=truth[:1])})
    assert few.number("psnr", "a").low is None


@pytest.fixture(scope="module")
def mended(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mended")
    digits = open_data("digits").load().items[np.arange(300)]
    np.save(folder / "digits.npy", np.kron(digits, np.ones((1, 2, 2, 1), np.uint8)))
    for name, steps in (("a", 1), ("b", 100)):
        sparring.train(folder / "digits.npy", task="denoising", settings=MENDING, steps=steps, out=folder / name)
    return [folder / "a", folder / "b"]


def test_runs_of_a_restoration_are_compared_picture_by_picture(mended, tmp_path, capsys):
    picture = tmp_path / "both.png"
    assert main(["compare", *map(str, mended), "-o", str(picture), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    first, second = map(str, mended)
    values = {run: told["metrics"]["psnr"][run]["value"] for run in (first, second)}
    difference = next(d for d in told["differences"] if d["metric"] == "psnr")
    assert difference["number"]["value"] == pytest.approx(values[second] - values[first])
    assert difference["real"]
    assert difference["number"]["low"] > 0
    assert {"psnr", "ssim"} <= set(told["metrics"])
    (alone,) = load(mended[1]).evaluate(metrics=["perceptual-distance"]).rows
    assert told["metrics"]["perceptual[learned]"][second]["value"] == pytest.approx(alone.value)
    with Image.open(picture) as sheet:
        sheet.load()
    assert compare(mended) == compare(mended)


def test_no_more_pictures_are_restored_than_are_held_back(mended):
    with pytest.raises(RequestError, match="count = 31: 30 pictures are held back to be restored; ask for no more"):
        load(mended[0]).evaluate(count=31)
    rows = {row.name: row.count for row in load(mended[0]).evaluate(count=20, metrics=["psnr"]).rows}
    assert rows == {"psnr": 20}


def test_restorations_of_other_inputs_are_not_compared(mended, tmp_path):
    sparring.train(
        mended[0].parent / "digits.npy", task="denoising", settings=(*MENDING, "noise.gaussian-noise.low=1"), steps=1,
        out=tmp_path / "other",
    )  # fmt: skip
    with pytest.raises(RequestError, match="only runs of one task"):
        compare([mended[0], tmp_path / "other"])
    with pytest.raises(RequestError, match=r"beside = .*denoising of other noise"):
        load(mended[0]).evaluate(beside=tmp_path / "other")


def test_a_vae_and_a_gan_stand_side_by_side(found, runs):
    vae, gan = map(str, runs)
    assert found.runs == (vae, gan)
    assert found.facts["game"] == {vae: "vae", gan: "latent"}
    assert set(found.numbers["reconstruction-psnr"]) == {vae}
    assert found.numbers["reconstruction-psnr"][vae].value > 8
    for name in ("kid[random-conv]", "precision[random-conv]", "recall[random-conv]", "sharpness"):
        assert set(found.numbers[name]) == {vae, gan}
        assert name in found.floors
    kid = next(d for d in found.differences if d.metric == "kid[random-conv]")
    assert kid.real
    side = "above" if kid.number.value > 0 else "below"
    assert f"kid[random-conv]: {gan} is {side} {vae} by" in "\n".join(found.lines())


def test_what_cannot_be_taken_is_told_with_its_reason(found):
    assert "fewer than" in found.refused["frechet"] or "too few" in found.refused["frechet"]
    lines = found.lines()
    assert lines[lines.index("not taken:") + 1] == f"frechet: {found.refused['frechet']}"
    assert found.to_json()["refused"] == found.refused
    pictures = np.zeros((30, 4, 4, 1), np.uint8)
    paired, alone = (Evidence(pictures, np.zeros((30, 0)), truth=truth) for truth in (pictures, None))
    partly = Taken(Psnr(), paired, paired, {"a": paired, "b": alone})
    assert _refused("psnr", partly) == {"psnr": "b: the items have no truth to be compared with"}
    assert _refused("psnr", Taken(Psnr(), paired, paired, {"a": paired})) == {}


def test_two_models_that_give_pictures_back_are_told_apart_picture_by_picture(runs, tmp_path):
    weak = tmp_path / "weak"
    small = (*FIXED, "generator_width=4", "latent=64")
    sparring.train(runs[0].parent / "digits.npy", recipe="vae", settings=small, steps=2, out=weak)
    told = compare([weak, runs[0]], count=60)
    (difference,) = [d for d in told.differences if d.metric == "reconstruction-psnr"]
    values = [told.numbers["reconstruction-psnr"][run].value for run in told.runs]
    assert difference.number.value == pytest.approx(values[1] - values[0])
    assert difference.real
    assert difference.better == "higher"
    better = load(runs[0])
    held = gather_again(better.experiment, better.modality)
    shown = held.data.items[held.splits.report[np.linspace(0, len(held.splits.report) - 1, 60).astype(int)]]
    gaps = np.square(better.reconstruct(shown).astype(float) - shown).mean((1, 2, 3))
    assert values[1] == pytest.approx(float((10 * np.log10(255**2 / gaps)).mean()), rel=1e-6)


def test_the_same_model_twice_is_not_told_apart(runs, tmp_path):
    import shutil

    shutil.copytree(runs[0], tmp_path / "twin")
    twins = compare([runs[0], tmp_path / "twin"], count=150)
    assert twins.differences
    assert not any(difference.real for difference in twins.differences)
    assert all(difference.number.value == 0 for difference in twins.differences)


def test_the_command_prints_a_table_and_writes_one_picture(runs, tmp_path, capsys):
    picture = tmp_path / "both.png"
    words = ["compare", *map(str, runs), "--count", "150", "-o", str(picture)]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["picture"] == str(picture)
    assert len(told["runs"]) == 2
    with Image.open(picture) as sheet:
        sheet.load()
        assert sheet.width > sheet.height
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == f"picture {picture}"
    assert "real differences:" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("words", "said"), [([0], "at least two different runs"), ([0, 0], "at least two"), ([0, 1, "-o", "x.gif"], ".png")]
)
def test_requests_that_cannot_be_met_are_refused_in_one_line(runs, words, said, capsys):
    assert main(["compare", *(str(runs[w]) if isinstance(w, int) else w for w in words)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_runs_of_other_items_are_refused(runs, tmp_path):
    points = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    settings = ("training.precision=fp32", "training.batch=8")
    for name in ("a", "b"):
        sparring.train(points, modality="points", recipe="mlp", settings=settings, steps=1, out=tmp_path / name)
    with pytest.raises(RequestError, match="only runs of like items"):
        compare([runs[0], tmp_path / "a"])
    with pytest.raises(DataError, match="too few items"):
        compare([tmp_path / "a", tmp_path / "b"])


def test_a_difference_without_an_interval_is_never_called_real():
    difference = Difference("kid", "a", "b", Number(3.0), "lower")
    assert not difference.real
    assert difference.line() == "kid: b and a are not told apart"
    lines = Comparison(("a", "b"), {}, {"kid": {"a": Number(1.0)}}, {}, (difference,), {}).lines()
    assert "none" in lines[1]


def test_of_many_differences_only_those_beyond_chance_among_all_are_real():
    assert beyond_chance([0.04]) == [True]
    assert beyond_chance([0.04, 0.2, None]) == [False, False, False]
    assert beyond_chance([0.001, 0.024, 0.04, None]) == [True, True, True, False]
    assert beyond_chance([0.03, 0.03, 0.001]) == [False, False, True]
    source, found = np.random.default_rng(0), 0
    for _ in range(200):
        found += any(beyond_chance(list(source.random(36))))
    assert 2 <= found <= 20


def test_groups_of_windows_are_stretches_and_of_others_are_drawn():
    stretches = _groups(50, GROUPS, neighbours=True)
    assert (np.diff(stretches) >= 0).all()
    assert np.bincount(stretches).tolist() == [3, 2] * 10
    drawn = _groups(200, GROUPS, neighbours=False)
    assert (np.bincount(drawn) == 10).all()
    classes = np.arange(200) // 100
    assert len({int(classes[drawn == group].sum()) for group in range(GROUPS)}) > 3


def autoregression(count, kept, source):
    rows = np.zeros((count, 24))
    rows[:, 0] = source.normal(size=count) / (1 - kept**2) ** 0.5
    for step in range(1, 24):
        rows[:, step] = kept * rows[:, step - 1] + source.normal(size=count)
    return Evidence(rows[..., None], np.zeros((count, 0)))


def test_the_chance_of_a_reference_of_windows_that_overlap_is_in_the_intervals():
    """Two models on either side of a walk: which is nearer depends on the few stretches that the walk is made of."""
    values, errors = [], {True: [], False: []}
    for seed in range(20):
        source = np.random.default_rng(seed)
        walk = np.zeros(640)
        for step in range(1, 640):
            walk[step] = 0.9 * walk[step - 1] + source.normal()
        windows = np.lib.stride_tricks.sliding_window_view(walk, 24)[:600, :, None]
        test = Evidence(windows, np.zeros((600, 0)))
        made = {name: autoregression(600, kept, source) for name, kept in (("a", 0.85), ("b", 0.94))}
        for neighbours, found in errors.items():
            taken = Taken(Autocorrelation(), test, test, made, neighbours=neighbours)
            number = taken.number("autocorrelation-error", "b", less="a")
            found.append((number.high - number.low) / 2)
        values.append(number.value)
    # Half of a 95 % interval is about twice the spread of the value over other walks and samples.
    assert np.mean(errors[True]) > 1.2 * np.std(values)
    assert np.mean(errors[False]) < 0.6 * np.std(values)


def test_a_copier_is_told_by_its_copies(runs, tmp_path):
    told = compare(runs, count=150)
    assert {"copies[random-conv]", "pixel-copies", "pixel-nearness"} <= set(told.numbers)
    assert told.floors["pixel-copies"] < 0.1
    assert "training items" in told.protocol["copies"]
    assert not any(difference.metric == "pixel-copies" for difference in told.differences)


def test_a_vae_that_cannot_give_others_pictures_back_leaves_the_rest(runs, tmp_path):
    digits = open_data("digits").load()
    labelled = tmp_path / "labelled.npz"
    np.savez(labelled, samples=digits.items[np.arange(600)], label=digits.attributes["label"][:600])
    small = (*FIXED, "generator_width=4", "latent=8")
    sparring.train(labelled, recipe="vae", settings=small, steps=2, out=tmp_path / "asked")
    told = compare([runs[1], tmp_path / "asked"], count=100)
    assert "needs the items' attributes label" in told.refused["reconstruction"]
    assert told.numbers


def test_runs_are_opened_without_the_file_of_a_network_that_only_training_needs(tmp_path):
    digits = open_data("digits").load().items[np.arange(200)]
    np.save(tmp_path / "digits.npy", np.kron(digits, np.ones((1, 2, 2, 1), np.uint8)))
    shapes = {"0": (4, 3), "2": (4, 4)}
    held = {f"features.{n}.weight": torch.randn(*shape, 3, 3) for n, shape in shapes.items()}
    save_file(held | {f"features.{n}.bias": torch.zeros(4) for n in shapes}, tmp_path / "vgg.safetensors")
    terms = ("game.terms=l1,perceptual", f"game.terms.perceptual.weights={tmp_path / 'vgg.safetensors'}")
    for name in ("a", "b"):
        sparring.train(
            tmp_path / "digits.npy", task="denoising", settings=(*MENDING, *terms), steps=2, out=tmp_path / name
        )
    pictures = np.full((1, 16, 16, 1), 90, np.uint8)
    before = load(tmp_path / "a").apply(pictures)
    (tmp_path / "vgg.safetensors").unlink()
    np.testing.assert_array_equal(load(tmp_path / "a").apply(pictures), before)
    told = compare([tmp_path / "a", tmp_path / "b"])
    assert "psnr" in told.numbers
    assert all("generator" in said for said in told.facts["players"].values())
