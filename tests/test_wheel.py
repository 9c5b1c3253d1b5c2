import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


def call(*words, **asked):
    """Runs a command without this checkout on Python's path; gives what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(word) for word in words]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=200, check=False, cwd=asked.get("cwd")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """An empty environment with the wheel, which finds what the package depends on in the running one."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    packages = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # Only the package's own editable link in the running environment is left behind: links in linked folders are not
    # followed.
    others = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "others.pth").write_text("\n".join(others), encoding="utf-8")
    call(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    return folder


def test_a_wheel_holds_every_module_the_marker_of_types_and_the_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "sparring").rglob("*.py")}
    assert modules | {"sparring/py.typed"} <= held
    assert any(name.endswith("licenses/LICENSE") for name in held)
    assert not [name for name in held if not name.startswith("sparring")]


def test_an_installed_wheel_is_imported_from_its_environment(environment, tmp_path):
    said = call(environment / "bin" / "python", "-c", "import sparring; print(sparring.__file__)", cwd=tmp_path)
    assert Path(said.strip()).is_relative_to(environment)


def test_an_installed_wheel_brings_the_command(environment, tmp_path):
    assert "train" in call(environment / "bin" / "sparring", "--help", cwd=tmp_path)


def test_an_installed_wheel_learns_and_samples(environment, tmp_path):
    learn = "import sparring; sparring.train('digits', recipe='dense', steps=4, out='run')"
    call(environment / "bin" / "python", "-c", learn, cwd=tmp_path)
    call(environment / "bin" / "sparring", "sample", "run", "-n", 4, "-o", "four.npy", cwd=tmp_path)
    assert (tmp_path / "four.npy").is_file()
