"""What went wrong in a run and when it began: by its quick numbers and by what watching it saw; what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sparring.advice import Adviser
from sparring.watch import STOP, Collapsed, Detector, Overfits, Way

LEAK = 0.55
"""Chance to tell a training item from a held-back one above which the discriminator knows its items by heart."""
LOST = 0.5
"""Share of the floor, or of the best so far, below which recall counts as collapsed."""
WORSE = 1.5
"""How many times the best distance, beyond its interval, counts as getting worse again."""
_WAIT = "train longer while it rises, else "
_EARLIER = (Way("take a lower final rate"), STOP)


@dataclass(frozen=True)
class Curve:
    """One number over a run.

    Attributes:
        name: with the features in brackets.
        steps: where it was taken.
        values: what it was.
        low: lower ends of its 95 % intervals, None where there are none.
        high: upper ends.
        floor: the newest floor, or None.
        better: ``"lower"``, ``"higher"`` or ``""``.
    """

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    floor: float | None
    better: str


@dataclass(frozen=True)
class Finding:
    """Something that went wrong, or was changed for that.

    Attributes:
        step: since when, or when it was seen.
        text: what, and what to do.
    """

    step: int
    text: str


def curves(records: Sequence[dict[str, Any]]) -> list[Curve]:
    """Every number of ``metrics.jsonl`` over the run."""
    names = dict.fromkeys(row["name"] for record in records for row in record["metrics"])
    found = []
    for name in names:
        there = [(record["step"], row) for record in records for row in record["metrics"] if row["name"] == name]
        steps = tuple(step for step, _ in there)
        rows = [row for _, row in there]
        values, low, high = (tuple(row[key] for row in rows) for key in ("value", "low", "high"))
        found.append(Curve(name, steps, values, low, high, rows[-1]["floor"], rows[-1]["better"]))
    return found


LOOKED_FOR = {
    "membership-auc": "overfitting",
    "recall": "collapse",
    "coverage": "collapse",
    "kid": "getting worse again",
}
"""What the numbers are looked at for, by the number's kind."""


def looked_for(there: Sequence[Curve]) -> list[str]:
    """What :func:`findings` can see in these curves, with the numbers that would show it."""
    found: dict[str, list[str]] = {}
    for curve in there:
        what = LOOKED_FOR.get(_kind(curve))
        # One reading can be no worse than another, nor have fallen where nothing says how high it should be.
        if what is not None and (len(curve.values) > 1 or what == "overfitting" or _floored(curve)):
            found.setdefault(what, []).append(curve.name)
    return [f"{what} ({', '.join(names)})" for what, names in found.items()]


def findings(there: Sequence[Curve], advise: Adviser) -> list[Finding]:
    """What went wrong and from which step on, each with its remedy; empty where nothing did."""
    ways = {"overfitting": _overfitting, "collapse": _collapse, "getting worse again": _worse_again}
    told = [ways[LOOKED_FOR[_kind(curve)]](curve, advise) for curve in there if _kind(curve) in LOOKED_FOR]
    return [finding for finding in told if finding is not None]


def watched(log: Sequence[dict[str, Any]], advise: Adviser) -> list[Finding]:
    """What the detectors told while it trained, with their advice, and what was changed when the run went back."""
    found: list[Finding] = []
    alarms: dict[str, list[dict[str, Any]]] = {}
    for record in log:
        if "alarm" in record:
            alarms.setdefault(str(record["alarm"]), []).append(record)
        elif record.get("changes"):
            changed = ", ".join(map(str, record["changes"]))
            text = f"Went back to step {record['step']:,} and on with {changed}, because: {record.get('note')}."
            found.append(Finding(record["step"], text))
    return [*found, *(_alarm(name, records, advise) for name, records in alarms.items())]


def _alarm(name: str, records: Sequence[dict[str, Any]], advise: Adviser) -> Finding:
    """All alarms of a detector, dated by the first."""
    first, detector = records[0], Detector.parts().get(name)
    again = f" Seen {len(records)} times, last at step {records[-1]['step']:,}." if len(records) > 1 else ""
    said = f"Alarm at step {first['step']:,}: {first.get('note')}.{again}"
    return Finding(first["step"], f"{said} {'' if detector is None else advise(detector.advice)}".strip())


def _overfitting(curve: Curve, advise: Adviser) -> Finding | None:
    step = _since(curve.steps, [low is not None and low > LEAK for low in curve.low])
    if step is None:
        return None
    return Finding(
        step,
        f"Overfitting since step {step:,}: the discriminator tells training from held-back items (AUC "
        f"{curve.values[-1]:.2f} at the end, .5 is fair). {advise(Overfits.advice)}",
    )


def _collapse(curve: Curve, advise: Adviser) -> Finding | None:
    """The share has fallen from its highest, or was never high; beyond its intervals, where it has some."""
    best = max(range(len(curve.values)), key=lambda i: curve.values[i])
    wanted = curve.values[best] if curve.floor is None else curve.floor
    lost = [_end(curve.high, curve.values, i) < LOST * wanted for i in range(len(curve.values))]
    if not lost[-1]:
        return None
    had = f"{curve.name} is {curve.values[-1]:.2g} at the end"
    if _end(curve.low, curve.values, best) > _end(curve.high, curve.values, -1):
        step = _since(curve.steps, [i > best and there for i, there in enumerate(lost)])
        assert step is not None, "it is lost at the end, after the best"
        return Finding(
            step,
            f"Collapse since step {step:,}: {had} and was {curve.values[best]:.2g} at step {curve.steps[best]:,}, so "
            f"that kinds of items have gone missing. {advise(Collapsed.advice)}",
        )
    before = "was no higher before"
    if curve.values[best] > curve.values[-1]:
        before = f"was {curve.values[best]:.2g} at step {curve.steps[best]:,}, which is not beyond its interval"
    return Finding(
        curve.steps[-1],
        f"Not reached yet: {had}, where real items give {wanted:.2g}, and {before}: many kinds of items, or their "
        f"details, are not made. {advise(Collapsed.advice, begin=_WAIT)}",
    )


def _end(ends: Sequence[float | None], values: Sequence[float], place: int) -> float:
    """An interval's end, or the value where there is no interval."""
    end = ends[place]
    return values[place] if end is None else end


def _worse_again(curve: Curve, advise: Adviser) -> Finding | None:
    """The distance has risen from its best beyond both intervals."""
    best = min(range(len(curve.values)), key=lambda i: curve.values[i])
    roof = curve.high[best]
    if roof is None:
        return None
    wrong = [
        i > best and low is not None and low > roof and value > WORSE * curve.values[best]
        for i, (low, value) in enumerate(zip(curve.low, curve.values, strict=True))
    ]
    step = _since(curve.steps, wrong)
    if step is None:
        return None
    return Finding(
        step,
        f"Worse again since step {step:,}: {curve.name} was {curve.values[best]:.3g} at step {curve.steps[best]:,} and "
        f"is {curve.values[-1]:.3g} now. {advise(_EARLIER)}",
    )


def _floored(curve: Curve) -> bool:
    return curve.floor is not None and LOOKED_FOR[_kind(curve)] == "collapse"


def _kind(curve: Curve) -> str:
    return curve.name.partition("[")[0]


def _since(steps: Sequence[int], wrong: Sequence[bool]) -> int | None:
    """The step from which on something was wrong to the end; None where it was not wrong at the end."""
    begun = None
    for step, is_wrong in zip(steps, wrong, strict=True):
        begun = (step if begun is None else begun) if is_wrong else None
    return begun
