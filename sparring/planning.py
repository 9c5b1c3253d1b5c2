"""Planning: how long a run will be and which precision and layout are fastest here, found by a few throw-away steps."""

import math
import time
from collections.abc import Callable
from contextlib import suppress

import torch
import torch.distributed as dist

from sparring.errors import Divergence, RequestError
from sparring.experiment import Experiment
from sparring.games import Game
from sparring.limits import Limits
from sparring.modalities import Modality
from sparring.plan import Plan, fastest
from sparring.privacy import Account, account
from sparring.training import Engine
from sparring.types import DataSpec

SAVE_SECONDS = 60
"""About how long it is from one checkpoint to the next where the speed is known."""

_WARM = 3
_FAR, _FAR_AT_FIRST = 3, 10
"""Times the best setting's step after which one is given up, later and in the first step, which also sets things up."""
_LOOKS = 20


def make_plan(
    experiment: Experiment, spec: DataSpec, limits: Limits, device: torch.device, *, engine: Callable[[Plan], Engine]
) -> tuple[Plan, str | None]:
    """The plan of a fresh run, with a line about what was measured, where something had to be found out.

    Args:
        experiment: what will be played.
        spec: of one item.
        limits: when to stop; minutes are counted from now.
        device: where it will be played.
        engine: makes an engine of its own for a plan that is tried.
    """
    begun = time.monotonic()
    plan = unmeasured(experiment, limits)
    tried = candidates(experiment, plan, spec, device)
    if len(tried) == 1 and limits.minutes is None:
        return plan, None

    def measure(candidate: Plan, least: float) -> float:
        return seconds_per_step(engine(candidate), least)

    plan, seconds = fastest(tried, measure)
    if plan.threads > 1:
        # Small networks wait for their threads longer than they compute.
        alone = plan.but(threads=1)
        needed = measure(alone, seconds)
        plan, seconds = (alone, needed) if needed < seconds else (plan, seconds)
    if limits.minutes is not None:
        fit = max(1, int((limits.minutes * 60 - (time.monotonic() - begun)) / seconds))
        asked = plan.steps if limits.steps or limits.images else fit
        plan = plan.but(steps=min(fit, asked), minutes=limits.minutes)
    log = max(1, min(round(1.0 / seconds), plan.steps))
    plan = plan.but(log_every=log, save_every=log * max(1, round(SAVE_SECONDS / (seconds * log))))
    return plan, f"{plan.computing()}: {plan.images_per_step / seconds:,.0f} images/s"


def affordable(plan: Plan, step: int, *, seconds: float, speed: float, longer: bool) -> int:
    """The length that fits the budget; the planned one where the gap is small or the last change fresh.

    Args:
        plan: with a budget.
        step: steps done.
        seconds: of training so far.
        speed: steps a second since the last record.
        longer: whether the run may become longer than planned.
    """
    assert plan.minutes is not None, "only a run with a budget is kept to it"
    left = plan.minutes * 60 - seconds
    if left <= 0:
        return min(plan.length(), step + 1)
    expected = (speed + step / seconds) / 2
    fresh = step - (plan.amendments[-1].step if plan.amendments else 0) < 10 * plan.log_every
    if fresh or abs((plan.length() - step) / expected - left) < max(3.0, 0.1 * left):
        return plan.length()
    most = plan.steps if plan.account is not None else 2**62  # what the noise of a private run pays for
    return min(most if longer else plan.length(), step + max(1, int(left * expected)))


