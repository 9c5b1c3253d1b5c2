"""Whether detectors are silent in healthy runs of real recipes, and how soon they speak when a failure is planted."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.ledger import RESULTS, Ledger, Measurement
from benchmarks.runs import SCRATCH, seeds_option
from sparring.engines import Engines
from sparring.errors import Divergence
from sparring.limits import Limits
from sparring.plan import Plan
from sparring.planning import unmeasured
from sparring.proposal import Proposal, propose
from sparring.signs import observe
from sparring.training import Engine
from sparring.watch import EVERY, NotFinite, Signs

FIXED = ("training.precision=fp32", "training.layout=contiguous")
LENGTH = 1500
"""Steps to which schedules are squeezed or stretched, observed every 50."""

HEALTHY = 4
"""Observations before a failure is planted."""


@dataclass(frozen=True)
class Case:
    """A recipe on small data.

    Attributes:
        name: of both.
        data: as the command line takes them, or what makes a frame.
        recipe: by its name.
        settings: beside :data:`FIXED`.
        own: whether healthy runs are played by its recipe's own schedule, which is much longer or shorter: squeezed or
            stretched to :data:`LENGTH` they are not healthy.
    """

    name: str
    data: Any
    recipe: str = "default"
    settings: tuple[str, ...] = ()
    own: bool = False

    def proposed(self, seed: int, scratch: Path, *settings: str) -> Proposal:
        """The experiment that a user would get."""
        data = self.data() if callable(self.data) else self.data
        return propose(data, recipe=self.recipe, seed=seed, store=scratch, settings=(*FIXED, *self.settings, *settings))


def tumours() -> Any:
    """A table of 569 rows and 31 columns that scikit-learn brings along."""
    from sklearn.datasets import load_breast_cancer

    bunch: Any = load_breast_cancer(as_frame=True)
    return bunch.frame


def few_digits() -> Any:
    """200 pictures, which a discriminator learns by heart."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return (bunch.images[:200] * 15.9).astype("uint8")[..., None]


CASES = (
    Case("digits, default", "digits"),
    Case("digits, dense", "digits", "dense"),
    Case("ring, default", "ring", own=True),
    Case("table of 569 rows, default", tumours, own=True),
)
FEW = Case("200 digits, default without augmentation", few_digits, "default", ("game.views=",))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alarms", description=__doc__)
    parser.add_argument("--seeds", nargs="+", default=["0-9"], help="of healthy runs")
    parser.add_argument("--length", type=int, default=LENGTH, help="steps of a healthy run, observed every 50")
    parser.add_argument("--cases", nargs="+", default=[case.name for case in (*CASES, FEW)], help="some of them")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="folder for data")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    torch.set_num_threads(1)
    ledger = Ledger("alarms", argv, asked.results)
    for case in (case for case in CASES if case.name in asked.cases):
        ledger.add(silence(case, asked))
        for name, failure in FAILURES.items():
            late = delay(case, name, failure, asked.scratch)
            ledger.add(Measurement(f"{case.name}: observations until {name}", late, f"<= {BOUNDS[name]}"))
    for seed in seeds_option(asked.seeds) if FEW.name in asked.cases else ():
        found, history = watched(engine(FEW.proposed(seed, asked.scratch)), 2000, every=50)
        more = {"others": {name: step for name, step in found.items() if name != "overfits"}, **nearest(history)}
        late = found.get("overfits", 10**9)
        ledger.add(Measurement(f"{FEW.name}: steps until overfits", late, "<= 2000", seed=seed, more=more))
    print(ledger.table())
    return 0


def silence(case: Case, asked: argparse.Namespace) -> Measurement:
    """In how many runs a detector speaks, of as many steps as are asked for or as the recipe's schedule has."""
    told, steps = {}, asked.length
    for seed in seeds_option(asked.seeds):
        playing = (unhurried if case.own else engine)(case.proposed(seed, asked.scratch))
        steps = playing.plan.steps if case.own else asked.length
        found, history = watched(playing, steps, every=50)
        told |= {f"seed {seed}": found} if found else {}
        print(case.name, seed, found, nearest(history), file=sys.stderr, flush=True)
    more = {"runs": len(seeds_option(asked.seeds)), "steps": steps, **told}
    name = f"{case.name}, at its own schedule" if case.own else case.name
    return Measurement(f"{name}: healthy runs with an alarm", len(told), "<= 0", more=more)


def engine(proposal: Proposal) -> Engine:
    """As a session makes it, without a run's folder, its schedules squeezed or stretched."""
    return _engine(proposal, Plan(steps=LENGTH, images_per_step=proposal.experiment.training.batch))


