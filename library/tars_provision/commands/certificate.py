# SPDX-License-Identifier: GPL-3.0-or-later
"""`certificate`: the authority's fingerprint, renewal of the NAS's certificate, and the timer that renews it daily."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision import next_step
from tars_provision.assistant.client import endpoint
from tars_provision.commands.outcome import line
from tars_provision.commands.play import Played, play
from tars_provision.controller import renewal_timer, setup, trust
from tars_provision.project import SPEC
from tars_provision.spec.load import load


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 of the authority's certificate, its file, and the page from which devices get it."""

    file: Path
    page: str
    sha256: str

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {"file": str(self.file), "page": self.page, "sha256": self.sha256}

    def show(self, console: Console) -> None:
        """Print the fingerprint in the form of browsers."""
        line(console, f"{self.file}: SHA-256 fingerprint\n{setup.fingerprint_lines(self.sha256)}")
        line(console, f"{self.page} has the instructions for each kind of device")


@dataclass(frozen=True)
class TimerState:
    """Result of `timer`: `file` is the timer's unit file; `changed` is whether it was removed."""

    enabled: bool
    changed: bool = True
    file: Path | None = None

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {"enabled": self.enabled, "changed": self.changed, "file": str(self.file) if self.file else None}

    def show(self, console: Console) -> None:
        """Print the state of the timer."""
        if self.enabled:
            timers = next_step.shell(*renewal_timer.systemctl("list-timers", renewal_timer.NAME + ".timer"))
            line(console, f"{self.file}: renews once a day what is due; {timers} shows the next time")
        else:
            line(console, f"{renewal_timer.NAME}: {'removed' if self.changed else 'was not installed'}")


def fingerprint(inventory: Path) -> Fingerprint:
    """Return what a person compares before a device trusts the site's certificate authority."""
    page = f"{endpoint(load(inventory / SPEC), inventory).url}trust"
    return Fingerprint(trust.authority_file(inventory), page, trust.authority_fingerprint(inventory))


def renew(inventory: Path, console: Console) -> Played:
    """Renew the certificate of a site's NAS if it is due."""
    nas = setup.ready(inventory).nas
    return play("site", inventory, console, limit=nas, tags=("certificate",))


def set_timer(inventory: Path, *, enabled: bool) -> TimerState:
    """Install the timer that renews by itself, or remove it."""
    if not enabled:
        return TimerState(enabled=False, changed=renewal_timer.turn_off())
    setup.ready(inventory)
    return TimerState(enabled=True, file=renewal_timer.turn_on(inventory))
