# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference page names every command, option and exit code of the program."""

from __future__ import annotations

import argparse
from pathlib import Path

from tars_backup import cli, errors

PAGE = (Path(__file__).parents[3] / "docs/reference/backup.md").read_text()


def test_every_command_with_its_options() -> None:
    verbs = next(action for action in cli.parser()._actions if isinstance(action, argparse._SubParsersAction))
    lines = PAGE.partition("## Exit codes")[0].splitlines()
    rows = {line.split("`")[1].split(" ")[0]: line for line in lines if line.startswith("| `")}
    for name, parser in verbs.choices.items():
        assert name in rows, f"{name}: not in the table of commands"
        for action in parser._actions:
            for option in action.option_strings:
                if option not in ("-h", "--help", "--json", "--configuration"):
                    assert f"`{option}`" in rows[name], f"{name} {option}: not in its row"


def test_every_exit_code() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    for code in {0, 3, *(getattr(value, "code", 0) for value in classes)}:
        assert f"\n| {code} | " in PAGE