def extended(plan: Plan, limits: Limits, *, step: int, seconds: float) -> tuple[Plan, int | None]:
    """The plan of a run that goes on, and another length where the limits ask for one.

    Args:
        plan: as it was stored.
        limits: of this sitting.
        step: steps done.
        seconds: of training so far.

    Raises:
        RequestError: the noise of a private run does not pay for the length.
    """
    plan = plan.without_end(limits.until)
    if any(amendment.until for amendment in plan.amendments):
        return plan, None  # the bound is kept, however long the run may last
    wishes = [limits.steps] if limits.steps else []
    wishes += [-(-limits.images // plan.images_per_step)] if limits.images else []
    minutes = limits.minutes
    if minutes is not None and (minutes != plan.minutes or wishes):
        fits = step + max(0, int((minutes * 60 - seconds) * step / seconds)) if seconds > 0 else None
        if minutes == plan.minutes:
            # The planned length fits into it, as was measured.
            fits = max(plan.length(), fits or 0)
        wishes += [] if fits is None else [fits]
    if wishes:
        # A budget that is not asked for again is no bound of what is.
        plan = plan.but(minutes=minutes)
    length = max(step, min(wishes, default=plan.length()))
    if length == plan.length():
        return plan, None
    refuse_lengthening(plan, length)
    return plan, length


def of_a_run_that_was_over(plan: Plan, stored: Plan, step: int) -> list[str]:
    """What is to be said of a run that was over when it was resumed."""
    if step >= plan.length():
        return ["the run is over; --steps, --images or --minutes lengthen it"]
    if stored.progress(step) >= 1 and plan.progress(step) >= 1:
        return ["rates stay at those of the end, as the run was over; begin anew for a schedule of the whole length"]
    return []


def accounted(plan: Plan, experiment: Experiment, modality: Modality) -> Plan:
    """The plan with the least noise that keeps its length within the budget of privacy."""
    training = experiment.training
    assert training.privacy is not None, "only a private run has an account"
    turns = guarded_turns(experiment)
    held = account(training.privacy, rows=_rows(modality), batch=training.batch, steps=plan.steps, per_step=turns)
    return plan.but(account=held)


def provisional(experiment: Experiment, modality: Modality) -> Account:
    """What measures a step's time before its noise is known."""
    return Account(noise=1.0, rate=min(1.0, experiment.training.batch / _rows(modality)), updates=1)


def guarded_turns(experiment: Experiment) -> int:
    """Private updates of a step."""
    game = experiment.task.game
    return sum(any(name in game.guarded for name in turn.learners) for turn in game.turns(0))


def refuse_lengthening(plan: Plan, steps: int) -> None:
    """Refuses a length that the noise of a private run does not pay for.

    Raises:
        RequestError: it is longer than was planned.
    """
    if plan.account is not None and steps > plan.steps:
        raise RequestError(
            f"the noise of this private run pays for {plan.steps:,} steps, and {steps:,} would spend more than was "
            "promised; begin anew with --overwrite"
        )


def _rows(modality: Modality) -> int:
    """Rows learned from, as counted with noise.

    Raises:
        RequestError: the codec was not learned privately.
    """
    rows = modality.counted()
    if not rows:
        raise RequestError("private training needs a table whose codec was learned privately; use sparring.train")
    return rows


def unmeasured(experiment: Experiment, limits: Limits) -> Plan:
    """The plan as far as it follows from the experiment and the limits alone."""
    training, game = experiment.training, experiment.task.game
    counting = sum(turn.counts for turn in game.turns(0) if turn.when is None or turn.when(0.0))
    per_step = training.batch * max(1, counting)
    wishes = [-(-limits.images // per_step)] if limits.images else []
    wishes += [limits.steps] if limits.steps else []
    length = min(wishes, default=-(-training.images // per_step))
    log = max(1, min(50, length // 20))
    return Plan(
        steps=length,
        images_per_step=per_step,
        precision="fp32" if training.precision == "auto" else training.precision,
        layout="contiguous" if training.layout == "auto" else training.layout,
        threads=torch.get_num_threads(),
        log_every=log,
        save_every=log * 5,
    )


def candidates(experiment: Experiment, plan: Plan, spec: DataSpec, device: torch.device) -> list[Plan]:
    """The settings worth measuring, among those that the training leaves open."""
    training, pictures = experiment.training, len(spec.shape) == 3
    halves = ["bf16"] if computes_halves(device) and training.privacy is None else []
    precisions = ["fp32", *halves] if training.precision == "auto" else [training.precision]
    layouts = ["contiguous", *(["channels-last"] if pictures else [])] if training.layout == "auto" else [plan.layout]
    # Half precision is never faster with contiguous pictures where both layouts are there.
    pairs = [(p, la) for p in precisions for la in layouts if p != "bf16" or la == layouts[-1]]
    return [plan.but(precision=p, layout=la) for p, la in pairs]


def computes_halves(device: torch.device) -> bool:
    """Whether a device computes in bf16 itself: where it is emulated, a single step can take minutes."""
    if device.type == "cpu":
        return bool(torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device.type == "cuda"


def phases(game: Game, plan: Plan) -> dict[int, float]:
    """A step of each stretch of a run in which the same turns are played, with the stretch's share of all steps."""
    found: dict[tuple[bool, ...], tuple[int, float]] = {}
    for number in range(_LOOKS):
        step = int((number + 0.5) / _LOOKS * plan.steps)
        played = turns_of(game, plan, step)
        first, share = found.get(played, (step, 0.0))
        found[played] = first, share + 1 / _LOOKS
    return dict(found.values())


def turns_of(game: Game, plan: Plan, step: int) -> tuple[bool, ...]:
    """Which of its turns a step plays."""
    progress = plan.progress(step)
    return tuple(turn.when is None or turn.when(progress) for turn in game.turns(step))


def seconds_per_step(engine: Engine, least: float = math.inf) -> float:
    """Mean seconds of a step, over at most 16 throw-away steps after warm-up.

    Several processes take the same number of steps, since each step waits for all of them. A game that diverges is
    timed as far as it comes: training itself will notice, and has its remedies.

    Args:
        engine: plays the steps.
        least: seconds of a step in the best setting so far; one that is far from it is given up early.
    """
    torch.set_num_threads(engine.plan.threads)
    took: list[float] = []
    with suppress(Divergence):
        while len(took) < _WARM + 16 and (len(took) < _WARM + 4 or dist.is_initialized() or sum(took[_WARM:]) < 3):
            start = time.monotonic()
            try:
                engine.step()
                _settle(engine)
            finally:
                took.append(time.monotonic() - start)
            if took[-1] > least * (_FAR_AT_FIRST if len(took) == 1 else _FAR) and not dist.is_initialized():
                return took[-1]
    counted = took[_WARM:] or took
    return sum(counted) / len(counted)


def _settle(engine: Engine) -> None:
    if engine.device.type == "cuda":
        torch.cuda.synchronize()
