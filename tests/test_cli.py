import inspect
import io
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sparring
from sparring import api, cli, display, options
from sparring.limits import Limits
from sparring.model import Model
from sparring.proposal import propose
from sparring.session import Record

ROOT = Path(sparring.__file__).parent.parent
QUICK = ["--recipe", "dense", "--set", "training.precision=fp32", "training.layout=contiguous", "training.batch=8"]
COMMANDS = ["train", "sample", "score", "apply", "augment", "evaluate", "compare", "report", "check", "list"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """120 grey pictures of two classes, bright and dark, and one file that is no picture."""
    folder = tmp_path_factory.mktemp("data") / "shades"
    for number in range(120):
        values = np.random.default_rng(number).integers(0, 100, (8, 8)) + 150 * (number % 2)
        place = folder / ("bright" if number % 2 else "dark")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values.astype(np.uint8)).save(place / f"{number}.png")
    (folder / "dark" / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """A run of three steps, with what its training wrote to stdout and stderr."""
    run = tmp_path_factory.mktemp("runs") / "shades"
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main(["train", str(pictures), "-o", str(run), "--steps", "3", *QUICK])
    assert code == 0, err.getvalue()
    return run, out.getvalue(), err.getvalue()


@pytest.fixture
def call(capsys):
    """Runs the command line in this process; gives the exit code, stdout and stderr."""

    def run(*words):
        code = cli.main([str(word) for word in words])
        return (code, *capsys.readouterr())

    return run


def start(*words, **how):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    program = "import sys; from sparring.cli import main; sys.exit(main())"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", program, *map(str, words)], env=environment, **pipes | how)


def refused(result, code, *said):
    """The call failed with one line on stderr that says so, and nothing on stdout."""
    found, out, err = result
    assert (found, out) == (code, ""), err
    line = err.splitlines()[-1]
    assert line.startswith("sparring: ")
    assert "Traceback" not in err
    for text in said:
        assert text in line
    return True


# Help and words that do not fit.


@pytest.mark.parametrize("words", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help_imports_nothing_heavy(words):
    program = (
        "import sys; from sparring.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'numpy', 'pydantic', 'PIL', 'sklearn'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program, *words], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Usage: sparring" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_wherever_a_result_can_be_put_the_short_option_does_it_too(call, command):
    _, out, _ = call(command, "--help")
    entries = [line for line in out.splitlines() if line.startswith("  --out")]
    assert all(line.startswith("  --out, -o ") for line in entries)
    assert bool(entries) == (command in {"train", "sample", "apply", "augment", "compare", "report"})


def test_help_names_what_works_and_nothing_else(call):
    code, out, err = call("--help")
    assert (code, err) == (0, "")
    groups, _, below = out.partition("Examples:")
    listed = [line.split()[0] for line in groups.splitlines() if line[:2] == "  " != line[2:4]]
    assert set(listed) - {"--help,", "--version"} == set(COMMANDS)
    assert "sparring train digits" in below
    assert "--debug" in out


def test_the_version_is_the_packages(call):
    assert call("--version") == (0, f"{sparring.__version__}\n", "")


def test_python_runs_the_package_as_the_command_line():
    command = [sys.executable, "-m", "sparring", "--version"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout) == (0, f"{sparring.__version__}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trane", "x"], ["trane", "\"train\"?; 'sparring --help'"]),
        (["train"], ["DATA", "'sparring train --help'"]),
        (["train", "x", "--stepz", "3"], ["--stepz", "--steps"]),
        (["train", "x", "--steps", "many"], ["--steps", "many"]),
        (["train", "x", "--steps"], ["--steps"]),
        (["train", "x", "y"], ["'y'", "more than"]),
        (["sample"], ["RUN"]),
        (["score", "r"], ["DATA"]),
        (["list", "--json=perhaps"], ["--json"]),
    ],
)
def test_a_word_that_does_not_fit_is_one_line_with_the_remedy(call, words, said):
    result = call(*words)
    assert refused(result, 2, "--help", *said)
    assert len(result[2].splitlines()) == 1
    assert not set(result[2]) & set("╭│─╮╰╯")


