"""A column of identifiers: not learned, for they mean nothing; fresh ones are made by counting on."""

import math
import re
from itertools import islice
from typing import Any, Self

import numpy as np
from pydantic import Field

from sparring.modalities.columns import Asked, Coded, Column, Sort
from sparring.modalities.frames import Series, nulls
from sparring.randomness import derive
from sparring.types import Span

_KINDS = {"0": "0123456789", "a": "abcdefghijklmnopqrstuvwxyz", "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_DRAWN_FROM = 2**62
"""Texts of a shape above which drawn ones hardly ever repeat."""
_COUNTED = re.compile(r"(.*?)(\d{1,15})(\D*)")


def _kind(character: str) -> str:
    """What a character is exchanged for another of: a digit, a capital or another letter; signs of ASCII stand."""
    if character.isdecimal():
        return "0"
    if character.isupper():
        return "A"
    return character if character.isascii() and not character.isalpha() else "a"


class Identifier(Column):
    """Whole numbers and texts with a number at the end count on from the largest; others keep their shape."""

    before: str = Field(default="", description="what stands before the number")
    after: str = Field(default="", description="what stands behind the number")
    digits: int = Field(default=0, ge=0, description="digits that the number is filled up to with zeros")
    last: int | None = Field(default=None, description="the largest number in the data; none where texts do not count")
    form: str = Field(default="", description="kinds of the characters of a text: letters, digits, signs")
    missing: float = Field(default=0.0, ge=0, le=1, description="share of the rows without one")

    @classmethod
    def fit(cls, column: Series, sort: Sort) -> Self:
        known, empty = column[~nulls(column)], float(nulls(column).mean())
        named = cls(title=str(column.name), dtype=str(column.dtype), missing=empty)
        if column.dtype.kind in "iuf":
            return named.but(last=int(known.max()))
        words = [str(value) for value in known]
        found = [_COUNTED.fullmatch(word) for word in words]
        ends = {(match[1], match[3]) for match in found if match}
        if all(found) and len(ends) == 1:
            numbers = [match[2] for match in found if match]
            filled = len({len(number) for number in numbers}) == 1
            before, after = ends.pop()
            last, digits = max(map(int, numbers)), len(numbers[0]) if filled else 0
            return named.but(before=before, after=after, digits=digits, last=last)
        # A shape alone is kept, no identifier of the data: letters and digits of any script stand for their kind.
        form = "".join(_kind(character) for character in words[0])
        hexadecimal = re.fullmatch(r"[0-9a-fA-F-]{8,}", words[0]) is not None
        return named.but(form=re.sub(r"[aA0]", "f", form) if hexadecimal else form)

    def spans(self) -> tuple[Span, ...]:
        return ()

    def code(self, column: Series) -> Coded:
        return Coded(np.zeros((len(column), 0)), np.zeros((len(column), 0), np.int64))

    def decode(self, coded: Coded, draws: np.ndarray) -> np.ndarray:
        return self.fresh(0, len(draws))

    def fresh(self, start: int, count: int, beside: Series | None = None) -> np.ndarray:
        """Identifiers of the rows ``start`` to ``start + count`` of a sample.

        Args:
            start: number of the first row.
            count: how many.
            beside: a column of identifiers that they do not repeat, as far as there are others.
        """
        taken, counting = (set(), self) if beside is None else (set(beside[~nulls(beside)]), self._beyond(beside))
        # So many candidates hold enough that are not taken, unless fewer texts have that shape.
        every = (counting._one(start + row) for row in range(count + len(taken)))
        made = np.empty(count, object)
        fresh = list(islice((one for one in every if one not in taken), count))
        for row in range(count):
            made[row] = fresh[row] if row < len(fresh) else counting._one(start + row)
        return made

    def _beyond(self, column: Series) -> Self:
        """The same, counting on from the largest number of a column where that is larger."""
        known = column[~nulls(column)]
        if self.last is None or not len(known):
            return self
        if column.dtype.kind in "iuf":
            return self.but(last=max(self.last, int(known.max())))
        counted = re.compile(rf"{re.escape(self.before)}(\d{{1,15}}){re.escape(self.after)}")
        found = [counted.fullmatch(str(word)) for word in known]
        return self.but(last=max([self.last, *(int(match[1]) for match in found if match)]))

    def _one(self, number: int) -> int | str | None:
        if self.missing and self._source("missing", number).random() < self.missing:
            return None
        if self.last is None:
            return self._shaped(number)
        counted = self.last + 1 + number
        if not self.dtype.startswith(("int", "uint", "float", "Int", "UInt", "Float")):
            return f"{self.before}{counted:0{self.digits}d}{self.after}"
        return counted

    def _shaped(self, number: int) -> str:
        """Letters and digits by the row's number: drawn where there are so many that none repeats, else dealt out."""
        kinds = {"f": "0123456789abcdef"} if set(self.form) <= {"f", "-"} else _KINDS
        sizes = [len(kinds.get(kind, " ")) for kind in self.form]
        total = math.prod(sizes)
        if total > _DRAWN_FROM:
            places = [
                int(draw * size) for draw, size in zip(self._source(number).random(len(sizes)), sizes, strict=True)
            ]
        else:
            # A step that shares no divisor with their count comes by all of them before one comes again.
            step = next(s for s in range(round(0.618 * total), total + 2) if math.gcd(s, total) == 1)
            left, places = (derive(0, self.title) + number * step) % total, []
            for size in reversed(sizes):
                left, place = divmod(left, size)
                places.insert(0, place)
        return "".join(kinds.get(kind, kind)[place] for kind, place in zip(self.form, places, strict=True))

    def _source(self, *of: str | int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=derive(0, self.title, *of)))

    def ask(self, request: Any) -> Asked | None:
        return None

    def said(self) -> str:
        return "identifiers, not learned; fresh ones are made"

    def shares(self) -> tuple[float, ...]:
        return ()
