"""Against the tutorials: time to the rival's best distance, and images a second of the same network.

``loop`` trains the rivals, ``reach`` measures how soon ours is as good as the better of them, ``throughput`` compares
the speed of one network in both loops. Clocks stand still while a distance is taken.
"""

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import runs, tutorial
from benchmarks.judges import Judge, Real, digit_judge, frechet, real
from benchmarks.ledger import RESULTS, Ledger, Measurement, lines
from benchmarks.tutorial import PlainLoop, Setting

SETTINGS = (Setting(1e-4, 0.9), Setting(2e-4, 0.5))
BEST = "best Fréchet distance"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run, minutes in (("loop", loop, 30.0), ("reach", reach, 3.0), ("throughput", throughput, None)):
        command = commands.add_parser(name, help=run.__doc__)
        command.set_defaults(run=run)
        command.add_argument("--seeds", nargs="+", default=["0"], help="seeds, such as 0 1 2 or 0-2")
        command.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
        command.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
        if minutes is None:
            command.add_argument("--pairs", type=int, default=5, help="pairs of one burst each")
            command.add_argument("--seconds", type=float, default=20.0, help="length of a burst")
            command.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides of ours")
        else:
            command.add_argument("--minutes", type=float, default=minutes, help="length of training")
            command.add_argument("--items", type=int, default=10_000, help="digits to generate for a distance")
            every = 60.0 if name == "loop" else 10.0
            command.add_argument("--every", type=float, default=every, help="seconds of training between distances")
    asked = parser.parse_args(argv)
    ledger = Ledger("rivals", argv, asked.results)
    asked.run(asked, ledger)
    print(ledger.table())
    return 0


class Distances:
    """Fréchet distances of digits to both held-back splits, by the judge."""

    def __init__(self, judge: Judge, data: Real):
        self.judge = judge
        self.select, self.test = judge.features(data.select.pictures), judge.features(data.report.pictures)
        self.floor = frechet(self.select, self.test)

    def of(self, pictures: np.ndarray) -> dict[str, float]:
        """``select``, on which a best point may be chosen, and ``test``, which is reported."""
        made = self.judge.features(pictures)
        return {"select": frechet(made, self.select), "test": frechet(made, self.test)}


def loop(asked: argparse.Namespace, ledger: Ledger) -> None:
    """Train the tutorial's DCGAN at both settings."""
    data = real(runs.named("mnist"))
    distances = Distances(digit_judge(data), data)
    pictures = tutorial.in_minus_one_to_one(data.train.pictures)
    log = Ledger("rivals-trajectory", sys.argv[1:], asked.results)
    for seed in runs.seeds_option(asked.seeds):
        for setting in SETTINGS:
            torch.manual_seed(seed)
            players = tutorial.Generator(), tutorial.Discriminator()
            plain = PlainLoop(*players, players, pictures, setting)
            points = []
            for seconds in _bursts(plain, asked.minutes * 60, asked.every):
                found = distances.of(tutorial.sampled(players[0], asked.items, seed))
                points.append({"seconds": seconds, "images": float(plain.images), **found})
                more = points[-1]
                log.add(Measurement(f"{setting.title}: distance", found["test"], seed=seed, more=more))
            chosen = tutorial.best(points)
            ledger.add(
                Measurement(
                    f"{setting.title}, {asked.minutes:g} minutes: {BEST}",
                    chosen["test"],
                    floor=distances.floor,
                    items=asked.items,
                    seed=seed,
                    minutes=asked.minutes,
                    more=chosen | {"images_per_second": points[-1]["images"] / points[-1]["seconds"]},
                )
            )


def _bursts(plain: PlainLoop, total: float, every: float) -> Iterator[float]:
    """Plays in bursts; the seconds of training so far after each."""
    played = 0.0
    while played < total:
        played += plain.play(min(every, total - played))[0]
        yield played


def target(folder: Path) -> dict[str, Any]:
    """The best point of all rivals that have been measured, chosen on the *select* split.

    Raises:
        SystemExit: none has been.
    """
    measured = [line for line in lines(folder / "rivals.jsonl") if line["figure"].endswith(BEST)]
    if not measured:
        raise SystemExit(f"no rival is in {folder}/rivals.jsonl; run 'python -m benchmarks.rivals loop' first")
    chosen = min(measured, key=lambda line: line["more"]["select"])
    return {"figure": chosen["figure"], "seed": chosen["seed"], **chosen["more"]}


