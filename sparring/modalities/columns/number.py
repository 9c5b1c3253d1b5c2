"""A column of numbers: a mixture of Gaussian modes, single values that are frequent, and nulls.

Mode-specific normalisation after CTGAN, Xu et al. 2019, section 4.2: a choice says which mode, a number in [-1, 1]
where in it. Here a number belongs to the mode that most likely made it, so that modes share no number and a mode can be
asked for by an interval, and the widest number of a mode is its unit, so that every number comes back.
"""

import math
import warnings
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sparring.errors import DataError, RequestError
from sparring.modalities.columns import FEW, Asked, Coded, Column, Sort
from sparring.modalities.frames import OFFSET, TIME, Series, nulls, numbers, pandas
from sparring.types import Span

MODES = 10
"""Gaussian modes at most."""
SPIKE = 0.05
"""Share of the rows from which on a single value is a choice of its own."""
_LEAST_WEIGHT = 0.005
_FITTED = 10_000
_INSIDE = 0.95
"""The outermost number of a mode, so that tanh reaches it."""
_STEPS = (86400.0, 3600.0, 60.0, 1.0, 1e-3)
_DIGITS = 12

Values = Float[np.ndarray, " n"]
Edges = Float[np.ndarray, " edges"]
Centres = Float[np.ndarray, " modes"]


