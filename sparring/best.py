"""The best model so far, by a number on the *select* split, kept beside the last one."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from sparring.errors import RequestError, RunError
from sparring.evaluation import Evaluation, Row
from sparring.metrics.kernel import Kid
from sparring.metrics.psnr import Psnr
from sparring.run import Run

ENOUGH = 200
"""Pictures from which the kernel distance chooses among restorers: of fewer it is mostly chance."""


def chosen(found: Evaluation, name: str, *, judged: bool = False) -> Row | None:
    """The number of that name, with or without the features in brackets; None where it could not be taken.

    ``auto`` is the ratio of a restoration to its truth, else the kernel distance, which is not biased by few samples,
    else the first number that can be better. Of restorers that a discriminator judges, the ratio would choose the one
    from before that joined, which blurs: there it is the kernel distance of :data:`ENOUGH` pictures, or nothing.

    Args:
        found: the numbers.
        name: which one is wished.
        judged: whether a discriminator takes part.

    Raises:
        RequestError: no number is called so, or neither end of it is better.
    """
    rows = [row for row in found.rows if row.better]
    if name == "auto" and judged and any(row.name == Psnr.name for row in rows):
        there = [row for row in rows if row.name.partition("[")[0] == Kid.name]
        return there[0] if there and (there[0].count or 0) >= ENOUGH else None
    for wanted in (Psnr.name, Kid.name) if name == "auto" else (name,):
        for row in rows:
            if wanted in (row.name, row.name.partition("[")[0]):
                return row
    if name == "auto" or name in found.refused or not rows:
        return rows[0] if rows and name == "auto" else None
    there = ", ".join(row.name for row in rows)
    raise RequestError(f"training.best = '{name}': no quick metric of these data has that name; there are {there}")


def weighed(row: Row) -> float:
    """A number as runs choose by it: a kernel distance is as far from 0 below as above.

    Below 0 it is all noise, which grows as items leave the data: of a model that diverged it can be any number.
    """
    return abs(row.value) if row.name.partition("[")[0] == Kid.name else row.value


def keep_if_best(run: Run, row: Row, step: int, tensors: dict[str, Tensor]) -> bool:
    """Writes the model where it is better than the one that is kept, whichever came first.

    A run that was rolled back goes another way over the same steps, and what was best before may be so still.

    Args:
        run: whose model it is.
        row: the number that chooses.
        step: steps done.
        tensors: every averaged module, as of the run's own model.

    Returns:
        Whether it was the best.
    """
    kept = best_of(run)
    if kept is not None and kept["metric"] == row.name:
        value, before = weighed(row), weighed(replace(row, value=kept["value"]))
        better = value < before if row.better == "lower" else value > before
        if not better:
            return False
    run.write_tensors(run.best / run.generator.name, tensors)
    run.write(run.best / "best.json", {"step": step, "metric": row.name, "value": row.value})
    return True


def best_of(run: Run) -> dict[str, Any] | None:
    """Step, metric and value of the best model, or None where none is kept.

    Raises:
        RunError: what is kept of it is damaged.
    """
    path = run.best / "best.json"
    if not path.is_file():
        return None
    kept, kinds = run.read(path), {"step": int, "metric": str, "value": (int, float)}
    if not all(isinstance(kept.get(name), kind) for name, kind in kinds.items()):
        raise RunError(f"{path} does not say which model was the best; remove {run.best}, and the next is kept")
    return kept


def told_of_best(run: Run) -> str:
    """By which number the best model is the best, and of which step it is."""
    kept = best_of(run)
    return "" if kept is None else f"by {kept['metric']} at step {kept['step']:,}"
