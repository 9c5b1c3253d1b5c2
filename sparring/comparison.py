"""Comparison: several runs by the same features, against the same held-back items, and which differences are real."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sparring.best import best_of
from sparring.codec import outlined, splits_of
from sparring.differences import Difference, between_pairs, settled, span
from sparring.errors import DataError, RequestError
from sparring.experiment import Material, gather_again
from sparring.jackknife import Number
from sparring.modalities.image import Image
from sparring.model import Model, load
from sparring.reference import changed, fair
from sparring.restoring import beside
from sparring.shared_bench import SharedBench
from sparring.sheets import Captioned, write_sheets
from sparring.sides import take
from sparring.tasks.picture import PictureTask, refuse_other_settings
from sparring.wording import parameters

COUNT = 2000
"""Items of each side, at most: the numbers are taken anew for every group that is left out."""


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        runs: their names, in the order of the columns.
        facts: what each is: game, parameters, items seen, by the fact's name and run.
        numbers: each metric's numbers by run; a run that has no such number is left out.
        floors: the same numbers for held-back real items, where there are enough.
        differences: of every pair of runs in every number that both have.
        protocol: how they were taken.
        refused: metrics that could not be taken of a run or of any, with the reason.
    """

    runs: tuple[str, ...]
    facts: dict[str, dict[str, str]]
    numbers: dict[str, dict[str, Number]]
    floors: dict[str, float]
    differences: tuple[Difference, ...]
    protocol: dict[str, Any]
    refused: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told = [asdict(d) for d in self.differences]
        numbers = {m: {run: asdict(n) for run, n in there.items()} for m, there in self.numbers.items()}
        return {"runs": list(self.runs), "facts": self.facts, "metrics": numbers, "floors": self.floors,
                "differences": told, "protocol": self.protocol, "refused": self.refused}  # fmt: skip

    def lines(self) -> list[str]:
        """A table for people, then what is real and what is not."""
        table = [["", *self.runs, "floor"]]
        table += [[name, *(told.get(run, "") for run in self.runs), ""] for name, told in self.facts.items()]
        for metric, there in self.numbers.items():
            cells = [_cell(there[run]) if run in there else "none" for run in self.runs]
            table.append([metric, *cells, f"{self.floors[metric]:.4g}" if metric in self.floors else ""])
        wide = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        rows = ["  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip() for row in table]
        real = [d.line() for d in self.differences if d.real]
        same = [d.line() for d in self.differences if not d.real]
        refused = [f"{name}: {reason}" for name, reason in self.refused.items()]
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.protocol.items())
        return [
            *rows,
            "",
            "real differences:",
            *(real or ["none"]),
            "",
            "not told apart:",
            *(same or ["none"]),
            *(["", "not taken:", *refused] if refused else []),
            "",
            said,
        ]


def _cell(number: Number) -> str:
    return f"{number.value:.4g}{span(number)}"


def compare(runs: Sequence[str | Path | Model], *, count: int = COUNT, best: bool = False) -> Comparison:
    """Sets runs side by side.

    Features are fitted to the first run's training items and the reference is its *report* split, whoever is judged.
    Intervals, those of differences too, are by the delete-a-group jackknife: the same reference items are left out
    for all runs, so that what they share cancels in a difference. A difference is called real where it is beyond chance
    among all that are looked at (Holm 1979). Numbers that tell of copies stand beside, with intervals of their own.

    Args:
        runs: folders of runs, or models.
        count: items of each side, at most.
        best: of folders, the models that were best on held-back items while training, instead of the last.

    Raises:
        RequestError: fewer than two runs, two of one name, runs of items of different shapes, or pictures that are
            given in one run and made from noise or given otherwise in another.
        DataError: the first run's data hold nothing back.
        RunError: a run has saved no model yet, or has kept no best one.
    """
    models = _loaded(runs, best=best)
    if len(models) < 2:
        raise RequestError(f"compare needs at least two different runs, not {', '.join(map(str, runs)) or 'none'}")
    _refuse_unlike(models)
    first = next(iter(models.values()))
    material = gather_again(first.experiment, first.modality)
    if not len(material.splits.report):
        raise DataError(f"{first.run.folder}: too few items to hold any back, so that nothing can be compared honestly")
    moved = changed(first.run, first.experiment, material)
    material, said = fair(material, _foreign(models))
    bench = SharedBench(first, material, count)
    made = {name: bench.judged(model) for name, model in models.items()}
    numbers, differences, floors = bench.measure(made)
    copied, fair_shares = bench.audit(made, _foreign(models))
    rebuilt = bench.reconstructions(models)
    for number in rebuilt.better:
        name = f"reconstruction-{number}"
        numbers[name] = {run: rebuilt.number(number, run) for run in rebuilt.runs}
        differences += between_pairs(name, number, rebuilt)
    numbers, floors, differences = numbers | copied, floors | fair_shares, settled(differences)
    facts = {name: _facts(model) for name, model in models.items()}
    rows = {title: {name: facts[name][title] for name in models} for title in next(iter(facts.values()))}
    protocol = bench.protocol | said | moved
    return Comparison(tuple(models), rows, numbers, floors, tuple(differences), protocol, bench.refused)