class Number(Column):
    """Numbers or dates; dates are seconds since 1970."""

    spikes: tuple[float, ...] = Field(default=(), description="single values with a choice of their own")
    centres: tuple[float, ...] = Field(default=(), description="middle of each mode, ascending, in learned units")
    widths: tuple[float, ...] = Field(default=(), description="largest distance of a number from its mode's centre")
    edges: tuple[float, ...] = Field(default=(), description="between neighbouring modes")
    rates: tuple[float, ...] = Field(min_length=1, description="share of the rows: spikes, modes, null")
    logarithm: bool = Field(default=False, description="whether modes are those of the logarithm")
    missing: bool = Field(default=False, description="whether there are rows without a value")
    low: float = Field(default=0.0, description="lowest value in the data")
    high: float = Field(default=0.0, description="highest value in the data")
    decimals: int | None = Field(default=None, description="digits behind the point; none: as many as there are")
    step: float = Field(default=0.0, ge=0, description="dates are whole multiples of so many seconds; 0 for numbers")

    @classmethod
    def fit(cls, column: Series, sort: Sort) -> Self:
        if column.dtype.kind not in "iufbM":
            raise DataError(f"column '{column.name}' is said to be {sort} and holds {column.dtype}, not numbers")
        values = numbers(column)
        known = values[~np.isnan(values)]
        dates = column.dtype.kind == "M"
        spikes = _spikes(known)
        spread = known[~np.isin(known, spikes)]
        logarithm = len(spread) > 0 and spread.min() > 0 and (sort == "log" or (sort != "datetime" and _skewed(spread)))
        if sort == "log" and not logarithm and len(spread):
            raise DataError(f"column '{column.name}' is said to be log and holds numbers that are not above 0")
        learned = np.log(spread) if logarithm else spread
        centres, edges = _modes(learned)
        which = np.searchsorted(edges, learned)
        distance = np.abs(learned - centres[which]) if len(learned) else learned
        widths = [max(distance[which == i].max(initial=0.0), 1e-9 * max(1.0, abs(c))) for i, c in enumerate(centres)]
        counts = [*((known == spike).sum() for spike in spikes), *np.bincount(which, minlength=len(centres))]
        missing = len(values) - len(known)
        return cls(
            title=str(column.name),
            dtype=str(column.dtype),
            spikes=tuple(spikes.tolist()),
            centres=tuple(centres.tolist()),
            widths=tuple(float(width) for width in widths),
            edges=tuple(edges.tolist()),
            rates=tuple(float(count / len(values)) for count in [*counts, *([missing] if missing else [])]),
            logarithm=bool(logarithm),
            missing=bool(missing),
            low=float(known.min()),
            high=float(known.max()),
            decimals=None if dates else _decimals(known, column.dtype.kind),
            step=_step(known) if dates else 0.0,
        )

    def spans(self) -> tuple[Span, ...]:
        scalar = (Span("tanh", 1),) if self.centres else ()
        return (*scalar, Span("softmax", len(self.rates)))

    def said(self) -> str:
        what = (
            "times of day"
            if self._times
            else "dates"
            if self.step
            else "whole numbers"
            if self.decimals == 0
            else "numbers"
        )
        learned = [f"{len(self.centres)} modes{' of the logarithm' if self.logarithm else ''}"] if self.centres else []
        learned += [f"{len(self.spikes)} single value{'s' * (len(self.spikes) > 1)}"] if self.spikes else []
        return ", ".join([f"{what} {self._said()}", *learned, *(["nulls"] if self.missing else [])])

    def shares(self) -> tuple[float, ...]:
        return self.rates

    def code(self, column: Series) -> Coded:
        if column.dtype.kind not in "iufbM":
            known = column[~nulls(column)]
            wrong = known[pandas().to_numeric(known, errors="coerce").isna().to_numpy()]
            if self.step or len(wrong):
                what = "date of one form with the others" if self.step else "number"
                said = wrong.iloc[0] if len(wrong) else known.iloc[0]
                raise RequestError(
                    f"column '{self.title}' has '{said}', which is no {what}; mend it or leave the row out"
                )
        values = numbers(column)
        empty = np.isnan(values)
        if self.private and not self.missing:
            values, empty = np.where(empty, self.low, values), np.zeros(len(values), bool)
        if empty.any() and not self.missing:
            raise RequestError(f"column '{self.title}' has no value in a row; the data that were learned have no nulls")
        spikes = np.asarray(self.spikes)
        at = np.searchsorted(spikes, values).clip(max=max(0, len(spikes) - 1))
        on_spike = (spikes[at] == values) if len(spikes) else np.zeros(len(values), bool)
        codes, scalars = np.where(on_spike, at, 0), np.zeros(len(values))
        between = ~empty & ~on_spike
        if between.any() and not self.centres:
            # Numbers that the data do not hold go to the nearest that they hold.
            codes[between] = np.abs(values[between, None] - spikes).argmin(1)
        elif between.any():
            learned = self._learned(values[between])
            mode = np.searchsorted(self.edges, learned)
            scaled = (learned - np.asarray(self.centres)[mode]) / np.asarray(self.widths)[mode]
            codes[between], scalars[between] = mode + len(spikes), scaled.clip(-1, 1) * _INSIDE
        codes[empty] = len(self.rates) - 1
        return Coded(scalars[:, None] if self.centres else scalars[:, None][:, :0], codes[:, None].astype(np.int64))

    def _learned(self, values: Values) -> Values:
        return np.log(np.maximum(values, np.finfo(np.float64).tiny)) if self.logarithm else values

    def decode(self, coded: Coded, draws: np.ndarray) -> np.ndarray:
        return self.rounded(self.values(coded))

    def values(self, coded: Coded) -> Values:
        """Numbers before they are rounded, NaN where there is none."""
        codes = coded.codes[:, 0]
        singles = len(self.spikes)
        found = np.full(len(codes), np.nan)
        spike = codes < singles
        found[spike] = np.asarray(self.spikes)[codes[spike]] if singles else np.nan
        moded = (codes >= singles) & (codes < singles + len(self.centres))
        if moded.any():
            mode = codes[moded] - singles
            inside = (coded.scalars[moded, 0].astype(np.float64) / _INSIDE).clip(-1, 1)
            learned = np.asarray(self.centres)[mode] + inside * np.asarray(self.widths)[mode]
            found[moded] = np.exp(learned) if self.logarithm else learned
        return found

    def rounded(self, values: Values) -> np.ndarray:
        """Numbers within the range and with the decimals of the data; dates as datetime64."""
        values = np.clip(values, self.low, self.high)
        if self.step:
            empty = np.isnan(values)
            # Whole numbers, as seconds with a fraction would lie a little beside what is meant.
            whole = np.rint(np.where(empty, 0, values) / self.step).astype(np.int64) * round(self.step * 1e6)
            stamps = whole.astype("datetime64[us]")
            stamps[empty] = np.datetime64("NaT")
            return stamps
        if self.decimals is None:
            return values
        return np.round(values, self.decimals)

    def ask(self, request: Any) -> Asked | None:
        low, high = self._inside(request, *self._interval(request))
        learned = [float(self._learned(np.array([end]))[0]) for end in (max(low, self.low), min(high, self.high))]
        shares = np.asarray(self.rates)
        fits = [low <= spike <= high for spike in self.spikes]
        fits += [self._overlap(mode, *learned) for mode in range(len(self.centres))]
        weights = shares * np.array([*map(float, fits), *([0.0] if self.missing else [])])
        if not weights.sum():
            middles = [*self.spikes, *(math.exp(c) if self.logarithm else c for c in self.centres)]
            weights[int(np.abs(np.asarray(middles) - (low + high) / 2).argmin())] = 1
        return Asked(weights / weights.sum(), low, high)

    def _overlap(self, mode: int, low: float, high: float) -> float:
        """Share of a mode, taken as even between its ends, that lies in an interval of learned units."""
        first = max(self.centres[mode] - self.widths[mode], *self.edges[mode - 1 : mode] or (-math.inf,))
        last = min(self.centres[mode] + self.widths[mode], *self.edges[mode : mode + 1] or (math.inf,))
        if low == high:
            return float(first <= low <= last)
        return max(0.0, min(high, last) - max(low, first)) / max(last - first, 1e-12)

    def _interval(self, request: Any) -> tuple[float, float]:
        ends = request.split("..") if isinstance(request, str) else request
        ends = list(ends) if isinstance(ends, list | tuple) else [ends]
        try:
            low, high = self._end(ends[0]), self._end(ends[-1], last=True)
        except (TypeError, ValueError):
            raise RequestError(f"{self.title}={request}: wanted is a value or an interval, {self._example()}") from None
        if len(ends) > 2 or not low <= high:
            raise RequestError(f"{self.title}={request} is no interval from low to high, {self._example()}")
        if high < self.low or low > self.high:
            raise RequestError(f"{self.title}={request}: the data hold {self._said()} only")
        return low, high

    def _inside(self, request: Any, low: float, high: float) -> tuple[float, float]:
        """The outermost values of an interval that the column can hold."""
        unit = self.unit()
        if not unit:
            return low, high
        # A multiple that is stored a little beside itself is the multiple.
        first, last = (np.round(end / unit, 6) for end in (max(low, self.low), min(high, self.high)))
        if np.ceil(first) > np.floor(last):
            every = "dates" if self.step else "whole numbers" if not self.decimals else f"{self.decimals} decimals"
            raise RequestError(f"{self.title}={request}: no value lies there; the data hold {every}, {self._said()}")
        ends = np.array([np.ceil(first), np.floor(last)]) * unit
        low, high = ends if self.step else np.round(ends, self.decimals or 0)
        return float(low), float(high)

    def unit(self) -> float:
        """What values are multiples of; 0 where they have any number of decimals."""
        return self.step or (0.0 if self.decimals is None else 10.0**-self.decimals)

    @property
    def _times(self) -> bool:
        """Whether they are times of day."""
        return bool(self.step) and self.low >= 0 and self.high < _STEPS[0]

    def _example(self) -> str:
        if self._times:
            return "such as 08:00..12:30"
        return "such as 2024-01-01..2024-03-31" if self.step else "such as 30..40"

    def _end(self, word: Any, *, last: bool = False) -> float:
        """A number, or seconds: the first moment of a date, or the last one of the day, month or year that it names."""
        if not self.step:
            return float(word)
        text = str(word).strip()
        if ":" in text and OFFSET.search(text):
            zone = getattr(pandas().api.types.pandas_dtype(self.dtype), "tz", None)
            text = pandas().Timestamp(text).tz_convert(zone).tz_localize(None).isoformat()
        if self._times and TIME.match(text):
            text = f"1970-01-01T{text}"
        date = np.datetime64(text)
        whole = last and np.datetime_data(date.dtype)[0] in ("Y", "M", "D")
        seconds = float((date + int(whole)).astype("datetime64[us]").astype(np.int64) / 1e6)
        return seconds - min(self.step, 1.0) if whole else seconds

    def _said(self) -> str:
        if self.step:
            digits = 10 if self.step >= _STEPS[0] else 19 if self.step >= 1 else 26
            start = 11 if self._times else 0
            first, last = (str(date)[start:digits] for date in self.rounded(np.array([self.low, self.high])))
            return f"{first} to {last}"
        return f"{self.low:g}..{self.high:g}"


