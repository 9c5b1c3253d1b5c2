"""What a report tells: gathered from a run's folder before any of it is laid out."""

import io
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as Picture

from sparring.advice import Adviser
from sparring.audit import draw_suspects
from sparring.best import told_of_best
from sparring.data import Decoded
from sparring.errors import DataError, RequestError
from sparring.evaluation import Evaluation
from sparring.experiment import Material, gather_again
from sparring.modalities import Modality
from sparring.modalities.image import Image
from sparring.model import Model
from sparring.reporting.figures import Line, data_uri
from sparring.reporting.findings import Curve, Finding, curves, findings, looked_for, watched
from sparring.reporting.reproducing import reproduce
from sparring.restoring import ranked_cases, sheet
from sparring.sides import take
from sparring.tasks.picture import PictureTask

SHOWN = 36
"""Items of each side that are shown beside each other."""
CASES = 200
"""Pictures at most of which the best, median and worst cases are shown."""
STAGES = 6
"""Pictures of the samples' evolution."""

_WIDTH = 480
_LARGEST = 4096
_SIGNS = {
    "gap": ("gap: learned to held back", "share of learned to generated"),
    "separation": ("real to generated scores", "standard deviations"),
    "diversity": ("variety of samples", "share of the data's"),
}
"""Observations that are drawn, with title and unit."""


@dataclass(frozen=True)
class Figure:
    """A picture with its words.

    Attributes:
        source: the picture as a data URI.
        caption: what it shows.
        broad: whether it needs room.
    """

    source: str
    caption: str
    broad: bool = False


@dataclass(frozen=True)
class Story:
    """Everything on the page.

    Attributes:
        name: of the run.
        summary: facts by their names.
        findings: what went wrong or was changed, when, and what to do; in the order of their steps.
        risks: what is likely to go wrong with its settings.
        looked_for: what the numbers over the run would have shown, with their names.
        detectors: whether any detector watched it.
        samples: generated beside real items, or inputs, outputs and truths.
        fixed: what the samples over the run have in common.
        evolution: samples from the same latents, or of the same inputs, over the run.
        suspects: the audit's picture, or None.
        losses: every term over the run, and what was observed of scores and variety.
        speed: images a second over the run.
        curves: every quick number over the run.
        measured: how the newest of them were taken.
        images_per_step: what turns steps into items seen.
        promised: what a private run promises, and what any attack can reach by it; empty where nothing is.
        evaluation: the whole evaluation, or None.
        refusal: why there is none.
        settings: every field of the experiment and the plan, by its path.
        provenance: versions, commit, splits with their hashes.
        reproduce: what to type to train it again.
    """

    name: str
    summary: dict[str, str]
    findings: list[Finding]
    risks: Sequence[str]
    looked_for: list[str]
    detectors: bool
    samples: list[Figure]
    fixed: str
    evolution: list[Figure]
    suspects: Figure | None
    losses: list[Line]
    speed: Line | None
    curves: list[Curve]
    measured: str
    images_per_step: int
    promised: str
    evaluation: Evaluation | None
    refusal: str
    settings: dict[str, str]
    provenance: dict[str, str]
    reproduce: str

    @classmethod
    def of(cls, model: Model, evaluation: Evaluation | None, refusal: str) -> "Story":
        """The story of a model's run."""
        run = model.run
        described, plan = run.read(run.experiment), run.read(run.plan)
        told, timing = run.records("log"), run.records("timing")
        # Changes have entries of their own, without the means of terms.
        log = [record for record in told if "images" in record]
        numbers = curves(run.records("metrics"))
        advise = Adviser(model.experiment, len(model.modality.spec().shape) == 3, _best(model))
        found = [*findings(numbers, advise), *watched(told, advise)]
        material, missing = _material(model)
        seen = {record["step"]: record["images"] for record in log}
        return cls(
            name=run.folder.name,
            summary=_summary(model, described, log, timing),
            findings=sorted(found, key=lambda finding: finding.step),
            risks=_risks(model),
            looked_for=looked_for(numbers),
            detectors=bool(model.experiment.training.watch),
            samples=_samples(model, material, missing),
            fixed="inputs" if isinstance(model.experiment.task, PictureTask) else "latents",
            evolution=_evolution(run.samples, broad=bool(model.modality.legend)),
            suspects=_suspects(model, evaluation),
            losses=[*_losses(log, model.experiment.task.game.adversarial), *_signs(log)],
            speed=_speed(timing, seen, plan["log_every"]),
            curves=numbers,
            measured=_measured(run.records("metrics")),
            images_per_step=plan["images_per_step"],
            promised=_promised(model, log),
            evaluation=evaluation,
            refusal=refusal,
            settings=dict(_flat(described["experiment"], "experiment")) | dict(_flat(plan, "plan")),
            provenance=_provenance(described),
            reproduce=reproduce(model, plan, described, log),
        )


