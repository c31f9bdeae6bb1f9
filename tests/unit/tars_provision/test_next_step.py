# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in messages: each exists with the options that it is printed with."""

import ast
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tars_provision import next_step, project
from tars_provision.cli import main

LIBRARY = Path(next_step.__file__).parent


def printed() -> Iterator[tuple[str, list[str]]]:
    """Yield the arguments of every command of this program in a message; values that vary are `x`."""
    for path in sorted(LIBRARY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called == "next_step.command" and isinstance(node, ast.Call):
                words = [part.value if isinstance(part, ast.Constant) else "x" for part in node.args]
                yield f"{path.name}:{node.lineno}", [str(word) for word in words]


COMMANDS = dict(printed())


@pytest.mark.parametrize("place", COMMANDS)
def test_every_command_in_a_message_is_accepted(place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    command: click.Command = main
    arguments, context = COMMANDS[place], click.Context(main)
    while isinstance(command, click.Group):
        inner = command.get_command(context, arguments[0])
        assert inner is not None, arguments
        command, arguments = inner, arguments[1:]
    command.make_context(command.name, list(arguments))


def test_messages_with_commands_are_covered() -> None:
    assert len(COMMANDS) >= 8


def test_words_are_quoted_for_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = next_step.command("init", "-i", "our house/it's")
    assert shlex.split(text.strip("`"))[1:] == ["init", "-i", "our house/it's"]
    monkeypatch.chdir(project.PROGRAM.parent)
    assert next_step.program() == "./tars"
    monkeypatch.chdir(tmp_path)
    assert Path(next_step.program()).is_absolute()
