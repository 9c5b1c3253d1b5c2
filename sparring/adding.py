"""The command that enlarges labelled data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sparring.options import Data, Json, Plugin, RunFolder, Seed, given
from sparring.printing import print_result, say


@dataclass(frozen=True, kw_only=True)
class Adding:
    """Options that say how much is added: keywords of ``sparring.augment``."""

    label: Annotated[str | None, Parameter(metavar="NAME", help="the column or attribute that is the class")] = None
    factor: Annotated[float | None, Parameter(metavar="X", help="so many times as many items")] = None
    balance: Annotated[
        bool | None, Parameter(help="as many of each class as of the commonest; so too without --factor")
    ] = None
    seeds: Annotated[int | None, Parameter(metavar="N", help="times that each way is measured")] = None
    seed: Seed = None


def augment(  # noqa: PLR0913
    run: RunFolder,
    data: Data,
    /,
    *,
    out: Annotated[
        Path, Parameter(("-o", "--out"), metavar="PATH", help="a folder, .csv, .tsv, .parquet or .npz, not there yet")
    ],
    asked: Annotated[Adding | None, Parameter("*")] = None,
    as_json: Json = False,
    plugin: Plugin = None,
) -> None:
    """Balance or enlarge labelled data, and measure whether that helps."""
    from sparring import api

    api.import_plugins(plugin or ())
    say(f"reads {data}, makes items, then teaches classifiers with and without them")
    print_result(api.augment(run, data, out, **given(asked)), as_json)
