import weakref
from itertools import islice

import pytest
import torch
from toys import contents, going, proposed

from sparring import watching
from sparring.engines import Engines
from sparring.errors import Divergence, RequestError, TrainingError
from sparring.learning import steps
from sparring.limits import Limits
from sparring.plan import Plan
from sparring.proposal import propose
from sparring.run import Run
from sparring.training import Engine

UNEASY = ("training.watch_every=1", "training.watch.won.patience=2", "training.watch.won.separation=1e-9")


def logs(folder):
    kept = contents(folder)
    return {name: kept[name] for name in kept if name in ("log.jsonl", "metrics.jsonl") or name.startswith("best/")}


def closed_at(records, number):
    """Takes so many records and closes the run."""
    list(islice(records, number))
    records.close()


def test_the_log_of_a_run_whose_last_record_stands_alone_is_the_same_after_a_kill(tmp_path, shades):
    proposal = proposed(shades, "training.watch_every=1")
    list(going(tmp_path / "run", proposal, 43))  # a record every two steps, and of the last
    run, whole = Run(tmp_path / "run"), logs(tmp_path / "run")
    signs = {record["step"]: record["signs"] for record in run.records("log") if "signs" in record}
    assert list(signs)[-2:] == [42, 43]
    assert signs[43]["gradient generator"] != signs[42]["gradient generator"]
    run.forget(40)
    list(going(run.folder, proposal, 43))
    assert logs(run.folder) == whole


def test_a_run_that_is_closed_at_any_record_tells_and_measures_what_an_uninterrupted_one_does(tmp_path, shades):
    proposal = proposed(shades, *UNEASY, "training.measure=16")
    records = list(going(tmp_path / "whole", proposal, 40))
    whole = contents(tmp_path / "whole")
    alarm = next(number for number, record in enumerate(records) if "has won" in str(record.note))
    reading, end = (next(n for n, record in enumerate(records) if record.step == step) for step in (20, 40))
    assert len(Run(tmp_path / "whole").records("metrics")) == 4
    for number in (alarm, alarm + 1, reading + 1, end + 1):
        folder = tmp_path / str(number)
        closed_at(going(folder, proposal, 40), number)
        list(going(folder, proposal, 40))
        assert contents(folder) == whole, number


def test_a_run_that_is_closed_at_the_record_of_an_alarm_stops_when_it_goes_on(tmp_path, shades):
    proposal = proposed(shades, *UNEASY, "training.watch.won.remedy=stop")
    seen = []
    with pytest.raises(TrainingError, match="stopped after step") as first:
        seen.extend(going(tmp_path / "run", proposal, 40))
    assert seen
    for number in (len(seen) - 1, len(seen)):
        folder = tmp_path / str(number)
        closed_at(going(folder, proposal, 40), number)
        with pytest.raises(TrainingError, match="stopped after step") as again:
            list(going(folder, proposal, 40))
        assert str(again.value) == str(first.value)


def test_a_run_that_is_closed_where_a_bound_is_kept_has_ended(tmp_path, shades):
    proposal = proposed(shades)
    records = list(going(tmp_path / "whole", proposal, 400, until="kid<1e9"))
    told = next(number for number, record in enumerate(records) if record.step == records[-1].step)
    closed_at(going(tmp_path / "closed", proposal, 400, until="kid<1e9"), told + 1)
    assert Run(tmp_path / "closed").read(Run(tmp_path / "closed").plan)["amendments"]
    assert logs(tmp_path / "closed") == logs(tmp_path / "whole")


ILL = {
    "collapsed": {"diversity": 0.01},
    "won": {"separation": 9.0},
    "overfits": {"gap": 1.0, "gap certainty": 9.0},
    "vanished": {"score spread": 0.0},
    "exploded": {"largest score": 1e9},
}


def ailing(monkeypatch, name, since=12):
    """Lets runs be observed as ill from a step on, until something is changed."""
    observe = watching.observe

    def observed(engine):
        sick = engine.step_number >= since and not engine.plan.amendments
        return observe(engine) | (ILL[name] if sick else {"diversity": 1.0, "gap": 0.0})

    monkeypatch.setattr(watching, "observe", observed)


def amendments(folder):
    return Plan.from_json(Run(folder).read(Run(folder).plan)).amendments


