# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in messages, written so that they work as printed in the reader's shell."""

from __future__ import annotations

import shlex
from pathlib import Path

from tars_provision.project import INSTALLED, PROGRAM, tool

__all__ = ["command", "line", "program", "shell", "tool"]


def command(*arguments: str | Path) -> str:
    """Return a command of this program in backticks, with its arguments quoted for a shell."""
    return f"`{line(*arguments)}`"


def line(*arguments: str | Path) -> str:
    """Return a command of this program, with its arguments quoted for a shell."""
    return shlex.join([program(), *map(str, arguments)])


def shell(*words: str | Path) -> str:
    """Return any command in backticks, with its words quoted for a shell."""
    return f"`{shlex.join(map(str, words))}`"


def program() -> str:
    """Return how a shell starts this program: `./tars` of the checkout, or `tars-provision` of an installed package."""
    if INSTALLED:
        return tool(PROGRAM.name)
    return f"./{PROGRAM.name}" if Path.cwd() == PROGRAM.parent else str(PROGRAM)
