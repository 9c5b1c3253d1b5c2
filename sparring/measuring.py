"""What is measured of a run while it trains: quick numbers over time, and which model was the best."""

import time

import numpy as np
import torch

from sparring import evaluation
from sparring.best import chosen, keep_if_best
from sparring.data.reader import Batches, Distinct
from sparring.errors import RequestError
from sparring.experiment import Experiment, Material
from sparring.limits import Bound
from sparring.run import Run
from sparring.specimens import specimens
from sparring.tasks.picture import PictureTask
from sparring.training import Engine
from sparring.types import verdict

_CHUNK = 256


class Measuring:
    """Takes quick numbers of an engine's model; what stays the same over a run is worked out once.

    Attributes:
        seconds: what all readings of the run took so far.

    Args:
        run: where numbers and the best model are kept.
        experiment: what is played.
        material: what it works on.
    """

    def __init__(self, run: Run, experiment: Experiment, material: Material):
        self.run, self.experiment, self.material = run, experiment, material
        self.gauge: evaluation.Gauge | None = None
        self.seconds = max((record.get("measured_in", 0.0) for record in run.records("timing")), default=0.0)

    def refuse(self, bound: Bound) -> None:
        """Refuses a bound on what will not be among the numbers, before anything is trained.

        Raises:
            RequestError: no number has that name, or it cannot be taken of these data.
        """
        learned = evaluation.take(self.material, self.material.splits.train, evaluation.QUICK_COUNT)
        found, wanted = self.ready()(learned), bound.metric.partition("[")[0]
        restores = isinstance(self.experiment.task, PictureTask)
        if wanted in found.refused and not restores:
            raise RequestError(f"until: {wanted} cannot be taken here: {found.refused[wanted]}")
        # Numbers of pairs, and of the discriminator's scores, can only be taken once there is a model.
        if not any(wanted == metric or wanted.startswith(f"{metric}-") for metric in found.refused):
            bound.holds({row.name: row.value for row in found.rows})

    def due(self, engine: Engine) -> bool:
        """Whether numbers are planned for the step that was just done."""
        return engine.plan.measures(engine.step_number, self.experiment.training.measure)

    def __call__(self, engine: Engine) -> evaluation.Evaluation:
        """Appends the numbers to ``metrics.jsonl``, and keeps the model where it is the best."""
        begun = time.monotonic()
        count, task = evaluation.QUICK_COUNT, self.experiment.task
        gauge = self.ready()
        made = specimens(engine, self.experiment, self.material, self.run.codec, count)
        judges = task.game.adversarial and not isinstance(task, PictureTask) and engine.select is not None
        scores = (_scores(engine, engine.train), _scores(engine, engine.select)) if judges else None
        found = gauge(made, scores)
        step, wanted = engine.step_number, self.experiment.training.best
        self.run.append("metrics", {"step": step, **found.to_json()})
        judged = "discriminator" in engine.players
        number = chosen(found, wanted, judged=judged) if wanted != "none" and gauge.held else None
        if number is not None:
            keep_if_best(self.run, number, step, dict(engine.averages.state_dict()))
        self.seconds += time.monotonic() - begun
        return found

    def ready(self) -> evaluation.Gauge:
        """What takes the numbers, made when it is first asked for."""
        task = self.experiment.task
        self.gauge = self.gauge or evaluation.Gauge(task, self.material, count=evaluation.QUICK_COUNT)
        return self.gauge

    def cost(self, whole: float) -> dict[str, float]:
        """What all readings took, beside the time of the run, both in seconds."""
        return {"measured_in": round(self.seconds, 3), "seconds": round(whole, 3)}


@torch.no_grad()
def _scores(engine: Engine, reader: Batches | None) -> np.ndarray:
    """The discriminator's verdict on items of a split, each once, in eval mode."""
    assert reader is not None, "only what is held back is judged"
    engine.players.eval()
    once = reader.distinct if isinstance(reader, Distinct) else lambda a, b: reader.batch(a, slice(0, b - a))
    count, found = min(len(reader), evaluation.QUICK_COUNT), []
    for start in range(0, count, _CHUNK):
        batch = engine.ready(engine.task.batch(once(start, min(start + _CHUNK, count))))
        found.append(verdict(engine.task.game.score(engine.players, batch)).double().cpu())
    return torch.cat(found).numpy()