@pytest.mark.parametrize(
    ("group", "function"),
    [(options.Reading, propose), (options.Length, Limits), (options.Place, api.train), (options.Asked, Model.sample)],
)
def test_options_are_keywords_of_the_function_and_have_no_default_of_their_own(group, function):
    keywords = set(inspect.signature(function).parameters)
    assert {field.name for field in fields(group)} <= keywords
    assert all(field.default is None for field in fields(group))
    assert options.given(group()) == {}


def test_several_assignments_may_follow_one_flag():
    assert cli._spread(["--set", "a=1", "b=2", "data", "--condition", "c=3", "-o", "d=4.png"]) == [
        *("--set", "a=1", "--set", "b=2", "data", "--condition", "c=3", "-o", "d=4.png")
    ]


def test_names_may_be_given_one_by_one_or_with_commas():
    assert options.separated(["age, gender", "hair"]) == ("age", "gender", "hair")
    assert options.separated(None) is None


# Training.


def test_training_names_the_run_the_grid_and_what_to_do_next(trained):
    run, out, _ = trained
    assert f"run    {run}" in out
    (grid,) = [line.split(maxsplit=1)[1] for line in out.splitlines() if line.startswith("grid")]
    with Image.open(grid) as picture:
        assert min(picture.size) >= 64
    assert f"sparring sample {run}" in out
    assert f"sparring evaluate {run}" in out


def test_training_says_on_stderr_what_was_found_and_what_is_trained(trained):
    _, out, err = trained
    assert "120 items of 8x8" in err
    assert "labels   label" in err
    assert "skipped  1 file" in err
    assert "dark/broken.png: " in err
    assert "dense" in err
    assert "parameters" in err
    assert "3 steps of 8 items in fp32, contiguous" in err
    assert "step 3 of 3, discriminator" in err
    assert "step" not in out


def test_training_ends_with_numbers_beside_their_floors(trained):
    _, out, _ = trained
    assert "floor" in out


