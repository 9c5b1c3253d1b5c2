import pytest

from sparring.advice import Adviser
from sparring.data.synthetic import Ring
from sparring.experiment import Experiment
from sparring.games.vae import Vae
from sparring.reporting.findings import curves, findings, looked_for, watched
from sparring.tasks.generation import Generation
from sparring.watch import Collapsed

BEST = "'sparring sample RUN --best' takes the model that was best by kid at step 100."
ADVISE = Adviser(Experiment(data=Ring()), pictures=True, best=BEST)
VAE = Adviser(Experiment(data=Ring(), task=Generation(game=Vae())), pictures=True)


def record(step, **values):
    rows = [
        {"name": name, "value": value, "low": low, "high": high, "floor": floor, "better": better}
        for name, (value, low, high, floor, better) in values.items()
    ]
    return {"step": step, "metrics": rows}


def told(name, values, *, half=0.01, floor=None, better="", advise=ADVISE):
    records = [record(100 * (i + 1), **{name: (v, v - half, v + half, floor, better)}) for i, v in enumerate(values)]
    return findings(curves(records), advise)


@pytest.mark.parametrize(
    ("name", "values", "floor", "said"),
    [
        ("membership-auc", [0.5, 0.52, 0.6, 0.7], None, "Overfitting since step 300"),
        ("membership-auc", [0.9, 0.52], None, None),
        ("recall[net]", [0.5, 0.6, 0.1, 0.05], 0.7, "Collapse since step 300"),
        ("coverage[net]", [0.2, 0.8, 0.3], None, "Collapse since step 300"),
        ("recall[net]", [0.1, 0.4, 0.6], 0.7, None),
        ("recall[net]", [0.0, 0.1, 0.2, 0.3, 0.4], 0.7, None),
        ("recall[net]", [0.0, 0.1, 0.2, 0.3], 0.7, "Not reached yet"),
        ("recall[net]", [0.05, 0.2, 0.01, 0.02], 0.7, "Collapse since step 300"),
        ("coverage[net]", [0.0, 0.1, 0.2], None, None),
        ("kid[net]", [0.5, 0.1, 0.2, 0.4], 0.0, "Worse again since step 300"),
        ("kid[net]", [0.5, 0.1, 0.115], 0.0, None),
        ("sharpness", [0.1, 0.0], 1.0, None),
    ],
)
def test_what_went_wrong_is_dated_from_where_it_stayed_wrong(name, values, floor, said):
    found = told(name, values, floor=floor)
    assert [finding.text.partition(":")[0] for finding in found] == ([said] if said else [])


def test_each_finding_says_what_to_do_in_settings_of_its_run():
    (overfitted,) = told("membership-auc", [0.9])
    assert "--set views=adaptive-augment" in overfitted.text
    assert overfitted.text.endswith(f"or stop there. {BEST}")
    assert overfitted.step == 100
    (early,) = told("recall[net]", [0.0], floor=0.5)
    assert "Train longer while it rises, else add a penalty (--set penalties=r1)" in early.text
    assert "views=pack" in early.text
    (collapsed,) = told("recall[net]", [0.4, 0.0], floor=0.5, advise=VAE)
    assert "task.game.beta=0.5" in collapsed.text
    assert "views" not in collapsed.text
    assert "penalt" not in collapsed.text
    (worse,) = told("kid[net]", [0.1, 0.4], floor=0.0, advise=VAE)
    assert worse.text.endswith("Take a lower final rate, or stop there.")


def test_what_was_looked_for_is_named_with_the_numbers_that_would_show_it():
    names = ("recall[a]", "coverage[a]", "kid[a]", "membership-auc", "psnr")
    there = curves([record(5, **dict.fromkeys(names, (1.0,) * 4 + ("",)))])
    assert looked_for(there) == ["collapse (recall[a], coverage[a])", "overfitting (membership-auc)"]
    two = curves([record(s, kid=(1.0, None, None, 0.1, "")) for s in (5, 10)])
    assert looked_for(two) == ["getting worse again (kid)"]
    assert looked_for(curves([record(5, kid=(1.0, None, None, 0.1, ""))])) == []
    assert looked_for(curves([record(5, psnr=(1.0, None, None, None, "higher"))])) == []


def test_wide_intervals_prove_nothing():
    assert told("membership-auc", [0.7], half=0.2) == []
    assert told("kid[net]", [0.1, 0.2], half=0.3) == []
    assert told("recall[net]", [0.6, 0.1], floor=0.7, half=0.3) == []


def test_curves_join_a_number_over_records():
    (kid, recall) = curves([
        record(5, kid=(1.0, None, None, 0.2, "lower")),
        record(10, kid=(0.5, 0.4, 0.6, 0.1, "lower"), recall=(0.3, None, None, None, "higher")),
    ])  # fmt: skip
    assert (kid.steps, kid.values, kid.low, kid.floor) == ((5, 10), (1.0, 0.5), (None, 0.4), 0.1)
    assert (recall.steps, recall.better) == ((10,), "higher")
    assert findings([kid, recall], ADVISE) == []


def test_alarms_and_changes_of_the_log_are_told_with_advice_and_nothing_else_is():
    log = [
        {"step": 50, "images": 100, "terms": {"x": 1.0}, "signs": {}},
        {"step": 60, "images": 120, "terms": {}, "alarm": "collapsed", "note": "the generator has collapsed"},
        {"step": 40, "terms": {}, "note": "x: not finite", "changes": ["training.clip=1.0"]},
        {"step": 65, "images": 130, "terms": {}, "alarm": "collapsed", "note": "it has again"},
        {"step": 70, "images": 140, "terms": {}, "alarm": "of-a-plugin-that-is-gone", "note": "odd"},
    ]
    changed, collapsed, other = watched(log, ADVISE)
    assert collapsed.step == 60
    again = "Seen 2 times, last at step 65."
    assert collapsed.text == f"Alarm at step 60: the generator has collapsed. {again} {ADVISE(Collapsed.advice)}"
    assert (changed.step, "training.clip=1.0" in changed.text, "x: not finite" in changed.text) == (40, True, True)
    assert other.text == "Alarm at step 70: odd."


def test_a_share_that_was_higher_within_its_interval_is_not_said_to_have_been_no_higher():
    (fallen,) = told("recall[net]", [0.45, 0.38, 0.3], half=0.08, floor=0.9)
    assert "was 0.45 at step 100, which is not beyond its interval" in fallen.text
    (rising,) = told("recall[net]", [0.1, 0.2, 0.3], half=0.08, floor=0.9)
    assert "was no higher before" in rising.text
