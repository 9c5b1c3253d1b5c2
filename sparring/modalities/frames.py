"""Frames: tables in memory with what was said of their columns, and the types that columns of text stand for.

pandas is imported when a table is first met, for it comes with the extra ``tables`` alone.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Self

import numpy as np

from sparring.errors import DataError, MissingExtra, RequestError

Frame = Any
"""A :class:`pandas.DataFrame`."""
Series = Any
"""A :class:`pandas.Series`."""

OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
"""The end of a time in text: its offset from UTC."""
_FRACTION = re.compile(r"%(\d)f")
"""In a form, the digits of a second's fraction as they are written; strftime would write six."""
_DIGITS = re.compile(r"\.(\d+)")
_LEADING_ZERO = re.compile(r"[+-]?0\d+")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
_GROUPED = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
"""What may be a whole number whose thousands are told apart by a comma."""
TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d+)?)?$")
TIMES = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f")
"""Forms of times of day."""
COMMA = ","
"""The form of numbers that are written with decimal commas."""
_MOSTLY = 0.9
"""Share of a column's values that look like numbers, from which on its other values are thought to be a mistake."""
_ODD = "column '{name}' was read as text, as '{word}' is no number ({count} such)"
_COMMA = "column '{name}' was read as text, as the comma of '{word}' may tell thousands or decimals apart; write points"
_COMMAS = "column '{name}' has decimal commas and is written with them"
_WHOLE = re.compile(r"[+-]?\d+")
_TRUTH = {"true": True, "false": False}
_LARGEST_WHOLE = 2**62


