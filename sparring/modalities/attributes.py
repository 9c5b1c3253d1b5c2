"""One attribute that can be asked for: classes or a quantity, in words and in numbers."""

import math
import re
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from sparring.errors import DataError, RequestError, choices
from sparring.part import Part

MOST_WORDS = 20
"""An attribute of numbers is read as a quantity where it has more different values than this."""
BUMPS = 8
"""Triangular functions of a quantity that a network sees beside its value, so that it need not be linear in it."""
_CLASS_NAMES = frozenset(["label", "labels", "class"])


class Interval(NamedTuple):
    """The codes that a request allows, both ends included."""

    low: float
    high: float


class Attribute(Part):
    """One attribute: classes, or a quantity between the lowest and the highest in the data."""

    kind: ClassVar[str] = "attribute"
    title: str = Field(description="the attribute's name in the data")
    classes: tuple[str, ...] = Field(default=(), description="the classes in natural order; none for a quantity")
    low: float = Field(default=0.0, description="a quantity's lowest value in the data")
    high: float = Field(default=0.0, description="a quantity's highest value in the data")
    whole: bool = Field(default=False, description="whether a quantity has whole numbers only")

    @model_validator(mode="after")
    def _has_values(self) -> Self:
        if not self.classes and not self.low < self.high:
            raise ValueError(f"attribute '{self.title}' has neither classes nor a range")
        return self

    @classmethod
    def fit(cls, title: str, values: Sequence[Any] | np.ndarray) -> Self:
        """The attribute whose values in the data are these.

        Blanks around values do not count. Numbers with more than 20 different values are a quantity, unless the
        attribute is called label or class.

        Raises:
            DataError: there is no value, or nearly every item has a class of its own.
        """
        words = _words(values)
        found = sorted(set(words), key=_natural)
        if not found:
            raise DataError(f"attribute '{title}' has no value")
        numbers = [_number(word) for word in found]
        if len(found) > MOST_WORDS and title.lower() not in _CLASS_NAMES and None not in numbers:
            known = [number for number in numbers if number is not None]
            whole = all(number.is_integer() for number in known)
            if min(known) < max(known):
                return cls(title=title, low=min(known), high=max(known), whole=whole)
        if len(found) > MOST_WORDS and len(found) > len(words) / 2:
            raise DataError(
                f"attribute '{title}' has {len(found)} different values for {len(words)} items, too many to learn what "
                f"each looks like; leave it out"
            )
        return cls(title=title, classes=tuple(found))

    @property
    def width(self) -> int:
        """Numbers that a network sees of it."""
        return len(self.classes) or 1 + BUMPS

    def codes(self, values: Sequence[Any] | np.ndarray) -> Float[np.ndarray, " n"]:
        """Codes of values as they stand in the data.

        Raises:
            RequestError: a value is not one of the classes, or not a number.
        """
        words = _words(values)
        there = {word: code for code, word in enumerate(self.classes)}
        known = {word: there.get(word) if self.classes else _number(word) for word in set(words)}
        for word, code in known.items():
            if code is None:
                raise RequestError(
                    choices(word, self.title, list(self.classes)) if self.classes else self._no_number(word)
                )
        return np.array([known[word] for word in words], np.float64)

    def encode(self, codes: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n width"]:
        """Codes as networks see them: one of the classes, or the quantity in [-1, 1] and its bumps."""
        if self.classes:
            return np.eye(len(self.classes), dtype=np.float32)[codes.astype(np.int64)]
        scaled = np.clip((codes - self.low) / (self.high - self.low), 0, 1)
        bumps = np.maximum(0, 1 - np.abs(scaled[:, None] * (BUMPS - 1) - np.arange(BUMPS)))
        return np.concatenate([scaled[:, None] * 2 - 1, bumps], 1).astype(np.float32)

    def decode(self, encoded: Float[np.ndarray, "n width"]) -> np.ndarray:
        """Values from what networks see: class names, or numbers."""
        if self.classes:
            return self.values(encoded.argmax(1))
        return self.values((encoded[:, 0].astype(np.float64) + 1) / 2 * (self.high - self.low) + self.low)

    def values(self, codes: np.ndarray) -> np.ndarray:
        """Class names, or numbers, whole where the data's are."""
        if self.classes:
            return np.array(self.classes)[codes.astype(np.int64)]
        return np.rint(codes).astype(np.int64) if self.whole else codes.astype(np.float64)

    def parse(self, request: Any) -> Interval:
        """What a request allows.

        Args:
            request: a class name, in any case where that is unique, or a class's number where no class is called by
                one; for a quantity a number, ``"30..40"`` or ``(30, 40)``.

        Raises:
            RequestError: there is no such class, or the data hold no such quantity.
        """
        return self._parse_class(request) if self.classes else self._parse_quantity(request)

    def _parse_class(self, request: Any) -> Interval:
        word = str(request).strip()
        matches = [i for i, name in enumerate(self.classes) if name == word]
        matches = matches or [i for i, name in enumerate(self.classes) if name.casefold() == word.casefold()]
        if len(matches) > 1:
            named = " or ".join(f"'{self.classes[i]}'" for i in matches)
            raise RequestError(f"{self.title}={word} could mean {named}; write it as in the data")
        number = _number(word)
        if not matches and number is not None and not any(_number(name) is not None for name in self.classes):
            matches = [int(number)] if number.is_integer() and 0 <= number < len(self.classes) else []
        if not matches:
            raise RequestError(choices(word, self.title, list(self.classes)))
        return Interval(matches[0], matches[0])

    def _parse_quantity(self, request: Any) -> Interval:
        ends = str(request).split("..") if isinstance(request, str | int | float | np.generic) else list(request)
        found = [_number(str(end).strip()) for end in ends]
        numbers = [number for number in found if number is not None]
        if len(found) not in (1, 2) or len(numbers) < len(found):
            raise RequestError(self._no_number(str(request)))
        low, high = numbers[0], numbers[-1]
        if low > high:
            raise RequestError(f"{self.title}={low:g}..{high:g} ends before it begins; write {high:g}..{low:g}")
        if high < self.low or low > self.high:
            raise RequestError(f"{self.title}={request}: the data hold {self.title} {self.low:g}..{self.high:g} only")
        return Interval(max(low, self.low), min(high, self.high))

    def _no_number(self, text: str) -> str:
        return f"{self.title}={text}: wanted is a number or an interval in {self.low:g}..{self.high:g}, such as 30..40"


def _words(values: Sequence[Any] | np.ndarray) -> list[str]:
    return [str(value).strip() for value in np.asarray(values).tolist()]


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _natural(word: str) -> tuple:
    """A sorting key: numbers by size before words, and digits in words by size."""
    number = _number(word)
    pieces = re.split(r"([0-9]+)", word.casefold())
    digits = tuple((int(piece), "") if i % 2 else (0, piece) for i, piece in enumerate(pieces))
    return (0, number, (), word) if number is not None else (1, 0.0, digits, word)
