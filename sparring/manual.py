"""What ``--help`` shows: commands and options in groups, in two columns, with examples below."""

import textwrap
from typing import Any

from cyclopts import Group

LEARN = Group("Learn", sort_key=1)
MAKE = Group("Make", sort_key=2)
JUDGE = Group("Judge", sort_key=3)
OTHER = Group("Other", sort_key=9)
"""Groups of commands, in the order in which a newcomer meets them."""

DATA = Group("Data and model", sort_key=1)
LENGTH = Group("Length (whichever comes first)", sort_key=2)
PLACE = Group("Run and machine", sort_key=3)
PRIVACY = Group("Privacy of tables", sort_key=4)
"""Groups of the options of ``train`` and ``check``."""

EXAMPLES = {
    "": [
        "sparring train digits --out runs/digits --minutes 2",
        "sparring sample runs/digits -n 20 --condition label=7 -o sevens/",
        "sparring evaluate runs/digits",
    ],
    "train": [
        "sparring train photos/ --out runs/photos --minutes 20",
        "sparring train photos/ --out runs/photos --minutes 40 --resume",
        "sparring train faces.zip --label-pattern '{age}_{gender}_*' --size 64",
        "sparring train photos/ --recipe resnet --set training.batch=32",
    ],
    "sample": [
        "sparring sample runs/photos -n 100 -o more/",
        "sparring sample runs/photos -n 64 -o sheet.png",
        "sparring sample runs/faces --condition age=30..40 gender=1 -o some.npz",
    ],
    "score": ["sparring score runs/photos photos/ --json"],
    "apply": ["sparring apply runs/clean noisy/ -o clean/", "sparring apply runs/fill a.png -o b.png --mask holes.png"],
    "augment": ["sparring augment runs/adult adult.csv -o more.csv --label income --balance"],
    "evaluate": ["sparring evaluate runs/photos", "sparring evaluate runs/photos --metrics kid,frechet --json"],
    "compare": ["sparring compare runs/photos runs/photos-vae -o both.png"],
    "report": ["sparring report runs/photos"],
    "check": ["sparring check photos/", "sparring check photos.zip --size 48x64 --json"],
    "list": ["sparring list", "sparring list loss"],
}
"""Lines that work, by command; the empty name is the program itself."""

_INDENT = "  "
_LABEL = 28
"""Columns of a name; what is said of longer ones begins on the next line."""


def epilogue(command: str = "") -> str:
    """What stands below the help of a command."""
    lines = ["Examples:", *(_INDENT + line for line in EXAMPLES[command])]
    more = ["'sparring COMMAND --help' shows what a command takes."] if not command else []
    return "\n".join([*lines, "", *more, "--debug with any command shows where an error came from."])


class Columns:
    """Shows help as plain text in two columns, for :class:`cyclopts.App`."""

    def render_usage(self, console: Any, options: Any, usage: Any) -> None:
        """The line that says how a command is called."""
        if usage:
            _print(console, f"Usage: {str(usage).strip().removeprefix('Usage: ')}")

    def render_description(self, console: Any, options: Any, description: Any) -> None:
        """What a command does."""
        text = _text(description)
        if text:
            _print(console, "\n" + textwrap.fill(text, options.max_width))

    def __call__(self, console: Any, options: Any, panel: Any) -> None:
        """A group and its entries."""
        if not panel.entries:
            return
        labels = [", ".join(entry.display_labels_with_metavar) for entry in panel.entries]
        column = min(_LABEL, max(map(len, labels))) + 2 * len(_INDENT)
        lines = ["", f"{panel.title}:"]
        for label, entry in zip(labels, panel.entries, strict=True):
            said = _text(entry.description)
            first = f"{_INDENT}{label}".ljust(column)
            if len(first) > column:
                lines.append(first)
                first = ""
            rest = " " * column
            lines += textwrap.wrap(
                said, max(options.max_width, column + 20), initial_indent=first or rest, subsequent_indent=rest
            ) or [first.rstrip()]
        _print(console, "\n".join(lines))


def _text(said: Any) -> str:
    """The words of what cyclopts hands over."""
    if said is None:
        return ""
    plain = getattr(said, "plain", None) or getattr(getattr(said, "primary_renderable", None), "plain", None) or said
    return " ".join(str(plain).split())


def _print(console: Any, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
