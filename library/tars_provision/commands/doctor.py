# SPDX-License-Identifier: GPL-3.0-or-later
"""`doctor`: check the controller and a site before a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from tars_provision.commands.outcome import line, waiting
from tars_provision.controller.readiness import CheckResult, site_checks
from tars_provision.desktop import connection
from tars_provision.desktop.backups import backup_state
from tars_provision.errors import ProvisionError
from tars_provision.project import SPEC
from tars_provision.spec.load import load


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


def _checks(inventory: Path) -> Iterator[CheckResult]:
    """Yield the checks of the controller and the site, and of the backups if the desktop can be asked about them."""
    desktop = None
    for result in site_checks(inventory):
        desktop = result if result.name == "desktop" else None
        yield result
    if desktop and desktop.ok:
        yield from _backups(inventory)


def _backups(inventory: Path) -> Iterator[CheckResult]:
    site = load(inventory / SPEC)
    if site.backup is None:
        return
    try:
        answer = connection.call(site, verb="backups")
    except ProvisionError as error:
        yield CheckResult("backups", False, str(error))
        return
    if answer["contract"] is None:
        yield CheckResult("backups", True, "not checked, because the services are not set up yet")
    elif answer["backups"] is None:
        yield CheckResult("backups", False, "the services were set up without backups", "run the site playbook")
    else:
        state = backup_state(answer["backups"])
        yield CheckResult("backups", state.ok, state.summary, "\n     ".join(state.steps))


def doctor(inventory: Path, console: Console) -> Diagnosis:
    """Check the controller and a site, and print each result when it is known."""
    results: list[CheckResult] = []
    pending = _checks(inventory)
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
