"""A table's codec learned privately: names and types of columns are public, everything else is asked with noise.

What the user says by ``training.privacy.domains`` costs nothing. A category too rare to be named counts as no value, or
as the most frequent one where there are hardly any; a number beyond the bounds counts as the bound.
"""

from typing import Any

import numpy as np

from sparring.errors import DataError, RequestError, choices
from sparring.modalities.columns import FEW, Column
from sparring.modalities.columns.category import MOST, Category
from sparring.modalities.columns.constant import plain
from sparring.modalities.columns.identifier import Identifier
from sparring.modalities.columns.number import MODES, SPIKE, Number
from sparring.modalities.frames import Frame, Series, TableItems, nulls, numbers
from sparring.modalities.noisy import Questions
from sparring.modalities.rules import Combination, Rule, parse
from sparring.modalities.table import Table
from sparring.privacy import CODEC_DELTA, Privacy

_RARE = 0.01
"""Share of rows from which on those without a named value have a choice of their own."""
_WIDE = 64
"""Bounds whose ratio is at least this are those of a logarithm."""

Ends = tuple[float, float]


def fit_privately(items: TableItems, privacy: Privacy, seed: int) -> Table:
    """The codec of these rows, for a share of the budget.

    Args:
        items: the rows that are learned from.
        privacy: the budget, and what is known without the data.
        seed: a secret.

    Raises:
        DataError: a column cannot be learned privately, or nothing can be told of it within the budget.
        RequestError: a domain or rule speaks of a column that is not there, or would have to be learned.
    """
    frame = items.frame
    titles = [str(name) for name in frame.columns]
    for said, names in (("data.kinds", items.kinds), ("training.privacy.domains", privacy.domains)):
        for name in names:
            if name not in titles:
                raise RequestError(f"{said}: {choices(name, 'column', titles)}")
    sorts = {title: _sort(frame[title], items.kinds.get(title)) for title in titles}
    asked = {title: _questions(frame[title], sorts[title], title in privacy.domains) for title in titles}
    count = 1 + sum(asked.values())
    share = Questions(privacy.epsilon * privacy.codec / count, privacy.delta * CODEC_DELTA / count, seed)
    rows = share.count(len(frame), "rows")
    columns = tuple(_fitted(frame[t], sorts[t], share, rows=rows, domain=privacy.domains.get(t)) for t in titles)
    if not any(column.spans() for column in columns):
        raise DataError("no column holds anything to learn: all are identifiers")
    return Table(columns=columns, rules=tuple(_rule(text, frame) for text in items.rules), rows=rows)


def _rule(text: str, frame: Frame) -> Rule:
    rule = parse(text, [str(name) for name in frame.columns])
    rule.refuse_texts(frame)
    if isinstance(rule, Combination):
        raise RequestError(
            f"private training refuses the rule '{text}': combinations are those of private rows; leave it out"
        )
    return rule


def _sort(column: Series, said: str | None) -> str:
    """What a column is, from what was said and from its type alone, never from its values."""
    kinds = {"continuous": "number", "integer": "number", "log": "number", "mixed": "number"}
    kinds |= {"categorical": "category", "boolean": "category", "identifier": "identifier"}
    if column.dtype.kind == "M" or said in ("datetime", "constant", "text"):
        raise DataError(
            f"column '{column.name}' ({said or column.dtype}) cannot be learned privately; leave it out by "
            f"data.drop={column.name}, or give dates as numbers"
        )
    if said is not None:
        return kinds[said]
    return "number" if column.dtype.kind in "iuf" and str(column.dtype) != "boolean" else "category"


def _certain(column: Series) -> bool:
    """Whether the type leaves no room for nulls."""
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "iub"


def _whole(column: Series) -> bool:
    return column.dtype.kind in "iu"


def _questions(column: Series, sort: str, domain: bool) -> int:
    """How many questions are asked of a column's values."""
    if sort == "identifier":
        return 0
    if sort == "category":
        return 0 if domain or column.dtype.kind == "b" else 1
    return 1 if domain else 2


def _fitted(column: Series, sort: str, share: Questions, *, rows: int, domain: str | None) -> Column:
    if sort == "identifier":
        return Identifier(title=str(column.name), dtype=str(column.dtype), last=-1)
    if sort == "number":
        return _number(column, share, rows, domain)
    return _category(column, share, rows, domain)


