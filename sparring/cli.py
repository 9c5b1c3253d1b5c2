"""The command line: one more user of the library. An option is a keyword of the function that it is passed to.

What costs time to import is imported inside of the commands, so that ``sparring --help`` answers at once.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from sparring import __version__
from sparring.adding import augment
from sparring.errors import DataError, RequestError, SparringError, choices
from sparring.judging import compare, report
from sparring.manual import DATA, JUDGE, LEARN, LENGTH, MAKE, OTHER, PLACE, PRIVACY, Columns, epilogue
from sparring.options import (
    Applying,
    Asked,
    Data,
    Device,
    Json,
    Length,
    Metrics,
    Place,
    Plugin,
    Promise,
    Reading,
    RunFolder,
    conditions,
    free_folder,
    given,
    refuse_occupied,
    remove_older,
    separated,
)
from sparring.printing import print_json, print_result, say

app = App(
    name="sparring",
    help="Learns the likeness of your data with a generative adversarial network, and makes more of it.",
    help_epilogue=epilogue(),
    help_format="plaintext",
    help_formatter=Columns(),
    default_parameter=Parameter(negative=(), show_default=False),
    suppress_keyboard_interrupt=False,
    version=__version__,
)
app["--help"].help = "show this, or what a command takes"
app["--version"].help = "show the version"
app["--help"].group = app["--version"].group = OTHER


@app.command(group=LEARN, sort_key=2, help_epilogue=epilogue("train"))
def train(  # noqa: PLR0913
    data: Data,
    /,
    *,
    place: Annotated[Place | None, Parameter("*", group=PLACE)] = None,
    length: Annotated[Length | None, Parameter("*", group=LENGTH)] = None,
    reading: Annotated[Reading | None, Parameter("*", group=DATA)] = None,
    promise: Annotated[Promise | None, Parameter("*", group=PRIVACY)] = None,
    metrics: Annotated[Metrics, Parameter(group=PLACE)] = None,
) -> None:
    """Learn the data; stops at the first limit that is given, else at the recipe's length."""
    from sparring import api, display
    from sparring.tasks.generation import Generation

    asked = given(reading) | given(length) | given(place) | given(promise)
    if "out" not in asked:
        asked["out"] = api.default_out(data, asked.get("task", Generation.name))
    out = asked["out"]
    if metrics is not None:
        from sparring.jury import wished

        # Refused now, not after an hour of training.
        api.import_plugins(asked.get("plugin", ()))
        wished(separated(metrics) or (), None, None)
    if os.environ.get("RANK", "0") != "0":
        # One of many processes that torchrun started; the first one speaks.
        api.train(data, **asked)
        return
    say(f"reads {data}")
    with display.Progress(out, asked.get("recipe")) as progress:
        api.train(data, **asked, on_record=progress)
    grids = sorted((out / "samples").glob("*.png"))
    print(f"run    {out}")
    print(f"grid   {grids[-1]}" if grids else "grid   none")
    if metrics is None:
        _print_quick_numbers(out)
    else:
        print("\n".join(api.evaluate(out, metrics=separated(metrics) or ()).lines()))
    print(f"next   {api.next_command(out)}")
    if api.has_held_back(out):
        print(f"       sparring evaluate {out}")


@app.command(group=MAKE, sort_key=1, help_epilogue=epilogue("sample"))
def sample(  # noqa: PLR0913
    run: RunFolder,
    /,
    *,
    n: Annotated[int | None, Parameter("-n", metavar="N", help="how many")] = None,
    out: Annotated[
        Path | None,
        Parameter(("-o", "--out"), metavar="PATH", help="a folder, or a file whose ending says its form"),
    ] = None,
    overwrite: Annotated[bool, Parameter(help="replace files that are there")] = False,
    best: Annotated[bool, Parameter(help="from the model that was best on held-back items, not the last")] = False,
    asked: Annotated[Asked | None, Parameter("*")] = None,
    plugin: Plugin = None,
) -> None:
    """Make new items; without -o in a folder of the run."""
    from sparring.api import import_plugins
    from sparring.model import load

    import_plugins(plugin or ())
    model = load(run, best=best)
    path = out or free_folder(run / "outputs")
    if not overwrite:
        refuse_occupied(path)
    wished, titles = given(asked), (*model.modality.described(), *model.asking.titles())
    wished |= {"condition": conditions(wished.pop("condition", ()), titles)} | ({} if n is None else {"n": n})
    items, columns = model.sample_with_conditions(**wished)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = model.save(items, path, columns)
    if overwrite and path.is_dir():
        remove_older(path, written)
    print(path)


@app.command(group=JUDGE, sort_key=4, help_epilogue=epilogue("score"))
def score(run: RunFolder, data: Data, /, *, as_json: Json = False, plugin: Plugin = None) -> None:
    """Give the discriminator's verdict on each item."""
    from sparring import api
    from sparring.model import load

    api.import_plugins(plugin or ())
    model = load(run)
    if not model.experiment.task.game.adversarial:
        say("this model has no discriminator: the scores are its evidence lower bound of each item, in nats")
    verdicts = dict(api.score(model, data))
    if as_json:
        print_json({"scores": verdicts})
    else:
        for name, verdict in verdicts.items():
            print(f"{verdict:.6g}\t{name}")


