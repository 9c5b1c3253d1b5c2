"""Specimens: what the averaged players of a run make now, decoded, to be judged and to be looked at."""

from pathlib import Path
from typing import Any

from sparring.codec import Codec
from sparring.experiment import Experiment, Material
from sparring.files import writing
from sparring.metrics import Specimens
from sparring.restoring import examples, sheet
from sparring.run import Run
from sparring.tasks.picture import PictureTask
from sparring.training import Engine, sample

GRID = 64
"""Samples in the picture that is drawn again and again from the same latents."""


def specimens(engine: Engine, experiment: Experiment, material: Material, codec: Path, count: int) -> Specimens:
    """What the averaged players make: of held-back pictures where they are given some, else of the first latents.

    Args:
        engine: the game in progress.
        experiment: that it plays.
        material: that it works on.
        codec: the run's folder of what was learned of the data.
        count: how many.
    """
    if not isinstance(experiment.task, PictureTask):
        return Specimens(*_samples(engine, experiment, material, codec, count))
    splits = material.splits
    rows = splits.select if len(splits.select) else splits.train
    with engine.sampling() as averaged:
        return examples(experiment.task, averaged, material, rows[:count])


def draw(engine: Engine, experiment: Experiment, material: Material, run: Run, count: int) -> None:
    """Draws what is made now, beside what it is made from, into ``samples/`` of the run, called by the steps done.

    Raises:
        RunError: the disk is full, fails or is read-only.
    """
    made = specimens(engine, experiment, material, run.codec, count)
    codec, items = (material.modality, made.items) if made.given is None else sheet(made)
    picture = run.samples / f"{engine.step_number:08d}.png"
    with writing(picture):
        picture.parent.mkdir(exist_ok=True)
        codec.preview(items, picture)


def _samples(
    engine: Engine, experiment: Experiment, material: Material, codec: Path, count: int
) -> tuple[Any, dict[str, Any]]:
    """Decoded samples from the first ``count`` latents, with their attributes."""
    modality, task, numbers = material.modality, experiment.task, range(count)
    asking = Codec(modality=modality, conditions=material.conditions).asking(codec, task)
    columns, encoded = asking.draw(0, numbers, {})
    with engine.sampling() as averaged:
        made = sample(task.game, averaged, encoded, task.game.draw(0, numbers), modality.at_once)
    return modality.finished(made.value, {}), columns
