import shlex

import pytest
from rich.console import Console

from sparring import cli, manual


@pytest.mark.parametrize(
    ("command", "line"), [(name, line) for name in manual.EXAMPLES for line in manual.EXAMPLES[name]]
)
def test_every_example_of_the_help_is_understood_and_shown(capsys, command, line):
    program, *words = shlex.split(line)
    assert program == "sparring"
    called, *_ = cli.app.parse_args(cli._spread(words), print_error=False, exit_on_error=False)
    assert called.__name__ in (command, words[0], "list_parts")
    assert cli.main([*command.split(), "--help"]) == 0
    assert f"\n  {line}\n" in capsys.readouterr().out


def test_every_command_has_a_group_and_examples():
    commands = {name for name in cli.app if not name.startswith("-")}
    assert set(manual.EXAMPLES) - {""} == commands
    assert all(cli.app[name].group for name in commands)


@pytest.mark.parametrize("width", ["50", "80", "130"])
def test_help_keeps_to_the_width_of_the_terminal(capsys, monkeypatch, width):
    # The console may have been made already, when the variable said something else.
    monkeypatch.setattr(cli.app, "console", Console(width=int(width)))
    cli.main(["train", "--help"])
    described = capsys.readouterr().out.partition("Examples:")[0]
    assert "'{age}_{gender}_*'" in described
    assert max(map(len, described.splitlines())) <= int(width)
