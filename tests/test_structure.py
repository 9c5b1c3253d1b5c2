import ast
import importlib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from sparring.modalities import Modality

PACKAGE = Path(__file__).parent.parent / "sparring"
MODULES = {".".join(p.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip("."): p
           for p in sorted(PACKAGE.rglob("*.py"))}  # fmt: skip

# A folder's floor is that of every module in it; a module that is named by itself goes before its folder.
FLOORS = {
    **dict.fromkeys(
        [
            "errors",
            "types",
            "part",
            "randomness",
            "files",
            "limits",
            "memory",
            "pictures",
            "provenance",
            "registration",
            "facts",
        ],
        0,
    ),
    **dict.fromkeys(
        [
            "privacy",
            "losses",
            "penalties",
            "terms",
            "agreement",
            "memories",
            "perceptual",
            "degradations",
            "views",
            "optimisers",
            "wording",
        ],
        1,
    ),
    **dict.fromkeys(["modalities", "networks"], 2),
    **dict.fromkeys(["data", "games", "metrics", "baselines", "lot", "learners", "augmentations"], 3),
    # The engine asks a task for its specification and batches: the kind stands on its floor, the tasks above.
    **dict.fromkeys(
        ["training", "plan", "run", "stored", "ownership", "tiles", "chunked", "watch", "signs", "processes", "tasks"],
        4,
    ),
    **dict.fromkeys(["thinning", "checkpoint"], 4),
    **dict.fromkeys(["clipping", "dense_clipping", "leaks", "settings"], 4),
    **dict.fromkeys(["tasks.*"], 5),
    **dict.fromkeys(["restoring", "applying", "codec", "experiment"], 6),
    **dict.fromkeys(["recipes", "jury", "evaluation", "model", "planning", "proposal", "remedies", "rooming"], 7),
    **dict.fromkeys(
        [
            "reporting",
            "explore",
            "session",
            "learning",
            "checks",
            "catalogue",
            "engines",
            "forecast",
            "watching",
            "specimens",
        ],
        8,
    ),
    **dict.fromkeys(
        [
            "advice",
            "sides",
            "counts",
            "reference",
            "bench",
            "jackknife",
            "differences",
            "audit",
            "archive",
            "best",
            "record",
            "benefit",
            "lots",
            "augmenting",
            "enlarged",
            "refining",
        ],
        7,
    ),
    **dict.fromkeys(["comparison", "shared_bench", "sheets", "board", "measuring", "engines"], 8),
    **dict.fromkeys(["", "api", "display", "estimators"], 9),
    **dict.fromkeys(["cli", "adding", "judging", "manual", "options", "printing", "web", "__main__"], 10),
}


def floor(module: str) -> int | None:
    folder, _, inside = module.partition(".")
    return FLOORS.get(f"{folder}.*") if inside and f"{folder}.*" in FLOORS else FLOORS.get(folder)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def imports(module: str) -> set[str]:
    """The modules of the package that a module imports anywhere in its text."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are written in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name.removeprefix("sparring.") in MODULES else str(node.module) for name in names}
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name.removeprefix("sparring").lstrip(".") for name in found if name.split(".")[0] == "sparring"} - {module}


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_go_down_the_floors(module):
    assert floor(module) is not None, f"{module} stands on no floor: give it one in ARCHITECTURE.md and here"
    upwards = {name: floor(name) for name in imports(module) if (floor(name) or 0) > floor(module)}
    assert not upwards, f"{module} on floor {floor(module)} imports {upwards}"


def test_no_two_modules_import_each_other():
    TopologicalSorter({module: imports(module) for module in MODULES}).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported(module):
    try:
        importlib.import_module(f"sparring.{module}".rstrip("."))
    except ModuleNotFoundError as missing:
        if str(missing.name).split(".")[0] == "sparring":
            raise
        pytest.skip(f"needs the extra that brings {missing.name}")


@pytest.mark.parametrize("module", MODULES)
def test_a_file_is_short_and_named_for_what_it_holds(module):
    forbidden = ("util", "common", "base", "manager", "handler", "helper", "worker", "misc")
    names = [module, *(node.name for node in ast.walk(tree(module)) if isinstance(node, ast.ClassDef))]
    assert not [name for name in names if name.lower().rpartition(".")[2].strip("_").startswith(("utils", "common"))]
    assert not [name for name in names if name.lower().endswith(forbidden)]
    assert len(MODULES[module].read_text("utf-8").splitlines()) <= 350


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith(("modalities", "data"))])
def test_nobody_above_asks_which_modality_it_is(module):
    known = {part.__name__ for part in Modality.parts().values()}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            asked = {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
            assert not asked & known, f"{module} asks for {asked & known}: let the kind Modality answer"


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_is_described(module):
    definitions = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    public = [n for n in tree(module).body if isinstance(n, definitions) and not n.name.startswith("_")]
    assert not [node.name for node in public if not ast.get_docstring(node)]
    assert ast.get_docstring(tree(module)) or not tree(module).body


@pytest.mark.parametrize("module", MODULES)
def test_no_module_names_what_the_house_forbids(module):
    for node in ast.walk(tree(module)):
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        assert not future, "postponed annotations hide shapes from the checker"
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), "a bare except hides faults"
        unpickles = isinstance(node, ast.Import) and any(a.name in ("pickle", "dill", "joblib") for a in node.names)
        assert not unpickles, "nothing is ever unpickled"
