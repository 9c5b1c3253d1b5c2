"""The error tree. Every message is one line that names the file or field, the value and the remedy.

SparringError
├── RequestError        the request was wrong: an unknown part, a value out of range, a run in the way (exit 2)
│   └── MissingExtra    the request needs a package that is not installed (exit 2)
├── DataError           the data cannot be used: nothing readable, a wrong column, too few items (exit 1)
├── RunError            a run folder cannot be read, written or gone on with (exit 1)
└── TrainingError       training cannot go on: memory ran out, a remedy did not help (exit 1)
    └── Divergence      a loss or a gradient is not finite (exit 1)
"""

from typing import ClassVar


class SparringError(Exception):
    """Root of everything that sparring raises on purpose."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str):
        super().__init__(" ".join(message.splitlines()))


class RequestError(SparringError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class MissingExtra(RequestError):
    """A package that this request needs is not installed.

    Args:
        package: the name to import, ``"soundfile"``.
        extra: the extra that brings it, ``"audio"``.
    """

    def __init__(self, package: str, extra: str):
        super().__init__(f"'{package}' is not installed; pip install 'sparring[{extra}]' brings it")


class DataError(SparringError):
    """The data cannot be used."""


class RunError(SparringError):
    """A run folder cannot be read, written or gone on with."""


class TrainingError(SparringError):
    """Training cannot go on."""


class Divergence(TrainingError):
    """A loss or a gradient is not finite."""


_LISTED, _NEAREST = 60, 10
"""Choices beyond which only so many, the nearest, are named."""


def choices(wrong: str, noun: str, there_are: list[str]) -> str:
    """One line that refuses ``wrong`` and names what there is, the nearest first."""
    import difflib

    near = difflib.get_close_matches(wrong, there_are, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    shown = sorted(there_are)
    if len(shown) > _LISTED:
        shown = sorted(difflib.get_close_matches(wrong, there_are, n=_NEAREST, cutoff=0))
        shown.append(f"and {len(there_are) - len(shown)} more")
    listed = ", ".join(shown) or "none"
    said = wrong if len(wrong) <= 80 else f"{wrong[:77]}..."
    return f"no {noun} is called '{said}'{hint}; there are {listed}"
