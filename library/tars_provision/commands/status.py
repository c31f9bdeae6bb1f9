# SPDX-License-Identifier: GPL-3.0-or-later
"""`status`: the services of the desktop, its mounts, and whether it reaches the NAS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tars_provision import next_step
from tars_provision.commands.outcome import line, waiting
from tars_provision.desktop import connection
from tars_provision.desktop.backups import BackupState, backup_state
from tars_provision.desktop.services import Service, age, services
from tars_provision.profiles.desktop import mount_check, nfs_mounts
from tars_provision.project import SPEC
from tars_provision.spec.load import load


@dataclass(frozen=True)
class Place:
    """A mount of the desktop, or the NAS, as the desktop reaches it; `detail` is the reason if it does not."""

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True)
class Status:
    """State of the desktop: its services, and the places that they need."""

    inventory: Path
    machine: str
    version: str
    services: list[Service]
    mounts: list[Place]
    nas: Place
    docker: str = ""
    backups: BackupState | None = None

    @property
    def exit_code(self) -> int:
        """0 if all services run, none is unhealthy, all places can be reached, and the backups are in order; else 1."""
        works = [part.ok for part in self.services] + [place.ok for place in (*self.mounts, self.nas)]
        works += [self.backups.ok] if self.backups else []
        return 0 if all(works) and not self.docker else 1

    def as_data(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {
            "ok": self.exit_code == 0,
            "machine": self.machine,
            "version": self.version,
            "services": [{**asdict(service), "ok": service.ok} for service in self.services],
            "mounts": [asdict(mount) for mount in self.mounts],
            "nas": asdict(self.nas),
            "docker": self.docker,
            "backups": asdict(self.backups) if self.backups else None,
        }

    def show(self, console: Console) -> None:
        """Print a table on a terminal, lines elsewhere; then the next step for what does not run."""
        now = datetime.now(UTC)
        line(console, f"{self.machine}: T.A.R.S. {self.version}")
        if console.is_terminal and self.services:
            console.print(table(self.services, now))
        else:
            for service in self.services:
                line(console, "  " + "  ".join(filter(None, cells(service, now))))
        for mark, text in self._places():
            console.print(f"{mark} {escape(text)}", highlight=False, soft_wrap=True)
        for text in self._steps():
            line(console, text)

    def _steps(self) -> Iterator[str]:
        """Yield the next step for each part that fails."""
        if self.docker:
            yield f"On {self.machine}, as root, run `systemctl start docker`"
            return
        for service in self.services:
            if not service.ok and service.state != "missing":
                yield f"{service.name}: {next_step.command('logs', service.name, '-i', self.inventory)} shows why"
        if not self.nas.ok:
            yield f"Check that the NAS {self.nas.name} is on; its shares are mounted again by themselves"
        for step in self.backups.steps if self.backups else ():
            yield f"backups: {step}"
        missing = any(service.state == "missing" for service in self.services)
        if missing or (self.nas.ok and not all(mount.ok for mount in self.mounts)):
            yield f"{next_step.command('site', '-i', self.inventory)} starts what is missing"

    def _places(self) -> Iterator[tuple[str, str]]:
        """Yield a mark and a text for everything but the services."""
        if self.docker:
            yield "[red]fail[/red]", f"docker: {self.docker}"
        for mount in self.mounts:
            yield _mark(mount.ok), f"mount {mount.name}" + (f": {mount.detail}" if mount.detail else "")
        yield _mark(self.nas.ok), f"NAS {self.nas.name}: {self.nas.detail or 'answers the desktop over NFS'}"
        if self.backups:
            yield _mark(self.backups.ok), "backups: " + self.backups.summary.replace("\n", "\n     ")


def _mark(ok: bool) -> str:
    return "[green]ok[/green]  " if ok else "[red]fail[/red]"


def status(inventory: Path, console: Console) -> Status:
    """Ask the desktop of a site once. Raises ProvisionError."""
    site = load(inventory / SPEC)
    nas = str(site.nas_host.address)
    mounts = nfs_mounts(site, site.desktop)
    wanted = [
        {"path": mount["path"], "source": mount["source"], "command": mount_check(mount)["command"]} for mount in mounts
    ]
    with waiting(console, f"asking {site.desktop}"):
        answer = connection.call(site, verb="status", mounts=wanted, nas=nas)
    contract = connection.contract(site, inventory, answer)
    return Status(
        inventory,
        site.desktop,
        contract["version"],
        [] if answer["docker"] else services(contract, answer["inspected"]),
        [Place(f"{entry['source']} at {entry['path']}", entry["ok"], entry["detail"]) for entry in answer["mounts"]],
        Place(nas, answer["nas"]["ok"], answer["nas"]["detail"]),
        answer["docker"],
        backup_state(answer["backups"]) if answer["backups"] else None,
    )


HEADINGS = ("service", "state", "since", "restarts", "image", "")


def cells(service: Service, now: datetime) -> tuple[str, ...]:
    """Return the row of a service: name, state, time in that state, restarts, image, and what docker reports."""
    # Docker's times have nanoseconds, which Python reads from 3.11 on.
    since = age((now - datetime.fromisoformat(service.since)).total_seconds()) if service.since else ""
    state = f"{service.state}, {service.health}" if service.health else service.state
    image = service.image.partition("@")[0]
    return service.name, state, since, f"{service.restarts} restarts", image, service.detail


def table(shown: list[Service], now: datetime) -> Table:
    """Return the services as a table."""
    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in HEADINGS:
        result.add_column(heading, no_wrap=heading != "", justify="right" if heading == "restarts" else "left")
    for service in shown:
        name, state, since, _, image, detail = map(escape, cells(service, now))
        colour = "red" if not service.ok else "yellow" if service.health == "starting" else "green"
        result.add_row(name, f"[{colour}]{state}[/{colour}]", since, str(service.restarts), image, detail)
    return result
