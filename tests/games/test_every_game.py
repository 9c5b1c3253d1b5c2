"""Runs of every game as a whole: what stops them on their way changes no file."""

import numpy as np
import pytest
from PIL import Image
from tables import planted
from toys import contents

from sparring import recipes, session
from sparring.errors import RequestError
from sparring.games import Game
from sparring.learning import steps
from sparring.limits import Limits
from sparring.plan import Plan
from sparring.proposal import propose
from sparring.run import Run
from sparring.session import Session
from sparring.tasks import Task
from sparring.tasks.picture import PictureTask, Restoration

GAMES = [game for game in Game.parts().values() if game.__module__.startswith("sparring.")]
LENGTH = 12
"""Steps of a run: a record a step, a checkpoint every five and at the end."""

SETTINGS = (
    *("training.precision=fp32", "training.layout=contiguous", "training.batch=4"),
    "training.watch_every=2",
)
KINDS = {
    "image": ({}, recipes.Facts("image", (3, 8, 8), 100)),
    "table": ({}, recipes.Facts("table", (12,), 100, choices=5)),
    "series": ({"modality": "series"}, recipes.Facts("series", (2, 6), 100)),
}
"""What reads data of a kind, and facts that recipes are asked with."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, draws = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    np.save(folder / "image.npy", draws.integers(0, 256, (120, 8, 8, 3), np.uint8))
    np.save(folder / "series.npy", draws.standard_normal((120, 6, 2)).cumsum(1))
    planted(120).to_csv(folder / "table.csv", index=False)
    for side, low in (("trainA", 0), ("trainB", 150)):
        (folder / "domains" / side).mkdir(parents=True)
        for number in range(110):
            pixels = draws.integers(low, low + 100, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "domains" / side / f"{side}{number}.png")
    return folder


def small(game):
    """Settings by which a game is played quickly."""
    network = getattr(game, "network", game)
    prefix = "game" if network is game else "network"
    widths = [name for name in type(network).model_fields if name.endswith("width")]
    return (*SETTINGS, *(f"{prefix}.{name}=4" for name in widths))


def proposed(game, data):
    """What plays the game, by the first task or recipe that does."""
    own = (task for task in Task.parts().values() if task.__module__.startswith("sparring."))
    for task in (task for task in own if issubclass(task, PictureTask)):
        if task.paired and not issubclass(task, Restoration):
            continue
        played, path = Task.from_json({"part": task.name}).game, data / ("image.npy" if task.paired else "domains")
        if type(played) is game:
            return propose(str(path), task=task.name, settings=small(played))
    for name in sorted(recipes.recipes(), key=lambda name: name != "default"):
        for kind, (reading, facts) in KINDS.items():
            try:
                task, _ = recipes.find(name)(facts)
            except RequestError:
                continue
            if type(task.game) is game:
                (path,) = data.glob(f"{kind}.*")
                return propose(str(path), recipe=name, settings=small(task.game), **reading)
    raise AssertionError(f"no task and no recipe plays {game.name}")


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_a_run_that_was_interrupted_and_killed_ends_with_the_files_of_one_that_nothing_stopped(
    game, data, tmp_path, monkeypatch
):
    monkeypatch.setattr(session, "GRID", 4)
    monkeypatch.setattr(Session, "_judge", lambda self: None)  # takes longer than the run
    proposal = proposed(game, data)
    assert type(proposal.experiment.task.game) is game

    def going(folder):
        limits = Limits(steps=LENGTH)
        return steps(proposal.experiment, folder, limits=limits, material=proposal.material, resume=True, device="cpu")

    list(going(tmp_path / "whole"))
    plan = Plan.from_json(Run(tmp_path / "whole").read(Run(tmp_path / "whole").plan))
    assert (plan.log_every, plan.save_every) == (1, 5)
    stopped, seen = Run(tmp_path / "stopped"), []
    for stop, is_killed in ((3, False), (7, True)):
        sitting = going(stopped.folder)
        next(record for record in sitting if record.step >= stop)
        sitting.close()
        seen.append([int(path.name) for path in stopped.checkpoints()])
        if is_killed:
            stopped.forget(5)
    assert seen == [[3], [5, 7]]
    list(going(stopped.folder))
    assert contents(stopped.folder) == contents(tmp_path / "whole")
