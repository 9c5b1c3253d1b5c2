"""The catalogue: every kind and every part that can be seen, as ``sparring list`` shows them."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sparring import recipes
from sparring.augmentations import Augmentation  # noqa: F401  (imports bring the kinds)
from sparring.experiment import Experiment
from sparring.learners import Learner  # noqa: F401
from sparring.metrics.features import Features  # noqa: F401
from sparring.part import FieldDescription, Part
from sparring.training import Training

_OF_A_RUN = (Experiment, Training)
"""Kinds of one part that a user sets; others of one part, such as codecs of attributes, are learned from data."""


@dataclass(frozen=True)
class Entry:
    """A part or a recipe.

    Attributes:
        name: how it is called.
        summary: the first line of its docstring.
        fields: its hyperparameters; a recipe has none.
    """

    name: str
    summary: str
    fields: tuple[FieldDescription, ...] = ()

    def lines(self) -> list[str]:
        """Name and summary, and below them a line a field."""
        wide = max((len(field.name) for field in self.fields), default=0)
        return [f"{self.name}: {self.summary}", *(f"  {field.name:<{wide}}  {_said(field)}" for field in self.fields)]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"summary": self.summary, "fields": [field._asdict() for field in self.fields]}


@dataclass(frozen=True)
class Shelf:
    """A kind with its parts.

    Attributes:
        name: the kind, ``"loss"``.
        summary: the first line of its docstring.
        entries: its parts by name.
    """

    name: str
    summary: str
    entries: tuple[Entry, ...]

    def lines(self) -> list[str]:
        """Every part with its fields, for people."""
        return [line for entry in self.entries for line in [*entry.lines(), ""]][:-1]

    def to_json(self) -> dict[str, Any]:
        """Plain values, by the parts' names."""
        return {entry.name: entry.to_json() for entry in self.entries}


@dataclass(frozen=True)
class Catalogue:
    """All kinds.

    Attributes:
        shelves: each kind by its name.
    """

    shelves: dict[str, Shelf]

    def lines(self) -> list[str]:
        """Every kind with the names of its parts, for people."""
        wide = max(map(len, self.shelves))
        listed = [f"{n:<{wide}}  {', '.join(e.name for e in shelf.entries)}" for n, shelf in self.shelves.items()]
        return [*listed, "", "'sparring list KIND' shows their fields"]

    def to_json(self) -> dict[str, Any]:
        """Plain values, by kind and part."""
        return {name: shelf.to_json() for name, shelf in self.shelves.items()}


def catalogue() -> Catalogue:
    """Every kind that has been imported, those of plugins too, and the recipes."""
    known: set[type[Part]] = set()
    while known != (found := set(_kinds(Part))):
        # The modules of a kind's parts may bring further kinds.
        known = found
        for kind in found:
            kind.parts()
    shelves = {kind.kind: _shelf(kind) for kind in sorted(known, key=lambda kind: kind.kind)}
    there = sorted(recipes.recipes().items())
    functions = tuple(Entry(name, _first_line(function)) for name, function in there)
    return Catalogue({**shelves, "recipe": Shelf("recipe", "From facts about the data to an experiment.", functions)})


def _kinds(above: type[Part]) -> Iterator[type[Part]]:
    for part in above.__subclasses__():
        if "kind" in part.__dict__ and (inspect.isabstract(part) or part in _OF_A_RUN):
            yield part
        yield from _kinds(part)


def _shelf(kind: type[Part]) -> Shelf:
    parts = sorted(kind.parts().items())
    return Shelf(kind.kind, _first_line(kind), tuple(_entry(name, part) for name, part in parts))


def _entry(name: str, part: type[Part]) -> Entry:
    return Entry(name, _first_line(part), tuple(part.describe()))


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _said(field: FieldDescription) -> str:
    default = f" = {field.default}" if field.default else " (must be given)"
    return f"{field.type}{default}: {field.meaning}"
