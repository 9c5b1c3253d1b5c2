"""Facts about data, games and runs in words, the same wherever they are shown."""

from collections.abc import Mapping, Sequence

from torch import nn

from sparring.part import Part

_SHOWN = 5
"""Skipped files that are named; the others are counted."""
_OF_A_DISCRIMINATOR = ("loss", "penalties", "constraints", "views")
"""Fields of a game that say nothing where it is played without one."""


def usage(counts: Mapping[str, int], shape: tuple[int, ...]) -> str:
    """How many items of which size, and how they are used."""
    train, select, report = (counts[name] for name in ("train", "select", "report"))
    kept = f"{train:,} to learn from, {select:,} to choose by, {report:,} to report on"
    return f"{train + select + report:,} items of {size(shape)}: {kept}"


def size(shape: tuple[int, ...]) -> str:
    """A shape in words; that of a picture is ``(channels, height, width)``."""
    if len(shape) == 1:
        return f"{shape[0]} number{'s' * (shape[0] > 1)}"
    if len(shape) != 3:
        return "x".join(map(str, shape))
    channels, height, width = shape
    return f"{height}x{width} in {'grey' if channels == 1 else f'{channels} channels'}"


def skipped(faults: Sequence[Sequence[str]]) -> list[str]:
    """The first skipped files with their reasons, and how many more there are."""
    if not faults:
        return []
    lines = [
        f"skipped  {len(faults):,} file{'s' * (len(faults) > 1)}",
        *(f"         {file}: {reason}" for file, reason in faults[:_SHOWN]),
    ]
    return lines + ([f"         and {len(faults) - _SHOWN:,} more"] if len(faults) > _SHOWN else [])


def game(played: Part) -> str:
    """The parts that a game is made of; those of a discriminator not where it is played without one."""
    alone = getattr(played, "adversary", 1) == 0
    fields = [name for name in type(played).model_fields if not (alone and name in _OF_A_DISCRIMINATOR)]
    held = [getattr(played, field) for field in fields]
    parts = [part for value in held for part in (value if isinstance(value, tuple) else (value,))]
    return ", ".join([*(str(part) for part in parts if isinstance(part, Part)), *["no adversary"] * alone])


def parameters(players: nn.ModuleDict) -> str:
    """How many weights each player has."""
    counts = {name: sum(w.numel() for w in player.parameters()) for name, player in players.items()}
    return ", ".join(f"{name} {count:,} parameters" for name, count in counts.items() if count)


def duration(seconds: float) -> str:
    """A span of time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