def test_the_folder_is_named_after_data_and_task(call, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        code, out, _ = call("train", pictures, "--steps", "1", *QUICK)
        assert code == 0
        assert f"run    runs/shades-generation-{number}\n" in out
        assert (tmp_path / f"runs/shades-generation-{number}/generator.safetensors").is_file()


def test_a_run_is_not_trained_again_unasked(call, pictures, trained):
    before = (trained[0] / "experiment.json").read_bytes()
    assert refused(call("train", pictures, "--out", trained[0], "--steps", "1", *QUICK), 2, "--resume", "--overwrite")
    assert (trained[0] / "experiment.json").read_bytes() == before


def test_a_run_goes_on_with_the_same_settings_only(call, pictures, tmp_path):
    words = ["train", pictures, "--out", tmp_path / "r", *QUICK]
    code, _, err = call(*words, "--steps", "1", "--resume")
    assert (code, "no checkpoint to go on from: starts" in err) == (0, True)
    assert refused(call(*words, "--steps", "2", "--resume", "--seed", "5"), 2, "seed")
    assert refused(call(*words, "--resume", "--set", "training.batch=9"), 2, "training.batch = 8")
    code, _, err = call(*words, "--steps", "2", "--resume")
    assert code == 0
    assert "goes on after step 1" in err
    assert "step 2 of 2" in err


def test_overwriting_starts_again(call, pictures, tmp_path):
    words = ["train", pictures, "--out", tmp_path / "r", *QUICK, "--steps", "1"]
    assert call(*words)[0] == 0
    code, _, err = call(*words, "--overwrite", "--seed", "5")
    assert code == 0
    assert "goes on" not in err
    assert json.loads((tmp_path / "r/experiment.json").read_text())["experiment"]["seed"] == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--recipe", "dcgann"], ["dcgann", "dcgan"]),
        (["--task", "generatoin"], ["generation"]),
        (["--steps", "0"], ["steps"]),
        (["--minutes", "-1"], ["minutes"]),
        (["--until", "frechet"], ["METRIC<VALUE"]),
        (["--set", "game.los=hinge"], ["los"]),
        (["--set", "training.batch=none"], ["training.batch"]),
        (["--size", "huge"], ["size", "huge"]),
        (["--size", "12x"], ["size = '12x'", "48x64"]),
        (["--metrics", "fdi"], ["fdi", "frechet"]),
        (["--attributes", "colour"], ["colour", "label"]),
        (["--device", "tpu"], ["tpu", "cpu"]),
        (["--plugin", "no_such_module"], ["no_such_module"]),
        (["--modality", "smell"], ["smell"]),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_written(call, pictures, tmp_path, words, said):
    assert refused(call("train", pictures, "--out", tmp_path / "r", *words), 2, *said)
    assert not (tmp_path / "r" / "experiment.json").exists()


def test_data_that_are_not_there_are_named(call, tmp_path):
    assert refused(call("train", tmp_path / "nothing", "--out", tmp_path / "r"), 2, "nothing")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    assert refused(call("train", tmp_path / "broken", "--out", tmp_path / "r"), 1, "a.png")


def test_parts_of_ones_own_come_by_plugin(pictures, tmp_path):
    (tmp_path / "my_losses.py").write_text(
        "from sparring.losses import AdversarialLoss, Hinge\n"
        "class MyOwn(AdversarialLoss):\n"
        "    def discriminator(self, real, fake, target=None): return Hinge().discriminator(real, fake)\n"
        "    def generator(self, real, fake): return Hinge().generator(real, fake)\n"
    )
    words = ["--plugin", "my_losses", *QUICK, "game.loss=my-own", "--steps", "1"]
    with start("train", pictures, "--out", "r", *words, cwd=tmp_path) as process:
        _, err = process.communicate(timeout=280)
    assert process.returncode == 0, err
    assert "my-own" in err


def test_an_interrupt_saves_and_says_how_to_go_on(pictures, tmp_path):
    run = tmp_path / "r"
    words = ["train", pictures, "--out", run, *QUICK]
    with start(*words, "--steps", "1000000") as process:
        assert any(line.startswith("step ") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=280)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("sparring: ")
    assert f"--resume --out {run}" in err
    assert (run / "generator.safetensors").is_file()
    assert len(list((run / "checkpoints").iterdir())) == 1


# Sampling.


@pytest.mark.parametrize("ending", [".npy", ".npz", ".png", ""])
def test_the_ending_says_the_form(call, trained, tmp_path, ending):
    path = tmp_path / f"made{ending}"
    assert call("sample", trained[0], "-n", "5", "-o", path) == (0, f"{path}\n", "")
    if ending == ".npy":
        made = np.load(path)
        assert (made.shape, made.dtype) == ((5, 8, 8, 1), np.uint8)
    elif ending == ".npz":
        made = np.load(path)
        assert made["samples"].shape == (5, 8, 8, 1)
        assert set(made["label"].tolist()) <= {"bright", "dark"}
    elif ending == ".png":
        with Image.open(path) as picture:
            assert min(picture.size) >= 8
    else:
        assert len(list(path.glob("*.png"))) == 5


def test_without_a_path_a_new_folder_of_the_run_is_named(call, trained):
    found = [call("sample", trained[0], "-n", "2") for _ in range(2)]
    folders = [Path(out.strip()) for _, out, _ in found]
    assert folders == [trained[0] / "outputs" / "1", trained[0] / "outputs" / "2"]
    assert all(len(list(folder.glob("*.png"))) == 2 for folder in folders)


def test_the_command_gives_what_the_function_gives(call, trained, tmp_path):
    call("sample", trained[0], "-n", "3", "--seed", "4", "--condition", "label=dark", "-o", tmp_path / "a.npy")
    expected = sparring.sample(trained[0], 3, seed=4, condition={"label": "dark"})
    assert np.array_equal(np.load(tmp_path / "a.npy"), expected)


def test_names_with_equals_signs_can_be_asked_for():
    titles = ["pay", "pay=net", "pay=net=year", " town "]
    assert options.conditions(["pay=net=3..4", "pay=5", "town=a=b"], titles) == {
        "pay=net": "3..4", "pay": "5", "town": "a=b",
    }  # fmt: skip


@pytest.mark.parametrize("asked", ["label=bright", " label = bright ", "label=0"])
def test_blanks_around_conditions_do_not_count(call, trained, tmp_path, asked):
    path = tmp_path / "a.npz"
    assert call("sample", trained[0], "-n", "4", "--condition", asked, "-o", path)[0] == 0
    assert set(np.load(path)["label"].tolist()) == {"bright"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--condition", "bright"], ["NAME=VALUE", "bright"]),
        (["--condition", "label="], ["NAME=VALUE"]),
        (["--condition", "label=red"], ["red", "bright", "dark"]),
        (["--condition", "colour=red"], ["colour", "label"]),
        (["--condition", "label=dark", "--condition", "label=bright"], ["twice"]),
        (["-n", "0"], ["n = 0"]),
        (["--truncation", "0"], ["truncation"]),
        (["-o", "PATH.bmp"], [".bmp", ".png"]),
    ],
)
def test_a_wrong_wish_is_refused_and_nothing_is_written(call, trained, tmp_path, words, said):
    words = [word.replace("PATH", str(tmp_path / "made")) for word in words]
    words = words if "-o" in words else [*words, "-o", str(tmp_path / "made")]
    assert refused(call("sample", trained[0], *words), 2, *said)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten_unasked(call, trained, tmp_path):
    file, folder = tmp_path / "a.npy", tmp_path / "f"
    for path in (file, folder):
        assert call("sample", trained[0], "-n", "1", "-o", path)[0] == 0
        assert refused(call("sample", trained[0], "-n", "2", "-o", path), 2, str(path), "--overwrite")
        assert call("sample", trained[0], "-n", "2", "-o", path, "--overwrite")[0] == 0
    assert len(np.load(file)) == len(list(folder.glob("*.png"))) == 2


