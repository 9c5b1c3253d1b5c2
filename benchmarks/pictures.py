"""Faces, anime faces, CIFAR-10: kernel distance and recall beside the recipe dcgan's at equal minutes; faces by gender.

Grids of samples are written into the scratch folder, to be looked at.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.conditional import agreement, asked_for
from benchmarks.judges import Held, Real, cached_judge, labels_of, measure, real, training_free_judge
from benchmarks.ledger import RESULTS, Ledger, Measurement
from benchmarks.runs import Cost
from sparring.metrics import Evidence

RECIPES = ("default", "dcgan")


@dataclass(frozen=True)
class Set:
    """A set of pictures and how it is read.

    Attributes:
        title: for tables.
        parts: where it lies below SPARRING_DATA; one part alone is a name that the library knows.
        size: height and width, or none for the pictures' own.
        pattern: attributes in file names.
        label: the attribute that the judge learns; none: the judge is not trained.
    """

    title: str
    parts: tuple[str, ...]
    size: int | None = None
    pattern: str | None = None
    label: str | None = None

    @property
    def data(self) -> str:
        """What ``sparring train`` is given."""
        return runs.named(self.parts[0]) if len(self.parts) == 1 else runs.data_path(*self.parts)

    def real(self) -> Real:
        """The real pictures by split."""
        given = {"size": self.size, "label_pattern": self.pattern}
        return real(self.data, self.label, **{name: value for name, value in given.items() if value is not None})

    def options(self) -> list[str]:
        """How ``sparring train`` is told to read it."""
        size = ["--size", str(self.size)] if self.size else []
        return size + (["--label-pattern", self.pattern] if self.pattern else [])


SETS = {
    "faces": Set("faces 64x64", ("faces", "utkface-128.zip"), 64, "{age}_{gender}_*", "gender"),
    "anime-faces": Set("anime faces 64x64", ("anime-faces", "anime-faces-64.zip")),
    "cifar10": Set("CIFAR-10", ("cifar10",), label="label"),
}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument(
        "--data", nargs="+", choices=[*SETS, "gender"], default=[*SETS, "gender"], help="what to measure"
    )
    parser.add_argument("--seeds", nargs="+", default=["0"], help="seeds, such as 0 1 2 or 0-2")
    parser.add_argument("--minutes", type=float, default=20.0, help="length of each training")
    parser.add_argument("--items", type=int, default=10_000, help="pictures to generate")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides of both, for smoke tests")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs and grids")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("pictures", argv, asked.results)
    for name in asked.data:
        for seed in runs.seeds_option(asked.seeds):
            if name == "gender":
                by_gender(ledger, SETS["faces"], seed, asked)
            else:
                against_dcgan(ledger, SETS[name], seed, asked)
    print(ledger.table())
    return 0


def against_dcgan(ledger: Ledger, chosen: Set, seed: int, asked: argparse.Namespace) -> None:
    """Both recipes, unconditional, at equal minutes."""
    data = chosen.real()
    judge = cached_judge(chosen.parts[0], data) if chosen.label else training_free_judge(data)
    sides = {name: judge.evidence(held) for name, held in vars(data).items() if isinstance(held, Held)}
    floors = figures(sides["train"], sides["report"], sides["select"])
    kernel: dict[str, float] = {}
    for recipe in RECIPES:
        out, cost = _trained(chosen, recipe, seed, asked)
        made = judge.evidence(Held(_sampled(out, asked.items, seed), None))
        found = figures(sides["train"], sides["report"], made)
        kernel[recipe] = found["KID"][0]
        common = {"seed": seed, "minutes": round(cost.minutes, 3), "items": asked.items}
        for name, (value, low, high) in found.items():
            title = f"{chosen.title}, {asked.minutes:g} minutes, {recipe}: {name} [{judge.name}]"
            more = cost.summary() | {"low": low, "high": high, "reference": len(data.report.pictures)}
            ledger.add(Measurement(title, value, floor=floors[name][0], **common, more=more))
        if recipe == "default":
            title = f"{chosen.title}, {asked.minutes:g} minutes: recall / its floor"
            ledger.add(Measurement(title, found["recall"][0] / floors["recall"][0], ">= 0.5", **common))
    title = f"{chosen.title}, {asked.minutes:g} minutes: KID / KID of the recipe dcgan"
    common = {"seed": seed, "minutes": asked.minutes, "items": asked.items}
    ledger.add(Measurement(title, kernel["default"] / kernel["dcgan"], "<= 0.5", **common, more=kernel))


def figures(train: Evidence, report: Evidence, fake: Evidence) -> dict[str, tuple[float, float | None, float | None]]:
    """Kernel distance, precision and recall with their intervals, against the *report* split."""
    found = measure("kid", train, report, fake) | measure("precision-recall", train, report, fake)
    titles = {"kid": "KID", "precision": "precision", "recall": "recall"}
    return {title: (found[key].value, found[key].low, found[key].high) for key, title in titles.items()}


def by_gender(ledger: Ledger, chosen: Set, seed: int, asked: argparse.Namespace) -> None:
    """Faces by attribute: how often a classifier finds the asked gender, over how often it is right on real faces."""
    data = chosen.real()
    judge = cached_judge(chosen.parts[0], data)
    held = data.held_back()
    right = agreement(judge.classes(held.pictures), labels_of(held))
    out, cost = _trained(chosen, "default", seed, asked, attribute="gender")
    made = asked_for(out, min(asked.items, 2_000), seed, data.classes)
    share = agreement(judge.classes(made.pictures), labels_of(made))
    common = {"seed": seed, "minutes": round(cost.minutes, 3), "items": len(made.pictures)}
    title = f"{chosen.title}, {asked.minutes:g} minutes: agreement with the asked gender"
    more = cost.summary() | {"held_back": len(held.pictures)}
    first = Measurement(title, share, floor=right, **common, more=more)
    ledger.add(first)
    ledger.add(replace(first, figure=f"{title} / accuracy on held-back faces", value=share / right, bound=">= 0.9"))


def _trained(
    chosen: Set, recipe: str, seed: int, asked: argparse.Namespace, *, attribute: str | None = None
) -> tuple[Path, Cost]:
    out = asked.scratch / "-".join([chosen.parts[0], attribute or recipe, f"{asked.minutes:g}", str(seed)])
    options = [*chosen.options(), "--recipe", recipe, "--minutes", f"{asked.minutes:g}", "--seed", str(seed)]
    options += ["--attributes", attribute] if attribute else ["--unconditional"]
    options += [part for setting in asked.settings for part in ("--set", setting)]
    cost = runs.train(chosen.data, out, *options)
    write_grid(out, asked.scratch / "grids" / f"{out.name}.png", seed)
    return out, cost


def write_grid(run: Path, path: Path, seed: int) -> None:
    """64 samples side by side."""
    import sparring

    path.parent.mkdir(parents=True, exist_ok=True)
    model = sparring.load(run)
    model.modality.preview(model.sample(64, seed=seed), path)
    print(f"a grid of samples is in {path}", file=sys.stderr)


def _sampled(run: Path, count: int, seed: int) -> np.ndarray:
    import sparring

    return sparring.load(run).sample(count, seed=seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