def _spikes(known: Values) -> Float[np.ndarray, " spikes"]:
    """Single values that are frequent; all of them where there are few."""
    values, counts = np.unique(known, return_counts=True)
    return values if len(values) <= FEW else values[counts >= SPIKE * len(known)]


def _skewed(spread: Values) -> bool:
    """Whether the logarithm is far less skewed than the numbers."""

    def skew(values: Values) -> float:
        deviation = values.std()
        return abs(float(((values - values.mean()) ** 3).mean() / deviation**3)) if deviation else 0.0

    return skew(spread) > 2 and skew(np.log(spread)) < skew(spread) / 2


def _modes(learned: Values) -> tuple[Centres, Edges]:
    """Centres of the Gaussian modes, ascending, and the edges between them."""
    if not len(learned):
        return np.zeros(0), np.zeros(0)
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    rows = learned
    if len(rows) > _FITTED:
        rows = np.random.default_rng(0).choice(rows, _FITTED, replace=False)
    middle, scale = float(rows.mean()), float(rows.std()) or 1.0
    standard = ((rows - middle) / scale)[:, None]
    most = min(MODES, len(np.unique(standard)))
    mixture = BayesianGaussianMixture(
        n_components=most, weight_concentration_prior=1e-3, max_iter=100, n_init=1, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(standard)
    kept = np.flatnonzero(mixture.weights_ >= _LEAST_WEIGHT)
    # Between the outermost numbers a fine grid shows where the likeliest mode changes.
    grid = np.linspace(standard.min(), standard.max(), 4001)
    likeliest = mixture._estimate_weighted_log_prob(grid[:, None])[:, kept].argmax(1)
    turns = np.flatnonzero(np.diff(likeliest))
    edges = (grid[turns] + grid[turns + 1]) / 2 * scale + middle
    return _settled(learned, edges)


def _settled(learned: Values, edges: Edges) -> tuple[Centres, Float[np.ndarray, " kept"]]:
    """The middle of the numbers between neighbouring edges, without edges between which there is none."""
    which = np.searchsorted(edges, learned)
    there = np.unique(which)
    centres = []
    for piece in there:
        inside = learned[which == piece]
        centres.append((inside.min() + inside.max()) / 2)
    return np.asarray(centres), np.asarray([edges[piece - 1] for piece in there[1:]], np.float64)


def _decimals(known: Values, kind: str) -> int | None:
    """Digits behind the point with which every number is written; None where there are very many."""
    if kind in "iub":
        return 0
    near = 1e-14 * min(1.0, float(np.abs(known).max()))
    for digits in range(_DIGITS + 1):
        if np.allclose(np.round(known, digits), known, rtol=1e-14, atol=near):
            return digits
    return None


def _step(seconds: Values) -> float:
    """The coarsest of day to millisecond of which all dates are multiples; a microsecond where none is."""
    whole = np.rint(seconds * 1e6).astype(np.int64)
    return next((step for step in _STEPS if (whole % round(step * 1e6) == 0).all()), 1e-6)
