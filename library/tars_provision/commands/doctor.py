# SPDX-License-Identifier: GPL-3.0-or-later
"""`doctor`: check the controller and a site before a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from tars_provision.commands.outcome import line, waiting
from tars_provision.controller.readiness import CheckResult, site_checks


@dataclass(frozen=True)
class Diagnosis:
    """Results of all checks."""

    checks: list[CheckResult]

    @property
    def exit_code(self) -> int:
        """0 if all checks passed, otherwise 1."""
        return 0 if all(check.ok for check in self.checks) else 1

    def as_data(self) -> dict[str, Any]:
        """Return the results as plain data."""
        return {"ok": self.exit_code == 0, "checks": [asdict(check) for check in self.checks]}

    def show(self, console: Console) -> None:
        """Print nothing more: each result was printed when it was known."""


def doctor(inventory: Path, console: Console) -> Diagnosis:
    """Check the controller and a site, and print each result when it is known."""
    results: list[CheckResult] = []
    pending = site_checks(inventory)
    while True:
        with waiting(console, "checking"):
            result = next(pending, None)
        if result is None:
            return Diagnosis(results)
        results.append(result)
        mark = "[green]ok[/green]  " if result.ok else "[red]fail[/red]"
        text = escape(result.found).replace("\n", "\n     ")
        console.print(f"{mark} {result.name}: {text}", highlight=False, soft_wrap=True)
        if not result.ok and result.fix:
            line(console, f"     {result.fix}")
