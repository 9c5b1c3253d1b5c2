"""From a folder of pictures to restored files, as a user goes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from restorers import SLIGHT, SMALL

import sparring
from sparring.cli import main
from sparring.data import Fault
from sparring.data.stills import Still, read_still, write_still
from sparring.errors import RequestError
from sparring.metrics.psnr import Psnr
from sparring.tasks.denoising import Denoising


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_size_depth_channels_and_alpha_are_kept(denoiser, channels, kind):
    most = np.iinfo(kind).max
    picture = np.random.default_rng(0).integers(0, most, (31, 77, channels), endpoint=True).astype(kind)
    made = sparring.load(denoiser).apply(picture)
    assert made.shape == picture.shape
    assert made.dtype == kind
    if channels in (2, 4):
        np.testing.assert_array_equal(made[..., -1], picture[..., -1])
    assert np.abs(made[..., 0].astype(float) - picture[..., 0]).mean() < 0.1 * most


def test_sixteen_bits_are_more_than_eight(denoiser):
    picture = np.linspace(0, 65535, 64 * 64).reshape(64, 64, 1).astype(np.uint16)
    assert len(np.unique(sparring.load(denoiser).apply(picture))) > 1000


def test_tiles_and_the_whole_picture_give_the_same(denoiser, enlarger):
    picture = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    for run in (denoiser, enlarger):
        model = sparring.load(run)
        whole, parts = model.apply(picture), model.apply(picture, tile=32)
        assert np.abs(whole.astype(int) - parts).max() <= 1


def test_pictures_grow_and_their_alpha_with_them(enlarger):
    picture = np.full((10, 13, 4), 200, np.uint8)
    made = sparring.load(enlarger).apply(picture)
    assert made.shape == (20, 26, 4)
    assert (made[..., 3] == 200).all()


def test_what_was_known_is_kept_and_holes_are_filled(inpainter):
    picture = np.random.default_rng(2).integers(0, 256, (30, 40, 3), np.uint8)
    holes = np.zeros((30, 40), bool)
    holes[5:15, 8:20] = True
    made = sparring.load(inpainter).apply(picture, mask=holes)
    np.testing.assert_array_equal(made[~holes], picture[~holes])
    assert (made[holes] != picture[holes]).any()
    with pytest.raises(RequestError, match="mask"):
        sparring.load(inpainter).apply(picture)
    with pytest.raises(RequestError, match="does not fit"):
        sparring.load(inpainter).restorer().picture(Still(picture), np.zeros((3, 3), bool))
    other = picture.copy()
    other[holes] = 0
    np.testing.assert_array_equal(sparring.load(inpainter).apply(other, mask=holes), made)


@pytest.mark.parametrize(
    "words", [["nowhere"], [], ["{photos}", "--tile", "3"], ["{photos}", "--mask", "nowhere"]], ids=str
)
def test_a_wrong_request_is_refused_in_one_line(denoiser, photos, tmp_path, words, capsys):
    given = [word.format(photos=photos) for word in words]
    assert main(["apply", str(denoiser), *given, "-o", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_model_of_pictures_refuses_to_make_them_from_nothing(denoiser, photos):
    model = sparring.load(denoiser)
    with pytest.raises(RequestError, match="apply"):
        model.sample(2)
    with pytest.raises(RequestError, match="evaluate"):
        model.score(np.zeros((1, 24, 24, 3), np.uint8))


@pytest.mark.parametrize("task", ["denoising", "enhancement", "super-resolution", "inpainting", "colorization",
                                  "decolorization"])  # fmt: skip
def test_a_folder_of_photos_is_enough(photos, tmp_path, task):
    sparring.train(photos, out=tmp_path / "run", task=task, steps=1, settings=[*SMALL, "training.batch=1"])
    assert list((tmp_path / "run" / "samples").glob("*.png"))


@pytest.mark.parametrize("task", ["denoising", "enhancement", "super-resolution", "inpainting", "colorization",
                                  "decolorization", "translation"])  # fmt: skip
def test_pictures_of_any_shape_and_mode_are_ordinary_photos(tmp_path, task):
    source = np.random.default_rng(0)
    for number, (size, mode) in enumerate([((75, 50), "RGB"), ((31, 90), "L"), ((50, 50), "RGBA"), ((49, 67), "P")]):
        pixels = source.integers(0, 256, (*size, 3), np.uint8)
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(pixels).convert(mode).save(tmp_path / "photos" / f"{number}.png")
    settings = [*SMALL, "training.batch=1", "network.width=4", "network.judge.width=4"]
    sparring.train(tmp_path / "photos", out=tmp_path / "run", task=task, steps=1, settings=settings)
    assert list((tmp_path / "run" / "samples").glob("*.png"))


@pytest.mark.parametrize("task", ["unpaired-translation", "style"])
def test_two_folders_without_pairs_are_enough(photos, tmp_path, task):
    for number, path in enumerate(photos.iterdir()):
        side = tmp_path / "two" / ("photographs" if number % 2 else "paintings")
        side.mkdir(parents=True, exist_ok=True)
        Image.open(path).save(side / path.name)
    main(["train", str(tmp_path / "two"), "--task", task, "--out", str(tmp_path / "run"), "--steps", "1", "--direction",
          "BtoA", *(word for setting in SMALL for word in ("--set", setting))])  # fmt: skip
    model = sparring.load(tmp_path / "run")
    assert model.experiment.data.direction == "BtoA"
    assert model.apply(np.zeros((20, 30, 3), np.uint8)).shape == (20, 30, 3)


def test_real_noisy_pairs_are_learned_from_two_folders(photos, tmp_path):
    source = np.random.default_rng(0)
    for path in photos.iterdir():
        clean = np.asarray(Image.open(path)).astype(float)
        noisy = np.clip(clean + 20 * source.standard_normal(clean.shape), 0, 255).astype(np.uint8)
        for side, pixels in (("clean", clean.astype(np.uint8)), ("noisy", noisy)):
            (tmp_path / "pairs" / side).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "pairs" / side / path.name)
    settings = [*SMALL, *SLIGHT, "task.told=true"]
    model = sparring.train(tmp_path / "pairs", out=tmp_path / "run", task="denoising", steps=2, settings=settings)
    assert model.experiment.data.pairs
    picture = np.asarray(Image.open(next(iter(photos.iterdir()))))
    weak, strong = (model.apply(picture, strength=strength).astype(int) for strength in (2.0, 50.0))
    assert np.abs(weak - strong).max() > 0
    np.testing.assert_array_equal(model.apply(picture), model.apply(picture))


def test_a_scale_below_the_learned_one_is_met_by_resizing(enlarger, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (21, 30, 4), np.uint8)
    assert sparring.load(enlarger).apply(picture, scale=1.5).shape == (32, 45, 4)
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert main(["apply", str(enlarger), str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--scale", "1.5"]) == 0
    assert read_still(tmp_path / "b.png").pixels.shape == (32, 45, 3)


def test_the_mean_of_eight_turns_turns_with_the_picture(enlarger, tmp_path):
    mean = sparring.load(enlarger).restorer(turns=8)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in mean.players["generator"].parameters():
            weight.add_(torch.randn_like(weight), alpha=0.1)
    picture = torch.rand(1, 3, 12, 20) * 2 - 1

    def turned(pictures):
        return torch.rot90(pictures, 1, (2, 3)).flip(3)

    def apart(restorer):
        return float((turned(restorer.tensor(picture)) - restorer.tensor(turned(picture))).abs().max())

    assert apart(mean) < 1e-4
    assert apart(replace(mean, turns=1)) > 0.01
    torch.testing.assert_close(
        mean.tensor(picture), (replace(mean, turns=4).tensor(picture) + turned(replace(mean, turns=4).tensor(
            turned(picture)))) / 2)  # fmt: skip
    Image.new("RGB", (20, 12)).save(tmp_path / "a.png")
    assert main(["apply", str(enlarger), str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--turns", "8"]) == 0


@pytest.mark.parametrize("asked", [{"scale": 2.5}, {"scale": 1.0}, {"strength": 5.0}, {"turns": 9}], ids=str)
def test_what_a_model_has_not_learned_is_refused(enlarger, asked):
    with pytest.raises(RequestError, match=next(iter(asked))):
        sparring.load(enlarger).restorer(**asked)


def test_two_folders_of_pairs_are_enough(photos, tmp_path):
    for path in photos.iterdir():
        for side in ("A", "B"):
            (tmp_path / "pairs" / side).mkdir(parents=True, exist_ok=True)
            Image.open(path).resize((24, 24)).save(tmp_path / "pairs" / side / path.name)
    settings = [*SMALL, "network.width=4", "network.depth=3", "network.judge.width=4"]
    model = sparring.train(tmp_path / "pairs", out=tmp_path / "run", task="translation", steps=2, settings=settings)
    made = model.apply(np.zeros((24, 30, 3), np.uint8))
    assert made.shape == (24, 30, 3)


@pytest.mark.parametrize("task", ["translation", "unpaired-translation", "style"])
def test_a_translator_of_grey_pictures_makes_grey_files(photos, tmp_path, task):
    for path in photos.iterdir():
        for side in ("A", "B"):
            (tmp_path / "two" / side).mkdir(parents=True, exist_ok=True)
            Image.open(path).resize((24, 24)).convert("L").save(tmp_path / "two" / side / path.name)
    settings = [*SMALL, "network.width=4", "network.depth=3", "network.judge.width=4"]
    settings = settings if task == "translation" else SMALL
    model = sparring.train(tmp_path / "two", out=tmp_path / "run", task=task, steps=2, settings=settings)
    assert model.modality.spec().shape == (1, 24, 24)
    values = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "in.png")
    Image.fromarray(values).convert("L").save(tmp_path / "grey.png")
    model.apply([tmp_path / "in.png", tmp_path / "grey.png"], out=tmp_path / "out")
    made = [Image.open(tmp_path / "out" / name) for name in ("in.png", "grey.png")]
    assert [picture.mode for picture in made] == ["L", "L"]
    assert np.abs(np.asarray(made[0]).astype(int) - np.asarray(made[1])).max() <= 2


def test_denoising_is_learned(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(4):
        smooth = np.random.default_rng(number).integers(0, 256, (4, 4), np.uint8)
        Image.fromarray(smooth).resize((48, 48), Image.Resampling.BICUBIC).save(tmp_path / "photos" / f"{number}.png")
    settings = [*SMALL, "network.width=8", "network.blocks=2", "game.adversary=0", "task.noise.0.low=30",
                "task.noise.0.high=30", "optimiser.rate=5e-3"]  # fmt: skip
    model = sparring.train(
        tmp_path / "photos", out=tmp_path / "run", task="denoising", size=24, steps=150, settings=settings
    )
    clean = np.asarray(Image.open(tmp_path / "photos" / "0.png"))[..., None].astype(float)
    noisy = np.clip(clean + 30 * np.random.default_rng(9).standard_normal(clean.shape), 0, 255).astype(np.uint8)
    made = model.apply(noisy)
    assert np.square(made - clean).mean() < 0.35 * np.square(noisy - clean).mean()


@pytest.mark.parametrize("task", ["denoising", "inpainting", "super-resolution"])
def test_a_restorer_is_judged_beside_simple_means(tmp_path, task):
    settings = [*SMALL, "network.width=4", "network.judge.width=4"] + (["task.scale=2"] if "super" in task else [])
    model = sparring.train("digits", out=tmp_path / "run", task=task, steps=2, settings=settings)
    found = model.evaluate(
        count=20, metrics=["psnr", "perceptual-distance", "kid", "hole-psnr"], features="random-conv"
    )
    rows = {row.name.partition("[")[0]: row for row in found.rows}
    assert {"psnr", "perceptual", "kid"} <= set(rows)
    assert ("hole-psnr" in rows) == (task == "inpainting")
    assert {"identity", "mean-colour", "nearest-training", "telea"} & set(rows["psnr"].baselines) >= (
        {"identity", "mean-colour", "telea"} if task == "inpainting" else {"identity"}
    )
    assert rows["psnr"].floor is None
    assert model.evaluate(count=20, metrics=["psnr"]) == model.evaluate(count=20, metrics=["psnr"])
    assert "psnr all channels, border of 0 left out" in found.how()
    asked = model.evaluate(count=20, metrics=[Psnr(channels="y", crop=2)])
    assert [row.name for row in asked.rows] == ["psnr-y"]
    assert "psnr luma, border of 2 left out" in asked.how()
    assert asked.protocol["metrics"]["psnr"]["how"].startswith("luma, border of 2 left out; mean of")


def test_the_same_generator_without_a_discriminator_can_stand_beside(tmp_path, monkeypatch):
    monkeypatch.setattr(Denoising, "metrics", (Psnr,))
    settings = [*SMALL, "network.width=4", "network.blocks=1", "network.judge.width=4"]
    options = {"task": "denoising", "steps": 2}
    model = sparring.train("digits", out=tmp_path / "with", settings=[*settings, "game.warm=0"], **options)
    plain = sparring.train("digits", out=tmp_path / "without", settings=[*settings, "game.adversary=0"], **options)
    found = model.evaluate(beside=tmp_path / "without").rows[0]
    assert found.baselines["without"] == plain.evaluate().rows[0].value
    assert "<th>without</th>" in sparring.report(tmp_path / "with").read_text()


def test_a_run_of_another_task_cannot_stand_beside(denoiser, enlarger):
    with pytest.raises(RequestError, match="same task"):
        sparring.load(enlarger).evaluate(beside=denoiser)


def test_links_that_lead_out_of_a_folder_are_refused_by_name_and_those_that_are_given_are_followed(
    denoiser, inpainter, tmp_path
):
    outside, inside = tmp_path / "outside", tmp_path / "in"
    outside.mkdir()
    inside.mkdir()
    for path in (outside / "secret.png", inside / "own.png", outside / "holes.png"):
        shade = 200 if path.name == "holes.png" else 90
        write_still(Still(np.full((20, 30, 1), shade, np.uint8)), path)
    (inside / "a.png").symlink_to(outside / "secret.png")
    (inside / "b.png").symlink_to(inside / "own.png")
    done = sparring.load(denoiser).apply(inside, out=tmp_path / "out")
    assert [path.name for path in done.written] == ["b.png", "own.png"]
    assert done.failed == (Fault(str(inside / "a.png"), "a.png is a link that leaves the folder"),)
    (tmp_path / "given").symlink_to(inside)
    assert sparring.load(denoiser).apply(inside / "a.png", out=tmp_path / "a.png").written == (tmp_path / "a.png",)
    assert len(sparring.load(denoiser).apply(tmp_path / "given", out=tmp_path / "again").written) == 2
    (inside / "own_mask.png").symlink_to(outside / "holes.png")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "own_mask.png").symlink_to(outside / "holes.png")
    for asked in ({}, {"mask": tmp_path / "masks"}):
        done = sparring.load(inpainter).apply(inside / "own.png", out=tmp_path / "filled", **asked)
        assert "own_mask.png is a link that leaves the folder" in done.failed[0].reason
    done = sparring.load(inpainter).apply(
        inside / "own.png", out=tmp_path / "filled", mask=inside / "own_mask.png", overwrite=True
    )
    assert not done.failed
