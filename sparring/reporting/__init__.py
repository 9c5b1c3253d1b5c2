"""The report: one self-contained HTML page that tells of a run, with no script and no request to anywhere.

Everything on it comes from the run's folder, and from a whole evaluation, which is taken where none is kept.
"""

from pathlib import Path

from sparring.archive import kept
from sparring.errors import DataError, RequestError
from sparring.evaluation import Evaluation
from sparring.files import write_atomic
from sparring.model import Model, load
from sparring.reporting.figures import require_plots
from sparring.reporting.page import write_page
from sparring.reporting.story import Story


def report(run: str | Path | Model, out: str | Path | None = None) -> Path:
    """Writes the page of a run.

    Args:
        run: its folder, or its model.
        out: where the page is written; ``report.html`` in the run where not given.

    Returns:
        The page.

    Raises:
        MissingExtra: the plotting library is not installed.
        RequestError: the folder holds no run.
        RunError: the run has not saved a model yet.
    """
    require_plots()
    model = run if isinstance(run, Model) else load(run)
    found, refusal = _judged(model)
    path = Path(out) if out is not None else model.run.report
    with write_atomic(path) as aside:
        aside.write_text(write_page(Story.of(model, found, refusal)), "utf-8")
    return path


def _judged(model: Model) -> tuple[Evaluation | None, str]:
    """A whole evaluation of the model, or why there can be none."""
    try:
        # What is kept is of the last model.
        return ((None if model.best else kept(model.run)) or model.evaluate()), ""
    except (DataError, RequestError) as refusal:
        return None, str(refusal)
