"""What the command line prints: results on stdout, all else on stderr."""

import json
import sys
from typing import Any


def print_result(found: Any, as_json: bool) -> None:
    """A result for people, or for programs."""
    if as_json:
        print_json(found.to_json())
    else:
        print("\n".join(found.lines()))


def print_json(value: Any) -> None:
    """A plain value as JSON."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


def say(line: str) -> None:
    """A line that is no result."""
    print(line, file=sys.stderr, flush=True)