def _measured(records: list[Any]) -> str:
    return Evaluation.from_json(records[-1]).how() if records else ""


def _summary(model: Model, described: dict[str, Any], log: list[Any], timing: list[Any]) -> dict[str, str]:
    shape = "x".join(map(str, model.modality.spec().shape))
    counts = {name: f"{split['count']:,}" for name, split in described["splits"].items()}
    found = {
        "data": f"{model.experiment.data.title()}, items of {shape}",
        "learned from": f"{counts['train']} items; {counts['select']} to choose by, {counts['report']} to report on",
        "task": model.experiment.task.name,
        "game": model.experiment.task.game.name,
    }
    if (privacy := model.experiment.training.privacy) is not None:
        found["privacy"] = f"epsilon {privacy.epsilon:g}, delta {privacy.delta:g}, of single rows"
    if log:
        found["length"] = f"{log[-1]['step']:,} steps, {log[-1]['images']:,} items seen"
    if timing and "seconds" in timing[-1]:
        read = max(record.get("measured_in", 0.0) for record in timing)
        found["time"] = (
            f"{timing[-1]['seconds'] / 60:.1f} minutes, of which {read:.0f} seconds for the numbers taken on the way"
        )
    return found


def _promised(model: Model, log: list[Any]) -> str:
    """What is promised of single rows, beside which the attacks of the audit stand."""
    privacy = model.experiment.training.privacy
    if privacy is None:
        return ""
    spent = next(
        (r["terms"]["privacy/epsilon"] for r in reversed(log) if "privacy/epsilon" in r.get("terms", {})), None
    )
    most = min(1.0, math.exp(privacy.epsilon) * 0.01 + privacy.delta)
    said = f", of which {spent:.3g} were spent" if _is_number(spent) else ""
    return (
        f"Promised of every single row: epsilon {privacy.epsilon:g} at delta {privacy.delta:g}{said}. By it no attack "
        f"finds more than {most:.3g} of the rows at 1 % false positives; what was found stands above, as "
        "membership-tpr-at-1% and membership-distance-tpr-at-1%"
    )


def _risks(model: Model) -> Sequence[str]:
    task = model.experiment.task
    return task.risks(model.codec.spec(task))


def _best(model: Model) -> str:
    """How the best model is got at, where one is kept."""
    said = told_of_best(model.run)
    if not said:
        return ""
    command = "evaluate" if isinstance(model.experiment.task, PictureTask) else "sample"
    return f"'sparring {command} {model.run.folder} --best' takes the model that was best {said}."


def _suspects(model: Model, evaluation: Evaluation | None) -> Figure | None:
    """The picture of the audit of just this model; what the run keeps is of the last one."""
    if not model.best:
        return Figure(_shrunk(model.run.suspects), "") if model.run.suspects.is_file() else None
    if evaluation is None or evaluation.pairs is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / model.run.suspects.name
        draw_suspects(evaluation.pairs, drawn)
        return Figure(_shrunk(drawn), "")


def _material(model: Model) -> tuple[Material | None, str]:
    """What the run worked on, or why it cannot be read any more."""
    try:
        return gather_again(model.experiment, model.modality), ""
    except (RequestError, DataError) as error:
        return None, str(error)


def _samples(model: Model, material: Material | None, missing: str) -> list[Figure]:
    if isinstance(model.experiment.task, PictureTask):
        return [] if material is None else _cases(model, material)
    codec = model.modality
    count, legend, broad = codec.previewed or SHOWN, f"; {codec.legend}" if codec.legend else "", bool(codec.legend)
    made, alone = model.sample(count), f"; no real ones beside them: {missing}" if missing else ""
    said = f"{len(made):,} generated items, seed 0, not chosen{legend}{alone}"
    figures = [Figure(_drawn(codec, made), said, broad)]
    if material is not None:
        splits = material.splits
        rows, name = (splits.report, "held back") if len(splits.report) else (splits.train, "learned from")
        real = take(material, rows, count).items
        figures.append(Figure(_drawn(codec, real), f"{len(real):,} real items, {name}{legend}", broad))
    return figures