def reach(asked: argparse.Namespace, ledger: Ledger) -> None:
    """Measure when ours is as good as the best that a rival ever was."""
    wanted = target(asked.results)
    data = real(runs.named("mnist"))
    distances = Distances(digit_judge(data), data)
    for seed in runs.seeds_option(asked.seeds):
        import sparring

        reached, points = None, []
        for seconds, snapshot in snapshots(asked, seed):
            made = sparring.load(snapshot).sample(asked.items, seed=seed)
            points.append({"seconds": round(seconds, 2), **distances.of(made)})
            print(points[-1], file=sys.stderr, flush=True)
            if points[-1]["select"] <= wanted["select"]:
                reached = points[-1]
                break
        seconds = reached["seconds"] if reached else float("inf")
        common = {"items": asked.items, "seed": seed, "minutes": asked.minutes}
        more = {"target": wanted, "points": points}
        name = f"MNIST, {asked.minutes:g} minutes: as good as the better rival's best"
        ledger.add(Measurement(f"{name}, seconds", seconds, **common, more=more))
        ledger.add(Measurement(f"{name}, times sooner", wanted["seconds"] / seconds, ">= 10", **common))


def snapshots(asked: argparse.Namespace, seed: int) -> Iterator[tuple[float, Path]]:
    """Trains ours to the end, then gives each saved model with the seconds of training after which it was there.

    A save is noticed at the record after it, about a second late, which counts against ours.
    """
    import sparring
    from sparring import planning
    from sparring.learning import steps
    from sparring.limits import Limits

    planning.SAVE_SECONDS = asked.every  # no option says how often a model is saved
    proposal = sparring.propose(runs.named("mnist"), unconditional=True, seed=seed)
    out = asked.scratch / f"reach-{asked.minutes:g}-{seed}"
    kept: list[tuple[float, Path]] = []
    seen = None
    limits = Limits(minutes=asked.minutes)
    began, length = time.monotonic(), 0.0
    for record in steps(proposal.experiment, out, limits=limits, material=proposal.material, overwrite=True):
        file = out / "generator.safetensors"
        if file.is_file() and (stamp := file.stat().st_mtime_ns) != seen:
            seen = stamp
            kept.append((record.seconds, _copied(out, len(kept))))
    length = time.monotonic() - began
    if (out / "generator.safetensors").stat().st_mtime_ns != seen:
        kept.append((length, _copied(out, len(kept))))
    yield from kept


def _copied(out: Path, number: int) -> Path:
    """What a model is loaded from, as it is now."""
    folder = out / "snapshots" / str(number)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(out / "codec", folder / "codec")
    for name in ("experiment.json", "generator.safetensors"):
        shutil.copy2(out / name, folder / name)
    return folder


def throughput(asked: argparse.Namespace, ledger: Ledger) -> None:
    """Compare the speed of the recipe dcgan in our engine with a plain loop of the same network, in turns."""
    for seed in runs.seeds_option(asked.seeds):
        ours, plain, plan = contestants(seed, asked.settings)
        for play in (ours, plain):
            play(min(3.0, asked.seconds))
        pairs = [(ours(asked.seconds), plain(asked.seconds)) for _ in range(asked.pairs)]
        ledger.add(
            Measurement(
                "dcgan: images/s in our engine / in a plain loop",
                statistics.median(a / b for a, b in pairs),
                ">= 1.3",
                seed=seed,
                minutes=round(2 * asked.pairs * asked.seconds / 60, 2),
                more={"pairs": [(round(a, 1), round(b, 1)) for a, b in pairs], "plan": plan},
            )
        )


def contestants(
    seed: int, settings: Sequence[str]
) -> tuple[Callable[[float], float], Callable[[float], float], dict[str, Any]]:
    """Ours and the plain loop, each a function from seconds to images a second, and ours' plan."""
    import sparring
    from sparring.limits import Limits
    from sparring.plan import Plan
    from sparring.planning import make_plan
    from sparring.training import Engine

    data = runs.named("mnist")
    found = sparring.propose(data, recipe="dcgan", unconditional=True, seed=seed, settings=settings)
    experiment, material, device = found.experiment, found.material, torch.device("cpu")
    reader = material.reader(material.splits.train, seed)

    def engine(plan: Plan) -> Engine:
        task, training = experiment.task, experiment.training
        return Engine(task, training, material.spec, train=reader, select=None, plan=plan, seed=seed, device=device)

    plan, _ = make_plan(experiment, material.spec, Limits(minutes=10), device, engine=engine)
    playing = engine(plan)

    def ours(seconds: float) -> float:
        begun, before = time.monotonic(), playing.images
        while time.monotonic() - begun < seconds:
            playing.step()
        return (playing.images - before) / (time.monotonic() - begun)

    adam = experiment.training.optimiser.to_json()
    setting = Setting(adam["rate"], adam["beta1"], adam["beta2"], experiment.training.batch)
    players = engine(plan.but(precision="fp32", layout="contiguous")).players
    generator, discriminator = players["generator"], players["discriminator"]
    pictures = tutorial.in_minus_one_to_one(np.asarray(material.data.items[material.splits.train]))
    loop_of_same = PlainLoop(
        lambda latents: generator(latents).value,
        lambda items: discriminator(items)[0].value,
        (generator, discriminator),
        pictures,
        setting,
    )

    def plain(seconds: float) -> float:
        taken, images = loop_of_same.play(seconds)
        return images / taken

    return ours, plain, {"precision": plan.precision, "layout": plan.layout, "threads": plan.threads}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
