# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in messages: each works as printed, in a shell, from the checkout and from another folder."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tars_provision import next_step, project
from tars_provision.cli import main

LIBRARY = Path(next_step.__file__).parents[1]
FUNCTIONS = {"next_step.command", "next_step.line"}
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if "next_step" in path.read_text())


VALUES = {"--since": "2026", "--undo": "00000000-0000-0000-0000-000000000000"}
"""Values of options that do not take every text."""


def printed() -> Iterator[tuple[str, list[str]]]:
    """Yield the arguments of every command of this program in a message; what varies is `x` or in VALUES."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in FUNCTIONS and path.name != "next_step.py":
                words: list[str] = []
                for part in node.args:
                    varies = VALUES.get(words[-1], "x") if words else "x"
                    words.append(str(part.value) if isinstance(part, ast.Constant) else varies)
                yield f"{path.name}:{node.lineno}:{node.col_offset}", words


COMMANDS = dict(printed())


@pytest.mark.parametrize("place", COMMANDS)
def test_every_command_in_a_message_is_accepted(place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("the file that a message cannot name\n")
    command: click.Command = main
    arguments, context = COMMANDS[place], click.Context(main)
    while isinstance(command, click.Group):
        inner = command.get_command(context, arguments[0])
        assert inner is not None, arguments
        command, arguments = inner, arguments[1:]
    command.make_context(command.name, list(arguments))


@pytest.mark.parametrize("folder", [project.PROGRAM.parent, Path("/")], ids=["checkout", "elsewhere"])
def test_every_command_runs_in_a_shell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for arguments in sorted({tuple(arguments) for arguments in COMMANDS.values()}):
        words = 2 if isinstance(main.get_command(click.Context(main), arguments[0]), click.Group) else 1
        line = next_step.line(*arguments[:words], "--help", *arguments[words:])
        done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True)  # noqa: S602 - as a reader
        assert done.returncode == 0 and "Usage: tars-provision" in done.stdout, f"{line}\n{done.stdout}{done.stderr}"


def test_messages_with_commands_are_covered() -> None:
    assert len(COMMANDS) >= 25
    assert {arguments[0] for arguments in COMMANDS.values()} >= {
        "init",
        "lab",
        "names",
        "nas",
        "site",
        "spec",
        "verify",
    }


PROGRAM = re.compile(rf"`(\./tars|tars-provision|{'|'.join(main.list_commands(click.Context(main)))})(?: [^`]*)?`")
"""A command of this program, written in a text."""

HELP = {
    "cli.py",  # help texts, which name commands of the program whose help is shown
    "reference.py",  # the page docs/spec.md, which is read in the checkout
    "sheet_page.py",  # the recovery sheet, which is read beside another computer
}


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a module that are not docstrings or headers of generated files."""
    tree = ast.parse(path.read_text())
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_no_message_has_a_command_that_is_written_by_hand() -> None:
    by_hand = {
        f"{path.relative_to(LIBRARY)}: {match[0]}"
        for path in sorted(LIBRARY.rglob("*.py"))
        # The messages of tars_backup are read on the desktop, where these commands are not installed.
        if path.name not in HELP and path.relative_to(LIBRARY).parts[0] != "tars_backup"
        for text in texts(path)
        if "# Written by" not in text and "# Certificates recorded" not in text and "replaces it. Remove" not in text
        for match in PROGRAM.finditer(text)
    }
    assert not by_hand, "use next_step.command, which prints what works in the reader's shell"


ROLES = project.ROOT / "collections/ansible_collections/tars/home"


def test_roles_and_modules_name_no_command_of_this_program() -> None:
    named = [
        f"{path.relative_to(ROLES)}: {match[0]}"
        for folder in ("roles", "plugins")
        for path in sorted((ROLES / folder).rglob("*"))
        if path.suffix in (".yml", ".j2", ".py")
        and path.name != "site.py"  # the inventory plugin belongs to this program
        for match in re.finditer(r"\./tars\b|tars-provision [a-z]+", path.read_text())
    ]
    assert not named, "a role can be used without this program"


def test_words_are_quoted_for_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = next_step.command("init", "-i", "our house/it's")
    assert shlex.split(text.strip("`"))[1:] == ["init", "-i", "our house/it's"]
    monkeypatch.chdir(project.PROGRAM.parent)
    assert next_step.program() == "./tars"
    monkeypatch.chdir(tmp_path)
    assert Path(next_step.program()).is_absolute()