def test_a_folder_without_a_run_is_named(call, tmp_path):
    for words in (["sample", tmp_path], ["score", tmp_path, tmp_path], ["evaluate", tmp_path]):
        assert refused(call(*words), 2, str(tmp_path))


# Judging and looking.


def test_scores_are_one_a_picture(call, trained, pictures):
    code, out, _ = call("score", trained[0], pictures)
    rows = [line.split("\t") for line in out.splitlines()]
    assert (code, len(rows)) == (0, 120)
    read = json.loads(call("score", trained[0], pictures, "--json")[1])["scores"]
    assert {name: pytest.approx(float(value), rel=1e-4) for value, name in rows} == read
    assert "bright/1.png" in read


def test_an_evaluation_has_floors_for_people_and_for_programs(call, trained):
    code, out, _ = call("evaluate", trained[0], "--count", "64")
    assert code == 0
    assert "floor" in out
    read = json.loads(call("evaluate", trained[0], "--count", "64", "--json")[1])
    assert read["metrics"]
    assert all(row["name"] in out for row in read["metrics"])


def test_items_without_labels_are_scored_by_a_model_that_knows_some(call, trained, tmp_path):
    Image.fromarray(np.full((8, 8), 90, np.uint8)).save(tmp_path / "only.png")
    code, out, err = call("score", trained[0], tmp_path)
    assert (code, out.split("\t")[1]) == (0, "only.png\n"), err


def test_at_least_one_item_is_evaluated(call, trained):
    assert refused(call("evaluate", trained[0], "--count", "0"), 2, "count = 0")


def test_an_unknown_metric_is_refused_by_name(call, trained):
    assert refused(call("evaluate", trained[0], "--metrics", "fdi"), 2, "fdi")


def test_check_answers_people_and_programs(call, pictures):
    code, out, err = call("check", pictures, *QUICK)
    assert code == 0, err
    assert "120 items of 8x8 in grey" in out
    assert "broken.png" in out
    code, out, _ = call("check", pictures, *QUICK, "--json")
    read = json.loads(out)
    assert (code, read["attributes"]) == (0, {"label": {"dark": 60, "bright": 60}})
    assert read["forecast"]["parameters"]["generator"] > 0