def draw(runs: Sequence[str | Path | Model], path: Path, *, n: int = 36, best: bool = False) -> None:
    """Writes one picture: real items and what each run makes, at equal places from equal latents where shapes agree.

    Args:
        runs: as for :func:`compare`.
        path: of a PNG file.
        n: items of each.
        best: as for :func:`compare`.
    """
    models = _loaded(runs, best=best)
    first = next(iter(models.values()))
    material = gather_again(first.experiment, first.modality)
    real = take(material, _shown(material), n).items
    if isinstance(first.experiment.task, PictureTask):
        write_sheets(*_restored(models, material, n), path)
        return
    made = [Captioned(name, model.sample(n)) for name, model in models.items()]
    write_sheets(first.modality, [Captioned("real", real), *made], path)


def _restored(models: dict[str, Model], material: Material, n: int) -> tuple[Image, list[Captioned]]:
    """What was given, what each run made of it and, where it is known, the truth."""
    rows = _shown(material)
    made = {name: model.specimens(material, min(n, len(rows)), rows) for name, model in models.items()}
    shown = next(iter(made.values()))
    width = shown.items.shape[2]
    columns = [Captioned("given", beside(shown)[:, :, :width])]
    columns += [Captioned(name, side.items) for name, side in made.items()]
    columns += [] if shown.truth is None else [Captioned("truth", shown.truth)]
    return Image.fit(shown.items), columns


def _shown(material: Material) -> np.ndarray:
    """Rows of the pictures that are drawn."""
    splits = material.splits
    return splits.report if len(splits.report) else splits.train


def _loaded(runs: Sequence[str | Path | Model], *, best: bool) -> dict[str, Model]:
    """The models by their names in the table."""
    return {_name(m): m for m in (run if isinstance(run, Model) else load(run, best=best) for run in runs)}


def _name(model: Model) -> str:
    return f"{model.run.folder}{' (best)' if model.best else ''}"


def _refuse_unlike(models: dict[str, Model]) -> None:
    (name, first), *others = models.items()
    for other, model in others:
        if model.modality.spec() != first.modality.spec() or type(model.modality) is not type(first.modality):
            shapes = f"{first.modality.spec().shape} and {model.modality.spec().shape}"
            raise RequestError(f"{name} and {other} make items of {shapes}; only runs of like items can be compared")
        refuse_other_settings(first.experiment.task, model.experiment.task, (name, other))


def _foreign(models: dict[str, Model]) -> dict[str, Callable[[], Material]]:
    """The runs that learned from other items than the first, with what reads these."""
    splits = {name: splits_of(model.run, model.experiment) for name, model in models.items()}
    own = next(iter(splits.values()))
    return {n: partial(gather_again, m.experiment, m.modality) for n, m in models.items() if splits[n] != own}


def _players(model: Model) -> str:
    """Parameters of each player; of the averaged ones alone where others need a file that is gone."""
    try:
        return parameters(outlined(model.experiment, model.codec))
    except RequestError:
        return parameters(
            model.experiment.task.game.samplers(model.experiment.task.spec(model.codec.spec(model.experiment.task)))
        )


def _facts(model: Model) -> dict[str, str]:
    log = [record["images"] for record in model.run.records("log") if "images" in record]
    kept = best_of(model.run) if model.best else None
    if kept is not None:
        log = [kept["step"] * model.run.read(model.run.plan)["images_per_step"]]
    game = model.experiment.task.game
    return {
        "game": game.name,
        "players": _players(model),
        "items seen": f"{log[-1]:,}" if log else "",
    }
