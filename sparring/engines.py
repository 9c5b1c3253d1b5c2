"""Engines: those that play an experiment by a plan, and the plan that a run's folder holds or gets."""

import torch

from sparring.errors import RequestError, choices
from sparring.experiment import Experiment, Material
from sparring.limits import Limits
from sparring.plan import Plan
from sparring.planning import accounted, make_plan, provisional
from sparring.processes import agreed, is_first
from sparring.rooming import parts_that_fit
from sparring.run import Run
from sparring.settings import Training
from sparring.training import Engine


class Engines:
    """Makes the engines of an experiment.

    Attributes:
        train: batches of items that are learned from.
        select: batches of held-back items; None where there are none, or where rows are private.

    Args:
        experiment: what they play.
        material: what it works on.
        device: where they play.
        seed: of all that is drawn, where it is not the experiment's, which is known.
    """

    def __init__(self, experiment: Experiment, material: Material, device: torch.device, seed: int | None = None):
        self.experiment, self.material, self.device = experiment, material, device
        self.seed = experiment.seed if seed is None else seed
        self.train = material.reader(material.splits.train, self.seed)
        held = material.splits.select[: None if experiment.training.privacy is None else 0]
        self.select = material.reader(held, self.seed + 1) if len(held) else None

    def __call__(self, plan: Plan, training: Training | None = None) -> Engine:
        """An engine at its first step.

        Args:
            plan: by which it plays.
            training: its settings, where they are not the experiment's.
        """
        e = self.experiment
        if e.training.privacy is not None and plan.account is None:
            plan = plan.but(account=provisional(e, self.material.modality))
        readers = {"train": self.train, "select": self.select}
        training, spec = training or e.training, self.material.spec
        return Engine(e.task, training, spec, **readers, plan=plan, seed=self.seed, device=self.device)


def ensure_plan(run: Run, engines: Engines, limits: Limits) -> list[str]:
    """Makes the plan of a run without a checkpoint, if it has none of the same budget.

    Returns:
        What was found out, in lines.

    Raises:
        RequestError: a batch does not fit into memory, and may not be computed in parts; or a player of the settings is
            none of the game.
    """
    stored = Plan.from_json(run.read(run.plan)) if run.plan.is_file() else None
    if agreed(engines.device, int(stored is not None and stored.minutes == limits.minutes)):
        return refit(run, engines, limits)
    experiment, material, device = engines.experiment, engines.material, engines.device
    _refuse_unknown_players(experiment, material)
    in_parts = agreed(device, parts_that_fit(engines, experiment, limits, device))

    def tried(plan: Plan) -> Engine:
        return engines(plan.but(accumulate=in_parts))

    made, note = make_plan(experiment, material.spec, limits, device, engine=tried)
    if experiment.training.privacy is not None:
        made = accounted(made, experiment, material.modality)
    if is_first():
        run.write(run.plan, made.but(accumulate=in_parts).to_json())
    fitted = [f"a batch is computed in {in_parts} parts, which fit into memory"] if in_parts > 1 else []
    return [*([note] if note else []), *fitted]


def _refuse_unknown_players(experiment: Experiment, material: Material) -> None:
    task = experiment.task
    with torch.device("meta"):
        there = list(task.game.players(task.spec(material.spec)))
    # A recipe's settings of a discriminator stay where a game is played without one.
    known = [*there, *(name for name in ("generator", "discriminator") if name not in there)]
    for name in experiment.training.per_player:
        if name not in known:
            raise RequestError(choices(name, "player", known))


def refit(run: Run, engines: Engines, limits: Limits) -> list[str]:
    """Computes the batch of a run that goes on in more parts, where there is less memory than there was.

    Returns:
        What was changed, in lines.

    Raises:
        RequestError: it does not fit, and may not be computed in more parts.
    """
    plan, device = Plan.from_json(run.read(run.plan)), engines.device
    fit = parts_that_fit(engines, engines.experiment, limits, device, already=plan.accumulate)
    in_parts = agreed(device, fit)
    if in_parts <= plan.accumulate:
        return []
    if is_first():
        run.write(run.plan, plan.but(accumulate=in_parts).to_json())
    return [f"a batch is computed in {in_parts} parts from now on, which fit into memory"]
