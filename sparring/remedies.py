"""Remedies: the one thing that is changed when a run goes back, as settings of its experiment."""

import json
from collections.abc import Iterator

from sparring.experiment import Experiment
from sparring.types import DataSpec
from sparring.views import AdaptiveAugment, DiffAugment, View
from sparring.watch import Change


def remedy(experiment: Experiment, wished: Change, spec: DataSpec, precision: str) -> tuple[str, ...]:
    """Settings that differ from the experiment's: those of the wished change, or of the next that can be made.

    Args:
        experiment: as it was played, earlier changes included.
        wished: what a detector would change.
        spec: of the data.
        precision: in which the plan lets the networks run.
    """
    narrow = precision == "bf16" and experiment.training.precision != "fp32"
    ways = {
        "augmentation": lambda: tuple(_augmented(experiment, spec)),
        "fp32": lambda: ("training.precision=fp32",) if narrow else (),
        "clip": lambda: _clipped(experiment),
        "rate": lambda: tuple(_slower(experiment)),
    }
    tried = [wished, *(way for way in ("fp32", "rate") if way != wished)]
    return next(changes for way in tried if (changes := ways[way]()))


def experiment_after(experiment: Experiment, changes: tuple[str, ...]) -> Experiment:
    """The experiment as it is played after the changes of a plan."""
    for change in changes:
        experiment = experiment.override(change)
    return experiment


def _slower(experiment: Experiment) -> Iterator[str]:
    """Half the rate of every optimiser, from beginning to end."""
    training = experiment.training
    where = {"optimiser": training.optimiser} | {f"per_player.{n}": o for n, o in training.per_player.items()}
    for path, optimiser in where.items():
        for field in ("rate", "rate_final"):
            rate = getattr(optimiser, field, None)
            if rate is not None:
                yield f"training.{path}.{field}={rate / 2!r}"


def _clipped(experiment: Experiment) -> tuple[str, ...]:
    clip = experiment.training.clip
    return (f"training.clip={1.0 if clip is None or clip > 1 else clip / 2!r}",)


def _augmented(experiment: Experiment, spec: DataSpec) -> Iterator[str]:
    """Adaptive augmentation that sets in sooner, or augmentation where there is none; for pictures alone."""
    game = experiment.task.game
    if "views" not in type(game).model_fields or len(spec.shape) != 3:
        return
    views: tuple[View, ...] = getattr(game, "views")  # noqa: B009  (a field of some games)
    adaptive = next((view for view in views if isinstance(view, AdaptiveAugment)), None)
    if adaptive is not None:
        yield f"task.game.views.{adaptive.name}.target={adaptive.target / 2!r}"
    elif not any(isinstance(view, DiffAugment) for view in views):
        yield f"task.game.views={json.dumps([view.to_json() for view in (DiffAugment(), *views)])}"
