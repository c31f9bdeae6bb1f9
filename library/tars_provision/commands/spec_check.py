# SPDX-License-Identifier: GPL-3.0-or-later
"""`spec check`: list the mistakes of a spec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision.commands.outcome import line
from tars_provision.project import SPEC
from tars_provision.spec.load import Mistake, SpecError, load


@dataclass(frozen=True)
class Checked:
    """The mistakes of a spec."""

    spec: Path
    mistakes: list[Mistake]

    @property
    def exit_code(self) -> int:
        """2 if there are mistakes, otherwise 0."""
        return 2 if self.mistakes else 0

    def as_data(self) -> dict[str, Any]:
        """Return the mistakes as plain data."""
        return {"mistakes": [{**vars(mistake), "file": str(mistake.file)} for mistake in self.mistakes]}

    def show(self, console: Console) -> None:
        """Print that there are no mistakes, or raise them as an error, which goes to standard error."""
        if self.mistakes:
            raise SpecError(self.spec, self.mistakes)
        line(console, f"{self.spec}: no mistakes")


def check(inventory: Path) -> Checked:
    """Return the mistakes of a site's spec."""
    spec = inventory / SPEC
    try:
        load(spec)
    except SpecError as error:
        return Checked(spec, error.mistakes)
    return Checked(spec, [])
