"""The options of the command line: keywords of the functions that they are passed to, and have their defaults there."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sparring.errors import RequestError

Data = Annotated[str, Parameter(help="folder, archive, file or name of the data")]
RunFolder = Annotated[Path, Parameter(name="RUN", help="folder of a run")]
Json = Annotated[bool, Parameter("--json", help="for programs: JSON on stdout")]
Plugin = Annotated[
    tuple[str, ...] | None, Parameter(metavar="MODULE", help="import a module with parts of your own first, repeatable")
]
Metrics = Annotated[
    tuple[str, ...] | None, Parameter(metavar="METRIC", consume_multiple=True, help="numbers to take, by name")
]
Device = Annotated[str | None, Parameter(metavar="auto|cpu|cuda|mps", help="where to compute")]
Seed = Annotated[int | None, Parameter(metavar="S", help="of everything random")]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Options that say how data are read and what is made of them: keywords of ``sparring.propose``."""

    task: Annotated[str | None, Parameter(metavar="T", help="what is to be learned; see 'list task'")] = None
    modality: Annotated[str | None, Parameter(metavar="M", help="how arrays are read where that is ambiguous")] = None
    recipe: Annotated[str | None, Parameter(metavar="R", help="networks and settings; see 'list recipe'")] = None
    size: Annotated[str | None, Parameter(metavar="N|HxW", help="of pictures, height first")] = None
    label_pattern: Annotated[
        str | None, Parameter(metavar="PATTERN", help="attributes in file names, '{age}_{gender}_*'")
    ] = None
    direction: Annotated[
        str | None, Parameter(metavar="AtoB|BtoA", help="of pairs and two sets: what is given and what is made")
    ] = None
    window: Annotated[int | None, Parameter(metavar="N", help="of series: steps of the windows that are cut")] = None
    stride: Annotated[int | None, Parameter(metavar="N", help="of series: steps from one window to the next")] = None
    sequence_key: Annotated[
        str | None, Parameter(metavar="COLUMN", help="of a table of series: what tells series apart")
    ] = None
    sequence_index: Annotated[
        str | None, Parameter(metavar="COLUMN", help="of a table of series: what their steps are ordered by")
    ] = None
    attributes: Annotated[
        tuple[str, ...] | None,
        Parameter(metavar="NAME", consume_multiple=True, help="attributes that can be asked for later; all by default"),
    ] = None
    unconditional: Annotated[bool | None, Parameter(help="learn without labels")] = None
    seed: Seed = None
    settings: Annotated[
        tuple[str, ...] | None,
        Parameter("--set", metavar="PART.FIELD=VALUE", help="change a field of any part, repeatable"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Length:
    """Options that say when training stops: keywords of ``sparring.Limits``."""

    minutes: Annotated[float | None, Parameter(metavar="M", help="stop after so many minutes, planned for")] = None
    steps: Annotated[int | None, Parameter(metavar="N", help="stop after so many steps of the generator")] = None
    images: Annotated[int | None, Parameter(metavar="N", help="stop when so many items have been seen")] = None
    until: Annotated[str | None, Parameter(metavar="METRIC<VALUE", help="stop when a metric keeps a bound")] = None
    auto_batch: Annotated[bool | None, Parameter(help="compute a batch in parts where memory would not hold it")] = None


@dataclass(frozen=True, kw_only=True)
class Promise:
    """Options of private training: keywords of ``sparring.propose``."""

    private: Annotated[bool | None, Parameter(negative=(), help="keep differential privacy of single rows")] = None
    epsilon: Annotated[float | None, Parameter(metavar="E", help="of --private; smaller tells less")] = None
    delta: Annotated[float | None, Parameter(metavar="D", help="of --private; below 1 / rows")] = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Options that say where training writes and computes: keywords of ``sparring.train``."""

    out: Annotated[
        Path | None,
        Parameter(("-o", "--out"), metavar="RUN", help="the run's folder; runs/<data>-<task>-<n> by default"),
    ] = None
    device: Device = None
    resume: Annotated[bool | None, Parameter(help="go on where the run in --out stopped")] = None
    overwrite: Annotated[bool | None, Parameter(help="remove the run that is in --out")] = None
    plugin: Plugin = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Options that say which items are wished: keywords of ``Model.sample``."""

    seed: Seed = None
    condition: Annotated[
        tuple[str, ...] | None, Parameter(metavar="NAME=VALUE", help="an asked attribute, age=30..40; repeatable")
    ] = None
    truncation: Annotated[float | None, Parameter(metavar="X", help="below 1: nearer to the mean and less varied")] = (
        None
    )
    refine: Annotated[
        int | None, Parameter(metavar="K", help="of K candidates for each row of a table, one that is likely real")
    ] = None


@dataclass(frozen=True, kw_only=True)
class Applying:
    """Options that say how pictures are restored: keywords of ``sparring.apply``."""

    mask: Annotated[Path | None, Parameter(metavar="PATH", help="holes to fill in, white: a file, or a folder")] = None
    tile: Annotated[int | None, Parameter(metavar="N", help="pixels a side in which large pictures are cut")] = None
    strength: Annotated[
        float | None, Parameter(metavar="S", help="of the noise, deviation of 255, where the model is told it")
    ] = None
    scale: Annotated[float | None, Parameter(metavar="X", help="by how much to enlarge, below what was learned")] = None
    turns: Annotated[
        int | None, Parameter(metavar="N", help="mean over so many ways to turn a picture, up to 8: better, slower")
    ] = None
    seed: Seed = None
    overwrite: Annotated[bool | None, Parameter(help="replace files that are there; inputs never are")] = None
    best: Annotated[bool | None, Parameter(help="take the model that was best on held-back items, not the last")] = None


def given(options: Any) -> dict[str, Any]:
    """The options of a group that were given, by keyword; ``options`` is None where none was."""
    if options is None:
        return {}
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    if "attributes" in values:
        values["attributes"] = separated(values["attributes"])
    return {name: value for name, value in values.items() if value is not None}


def separated(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names that may be given one by one or with commas."""
    return None if names is None else tuple(part.strip() for name in names for part in name.split(",") if part.strip())


def free_folder(folder: Path) -> Path:
    """The first folder ``<folder>/<n>`` that is not there."""
    number = 1
    while (folder / str(number)).exists():
        number += 1
    return folder / str(number)


def refuse_occupied(path: Path) -> None:
    """Refuses a file or folder that holds something already."""
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        what = "is there already" if path.is_file() else "holds files already"
        raise RequestError(f"{path} {what}; --overwrite replaces them, or give another -o")


def conditions(written: Sequence[str], titles: Sequence[str] = ()) -> dict[str, str]:
    """``("gender=female", "age=30..40")`` as ``{"gender": "female", "age": "30..40"}``.

    Args:
        written: as on the command line.
        titles: what can be asked for; a name among them may hold equals signs.
    """
    found: dict[str, str] = {}
    for text in written:
        begun = [title.strip() for title in titles if text.lstrip().startswith(f"{title.strip()}=")]
        name = max(begun, key=len, default=text.partition("=")[0].strip())
        equals, value = "=" in text, text.strip().removeprefix(name).lstrip().removeprefix("=").strip()
        if not (name and equals and value):
            raise RequestError(f"--condition '{text}' is not of the form NAME=VALUE")
        if name in found:
            raise RequestError(f"--condition asks for '{name}' twice; give one value, or an interval as {name}=30..40")
        found[name] = value
    return found


def remove_older(folder: Path, written: Sequence[Path]) -> None:
    """Removes numbered items that an earlier call left in the folder, and nothing else."""
    kept = {path.name for path in written}
    # Numbers of as many digits with the same ending: a 7.png or a 20240131.png is the user's own.
    forms = {(len(item.stem), item.suffix) for item in written if item.stem.isdigit()}
    for path in folder.iterdir():
        if path.stem.isdigit() and path.name not in kept and (len(path.stem), path.suffix) in forms:
            path.unlink()