def pandas() -> ModuleType:
    """The package.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pandas as package
    except ImportError:
        raise MissingExtra("pandas", "tables") from None
    return package


@dataclass(frozen=True)
class TableItems:
    """The rows of a table as a data set's items; ``items[rows]`` is a frame of its own.

    Attributes:
        frame: the table, columns with the types that they stand for.
        kinds: what columns are said to be, by their names.
        rules: what holds in every row, as written.
    """

    frame: Frame
    kinds: dict[str, str] = field(default_factory=dict)
    rules: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.frame.shape

    @property
    def dtype(self) -> np.dtype:
        """That of anything at all."""
        return np.dtype(object)

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: Any) -> Frame:
        return self.frame.iloc[rows].reset_index(drop=True)

    def joined(self, others: Self) -> Self:
        """These rows with the others behind them."""
        return replace(self, frame=pandas().concat([self.frame, others.frame], ignore_index=True))


def typed(frame: Frame) -> Frame:
    """A frame of text as one whose columns have the types that their texts stand for.

    Whole and broken numbers, ``true`` and ``false``, dates of one form; a number with a leading zero is no number but
    a code. Numbers with nulls have pandas' nullable types. How dates, true and false are written, and which numbers
    have decimal commas, is kept in ``attrs``.
    """
    found = pandas().DataFrame({name: _typed(frame[name]) for name in frame.columns}, columns=frame.columns)
    dates = [name for name in found.columns if found[name].dtype.kind == "M"]
    truths = [name for name in found.columns if found[name].dtype.kind == "b"]
    found.attrs["forms"] = {name: _written(frame[name]) for name in dates}
    found.attrs["forms"] |= {name: _words_of_truth(frame[name]) for name in truths}
    numbers = [name for name in found.columns if found[name].dtype.kind == "f"]
    found.attrs["forms"] |= {name: COMMA for name in numbers if _has_commas(_words(frame[name]))}
    return found


def nearly_numbers(frame: Frame) -> list[str]:
    """Why columns of which most values look like numbers stayed text, and which have decimal commas, in words."""
    commas = [name for name, form in frame.attrs.get("forms", {}).items() if form == COMMA and name in frame]
    found = [_COMMAS.format(name=name) for name in commas]
    for name in [name for name, dtype in frame.dtypes.items() if dtype.kind == "O"]:
        words = frame[name].dropna().astype(str).str.strip()
        every = words.unique().tolist()
        for pattern, said in ((_PLAIN_NUMBER, _ODD), (_COMMA_NUMBER, _COMMA)):
            fits = {word for word in every if pattern.fullmatch(word) and not _LEADING_ZERO.fullmatch(word)}
            odd = fits if said is _COMMA else set(every) - fits
            if odd and words.isin(fits).mean() >= _MOSTLY:
                found.append(said.format(name=name, count=len(odd), word=min(odd)))
                break
    return found


def _typed(column: Series) -> Series:
    words = _words(column)
    if not words:
        return column.astype("float64")
    if _has_commas(words):
        column = column.str.strip().str.replace(".", "", regex=False).str.replace(COMMA, ".", regex=False)
        words = _words(column)
    if all(_PLAIN_NUMBER.fullmatch(word) and not _LEADING_ZERO.fullmatch(word) for word in words):
        return _numbers(column, words)
    if {word.lower() for word in words} <= set(_TRUTH):
        truth = column.map(lambda word: _TRUTH[word.strip().lower()], na_action="ignore")
        return truth.astype("boolean" if column.isna().any() else "bool")
    return _dates(column, words)


def _words(column: Series) -> list[str]:
    return [str(word).strip() for word in column.dropna().unique()]


def _has_commas(words: list[str]) -> bool:
    """Whether all are numbers and some have decimal commas; where each may be one of thousands, it cannot be told."""
    broken = [word for word in words if _COMMA_NUMBER.fullmatch(word)]
    whole = all(_GROUPED.fullmatch(word) for word in words if "," not in word)
    there = sum("," in word for word in words)
    return bool(broken) and whole and there == len(broken) and not all(map(_THOUSANDS.fullmatch, broken))


def _numbers(column: Series, words: list[str]) -> Series:
    numbers = pandas().to_numeric(column, errors="coerce")
    if all(_WHOLE.fullmatch(word) and abs(int(word)) < _LARGEST_WHOLE for word in words):
        exact = column.astype(object).map(int, na_action="ignore")
        return exact.astype("Int64" if column.isna().any() else "int64")
    if not np.isfinite(numbers.dropna().to_numpy(np.float64)).all():
        raise DataError(f"column '{column.name}' holds numbers that are too large; take them out or scale them")
    return numbers.astype("float64")


def _dates(column: Series, words: list[str]) -> Series:
    """Dates where every text has the form of the first, else the text itself."""
    form = date_form(words)
    if form is None:
        return column
    dates = _parsed(column.str.strip(), form)
    return column if (dates.isna() & column.notna()).any() else dates


def _parsed(texts: Series, form: str) -> Series:
    """Dates of a form, NaT where a text has another; in UTC where several offsets are written.

    Times of day are those of the first of January 1970, so that they count from midnight.
    """
    if form in TIMES:
        return pandas().to_datetime("1970-01-01 " + texts, format=f"%Y-%m-%d {form}", errors="coerce")
    several = form.endswith("%z") and texts.dropna().str.extract(OFFSET)[0].nunique() > 1
    return pandas().to_datetime(texts, format=form, errors="coerce", utc=several)


def _words_of_truth(texts: Series) -> str:
    """Texts that are true or false as they are written, ``true|false``; the first way where there are several."""
    there = {word.lower(): word for word in sorted({str(word).strip() for word in texts.dropna()}, reverse=True)}
    known = next(iter(there.values()))
    alike = next((way for way in (str.lower, str.upper) if way(known) == known), str.capitalize)
    return "|".join(there.get(word, alike(word)) for word in _TRUTH)


def _written(texts: Series) -> str:
    """The form of texts that are dates, strftime's but for what that would write otherwise: fractions and offsets."""
    words = [str(word).strip() for word in texts.dropna()]
    form = date_form(words) or ""
    if "%f" in form:
        digits = max(len(_DIGITS.findall(word)[-1]) for word in words)
        form = form.replace("%f", f"%{digits}f")
    offset = OFFSET.search(words[0])
    if not form.endswith("%z") or offset is None:
        return form
    several = len({word[-len(offset[0]) :] for word in words}) > 1
    zero = "+00:00" if ":" in offset[0] else "+0000"
    return form.removesuffix("%z") + (zero if several else offset[0])


def as_text(column: Series, form: str) -> Series:
    """Dates, true and false, or numbers with decimal commas, as the data write them."""
    if form == COMMA:
        return column.astype(object).map(lambda number: str(number).replace(".", COMMA), na_action="ignore")
    if column.dtype.kind == "M":
        return _as_dates(column, form)
    yes, no = form.split("|")
    return column.astype(object).map({True: yes, False: no}, na_action="ignore")


def _as_dates(column: Series, form: str) -> Series:
    fraction = _FRACTION.search(form)
    if fraction is None:
        return column.dt.strftime(form)
    head, tail, digits = form[: fraction.start()], form[fraction.end() :], int(fraction[1])
    shares = (column.dt.microsecond * 1000 + column.dt.nanosecond) // 10 ** (9 - digits)
    return column.dt.strftime(head) + shares.map(lambda share: f"{share:0{digits}.0f}", na_action="ignore") + tail


