"""The commands that judge runs beside each other and tell of them."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sparring.errors import RequestError
from sparring.options import Json, Plugin, RunFolder
from sparring.printing import print_json, say


def compare(
    *runs: Annotated[Path, Parameter(name="RUN", help="folders of runs, the first is what the others stand against")],
    out: Annotated[
        Path | None, Parameter(("-o", "--out"), metavar="PATH", help="the picture, .png; in the first run by default")
    ] = None,
    count: Annotated[int | None, Parameter(metavar="N", help="items of each side, at most")] = None,
    best: Annotated[bool, Parameter(help="the models that were best on held-back items, not the last")] = False,
    as_json: Json = False,
    plugin: Plugin = None,
) -> None:
    """Set runs side by side: one table, one picture, and which differences are real."""
    from sparring import api, comparison

    api.import_plugins(plugin or ())
    if out is not None and out.suffix.lower() != ".png":
        raise RequestError(f"-o {out}: the picture is a PNG file; give a name that ends in .png")
    found = comparison.compare(runs, **({} if count is None else {"count": count}), best=best)
    picture = out or runs[0] / "comparison.png"
    comparison.draw(runs, picture, best=best)
    if as_json:
        print_json(found.to_json() | {"picture": str(picture)})
    else:
        print("\n".join([*found.lines(), f"picture {picture}"]))


def report(
    run: RunFolder,
    /,
    *,
    out: Annotated[
        Path | None, Parameter(("-o", "--out"), metavar="PATH", help="the page; report.html in the run by default")
    ] = None,
    plugin: Plugin = None,
) -> None:
    """Write one self-contained HTML page about a run."""
    from sparring import api
    from sparring.reporting import report as write

    api.import_plugins(plugin or ())
    say("evaluates where that was not done yet, and draws")
    print(write(run, out))
