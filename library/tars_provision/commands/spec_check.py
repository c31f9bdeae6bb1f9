# SPDX-License-Identifier: GPL-3.0-or-later
"""`spec check`: list the mistakes of a spec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision.commands.outcome import line
from tars_provision.project import SPEC
from tars_provision.spec.load import load


@dataclass(frozen=True)
class Checked:
    """A spec without mistakes."""

    spec: Path

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the mistakes as plain data, in the form that :class:`SpecError` has."""
        return {"mistakes": []}

    def show(self, console: Console) -> None:
        """Print that there are no mistakes."""
        line(console, f"{self.spec}: no mistakes")


def check(inventory: Path) -> Checked:
    """Check a site's spec. Raises SpecError with all mistakes."""
    load(inventory / SPEC)
    return Checked(inventory / SPEC)
