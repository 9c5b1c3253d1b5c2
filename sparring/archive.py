"""What is read back of a run: its last or its best model, and its newest whole evaluation with the audit's picture."""

from pathlib import Path

from sparring.audit import draw_suspects
from sparring.checkpoint import checksum
from sparring.errors import RunError
from sparring.evaluation import Evaluation
from sparring.run import Run


def keep(run: Run, found: Evaluation) -> None:
    """Writes an evaluation by all default metrics into the run, with what tells later whether it is still true."""
    run.write(run.evaluation, {"generator": checksum(run.generator), **found.to_json()})
    if found.pairs is not None:
        draw_suspects(found.pairs, run.suspects)


def kept(run: Run) -> Evaluation | None:
    """The evaluation of just the model that the run holds now, or None where there is none."""
    if not run.evaluation.is_file():
        return None
    value = run.read(run.evaluation)
    return Evaluation.from_json(value) if value.get("generator") == checksum(run.generator) else None


def weights_of(run: Run, *, best: bool) -> Path:
    """The file of the run's last model, or of its best one.

    Raises:
        RunError: the best is wished and none was kept.
    """
    if not best:
        return run.generator
    path = run.best / run.generator.name
    if not path.is_file():
        raise RunError(f"{path} is missing; the run has kept no best model: leave out --best, or train it longer")
    return path