@pytest.mark.parametrize("name", ILL)
def test_a_run_goes_back_to_before_a_patience_began_recovers_and_keeps_few_checkpoints(
    tmp_path, shades, monkeypatch, name
):
    ailing(monkeypatch, name)
    asked = f"training.watch.{name}.remedy=roll-back", f"training.watch.{name}.patience=10"
    proposal = proposed(shades, *asked, "training.watch_every=1", "training.keep=1")
    run, kept, last = Run(tmp_path / "run"), [], 0
    for record in going(run.folder, proposal, 60):  # an observation every three steps, a checkpoint every fifteen
        kept.append([int(path.name) for path in run.checkpoints()])
        last = record.step
    (amendment,) = amendments(run.folder)
    assert amendment.changes
    assert last == 60
    assert max(map(len, kept)) <= 2
    assert kept[-1] == [60]


def test_a_run_goes_back_to_its_last_good_checkpoint_and_the_same_after_a_kill(tmp_path, shades, monkeypatch):
    ailing(monkeypatch, "won", since=17)
    asked = "training.watch.won.remedy=roll-back", "training.watch.won.patience=10", "training.watch_every=1"
    proposal = proposed(shades, *asked, "training.keep=1")
    list(going(tmp_path / "whole", proposal, 60))
    assert [a.step for a in amendments(tmp_path / "whole")] == [15]  # at step 45, when 30 and 45 were ill
    killed = Run(tmp_path / "killed")
    records = going(killed.folder, proposal, 60)
    while not killed.checkpoints() or int(killed.checkpoints()[-1].name) < 30:
        next(records)
    assert [int(path.name) for path in killed.checkpoints()] == [15, 30]
    records.close()
    list(going(killed.folder, proposal, 60))
    assert amendments(killed.folder) == amendments(tmp_path / "whole")
    assert contents(killed.folder) == contents(tmp_path / "whole")


def test_an_engine_is_gone_before_the_next_is_made(tmp_path, shades, monkeypatch):
    ailing(monkeypatch, "won")
    make, made, alive = Engines.__call__, [], []

    def making(self, *asked):
        alive.append(sum(engine() is not None for engine in made))
        found = make(self, *asked)
        made.append(weakref.ref(found))
        return found

    monkeypatch.setattr(Engines, "__call__", making)
    asked = "training.watch.won.remedy=roll-back", "training.watch.won.patience=2", "training.watch_every=1"
    list(going(tmp_path / "run", proposed(shades, *asked), 40))
    assert len(made) >= 2
    assert set(alive) == {0}


def failing(monkeypatch, spoil):
    """Lets something befall every step that was done."""
    step = Engine.step

    def stepped(self):
        terms = step(self)
        spoil(self)
        return terms

    monkeypatch.setattr(Engine, "step", stepped)


def test_weights_that_are_not_finite_are_never_saved(tmp_path, shades, monkeypatch):
    """Of the last step before a checkpoint, which no observation follows: its own terms were finite."""

    def spoil(engine):
        if engine.step_number == 10 and not engine.plan.amendments:
            with torch.no_grad():
                next(engine.players["generator"].parameters()).view(-1)[0] = torch.nan

    failing(monkeypatch, spoil)
    notes = [record.note for record in going(tmp_path / "run", proposed(shades), 25)]  # observed every 50 steps
    assert any("weights generator after step 10: a weight is not finite" in str(note) for note in notes)
    (amendment,) = amendments(tmp_path / "run")
    assert amendment.step == 5
    assert Run(tmp_path / "run").restore()[1]["step"] == 25


def test_a_checkpoint_from_which_a_run_diverges_whatever_is_changed_is_not_the_end_of_it(tmp_path, shades, monkeypatch):
    def spoil(engine):
        if engine.step_number == 12 and not any(amendment.step <= 5 for amendment in engine.plan.amendments):
            raise Divergence("the scores are not finite")

    failing(monkeypatch, spoil)
    records = list(going(tmp_path / "run", proposed(shades), 25))
    assert [amendment.step for amendment in amendments(tmp_path / "run")] == [5, 5]
    assert records[-1].step == 25


def test_a_model_that_is_newer_than_the_checkpoint_is_not_left_so(tmp_path, shades):
    run = Run(tmp_path / "run")
    list(going(run.folder, proposed(shades), 25))
    run.forget(20)  # as if it had been killed between the two
    closed_at(going(run.folder, proposed(shades), 25), 1)
    kept = {name.removeprefix("averages."): tensor for name, tensor in run.restore()[0].items()}
    model = run.read_tensors(run.generator)
    assert model
    assert all(torch.equal(tensor, kept[name]) for name, tensor in model.items())


def test_settings_of_a_player_that_is_not_there_are_refused(tmp_path):
    settings = ('training.per_player={"critic": {"part": "adam"}}',)
    proposal = propose("digits", recipe="dense", settings=settings)
    with pytest.raises(RequestError, match="no player is called 'critic'; there are discriminator, generator"):
        list(steps(proposal.experiment, tmp_path / "run", limits=Limits(steps=1), material=proposal.material))
