"""Pictures from pictures, adversary off and on: noise, size, faults, holes, colours, facades."""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement

if TYPE_CHECKING:
    from sparring.model import Model

SIGMA = 25.0
SCALE = 4
HOLES = 8
"""Of each held-back picture, for a hundred pictures are few."""
ADVERSARIES = {"off": ["--set", "game.adversary=0"], "on": []}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restoration", description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(FIGURES), choices=list(FIGURES), help="which figures")
    parser.add_argument("--adversary", nargs="+", default=["off", "on"], choices=["off", "on"], help="without, with")
    parser.add_argument("--seeds", nargs="+", default=["0-1"], help="seeds, such as 0 1 2 or 0-2")
    parser.add_argument("--minutes", type=float, default=20.0, help="length of a training")
    parser.add_argument("--pictures", type=int, default=1000, help="test pictures of a set, at most")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides, for smoke tests")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("restoration", argv, asked.results)
    for name in asked.only:
        data, options, measure = FIGURES[name]
        for seed in runs.seeds_option(asked.seeds):
            for adversary in asked.adversary:
                out = asked.scratch / f"restoration-{name}-{adversary}-{seed}"
                given = [*options, *ADVERSARIES[adversary], "--minutes", f"{asked.minutes:g}", "--seed", str(seed)]
                given += [part for setting in asked.settings for part in ("--set", setting)]
                cost = runs.train(folder_of(data, asked.scratch), out, *given)
                for figure, value, bound, more in measure(out, asked.pictures):
                    asks = bound if adversary == "off" and asked.minutes == 20 else ""
                    title, facts = f"{figure}, adversary {adversary}, {asked.minutes:g} minutes", cost.summary() | more
                    ledger.add(Measurement(title, value, asks, seed=seed, minutes=cost.minutes, more=facts))
    print(ledger.table())
    return 0


def folder_of(sets: tuple[str, ...], scratch: Path) -> str:
    """The folder of a set, or one in which the pictures of several lie together.

    Args:
        sets: paths below SPARRING_DATA.
        scratch: where several are put together.
    """
    found = [Path(runs.data_path(*name.split("/"))) for name in sets]
    if len(found) == 1:
        return str(found[0])
    together = scratch / "+".join(path.name for path in found)
    for path in found:
        (together / path.name).mkdir(parents=True, exist_ok=True)
        for picture in path.glob("*.png"):
            shutil.copyfile(picture, together / path.name / picture.name)
    return str(together)


Found = Iterator[tuple[str, float, str, dict[str, float]]]


def denoising(out: Path, most: int) -> Found:
    """Mean PSNR of whole BSD68 pictures with unclipped noise of standard deviation 25, the seed being the number."""
    from sparring.metrics.perceptual_distance import distances
    from sparring.model import load

    model = load(out)
    restorer, network, rows = model.restorer(), eyes(model), []
    for number, clean in enumerate(pictures("BSD68", "L", most)):
        noise = np.random.default_rng(number).standard_normal(clean.shape)
        noisy = torch.from_numpy((clean + SIGMA * noise) / 127.5 - 1).float()[None, None]
        made = rounded(restorer.tensor(noisy)[0, 0].numpy())
        far = distances(network, made[None, ..., None], clean[None, ..., None].astype(np.uint8))[0]
        rows.append((psnr(made, clean), psnr(np.clip(clean + SIGMA * noise, 0, 255), clean), far))
    mean = np.mean(rows, 0)
    yield "BSD68, sigma 25: PSNR, dB", mean[0], ">= 28.95", {"identity": mean[1], "pictures": len(rows)}
    yield "BSD68, sigma 25: perceptual[learned]", mean[2], "", {}


def super_resolution(out: Path, most: int) -> Found:
    """Mean PSNR on the studio-range luma with a border of 4 left out, of a model of grey pictures."""
    from sparring.degradations import Downscale, resize
    from sparring.metrics.perceptual_distance import distances
    from sparring.model import load

    model = load(out)
    network = eyes(model)
    restorer, careful = model.restorer(), model.restorer(turns=8)
    for name, bound in (("Set5", ">= 31.35"), ("Set14", ">= 28.05")):
        rows = []
        for picture in pictures(name, "L", most):
            height, width = (side - side % SCALE for side in picture.shape)
            true = picture[:height, :width]
            clean = torch.from_numpy(true / 127.5 - 1).float()[None]
            small = Downscale(factor=SCALE)(clean, torch.Generator())
            made = rounded(restorer.tensor(small[None])[0, 0].numpy())
            plain = rounded(resize(small, (height, width))[0].numpy())
            far = distances(network, made[None, ..., None], true[None, ..., None].astype(np.uint8))[0]
            better = rounded(careful.tensor(small[None])[0, 0].numpy())
            rows.append((*(psnr(*bordered(each, true)) for each in (made, better, plain)), far))
        mean = np.mean(rows, 0)
        facts = {"bicubic": mean[2], "pictures": len(rows)}
        yield f"{name}, x4: PSNR on Y, dB", mean[0], bound, facts
        yield f"{name}, x4, mean of 8 turns: PSNR on Y, dB", mean[1], bound, facts
        yield f"{name}, x4: perceptual[learned]", mean[3], "", {}


def eyes(model: "Model") -> torch.nn.Module:
    """The network of ``perceptual[learned]``, from the pictures that the model learned from."""
    from sparring.experiment import gather_again
    from sparring.metrics.perceptual_distance import learned_network

    material = gather_again(model.experiment, model.modality)
    return learned_network(np.asarray(material.data.items[material.splits.train]))


