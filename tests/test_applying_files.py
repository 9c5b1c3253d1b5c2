"""Files and folders that a restorer is applied to: names, masks, what is refused, what fails."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import sparring
from sparring.applying import plan, read_mask
from sparring.cli import main
from sparring.data.stills import Still, read_still, write_still
from sparring.errors import DataError, RequestError
from sparring.restoring import Restorer
from sparring.run import Run


def test_a_folder_goes_to_a_folder_with_masks_by_suffix_and_failures_named(inpainter, tmp_path, capsys):
    inside = tmp_path / "in"
    (inside / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png"):
        write_still(Still(np.full((20, 30, 3), 90, np.uint8)), inside / name)
    holes = np.zeros((20, 30, 1), np.uint8)
    holes[4:8, 4:8] = 255
    write_still(Still(holes), inside / "a_mask.png")
    (inside / "broken.png").write_bytes(b"no")
    code = main(["apply", str(inpainter), str(inside), "-o", str(tmp_path / "out")])
    said = capsys.readouterr()
    assert code == 1
    assert said.out.split() == [str(tmp_path / "out" / "a.png")]
    assert "deep/b.png" in said.err
    assert "broken.png" in said.err
    assert "2 of 3 pictures failed" in said.err
    assert [p.name for p in (tmp_path / "out").rglob("*.png")] == ["a.png"]
    code = main(["apply", str(inpainter), str(inside / "deep"), "-o", str(tmp_path / "out"), "--mask",
                 str(inside / "a_mask.png")])  # fmt: skip
    assert code == 0


def test_a_folder_of_masks_has_one_for_each_picture(tmp_path):
    for name in ("in/a.png", "in/deep/a.png", "in/deep/b.png", "masks/a.png", "masks/deep/a_mask.png", "masks/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_still(Still(np.zeros((2, 2, 1), np.uint8)), tmp_path / name)
    jobs = plan([tmp_path / "in"], tmp_path / "out", tmp_path / "masks")
    found = {str(job.source.relative_to(tmp_path)): str(job.mask.relative_to(tmp_path)) for job in jobs}
    assert found == {
        "in/a.png": "masks/a.png", "in/deep/a.png": "masks/deep/a_mask.png", "in/deep/b.png": "masks/b.png",
    }  # fmt: skip
    (tmp_path / "masks/b.png").unlink()
    refused = {job.source.name: job.refused for job in plan([tmp_path / "in"], tmp_path / "out", tmp_path / "masks")}
    assert refused == {"a.png": "", "b.png": f"there is no mask called b_mask.png in {tmp_path / 'masks'}"}


def test_a_mask_is_never_overwritten(tmp_path):
    for name in ("in/a.png", "masks/a.png"):
        (tmp_path / name).parent.mkdir()
        write_still(Still(np.zeros((2, 2, 1), np.uint8)), tmp_path / name)
    with pytest.raises(RequestError, match=r"masks/a\.png is an input, which is never overwritten"):
        plan([tmp_path / "in"], tmp_path / "masks", tmp_path / "masks")


def test_masks_beside_pictures_are_told_by_the_picture_of_their_name(tmp_path):
    for name in ("a.png", "a_mask.bmp", "gas_mask.png"):
        write_still(Still(np.zeros((2, 2, 1), np.uint8)), tmp_path / name)
    filled = plan([tmp_path], tmp_path / "out")
    assert [(job.source.name, job.mask and job.mask.name) for job in filled] == [
        ("a.png", "a_mask.bmp"), ("gas_mask.png", None),
    ]  # fmt: skip
    cleaned = plan([tmp_path], tmp_path / "out", masked=False)
    assert [(job.source.name, job.mask) for job in cleaned] == [
        ("a.png", None), ("a_mask.bmp", None), ("gas_mask.png", None),
    ]  # fmt: skip


def test_a_task_without_holes_restores_pictures_called_masks_and_takes_no_mask(denoiser, tmp_path, capsys):
    inside = tmp_path / "in"
    inside.mkdir()
    for name in ("a.png", "a_mask.png"):
        write_still(Still(np.full((20, 30, 1), 90, np.uint8)), inside / name)
    (inside / "b.heic").write_bytes(b"whatever")
    words = ["apply", str(denoiser), str(inside), "-o", str(tmp_path / "out")]
    assert main(words) == 1
    said = capsys.readouterr()
    assert sorted(Path(line).name for line in said.out.split()) == ["a.png", "a_mask.png"]
    assert "b.heic: .heic pictures are not read; convert them to PNG or JPEG" in said.err
    assert "1 of 3 pictures failed" in said.err
    assert main(["apply", str(denoiser), str(inside / "b.heic"), "-o", str(tmp_path / "b.png")]) == 1
    assert "1 of 1 pictures failed" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--mask", str(inside / "a.png")]) == 2
    assert "takes no mask" in capsys.readouterr().err


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_a_picture_that_memory_does_not_hold_is_named_and_the_rest_is_done(denoiser, tmp_path, monkeypatch, error):
    for name in ("a.png", "b.png"):
        write_still(Still(np.full((20, 30, 1), 90, np.uint8)), tmp_path / name)
    made = Restorer.picture

    def picture(self, still, mask=None, calls=[]):  # noqa: B006
        calls.append(still)
        if len(calls) == 1:
            raise error
        return made(self, still, mask)

    monkeypatch.setattr(Restorer, "picture", picture)
    done = sparring.apply(denoiser, tmp_path, tmp_path / "out")
    assert [path.name for path in done.written] == ["b.png"]
    assert [(Path(fault.file).name, fault.reason) for fault in done.failed] == [
        ("a.png", "memory ran out; reduce the picture, or cut it into parts")
    ]


def test_a_fault_of_ours_is_not_taken_for_one_of_the_picture(denoiser, tmp_path, monkeypatch):
    def picture(self, still, mask=None):
        raise RuntimeError("shapes do not fit")

    write_still(Still(np.full((20, 30, 1), 90, np.uint8)), tmp_path / "a.png")
    monkeypatch.setattr(Restorer, "picture", picture)
    with pytest.raises(RuntimeError, match="shapes"):
        sparring.apply(denoiser, tmp_path / "a.png", tmp_path / "b.png")


def test_transparent_holes_are_filled_and_other_alpha_is_kept(inpainter):
    pixels, alpha = np.full((20, 30, 3), 90, np.uint8), np.full((20, 30), 255, np.uint8)
    restorer = sparring.load(inpainter).restorer()
    with pytest.raises(RequestError, match="needs a mask"):
        restorer.picture(Still(pixels, alpha))
    alpha[4:8, 4:8] = 0
    assert restorer.picture(Still(pixels, alpha)).alpha is None
    alpha[10:] = 100
    kept = restorer.picture(Still(pixels, alpha)).alpha
    np.testing.assert_array_equal(kept, np.where(alpha == 0, 255, alpha))


def test_the_best_model_can_be_applied(denoiser, tmp_path, capsys):
    run, source = tmp_path / "run", tmp_path / "a.png"
    shutil.copytree(denoiser, run)
    write_still(Still(np.full((20, 30, 1), 90, np.uint8)), source)
    words = ["apply", str(run), str(source), "-o"]
    assert main([*words, str(tmp_path / "none.png"), "--best"]) == 1
    assert "no best model" in capsys.readouterr().err
    weights = load_file(run / "generator.safetensors")
    Run(run).write_tensors(run / "best/generator.safetensors", {name: w + 0.05 for name, w in weights.items()})
    assert main([*words, str(tmp_path / "last.png")]) == 0
    assert main([*words, str(tmp_path / "best.png"), "--best"]) == 0
    made = read_still(tmp_path / "best.png").pixels
    np.testing.assert_array_equal(made, sparring.load(run, best=True).apply(read_still(source).pixels))
    assert (made != read_still(tmp_path / "last.png").pixels).any()


def test_pictures_of_one_name_keep_their_endings_and_none_takes_the_place_of_another(tmp_path):
    for name in ("a.png", "a.jpg", "b.jpg"):
        write_still(Still(np.zeros((2, 2, 1), np.uint8)), tmp_path / name)
    named = {job.source.name: job.target.name for job in plan([tmp_path], tmp_path / "out")}
    assert named == {"a.jpg": "a.jpg.png", "a.png": "a.png.png", "b.jpg": "b.png"}
    write_still(Still(np.zeros((2, 2, 1), np.uint8)), tmp_path / "a.jpg.png")
    with pytest.raises(RequestError, match=r"two inputs would become .*a\.jpg\.png; give them other names"):
        plan([tmp_path], tmp_path / "out")


def test_an_output_whose_name_has_another_ending_is_told_what_to_do(tmp_path):
    write_still(Still(np.zeros((2, 2, 1), np.uint8)), tmp_path / "a.png")
    write_still(Still(np.zeros((2, 2, 1), np.uint8)), tmp_path / "b.png")
    with pytest.raises(RequestError, match=r"out\.v3: files end in \.png, .*\.bmp; for a folder of that name, make it"):
        plan([tmp_path / "a.png"], tmp_path / "out.v3")
    with pytest.raises(RequestError, match=r"2 pictures go to a folder, not to one file"):
        plan([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "out.png")
    (tmp_path / "out.v3").mkdir()
    assert plan([tmp_path / "a.png"], tmp_path / "out.v3")[0].target == tmp_path / "out.v3/a.png"


def test_the_hole_of_a_mask_is_where_it_is_bright_and_opaque(tmp_path):
    white, opacity = np.full((4, 6, 1), 255, np.uint8), np.zeros((4, 6), np.uint8)
    opacity[1:3, 2:5] = 255
    write_still(Still(white, opacity), tmp_path / "layer.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "layer.png"), opacity > 0)


@pytest.mark.parametrize(("brightest", "said"), [(0, "0%"), (1, "0%"), (127, "50%")])
def test_a_mask_without_a_hole_is_refused(tmp_path, brightest, said):
    write_still(Still(np.full((4, 6, 1), brightest, np.uint8)), tmp_path / "m.png")
    with pytest.raises(DataError, match=rf"m\.png has no hole: holes are brighter than half, and it reaches {said}"):
        read_mask(tmp_path / "m.png")


def test_one_file_goes_to_one_file_and_nothing_is_replaced_unasked(denoiser, tmp_path, capsys):
    source = tmp_path / "a.png"
    write_still(Still(np.full((20, 30, 1), 90, np.uint8)), source)
    before = source.read_bytes()
    words = ["apply", str(denoiser), str(source), "-o"]
    assert main([*words, str(tmp_path / "b.jpg")]) == 0
    assert read_still(tmp_path / "b.jpg").pixels.shape == (20, 30, 1)
    assert main([*words, str(tmp_path / "b.jpg")]) == 2
    assert main([*words, str(tmp_path / "b.jpg"), "--overwrite"]) == 0
    assert main([*words, str(source), "--overwrite"]) == 2
    assert main([*words, str(tmp_path), "--overwrite"]) == 2
    assert source.read_bytes() == before
    assert "never overwritten" in capsys.readouterr().err
