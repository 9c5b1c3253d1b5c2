import pytest
import torch

from sparring import planning
from sparring.data.named import Digits
from sparring.experiment import Experiment
from sparring.limits import Limits
from sparring.plan import Plan, fastest
from sparring.planning import candidates, seconds_per_step, unmeasured
from sparring.training import Engine
from sparring.types import DataSpec


@pytest.fixture
def clock(monkeypatch):
    """A clock that only steps move."""
    now = [0.0]
    monkeypatch.setattr(planning.time, "monotonic", lambda: now[0])
    return now


EXPERIMENT = Experiment(data=Digits())
PLAN = unmeasured(EXPERIMENT, Limits())


class Timed(Engine):
    """An engine whose steps take so long, the last over and over."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.played = clock, seconds, 0
        self.plan, self.device = PLAN.but(threads=torch.get_num_threads()), torch.device("cpu")

    def step(self):
        self.clock[0] += self.seconds[min(self.played, len(self.seconds) - 1)]
        self.played += 1
        return {}


def test_steps_of_a_setting_are_timed_after_warm_up(clock):
    engine = Timed(clock, [9.0, 9.0, 9.0, 0.5])
    assert seconds_per_step(engine) == pytest.approx(0.5)
    assert engine.played == 3 + 6


@pytest.mark.parametrize(
    ("seconds", "steps", "found"),
    [([40.0], 1, 40.0), ([9.0, 3.5], 2, 3.5), ([9.0, 1.0], 7, 1.0), ([9.0, 2.9, 2.9, 2.0], 7, 2.0)],
)
def test_a_setting_that_is_far_from_the_best_is_given_up(clock, seconds, steps, found):
    engine = Timed(clock, seconds)
    assert seconds_per_step(engine, least=1.0) == pytest.approx(found)
    assert engine.played == steps


def test_the_fastest_setting_is_taken_and_each_hears_of_the_best_before_it():
    plans, heard = [PLAN.but(threads=threads) for threads in (2, 1, 3)], []

    def measure(plan: Plan, least: float) -> float:
        heard.append(least)
        return float(plan.threads)

    assert fastest(plans, measure) == (plans[1], 1.0)
    assert heard == [float("inf"), 2.0, 1.0]


@pytest.mark.parametrize("native", [True, False])
def test_half_precision_is_tried_on_processors_that_compute_in_it(monkeypatch, native):
    monkeypatch.setattr(planning, "computes_halves", lambda device: native)
    tried = candidates(EXPERIMENT, PLAN, DataSpec((1, 8, 8)), torch.device("cpu"))
    assert {plan.precision for plan in tried} == ({"fp32", "bf16"} if native else {"fp32"})
    asked = EXPERIMENT.override("training.precision=bf16")
    tried = candidates(asked, unmeasured(asked, Limits()), DataSpec((1, 8, 8)), torch.device("cpu"))
    assert {plan.precision for plan in tried} == {"bf16"}