def _cases(model: Model, material: Material) -> list[Figure]:
    """What a model from pictures to pictures makes of held-back ones: its best, median and worst cases."""
    splits = material.splits
    rows, name = (splits.report, "held-back") if len(splits.report) else (splits.train, "training")
    shown = model.specimens(material, min(len(rows), CASES), rows)
    if shown.truth is None:
        codec, pictures = sheet(shown.first(SHOWN // 3))
        return [Figure(_drawn(codec, pictures), f"{len(pictures)} {name} pictures: what was given, what was made")]
    parts = "what was given, what was made, the truth"
    return [
        Figure(_drawn(Image.fit(pictures), pictures), f"the {title} of {len(shown)} {name} pictures by PSNR: {parts}")
        for title, pictures in ranked_cases(shown).items()
    ]


def _drawn(codec: Modality, items: Decoded) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sheet.png"
        codec.preview(items, file)
        return _shrunk(file, _LARGEST)


def _evolution(folder: Path, *, broad: bool) -> list[Figure]:
    """Pictures of the same latents, evenly spread over the run."""
    grids = sorted(path for path in folder.glob("*.png") if path.stem.isdigit())
    if len(grids) > STAGES:
        grids = [grids[round(i * (len(grids) - 1) / (STAGES - 1))] for i in range(STAGES)]
    width = 2 * _WIDTH if broad else _WIDTH
    return [Figure(_shrunk(path, width), f"step {int(path.stem):,}", broad) for path in grids]


def _shrunk(path: Path, width: int = _WIDTH) -> str:
    """The picture, a few hundred pixels wide; pixels of a small one are shown as squares."""
    with Picture.open(path) as opened:
        picture = opened.convert("RGB")
    if picture.width > width:
        picture = picture.resize((width, max(1, picture.height * width // picture.width)), Picture.Resampling.BOX)
    if (times := _WIDTH // picture.width) > 1:
        picture = picture.resize((picture.width * times, picture.height * times), Picture.Resampling.NEAREST)
    content = io.BytesIO()
    picture.save(content, "PNG")
    return data_uri(content.getvalue(), "png")


def _losses(log: list[dict[str, Any]], adversarial: bool) -> list[Line]:
    names = dict.fromkeys(name for record in log for name in record.get("terms", {}))
    unit = "loss, no unit" if adversarial else "nats an item, times its weight"
    lines = []
    for name in names:
        there = [(r["images"], r["terms"][name]) for r in log if _is_number(r.get("terms", {}).get(name))]
        turn, _, term = name.partition("/")
        title = name if turn != term else turn
        of = "epsilon" if name == "privacy/epsilon" else unit
        lines.append(Line(title, of if term else "value", [x for x, _ in there], [y for _, y in there]))
    return lines


def _signs(log: list[dict[str, Any]]) -> list[Line]:
    """What the detectors look at: the discriminator's gap between learned and held-back items, and the variety."""
    lines = []
    for name, (title, unit) in _SIGNS.items():
        there = [(r["images"], r["signs"][name]) for r in log if _is_number(r.get("signs", {}).get(name))]
        lines.append(Line(title, unit, [x for x, _ in there], [y for _, y in there]))
    return [line for line in lines if line.x]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _speed(timing: list[dict[str, Any]], seen: dict[int, int], every: int) -> Line | None:
    """Items a second at each record; the last one, of however few steps were left, says nothing beside others."""
    timed = [r for r in timing if r["step"] in seen and "images_per_second" in r]
    told = [r for r in timed if r["step"] % every == 0] or timed
    items, speeds = [seen[r["step"]] for r in told], [r["images_per_second"] for r in told]
    return Line("speed", "items a second", items, speeds) if told else None


def _flat(value: Any, path: str) -> list[tuple[str, str]]:
    """Every leaf of a JSON value by its path."""
    if isinstance(value, dict) and value:
        return [leaf for key, below in value.items() for leaf in _flat(below, f"{path}.{key}")]
    if isinstance(value, list) and value and isinstance(value[0], dict | list):
        return [leaf for number, below in enumerate(value) for leaf in _flat(below, f"{path}.{number}")]
    return [(path, "none" if value is None else str(value))]


def _provenance(described: dict[str, Any]) -> dict[str, str]:
    splits = {f"{name} split": f"{s['count']:,} items, hash {s['hash']}" for name, s in described["splits"].items()}
    versions = {name: str(version) for name, version in described.get("versions", {}).items()}
    skipped = {"skipped files": str(len(described.get("skipped", [])))}
    return {**versions, "commit": str(described.get("commit")), **splits, **skipped}
