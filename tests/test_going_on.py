"""Runs that go on: with other bounds, lengths and budgets, after a roll-back, and what is written of a model."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toys import going, proposed

import sparring
from sparring.limits import Limits
from sparring.plan import Plan
from sparring.planning import extended
from sparring.run import Run


def plan_of(folder):
    return Plan.from_json(Run(folder).read(Run(folder).plan))


def test_a_bound_that_was_reached_ends_a_run_no_more_where_it_goes_on_to_another_or_to_none(tmp_path, shades):
    proposal = proposed(shades, "training.measure=16")
    for name, more in (("tighter", {"until": "kid<-1e9"}), ("none", {})):
        run = tmp_path / name
        records = list(going(run, proposal, 400, until="kid<1e9"))
        ended = records[-1].step
        assert ended < 400
        (again,) = [r for r in going(run, proposal, 400, until="kid<1e9") if r.note and "is over" in r.note]
        assert again.step == ended
        records = list(going(run, proposal, 400, **more))
        assert records[-1].step == 400
        assert not any(amendment.until for amendment in plan_of(run).amendments)


def test_a_length_that_does_not_fit_into_the_budget_leaves_the_measured_one():
    plan = Plan(steps=3000, images_per_step=16, minutes=1.0)
    both = Limits(minutes=1.0, steps=100_000)
    assert extended(plan, both, step=0, seconds=0.0)[1] is None
    # After 100 steps in 10 seconds 600 fit, but no fewer than were planned; of 3,600 in 36 seconds 6,000.
    assert extended(plan, both, step=100, seconds=10.0)[1] is None
    assert extended(plan, both, step=2400, seconds=24.0)[1] == 6000
    assert extended(plan, Limits(minutes=1.0, steps=2000), step=0, seconds=0.0)[1] == 2000
    assert extended(plan, Limits(minutes=1.0), step=100, seconds=10.0)[1] is None
    assert extended(plan, Limits(minutes=2.0), step=100, seconds=10.0)[1] == 1200


def test_a_roll_back_keeps_the_length_of_a_run_that_was_lengthened():
    plan = Plan(steps=1000, images_per_step=16).amended(1000, 5000)
    back = plan.changed(900, ("training.optimiser.rate=1e-4",), "it is not finite")
    assert back.length() == 5000
    assert back.progress(900) == pytest.approx(0.9)
    assert back.progress(5000) == 1.0
    assert back.changes(900) == ("training.optimiser.rate=1e-4",)
    twice = Plan(steps=100, images_per_step=16).amended(50, 80).amended(60, 90).changed(40, ("a=1",), "")
    assert twice.length() == 90
    assert [amendment.step for amendment in twice.amendments] == [40, 40]


def test_a_finished_run_that_is_lengthened_says_that_rates_stay(tmp_path, shades):
    proposal = proposed(shades)
    list(going(tmp_path / "run", proposal, 20))
    notes = [record.note for record in going(tmp_path / "run", proposal, 40) if record.note]
    assert any("rates stay at those of the end" in note for note in notes)
    notes = [record.note for record in going(tmp_path / "run", proposal, 40) if record.note]
    assert any("the run is over" in note for note in notes)


def test_what_is_written_of_a_model_has_the_batch_norms_of_averaged_weights(tmp_path):
    items = np.random.default_rng(0).integers(0, 256, (240, 8, 8, 1), dtype=np.uint8)
    run = tmp_path / "run"
    sparring.train(
        items, recipe="dcgan", steps=7, out=run,
        settings=("training.precision=fp32", "training.layout=contiguous", "training.batch=8", "network.width=4"),
    )  # fmt: skip
    written, (kept, _, _) = load_file(run / "generator.safetensors"), Run(run).restore()
    means = [name for name in written if name.endswith("running_mean")]
    assert means
    for name in written:
        assert torch.equal(written[name], kept[f"averages.{name}"]), name
    assert any(not torch.equal(written[name], kept[f"players.{name}"]) for name in means)
