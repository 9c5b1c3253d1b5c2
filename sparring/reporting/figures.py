"""Figures of the report: drawn by matplotlib without a screen, as SVG whose letters are paths."""

import base64
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from sparring.errors import MissingExtra
from sparring.reporting.findings import Curve

_SIZE = (5.2, 3.0)
_LINE, _BAND, _FLOOR, _MARK = "#1f5fa8", "#1f5fa833", "#b0413e", "#7a4a00"
_SPAN = 100.0
"""How many times the least value the greatest is from which on an axis is logarithmic."""
_UNITS = {
    **dict.fromkeys(("frechet", "kid", "FID"), "squared distance"),
    **dict.fromkeys(("precision", "recall", "coverage"), "share of items"),
    "density": "items a surrounding, over k",
    "membership-auc": "chance (.5 is fair)",
    "membership-tpr": "share of training items (.01 is fair)",
    "psnr": "dB",
    "l1": "levels of 255",
    "sharpness": "ratio to real items",
    **dict.fromkeys(("marginal-distance", "pair-distance"), "distance, 0 to 1"),
    **dict.fromkeys(("autocorrelation", "cross-correlation"), "difference of correlations"),
    "channel-wasserstein": "deviations of a channel",
    "spectrum-error": "decades of power",
}
"""Units by the beginning of a number's name."""


class Mark(NamedTuple):
    """A moment of a run that is told of beside the figures."""

    x: float
    label: str


class Line(NamedTuple):
    """A loss or a speed over a run."""

    title: str
    unit: str
    x: Sequence[float]
    y: Sequence[float]


def require_plots() -> None:
    """Refuses where matplotlib is missing.

    Raises:
        MissingExtra: it is.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtra("matplotlib", "report") from None


def line(drawn: Line, marks: Sequence[Mark] = ()) -> str:
    """A line as a picture for a page."""
    figure, axes = _begun(drawn.title, drawn.unit, drawn.y)
    # A line of a single point is none.
    axes.plot(drawn.x, drawn.y, color=_LINE, linewidth=1.2, marker="o" if len(drawn.x) == 1 else None, markersize=3)
    _mark(axes, marks)
    return _finished(figure)


def curve(drawn: Curve, images_per_step: int, marks: Sequence[Mark] = ()) -> str:
    """A number over the run, its 95 % interval as a band and its floor as a line."""
    known = [*drawn.values, *([drawn.floor] if drawn.floor is not None else [])]
    figure, axes = _begun(drawn.name, unit_of(drawn.name), known)
    x = [step * images_per_step for step in drawn.steps]
    axes.plot(x, drawn.values, color=_LINE, marker="o", markersize=3, linewidth=1.2, label="generated")
    axes.set_xlim(left=0)
    if all(low is not None for low in drawn.low):
        axes.fill_between(x, drawn.low, drawn.high, color=_BAND, linewidth=0)
        if len(x) == 1:  # of which there is no band
            axes.vlines(x, drawn.low, drawn.high, color=_LINE, linewidth=1.2)
    if drawn.floor is not None:
        axes.axhline(drawn.floor, color=_FLOOR, linestyle="--", linewidth=1, label="floor: real items")
        axes.legend(fontsize=8, frameon=False)
    _mark(axes, marks)
    return _finished(figure)


def _mark(axes: Any, marks: Sequence[Mark]) -> None:
    """Upright lines with the numbers of what is told above the figures; those at one place share theirs."""
    there: dict[float, list[str]] = {}
    for mark in marks:
        there.setdefault(mark.x, []).append(mark.label)
    for x, labels in there.items():
        axes.axvline(x, color=_MARK, linestyle=":", linewidth=1.2)
        place = axes.get_xaxis_transform()
        axes.text(x, 1.0, ",".join(labels), transform=place, fontsize=8, color=_MARK, ha="right", va="top")


def unit_of(number: str) -> str:
    """What a number is in, for the axis of its figure."""
    kind = number.partition("[")[0]
    return next((unit for start, unit in _UNITS.items() if kind.startswith(start)), "value")


def _begun(title: str, unit: str, values: Sequence[float]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("items seen", fontsize=9)
    axes.set_ylabel(unit, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    if values and min(values) > 0 and max(values) > _SPAN * min(values):
        axes.set_yscale("log")
    return figure, axes


def _finished(figure: Any) -> str:
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "sparring"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return data_uri(text.getvalue().encode(), "svg+xml")


def data_uri(content: bytes, kind: str) -> str:
    """A picture inside of a page."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