def test_every_kind_and_part_is_listed_with_its_fields(call):
    code, out, _ = call("list", "--json")
    kinds = json.loads(out)
    assert code == 0
    assert {"loss", "penalty", "network", "game", "task", "metric", "modality", "data", "recipe", "training"} <= set(
        kinds
    )
    assert all(part["summary"] for parts in kinds.values() for part in parts.values())
    fields = [(name, f) for parts in kinds.values() for name, part in parts.items() for f in part["fields"]]
    assert [name for name, field in fields if not field["meaning"]] == []
    for kind in ("penalty", "recipe"):
        shown, told = call("list", kind)[1], json.loads(call("list", kind, "--json")[1])
        assert told == kinds[kind]
        assert all(f"{name}: {part['summary']}" in shown for name, part in told.items())
    assert "gamma" in call("list", "penalty")[1]
    assert all(f"\n{kind} " in f"\n{call('list')[1]}" for kind in kinds)


def test_an_unknown_kind_is_refused_with_the_choices(call):
    assert refused(call("list", "loses"), 2, "loses", "loss", "recipe")


# What goes wrong beside requests.


def test_what_nobody_expected_is_one_line_and_debug_shows_where(call, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr("sparring.model.load", broken)
    assert refused(call("score", "r", "d"), 1, "ZeroDivisionError: one two", "--debug")
    code, out, err = call("score", "r", "d", "--debug")
    assert (code, out, "Traceback" in err) == (1, "", True)


def test_a_file_that_cannot_be_written_is_named(call, trained, tmp_path):
    (tmp_path / "file").write_text("")
    assert refused(call("sample", trained[0], "-o", tmp_path / "file" / "a.npy"), 1, "file")


def test_ctrl_c_outside_of_training_ends_with_130(call, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sparring.model.load", interrupted)
    assert call("score", "r", "d") == (130, "", "sparring: interrupted\n")


def test_a_reader_that_goes_away_is_no_error_to_talk_about():
    with start("list") as process:
        process.stdout.close()
        assert process.wait(280) == 1
        assert process.stderr.read() == ""


# The progress of a training.


def record(step, note=None):
    return Record(step, 100, step * 8, {"discriminator/discriminator": 1.5, "discriminator/r1": 0.25}, 40.0, 1.0, note)


def test_plain_lines_keep_apart_but_for_notes_and_the_end(capsys):
    now = [0.0]
    lines = display._Lines(clock=lambda: now[0])
    for step in (1, 2, 3, 100):
        now[0] += display.PAUSE / 2
        lines.show(record(step))
    lines.show(record(100, "it happened"))
    said = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in said] == ["step 1 of 100", "step 3 of 100", "step 100 of 100", "it happened"]
    assert said[0] == "step 1 of 100, discriminator 1.5, r1 0.25, 40 images/s, 20 s left"


def test_a_terminal_shows_one_line_that_is_redrawn(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = display._Bar()
    for step in (1, 2, 100):
        bar.show(record(step))
    drawn = sys.stderr.getvalue()
    assert "2/100" in drawn
    assert "discriminator 1.5" not in drawn  # it does not fit, and no part is cut off
    assert "100/100" in drawn
    assert "\n" not in drawn
    bar.show(record(100, "it [bold]happened"))
    bar.close()
    assert "it [bold]happened\n" in sys.stderr.getvalue()


def test_overwriting_a_folder_leaves_none_of_the_older_items(call, trained, tmp_path):
    run, _, _ = trained
    assert call("sample", run, "-n", "5", "-o", tmp_path / "more")[0] == 0
    for mine in ("holiday.png", "7.png", "20240131.png", "00003.csv"):
        (tmp_path / "more" / mine).write_bytes(b"mine")
    assert call("sample", run, "-n", "2", "-o", tmp_path / "more", "--overwrite")[0] == 0
    left = sorted(path.name for path in (tmp_path / "more").glob("*.png"))
    assert left == ["00000.png", "00001.png", "20240131.png", "7.png", "holiday.png"]
    assert (tmp_path / "more" / "00003.csv").is_file()


def test_what_cannot_be_done_is_not_proposed(call, tmp_path):
    for number in range(3):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / f"{number}.png")
    code, out, err = call("train", tmp_path, "--out", tmp_path.parent / "few-run", "--steps", "1", *QUICK)
    assert code == 0, err
    assert "sparring sample" in out
    assert "sparring evaluate" not in out