def unhurried(proposal: Proposal) -> Engine:
    """As :func:`engine`, by the recipe's own length."""
    return _engine(proposal, unmeasured(proposal.experiment, Limits()))


def _engine(proposal: Proposal, plan: Plan) -> Engine:
    return Engines(proposal.experiment, proposal.material, torch.device("cpu"))(plan)


def watched(
    playing: Engine, length: int, *, every: int, detectors: Sequence[str] = tuple(d.name for d in EVERY)
) -> tuple[dict[str, int], list[Signs]]:
    """The first alarm of each of the recipe's detectors, by its step, and what was observed."""
    history: list[Signs] = []
    found: dict[str, int] = {}
    for step in _steps(playing, length, every, history):
        for detector in playing.training.watch:
            if detector.name in detectors and detector.name not in found and detector(history):
                found[detector.name] = step
    return found, history


def _steps(playing: Engine, length: int, every: int, history: list[Signs]) -> Iterator[int]:
    """Plays, and pauses at each observation."""
    for step in range(1, length + 1):
        playing.measures = step % every == 0
        playing.step()
        if step % every == 0:
            history.append(observe(playing))
            yield step


def nearest(history: Sequence[Signs]) -> dict[str, float]:
    """How near a run came to alarms."""
    seen = {name: [signs[name] or 0.0 for signs in history if name in signs] for name in EXTREMES}
    return {name: round(EXTREMES[name](values), 4) for name, values in seen.items() if values}


EXTREMES: dict[str, Callable[[Sequence[float]], float]] = {
    "largest score": max,
    "score spread": min,
    "separation": max,
    "diversity": min,
    "gap": max,
}


def delay(case: Case, name: str, failure: Callable[[Engine], None], scratch: Path, *, every: int = 10) -> int:
    """Observations from planting a failure to its alarm; a large number where there is none."""
    playing, history = engine(case.proposed(0, scratch)), list[Signs]()
    detector = next(d for d in playing.training.watch if d.name == name)
    for _ in _steps(playing, every * HEALTHY, every, history):
        pass
    failure(playing)
    try:
        for _ in _steps(playing, every * 2 * BOUNDS[name], every, history):
            if detector(history):
                return len(history) - HEALTHY
    except Divergence:
        return 0 if isinstance(detector, NotFinite) else 10**9  # in the step itself
    return 10**9


def frozen(playing: Engine, name: str) -> None:
    """Lets a player learn nothing more."""
    training = playing.training
    still = training.per_player.get(name, training.optimiser).override("rate=1e-30").override("rate_final=1e-30")
    playing.adopt(playing.task, training.but(per_player={**training.per_player, name: still}))


@torch.no_grad()
def _scaled(player: nn.Module, factor: float, kinds: tuple[type[nn.Module], ...] = (nn.Module,)) -> None:
    for module in player.modules():
        if isinstance(module, kinds):
            for weight in module.parameters(recurse=False):
                weight.mul_(factor)


def collapses(playing: Engine) -> None:
    """The generator no longer looks at its latents, makes up its mind, and learns nothing more."""
    _scaled(playing.players["generator"], 0.0, (nn.Linear,))
    last = [module for module in playing.players["generator"].modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.bias.copy_(torch.randn(last.bias.shape, generator=torch.Generator().manual_seed(0)) * 1000)
    frozen(playing, "generator")


def wins(playing: Engine) -> None:
    """The generator makes noise of its first weights and learns nothing more, the discriminator goes on."""
    for module in playing.players["generator"].modules():
        if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
            module.reset_parameters()
    frozen(playing, "generator")


def explodes(playing: Engine) -> None:
    """The discriminator's weights are a thousand times as large."""
    _scaled(playing.players["discriminator"], 1000.0)
    frozen(playing, "discriminator")


def vanishes(playing: Engine) -> None:
    """The discriminator's weights are zero."""
    _scaled(playing.players["discriminator"], 0.0)
    frozen(playing, "discriminator")


def breaks(playing: Engine) -> None:
    """A weight is no number."""
    with torch.no_grad():
        next(playing.players["generator"].parameters()).view(-1)[0] = torch.nan


FAILURES: dict[str, Callable[[Engine], None]] = {
    "not-finite": breaks,
    "exploded": explodes,
    "vanished": vanishes,
    "won": wins,
    "collapsed": collapses,
}
BOUNDS = {"not-finite": 1, "exploded": 2, "vanished": 3, "won": 40, "collapsed": 3}
"""Observations within which each is seen: its patience, for ``won`` also the time that winning takes."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