@app.command(group=MAKE, sort_key=2, help_epilogue=epilogue("apply"))
def apply(
    run: RunFolder,
    /,
    *inputs: Annotated[str, Parameter(metavar="INPUT", help="pictures, or folders of them")],
    out: Annotated[Path, Parameter(("-o", "--out"), metavar="PATH", help="a folder, or a file for one picture")],
    asked: Annotated[Applying | None, Parameter("*")] = None,
    plugin: Plugin = None,
) -> None:
    """Restore or translate pictures; a file that fails is named, and the rest is done."""
    from sparring import api, display

    api.import_plugins(plugin or ())
    with display.Counter() as counter:
        done = api.apply(run, list(inputs), out, on_file=counter, **given(asked))
    for path in done.written:
        print(path)
    for fault in done.failed:
        say(f"sparring: {fault.file}: {fault.reason}")
    if done.failed:
        raise DataError(f"{len(done.failed)} of {len(done.failed) + len(done.written)} pictures failed")


@app.command(group=JUDGE, sort_key=1, help_epilogue=epilogue("evaluate"))
def evaluate(  # noqa: PLR0913
    run: RunFolder,
    /,
    *,
    against: Annotated[str | None, Parameter(metavar="DATA", help="other data to compare with")] = None,
    metrics: Metrics = None,
    features: Annotated[str | None, Parameter(metavar="NAME", help="such as inception, for FID, or dinov2")] = None,
    weights: Annotated[str | None, Parameter(metavar="PATH", help="file of the weights of such features")] = None,
    count: Annotated[int | None, Parameter(metavar="N", help="how many generated items")] = None,
    beside: Annotated[Path | None, Parameter(metavar="RUN", help="another run, in a column of its own")] = None,
    best: Annotated[bool, Parameter(help="judge the model that was best on held-back items, not the last")] = False,
    as_json: Json = False,
    plugin: Plugin = None,
) -> None:
    """Take numbers, each beside its floor."""
    from sparring import api

    api.import_plugins(plugin or ())
    asked: dict[str, Any] = {"against": against, "metrics": separated(metrics), "count": count}
    asked |= {"features": features, "weights": weights, "beside": beside, "best": best or None}
    found = api.evaluate(run, **{name: value for name, value in asked.items() if value is not None})
    print_result(found, as_json)


app.command(augment, group=MAKE, sort_key=3, help_epilogue=epilogue("augment"))
app.command(compare, group=JUDGE, sort_key=2, help_epilogue=epilogue("compare"))
app.command(report, group=JUDGE, sort_key=3, help_epilogue=epilogue("report"))


@app.command(group=LEARN, sort_key=1, help_epilogue=epilogue("check"))
def check(
    data: Data,
    /,
    *,
    reading: Annotated[Reading | None, Parameter("*")] = None,
    device: Device = None,
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Say what is wrong with data and what training would take."""
    from sparring import api, checks

    api.import_plugins(plugin or ())
    asked = given(reading) | ({} if device is None else {"device": device})
    say(f"reads {data}, then plays a few steps to measure")
    print_result(checks.check(data, **asked), as_json)


@app.command(name="list", group=LEARN, sort_key=3, help_epilogue=epilogue("list"))
def list_parts(
    kind: Annotated[str | None, Parameter(help="loss, network, recipe …; all kinds by default")] = None,
    /,
    *,
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Show every part with its fields and defaults."""
    from sparring import api
    from sparring.catalogue import catalogue

    api.import_plugins(plugin or ())
    found = catalogue()
    if kind is not None and kind not in found.shelves:
        raise RequestError(choices(kind, "kind", list(found.shelves)))
    print_result(found if kind is None else found.shelves[kind], as_json)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: the words after ``sparring``; those of the process where not given.

    Returns:
        The exit code: 0 done, 1 failed at work, 2 the request was wrong, 130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        app(
            _spread([word for word in words if word != "--debug"]),
            print_error=False,
            exit_on_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            import traceback

            traceback.print_exc()
        return _refusal(error)


def program() -> NoReturn:
    """Runs the command line as a process of its own, and ends it."""
    code = main()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Threads of torch.distributed outlive their group and may abort a Python that ends in the usual way. By now
        # every file is closed and every error told.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _refusal(error: BaseException) -> int:
    """Says in one line what went wrong; the exit code."""
    if isinstance(error, BrokenPipeError):
        # The reader has gone; what is left must not be written when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, CycloptsError):
        error.verbose = False
        command = " ".join(["sparring", *(error.command_chain or ())])
        say(f"sparring: {_sentence(error)}; '{command} --help' shows what there is")
        return RequestError.exit_code
    if isinstance(error, KeyboardInterrupt):
        say("sparring: interrupted")
        return 130
    if isinstance(error, SparringError):
        say(f"sparring: {error}")
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        say(f"sparring: {error.filename}: {error.strerror}; give another path, or see to its rights (--debug: where)")
    else:
        said = " ".join(str(error).splitlines())
        say(f"sparring: unexpected {type(error).__name__}: {said}; --debug shows where")
    return 1


def _sentence(error: CycloptsError) -> str:
    """The message of a word that does not fit, as one clause."""
    if isinstance(error, UnusedCliTokensError):
        return f"'{' '.join(error.unused_tokens or [])}' is more than this command takes"
    text = " ".join(str(error).partition(" Available commands:")[0].split()).rstrip(".")
    return text[:1].lower() + text[1:]


def _spread(words: list[str]) -> list[str]:
    """``--set a=1 b=2`` as ``--set a=1 --set b=2``, and ``--condition`` likewise."""
    found: list[str] = []
    for word in words:
        option = found[-2] if len(found) > 1 else ""
        if option in ("--set", "--condition") and "=" in word and not word.startswith("-"):
            found.append(option)
        found.append(word)
    return found


def _print_quick_numbers(out: Path) -> None:
    from sparring.evaluation import Evaluation
    from sparring.run import Run

    taken = Run(out).records("metrics")
    if taken:
        print("\n".join(Evaluation.from_json(taken[-1]).lines()))


if __name__ == "__main__":
    program()
