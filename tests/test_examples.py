import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def run(example, folder, *options, steps=40, environment=ENVIRONMENT):
    """Runs an example as a user does, in another folder; gives what it printed."""
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / example), "--steps", str(steps)]
    command += ["--out", str(folder / "run"), *options]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", [name for name in EXAMPLES if name not in ("records.py", "words.py")])
def test_an_example_runs_and_says_what_it_did(example, tmp_path):
    assert run(example, tmp_path, steps=12)
    assert (tmp_path / "run" / "generator.safetensors").is_file()


def test_the_records_example_pauses_at_its_half_and_goes_on(tmp_path):
    lines = run("records.py", tmp_path).splitlines()
    pause = next(number for number, line in enumerate(lines) if "goes on after step" in line)
    assert lines[pause].endswith("step 20")
    assert lines[-2].startswith("step    40 of 40")
    assert lines[-1] == "made (4, 8, 8, 1)"


def test_the_words_example_needs_a_chinese_font_and_says_so(tmp_path):
    nowhere = ENVIRONMENT | {"PATH": str(tmp_path)}
    said = run("words.py", tmp_path, environment=nowhere)
    assert "fonts-noto-cjk" in said
    assert len(said.splitlines()) == 1


def test_the_words_example_reads_unseen_words(tmp_path):
    said = run("words.py", tmp_path, "--count", "1080", steps=4)
    if "fonts-noto-cjk" in said:
        pytest.skip("there is no Chinese font here")
    assert "of 108 unseen words read correctly" in said
    assert (tmp_path / "run" / "generator.safetensors").is_file()
