"""What went wrong in a run and when it began: by its quick numbers and by what watching it saw; what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sparring.watch import Detector

LEAK = 0.55
"""Chance to tell a training item from a held-back one above which the discriminator knows its items by heart."""
LOST = 0.5
"""Share of the floor, or of the best so far, below which recall counts as collapsed."""
WORSE = 1.5
"""How many times the best distance, beyond its interval, counts as getting worse again."""


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


def findings(there: Sequence[Curve]) -> list[Finding]:
    """What went wrong and from which step on, each with its remedy; empty where nothing did."""
    told: list[Finding | None] = []
    for curve in there:
        kind = curve.name.partition("[")[0]
        if kind == "membership-auc":
            told.append(_overfitting(curve))
        if kind in ("recall", "coverage"):
            told.append(_collapse(curve))
        if kind == "kid":
            told.append(_worse_again(curve))
    return [finding for finding in told if finding is not None]


def watched(log: Sequence[dict[str, Any]]) -> list[Finding]:
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
    return [*found, *(_alarm(name, records) for name, records in alarms.items())]


def _alarm(name: str, records: Sequence[dict[str, Any]]) -> Finding:
    """All alarms of a detector, dated by the first."""
    first, detector = records[0], Detector.parts().get(name)
    advice = "" if detector is None else f" {detector.advice}"
    again = f" Seen {len(records)} times, last at step {records[-1]['step']:,}." if len(records) > 1 else ""
    return Finding(first["step"], f"Alarm at step {first['step']:,}: {first.get('note')}.{again}{advice}")


def _overfitting(curve: Curve) -> Finding | None:
    step = _since(curve.steps, [low is not None and low > LEAK for low in curve.low])
    if step is None:
        return None
    return Finding(
        step,
        f"Overfitting since step {step:,}: the discriminator tells training from held-back items (AUC "
        f"{curve.values[-1]:.2f} at the end, .5 is fair). Augment (--set views=adaptive-augment), give more data, or "
        "stop there; 'sparring sample RUN --best' samples the model that was best on held-back items.",
    )


def _collapse(curve: Curve) -> Finding | None:
    best, wrong = curve.floor or 0.0, []
    for value in curve.values:
        best = max(best, value) if curve.floor is None else curve.floor
        wrong.append(value < LOST * best)
    step = _since(curve.steps, wrong)
    if step is None:
        return None
    return Finding(
        step,
        f"Collapse since step {step:,}: {curve.name} is {curve.values[-1]:.2g} where {best:.2g} can be had, so that "
        "kinds of items are missing. Train longer where it still rises; else a stronger penalty, a lower rate, or "
        "--set views=pack.",
    )


def _worse_again(curve: Curve) -> Finding | None:
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
        f"is {curve.values[-1]:.3g} now. 'sparring sample RUN --best' samples the model of the better step; a lower "
        "final rate or a shorter run would have ended there.",
    )


def _since(steps: Sequence[int], wrong: Sequence[bool]) -> int | None:
    """The step from which on something was wrong to the end; None where it was not wrong at the end."""
    begun = None
    for step, is_wrong in zip(steps, wrong, strict=True):
        begun = (step if begun is None else begun) if is_wrong else None
    return begun