def evaluated(names: Sequence[str], title: str) -> Callable[[Path, int], Found]:
    """The numbers of ``sparring evaluate`` by these names, on the pictures that were held back."""

    def measure(out: Path, most: int) -> Found:
        from sparring.experiment import gather_again
        from sparring.model import load

        model = load(out)
        held_back = len(gather_again(model.experiment, model.modality).splits.report)
        found = model.evaluate(metrics=names, count=min(most, held_back))
        for row in found.rows:
            yield f"{title}: {row.name}", row.value, "", dict(row.baselines)

    return measure


def inpainting(out: Path, most: int) -> Found:
    """The numbers of ``sparring evaluate``, and KID of what lies around several holes of each picture."""
    from benchmarks.judges import SEED
    from sparring.experiment import gather_again
    from sparring.metrics.features import Features
    from sparring.metrics.kernel import grouped_distance
    from sparring.model import load
    from sparring.restoring import examples
    from sparring.tasks.picture import PictureTask

    yield from evaluated(("hole-psnr", "perceptual-distance", "kid"), "faces, holes of 24x24")(out, most)
    model = load(out)
    task, material = model.experiment.task, gather_again(model.experiment, model.modality)
    assert isinstance(task, PictureTask), "holes are of pictures"
    rows, players = material.splits.report[:most], model.restorer().players
    looks = [examples(task, players, material, rows, seed) for seed in range(HOLES)]
    given = np.concatenate([np.asarray(look.given) for look in looks])[..., -1]
    learned = np.asarray(material.data.items[material.splits.train])
    features = Features.find("random-conv")().fit(around(learned, np.resize(given, learned.shape[:3])), None, SEED)

    def seen(side: str) -> np.ndarray:
        """Features by picture and hole."""
        found = features(around(np.concatenate([getattr(look, side) for look in looks]), given))
        return found.reshape(HOLES, len(rows), -1).swapaxes(0, 1)

    found = grouped_distance(seen("truth"), seen("items"))
    more = {"low": found.ends[0], "high": found.ends[1], "pictures": len(rows), "holes": len(given)}
    yield f"faces, around holes: kid[{features.name}]", found.value, "", more


def around(shown: np.ndarray, known: np.ndarray, side: int = 40) -> np.ndarray:
    """The part of each picture ``(n, h, w, c)`` whose middle is its hole's, as far as the picture goes.

    Args:
        shown: pictures.
        known: ``(n, h, w)``, 0 in the hole.
        side: of the part.
    """
    parts = []
    for picture, there in zip(shown, known, strict=True):
        ends = [np.flatnonzero((there == 0).any(axis)) for axis in (1, 0)]
        first = [
            int(np.clip((e[0] + e[-1] + 1 - side) // 2, 0, n - side)) for e, n in zip(ends, there.shape, strict=True)
        ]
        parts.append(picture[first[0] : first[0] + side, first[1] : first[1] + side])
    return np.stack(parts)


def pictures(name: str, mode: str, most: int) -> Iterator[np.ndarray]:
    """The test pictures of a set, in the order of their names, as float64 of 0 to 255."""
    for path in sorted(Path(runs.data_path("restoration", name)).glob("*.png"))[:most]:
        yield np.asarray(Image.open(path).convert(mode)).astype(np.float64)


def rounded(values: np.ndarray) -> np.ndarray:
    """Numbers in [-1, 1] as 8 bits."""
    return np.rint((np.clip(values, -1, 1) + 1) * 127.5).astype(np.uint8)


def bordered(*planes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Grey of full range as luma of studio range, 219 steps in the place of 255, without a border of the scale."""
    return tuple(plane[SCALE:-SCALE, SCALE:-SCALE] * (219 / 255) + 16 for plane in planes)


def psnr(made: np.ndarray, true: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, of 8 bits."""
    return float(10 * np.log10(255**2 / max(np.square(made.astype(np.float64) - true).mean(), 1e-10)))


_NOISE = [
    word
    for field in ("task.noise=gaussian-noise", f"task.noise.0.low={SIGMA:g}", f"task.noise.0.high={SIGMA:g}")
    for word in ("--set", field)
]
_ALL = ["--set", "data.turns=all"]
FIGURES: dict[str, tuple[tuple[str, ...], list[str], Callable[[Path, int], Found]]] = {
    "denoising": (("restoration/Train400",), ["--task", "denoising", "--size", "48", *_NOISE, *_ALL], denoising),
    "super-resolution": (
        ("restoration/T91", "restoration/Train400"),
        ["--task", "super-resolution", "--size", "96", "--set", "data.color=grey", *_ALL],
        super_resolution,
    ),
    "inpainting": (
        ("faces/utkface-128.zip",),
        ["--task", "inpainting", "--size", "64", "--set", "data.shorter=64", "--set", "task.holes=rectangles",
         "--set", "task.holes.0.low=0.375", "--set", "task.holes.0.high=0.375"],
        inpainting,
    ),
    "enhancement": (
        ("restoration/Train400",),
        ["--task", "enhancement", *_ALL],
        evaluated(("psnr", "ssim", "perceptual-distance"), "Train400, blurred, noisy and compressed"),
    ),
    "colorization": (
        ("faces/utkface-128.zip",),
        ["--task", "colorization", "--size", "64", "--set", "data.shorter=64"],
        evaluated(("psnr", "perceptual-distance", "kid"), "faces, colours of grey ones"),
    ),
    "facades": (
        ("facades",),
        ["--task", "translation", "--size", "128", "--direction", "BtoA"],
        evaluated(("l1-distance", "psnr", "perceptual-distance", "kid"), "facades, 128x128"),
    ),
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
