import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sparring
from sparring import cli
from sparring.catalogue import catalogue
from sparring.part import Part

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/data.md", "docs/parts.md",
                                  "docs/extending.md", "docs/safety.md", "docs/metrics.md",
                                  "docs/privacy.md", "docs/augmentation.md")]  # fmt: skip


def blocks(page, language=""):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [text for spoken, text in fenced if spoken == language]


def commands():
    """Every call of the command line in the documents, as words."""
    for page in PAGES:
        for line in "".join(blocks(page)).splitlines():
            if line.startswith("sparring "):
                yield page.name, shlex.split(line, comments=True)[1:]


@pytest.mark.parametrize(("page", "words"), list(commands()), ids=str)
def test_a_documented_command_is_one(page, words):
    _, bound, _ = cli.app.parse_args(cli._spread(words), print_error=False, exit_on_error=False)
    assert bound.arguments or words == ["list"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_project_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


KINDS = ["recipe", "loss", "penalty", "constraint", "view", "network", "judge", "optimiser", "metric", "features",
         "baseline", "game", "term", "degradation", "holes", "detector",
         "augmentation", "learner"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_parts_names_every_part_of_this_package(kind):
    text = (ROOT / "docs" / "parts.md").read_text("utf-8")
    there = recipes_or_parts(kind)
    assert there
    assert not [name for name in there if f"`{name}`" not in text]


def recipes_or_parts(kind):
    if kind == "recipe":
        return [entry.name for entry in catalogue().shelves["recipe"].entries]
    catalogue()
    found = {part.kind: part for part in kinds(Part)}[kind]
    return [name for name, part in found.parts().items() if part.__module__.startswith("sparring.")]


def kinds(above):
    for part in above.__subclasses__():
        if part.is_kind():
            yield part
        yield from kinds(part)


def test_documented_fields_are_there():
    fields = {field.name for shelf in catalogue().shelves.values() for entry in shelf.entries for field in entry.fields}
    fields.add("sharpness")  # of the loss that extending.md writes
    paths = re.findall(r"--set ([a-z_.-]+)=", "".join(page.read_text("utf-8") for page in PAGES))
    assert paths
    assert not [path for path in paths if path.rpartition(".")[2] not in fields]


def test_the_documented_plugin_runs_as_it_stands(tmp_path):
    module, use = blocks(ROOT / "docs" / "extending.md", "python")
    (tmp_path / "softened.py").write_text(module, encoding="utf-8")
    (tmp_path / "use.py").write_text(use.replace("steps=200", "steps=4"), encoding="utf-8")
    python(tmp_path, "use.py")
    # Another process than this one, whose other tests must not see the new loss.
    listed = python(tmp_path, "-m", "sparring.cli", "list", "--plugin", "softened")
    assert "soft-hinge" in listed
    assert set(KINDS) <= {line.split()[0] for line in listed.splitlines() if line}


def python(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_readme_example_runs_as_it_stands(tmp_path, monkeypatch):
    (text,) = blocks(ROOT / "README.md", "python")
    monkeypatch.chdir(tmp_path)
    short = text.replace("minutes=2", 'steps=4, recipe="dense"').replace("steps=500", "steps=4")
    assert short.count("steps=4") == 2
    exec(compile(short, "README.md", "exec"), {})
    assert (tmp_path / "sevens.png").is_file()


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == sparring.__version__


def test_the_constraints_pin_versions_and_name_no_place_of_a_machine():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\d.]+", pin) for pin in pins)
    assert "torch==2.13.0" in pins


def test_the_tree_in_the_readme_names_every_module_and_folder():
    (tree,) = [block for block in blocks(ROOT / "README.md") if block.startswith("sparring/\n")]
    there = [path for path in (ROOT / "sparring").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    names = {path.name + "/" * path.is_dir() for path in there} - {"__init__.py"}
    assert not names - set(tree.split()), "name it in the README's tree"
    assert not {word for word in tree.partition("tests/")[0].split() if word.endswith(".py")} - names