def _category(column: Series, share: Questions, rows: int, domain: str | None) -> Category:
    if domain is not None:
        words = domain.split("|")
        named: dict[Any, int] = {_read(word, column): 1 for word in words if word.strip()}
        missing = int(any(not word.strip() for word in words))
    elif column.dtype.kind == "b":
        named, missing = {False: 1, True: 1}, int(not _certain(column))
    else:
        found: dict[Any, int] = dict(share.frequent(_values(column), f"values of {column.name}"))
        empty = found.pop(None, 0)
        rest = max(0, rows - empty - sum(found.values()))
        named, missing = found, empty + rest if empty + rest > _RARE * rows else 0
    if not named:
        raise DataError(
            f"column '{column.name}' has no value frequent enough to be named within the budget; say "
            f"--set training.privacy.domains.{column.name}=a|b|c, or leave it out by --set data.drop={column.name}"
        )
    return Category(
        title=str(column.name),
        dtype=str(column.dtype),
        values=tuple(named),
        counts=tuple(named.values()),
        own=len(named) if len(named) <= MOST + 1 else MOST,
        missing=missing,
        private=True,
    )


def _values(column: Series) -> list[Any]:
    empty = nulls(column)
    return [None if gone else plain(value) for value, gone in zip(column.astype(object), empty, strict=True)]


def _read(word: str, column: Series) -> Any:
    """A word of a domain as a value of the column."""
    if column.dtype.kind not in "iufb":
        return word
    try:
        if column.dtype.kind == "b":
            return {"true": True, "false": False}[word.lower()]
        return int(word) if _whole(column) else float(word)
    except (ValueError, KeyError):
        raise RequestError(
            f"training.privacy.domains.{column.name}: '{word}' is not of the column's type {column.dtype}"
        ) from None


def _number(column: Series, share: Questions, rows: int, domain: str | None) -> Number:
    if column.dtype.kind not in "iufb":
        raise DataError(f"column '{column.name}' is said to be a number and holds {column.dtype}")
    values = numbers(column)
    known = values[~np.isnan(values)]
    ends = share.bounds(known, f"bounds of {column.name}") if domain is None else _ends(domain, str(column.name))
    named = share.frequent([None if np.isnan(v) else float(v) for v in values], f"values of {column.name}")
    empty = named.pop(None, 0)
    missing = empty / rows if not _certain(column) and empty > _RARE * rows else 0.0
    spikes = {float(str(value)): count / rows for value, count in named.items() if count >= SPIKE * rows}
    if ends is None and not spikes:
        raise DataError(
            f"the bounds of column '{column.name}' cannot be told within the budget; say "
            f"--set training.privacy.domains.{column.name}=low..high, or leave it out by --set data.drop={column.name}"
        )
    if ends is not None and _whole(column) and ends[1] - ends[0] < FEW:
        ends, every = None, np.arange(np.ceil(ends[0]), np.floor(ends[1]) + 1)
        spikes = {float(value): spikes.get(float(value), 0.0) for value in sorted({*every, *spikes})}
    return _column(column, dict(sorted(spikes.items())), ends, missing)


def _ends(domain: str, title: str) -> Ends:
    try:
        low, high = (float(end) for end in domain.split(".."))
    except ValueError:
        low, high = 0.0, -1.0
    if not low < high:
        raise RequestError(f"training.privacy.domains.{title} = '{domain}' is no interval of numbers, such as 17..90")
    return low, high


def _column(column: Series, spikes: dict[float, float], ends: Ends | None, missing: float) -> Number:
    """The column with modes of equal width between the ends."""
    logarithm = ends is not None and ends[0] > 0 and ends[1] / ends[0] >= _WIDE
    borders = np.zeros(0)
    if ends is not None:
        low, high = (float(np.log(end)) if logarithm else end for end in ends)
        borders = np.linspace(low, high, MODES + 1)
    modes = max(0, len(borders) - 1)
    left = max(0.0, 1 - missing - sum(spikes.values()))
    rates = [*spikes.values(), *[left / max(modes, 1)] * modes, *([missing] if missing else [])]
    outer = [*spikes, *(ends or ())]
    return Number(
        title=str(column.name),
        dtype=str(column.dtype),
        spikes=tuple(spikes),
        centres=tuple(((borders[1:] + borders[:-1]) / 2).tolist()) if modes else (),
        widths=tuple((np.diff(borders) / 2).tolist()) if modes else (),
        edges=tuple(borders[1:-1].tolist()) if modes else (),
        rates=tuple(float(rate) for rate in rates),
        logarithm=bool(logarithm),
        missing=bool(missing),
        low=float(min(outer)),
        high=float(max(outer)),
        decimals=0 if _whole(column) else None,
        private=True,
    )
