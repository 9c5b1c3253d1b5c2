"""Private runs as a whole: what is written, resumed, refused and learned."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import sparring
from sparring.data.chance import ChanceReader
from sparring.data.tables import store_frame
from sparring.display import beginning
from sparring.errors import RequestError, RunError
from sparring.estimators import TableGAN
from sparring.experiment import split_by_row
from sparring.leaks import refuse_engine
from sparring.learning import steps as play
from sparring.limits import Limits
from sparring.plan import Plan
from sparring.planning import accounted
from sparring.privacy import keep_secret
from sparring.proposal import propose
from sparring.run import Run

SMALL = ("network.width=24", "network.depth=1", "training.batch=60", "training.privacy.at_once=64")
ASKED = {"private": True, "epsilon": 20.0, "delta": 1e-5, "settings": SMALL}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def table(rows=700):
    source = np.random.default_rng(0)
    group = np.where(source.random(rows) < 0.8, "many", "few")
    height = np.where(group == "many", source.normal(20, 2, rows), source.normal(50, 2, rows))
    return pd.DataFrame({"group": group, "height": height.round(2)})


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "rows.csv"
    table().to_csv(path, index=False)
    return path


def trained(csv, out, steps=6, key=7, **more):
    keep_secret(out / "data", key)
    return sparring.train(csv, out=out, steps=steps, **{**ASKED, **more})


def weights(run):
    return load_file(run / "generator.safetensors")


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_private_run_that_is_resumed_equals_an_uninterrupted_one_bit_for_bit(csv, tmp_path):
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    trained(csv, whole)
    keep_secret(halved / "data", 7)
    proposal = propose(str(csv), store=halved / "data", **ASKED)
    records = play(proposal.experiment, halved, limits=Limits(steps=6), material=proposal.material)
    while next(records).step < 3:
        pass
    records.close()
    assert not same(weights(whole), weights(halved))
    trained(csv, halved, resume=True)
    assert same(weights(whole), weights(halved))
    assert (whole / "log.jsonl").read_text() == (halved / "log.jsonl").read_text()
    assert (whole / "plan.json").read_text() == (halved / "plan.json").read_text()


def test_another_secret_with_the_same_seed_draws_other_noise(csv, tmp_path):
    trained(csv, tmp_path / "a", key=1, steps=2)
    trained(csv, tmp_path / "b", key=2, steps=2)
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    old = (tmp_path / "a" / "data" / "private.key").read_text()
    sparring.train(csv, out=tmp_path / "a", steps=2, overwrite=True, **ASKED)
    assert (tmp_path / "a" / "data" / "private.key").read_text() != old, "noise that is drawn twice can be taken away"


def key_of(run):
    return (run / "data" / "private.key").read_text()


def test_a_request_that_is_refused_leaves_the_old_run_its_secret(csv, tmp_path):
    run = tmp_path / "run"
    trained(csv, run, steps=2)
    old = key_of(run)
    with pytest.raises(RequestError):
        sparring.train(csv, out=run, steps=2, overwrite=True, **{**ASKED, "settings": ("penalties=r1",)})
    with Run(run).lock(), pytest.raises(RunError):
        sparring.train(csv, out=run, steps=2, overwrite=True, **ASKED)
    assert key_of(run) == old
    sparring.train(csv, out=run, steps=2, resume=True, **ASKED)


def test_a_run_that_is_begun_anew_step_by_step_has_another_secret(csv, tmp_path):
    run = tmp_path / "run"
    trained(csv, run, steps=2)
    old, again = key_of(run), propose(str(csv), store=run / "data", **ASKED)
    with pytest.raises(RequestError, match=r"has its secret, which is not used twice; give propose\(overwrite=True\)"):
        list(play(again.experiment, run, limits=Limits(steps=2), material=again.material, overwrite=True))
    assert key_of(run) == old
    list(play(again.experiment, run, limits=Limits(steps=2), overwrite=True))
    other = key_of(run)
    fresh = propose(str(csv), store=run / "data", overwrite=True, **ASKED)
    list(play(fresh.experiment, run, limits=Limits(steps=2), material=fresh.material, overwrite=True))
    assert len({old, other, key_of(run)}) == 3
    list(play(fresh.experiment, run, limits=Limits(steps=2), resume=True))


def test_what_is_told_of_rows_in_memory_says_nothing_of_them(tmp_path):
    run, frame = tmp_path / "run", table()
    plain = store_frame(frame, tmp_path).title()
    trained(frame, run, steps=2)
    assert plain not in (run / "experiment.json").read_text()
    sparring.train(frame, out=run, steps=2, resume=True, **ASKED)
    asked = {"epsilon": 20.0, "settings": SMALL, "out": tmp_path / "fitted"}
    TableGAN(epochs=1, private=True, **asked).fit(frame)
    assert plain not in (tmp_path / "fitted" / "experiment.json").read_text()
    with pytest.raises(RequestError, match="holds a run already"):
        TableGAN(epochs=1, private=True, **asked).fit(frame)
    assert len(list((tmp_path / "fitted" / "data").glob("*.parquet"))) == 1


@pytest.mark.parametrize("private", [True, False])
def test_epochs_end_a_run_before_its_minutes_do_and_minutes_before_its_epochs(csv, tmp_path, private):
    def steps_of(name, **more):
        asked = ASKED if private else {"settings": SMALL[:3]}
        sparring.train(csv, out=tmp_path / name, **asked, **more)
        return Run(tmp_path / name).records("log")[-1]["step"]

    alone = steps_of("epochs", epochs=1)
    assert alone < 15
    assert steps_of("both", epochs=1, minutes=2) == alone
    assert steps_of("few", epochs=1, steps=3) == 3


def test_the_log_tells_what_is_spent_and_nothing_of_the_rows(csv, tmp_path):
    run = tmp_path / "run"
    trained(csv, run)
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    spent = [record["terms"]["privacy/epsilon"] for record in log]
    assert spent == sorted(spent)
    assert 0.1 * 20 < spent[0] < spent[-1] <= 20
    assert set(log[-1]["terms"]) == {"generator/generator", "privacy/epsilon"}
    told = json.loads((run / "experiment.json").read_text())
    counted = json.loads((run / "codec" / "codec.json").read_text())["modality"]["rows"]
    assert told["splits"]["train"] == {"count": counted, "hash": "private"}
    assert beginning(run, None)[0].startswith("found")
    assert told["experiment"]["training"]["privacy"]["epsilon"] == 20
    assert told["experiment"]["task"]["attributes"] == []
    assert not (run / "metrics.jsonl").exists()
    assert "70" not in str(told["experiment"]["training"]["images"])[:2], "the length must not tell the exact count"


def test_a_longer_run_than_its_noise_pays_for_is_refused(csv, tmp_path):
    trained(csv, tmp_path / "run", steps=3)
    with pytest.raises(RequestError, match="pays for 3 steps, and 9 would spend more"):
        trained(csv, tmp_path / "run", steps=9, resume=True)


def test_a_run_that_lost_its_secret_cannot_go_on(csv, tmp_path):
    trained(csv, tmp_path / "run", steps=3)
    with pytest.raises(RunError, match="its secret is not the one"):
        trained(csv, tmp_path / "run", steps=3, key=8, resume=True)


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"recipe": "ctgan"}, "private training refuses"),
        ({"until": "shares<0.1"}, "a choice by private rows"),
        ({"attributes": ("group",)}, "refuses --attributes group"),
        ({"settings": (*SMALL, "penalties=r1")}, "the penalty 'r1'"),
        ({"settings": (*SMALL, "views=pack")}, "packs of 2 rows"),
        ({"settings": (*SMALL, "network.norm=batch")}, "batch norm in the generator"),
        ({"settings": (*SMALL, "training.precision=bf16")}, "half precision"),
        ({"delta": 0.1}, "delta = 0.1 allows a row"),
        ({"private": False, "settings": ()}, "add --private"),
    ],
)
def test_what_would_leak_is_refused_before_anything_is_learned(csv, tmp_path, more, match):
    with pytest.raises(RequestError, match=match) as caught:
        trained(csv, tmp_path / "run", steps=2, **more)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "generator.safetensors").exists()


def test_a_rows_split_depends_on_itself_alone(csv):
    data = propose(str(csv), store=None, **ASKED).material.data
    whole = split_by_row(data)
    assert len(whole.train) / len(data) == pytest.approx(0.8, abs=0.05)
    keep = np.arange(len(data)) != 5
    without = split_by_row(type(data)(data.items[keep], "table", [], data.digests[keep]))
    assert set(data.digests[whole.train]) - {data.digests[5]} == set(data.digests[keep][without.train]) - {
        data.digests[5]
    }


def test_the_report_says_what_is_promised_beside_what_an_attack_found(csv, tmp_path):
    model = trained(csv, tmp_path / "run")
    model.evaluate(metrics=["membership-distance"])
    page = sparring.report(tmp_path / "run").read_text()
    assert "<th>privacy</th><td>epsilon 20, delta 1e-05, of single rows</td>" in page
    spent = Run(tmp_path / "run").records("log")[-1]["terms"]["privacy/epsilon"]
    assert f"epsilon 20 at delta 1e-05, of which {spent:.3g} were spent" in page
    assert "no attack finds more than 1 of the rows at 1 % false positives" in page


def test_what_an_attack_can_find_follows_from_the_promise(csv, tmp_path):
    trained(csv, tmp_path / "run", epsilon=4.0)
    said = "no attack finds more than 0.546 of the rows"  # exp(4) / 100 + delta
    assert said in sparring.report(tmp_path / "run").read_text()


def test_a_run_that_is_not_private_promises_nothing(csv, tmp_path):
    sparring.train(csv, out=tmp_path / "run", steps=2, settings=SMALL[:3])
    assert "Promised" not in sparring.report(tmp_path / "run").read_text()


@pytest.mark.parametrize(
    ("change", "world", "reason"),
    [({}, 2, "several processes"), ({"account": None}, 1, "a plan without an account"),
     ({"precision": "bf16"}, 1, "half precision")],
)  # fmt: skip
def test_a_private_run_that_is_not_set_up_for_it_is_refused(csv, tmp_path, change, world, reason):
    proposal = propose(csv, store=tmp_path / "data", **ASKED)
    material, experiment = proposal.material, proposal.experiment
    plan = accounted(Plan(steps=3, images_per_step=60), experiment, material.modality).but(**change)
    reader = ChanceReader(material.data.items, material.splits.train, material.modality, 0)
    with pytest.raises(RequestError, match=reason):
        refuse_engine(nn.ModuleDict(), (), plan=plan, reader=reader, world=world)


def test_pictures_are_not_learned_privately(tmp_path):
    with pytest.raises(RequestError, match="private training learns tables"):
        sparring.train("digits", out=tmp_path / "run", steps=1, private=True)


def shares(epsilon, out):
    settings = (
        "network.width=32", "network.depth=1", "training.batch=100", "optimiser.rate=3e-3", "optimiser.rate_final=1e-3",
        "training.privacy.domains.group=many|few", "training.privacy.domains.height=0..70",
    )  # fmt: skip
    model = trained(table(1500), out, steps=150, epsilon=epsilon, settings=settings)
    made = model.sample(2000)
    real = table(1500)
    edges = np.linspace(0, 70, 8)
    heights = [np.histogram(f["height"], edges)[0] / len(f) for f in (made, real)]
    gap = abs((made["group"] == "many").mean() - (real["group"] == "many").mean())
    return max(gap, 0.5 * float(np.abs(heights[0] - heights[1]).sum()))


def test_marginals_are_kept_at_a_large_epsilon_and_lost_at_a_tiny_one(tmp_path):
    assert shares(1000.0, tmp_path / "large") < 0.2
    assert shares(0.3, tmp_path / "tiny") > 0.25


def test_what_a_private_run_would_take_can_be_asked(csv):
    found = sparring.check(csv, **ASKED)
    assert found.forecast.seconds > 0
    assert found.forecast.batch == 60


def test_private_runs_are_compared(csv, tmp_path):
    runs = [tmp_path / name for name in ("a", "b")]
    for number, run in enumerate(runs):
        trained(csv, run, steps=2, seed=number)
    found = sparring.compare(runs, count=60)
    assert found.runs == tuple(map(str, runs))
    assert "learned_from_other_items" not in found.protocol


def test_a_domain_may_hold_spaces_and_equals_signs(tmp_path):
    odd = table(300).replace({"group": {"many": " <=50K", "few": " >50K"}})
    settings = ("training.privacy.domains.group= <=50K| >50K", "training.privacy.domains.height=0..70")
    model = trained(odd, tmp_path / "run", steps=2, epsilon=1000.0, settings=settings)
    assert set(model.sample(200)["group"]) == {" <=50K", " >50K"}
    with pytest.raises(RequestError, match="group cannot be asked for, as this model learned privately"):
        model.sample(3, condition={"group": " >50K"})


def test_columns_whose_names_hold_equals_signs_get_their_domain_as_json(tmp_path):
    odd = table(300).rename(columns={"group": "a=b"})
    settings = ('training.privacy.domains={"a=b": "many|few", "height": "0..70"}',)
    made = trained(odd, tmp_path / "run", steps=2, epsilon=1000.0, settings=settings).sample(200)
    assert set(made["a=b"]) == {"many", "few"}
