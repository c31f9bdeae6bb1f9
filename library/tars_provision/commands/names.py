# SPDX-License-Identifier: GPL-3.0-or-later
"""`names`: the router's settings for name lookup, and whether this computer resolves the names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision import next_step
from tars_provision.commands.outcome import line, waiting
from tars_provision.controller import router
from tars_provision.project import SPEC
from tars_provision.spec.load import load


@dataclass(frozen=True)
class NameLookup:
    """The router's settings as lines, and whether this computer resolves `name`, the web page's."""

    router: list[str]
    name: str
    resolved: bool
    inventory: Path
    written: Path | None = None

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data."""
        written = str(self.written) if self.written else None
        return {"router": self.router, "name": self.name, "resolved": self.resolved, "written": written}

    def show(self, console: Console) -> None:
        """Print the settings, and the next step if this computer does not resolve the name."""
        if self.written:
            line(console, f"{self.written}: written; systemd-resolved asks the desktop for the zone")
        line(console, "\n".join(self.router))
        if self.resolved:
            line(console, f"This computer resolves {self.name}.")
        else:
            use = next_step.command("names", "use", "-i", self.inventory)
            step = f"configure the router, or only this computer with {use}"
            line(console, f"This computer does not resolve {self.name}: {step}")


def names(inventory: Path, console: Console, *, use: bool = False) -> NameLookup:
    """Return the router's settings; with `use`, first configure this computer to ask the desktop for the zone."""
    site = load(inventory / SPEC)
    written = router.DROP_IN if use and router.use_desktop(site) else None
    name = site.names_of(site.desktop)[0]
    with waiting(console, f"waiting for an answer about {name}"):
        settings = router.advice(site, router.hardware(site))
        return NameLookup(settings, name, router.resolves(site), inventory, written)