def date_form(words: list[str]) -> str | None:
    """The strptime form of dates or times of day, or None where the texts are none.

    Days stand before months where only that fits all.
    """
    from pandas.tseries.api import guess_datetime_format

    if not any(character in words[0] for character in "-/.:") or not any(c.isdigit() for c in words[0]):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a day stands first, which is what is being asked
        guesses = [guess_datetime_format(words[0], dayfirst=dayfirst) for dayfirst in (False, True)]
    guesses += [form for form in TIMES if TIME.match(words[0])]
    for form in dict.fromkeys(guess for guess in guesses if guess):
        found = _parsed(pandas().Series(words, dtype=object), form)
        if not found.isna().any():
            return form
    return None


def nulls(column: Series) -> np.ndarray:
    """Where a column has no value, ``(n,)`` bool; infinity is not a value either."""
    missing = column.isna().to_numpy(bool)
    if column.dtype.kind == "f":
        missing = missing | ~np.isfinite(column.to_numpy(np.float64, na_value=np.nan))
    return missing


def numbers(column: Series) -> np.ndarray:
    """A column of numbers, truths or dates as float64 ``(n,)``, NaN where it has no value; dates in seconds."""
    missing = nulls(column)
    if column.dtype.kind == "M":
        stamps = column.dt.tz_localize(None) if getattr(column.dtype, "tz", None) is not None else column
        # Of nanoseconds 64 bits would end in the year 2262.
        found = stamps.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    else:
        found = np.array(column.to_numpy(np.float64, na_value=np.nan))
    found[missing] = np.nan
    return found


def exactly(frame: Frame, dtypes: Mapping[str, str]) -> Frame:
    """The frame's columns of these names, in these types.

    Raises:
        RequestError: a value cannot be of its type, or would be another one in it.
    """
    found = {}
    for name, dtype in dtypes.items():
        column = frame[name].reset_index(drop=True)
        try:
            with np.errstate(invalid="ignore", over="ignore"):
                found[name] = column.astype(dtype)
        except (TypeError, ValueError, OverflowError) as error:
            said = " ".join(str(error).split())[:120]
            raise RequestError(
                f"column '{name}' is of another type than the model's {dtype}: {said}; give what the model learned"
            ) from None
        changed = _changed(column, found[name])
        if changed.any():
            row = int(changed.argmax())
            raise RequestError(
                f"column '{name}' holds {column[row]} in row {row}, which the model's {dtype} cannot hold; change or "
                "leave out such rows, or train on data that have them"
            )
    return pandas().DataFrame(found)


def _changed(column: Series, cast: Series) -> np.ndarray:
    """Where a cast lost a value or made another of it, ``(n,)`` bool; fewer digits of a broken number are none."""
    known = ~nulls(column)
    found = known & nulls(cast)
    # Text is read as whole numbers exactly or not at all, but any of it is true.
    if cast.dtype == column.dtype or not (
        cast.dtype.kind == "b" or (cast.dtype.kind in "iu" and column.dtype.kind in "biuf")
    ):
        return found
    rows = np.flatnonzero(known & ~found)
    found[rows] = [a != b for a, b in zip(column.iloc[rows], cast.iloc[rows], strict=True)]
    return found


def restored(values: Any, dtype: str) -> Series:
    """Values, None or NaN where there is none, as a column of the type that the data had; dates in its time zone."""
    column = pandas().Series(values)
    zone = getattr(pandas().api.types.pandas_dtype(dtype), "tz", None)
    if dtype.startswith("datetime64") and column.dtype.kind != "M":
        column = pandas().to_datetime(column, format="ISO8601", utc=zone is not None)
    elif zone is not None and getattr(column.dtype, "tz", None) is None:
        # An hour that comes twice is taken as the later one, and one that is left out as the first after it.
        later = np.zeros(len(column), bool)
        column = column.dt.tz_localize(zone, ambiguous=later, nonexistent="shift_forward")
    wanted = {"int": "Int64", "bool": "boolean"}
    for plain, nullable in wanted.items():
        if dtype.startswith((plain, f"u{plain}")) and column.isna().any():
            dtype = nullable
    if re.fullmatch(r"u?int\d+", dtype.lower()) and column.max() > np.iinfo(dtype.lower()).max:
        dtype = "Int64" if column.isna().any() else "int64"  # identifiers count on
    return column.astype(dtype)
