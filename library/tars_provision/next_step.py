# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in messages, written so that they work as printed in the reader's shell."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from tars_provision.project import INSTALLED, PROGRAM


def command(*arguments: str | Path) -> str:
    """Return a command of this program in backticks, with its arguments quoted for a shell."""
    return shell(program(), *arguments)


def shell(*words: str | Path) -> str:
    """Return any command in backticks, with its words quoted for a shell."""
    return f"`{shlex.join(map(str, words))}`"


def program() -> str:
    """Return how a shell starts this program: `./tars` of the checkout, or `tars-provision` of an installed package."""
    if INSTALLED:
        return tool(PROGRAM.name)
    return f"./{PROGRAM.name}" if Path.cwd() == PROGRAM.parent else str(PROGRAM)


def tool(name: str) -> str:
    """Return how a shell starts a program that is installed beside this one, such as ansible-vault."""
    installed = Path(sys.executable).with_name(name)
    on_path = any((Path(folder) / name).exists() for folder in os.get_exec_path())
    return name if on_path or not installed.exists() else str(installed)
