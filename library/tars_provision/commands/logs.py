# SPDX-License-Identifier: GPL-3.0-or-later
"""`logs`: what a service of the desktop has logged."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision import next_step
from tars_provision.desktop import connection
from tars_provision.errors import ProvisionError, message
from tars_provision.project import SPEC
from tars_provision.spec.load import load


class ServiceError(ProvisionError):
    """The desktop has no such service."""

    exit_code = 2


@dataclass(frozen=True)
class Log:
    """The log of a service. `lines` is empty if the log was printed as it came."""

    service: str
    container: str
    lines: list[str]

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the lines as plain data, each with its time."""
        pairs = [line.partition(" ") for line in self.lines]
        lines = [{"time": time, "text": text} for time, _, text in pairs]
        return {"service": self.service, "container": self.container, "lines": lines}

    def show(self, console: Console) -> None:
        """Print nothing more: the log was printed as it came."""


def logs(
    inventory: Path, service: str, *, follow: bool = False, since: str = "", lines: int = 100, as_data: bool = False
) -> Log:
    """Print the log of a service as it comes, or return its lines with `as_data`. Raises ProvisionError."""
    site = load(inventory / SPEC)
    known = connection.contract(site, inventory, connection.call(site, verb="contract"))["services"]
    if service not in known:
        raise ServiceError(message("SERVICE", found=repr(service), expected=f"one of {', '.join(sorted(known))}"))
    container = known[service]["container"]
    # With a time, everything since then is of interest.
    options = [f"--since={since}"] if since else [f"--tail={lines}"]
    options += [name for name, wanted in (("--follow", follow), ("--timestamps", as_data)) if wanted]
    command = connection.command(site, {"verb": "logs", "container": container, "options": options, "follow": follow})
    if as_data:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        code, output, errors = done.returncode, done.stdout, done.stderr
    else:
        # Closing its standard input ends the program on the desktop, so that nothing is left there after Ctrl-C.
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            code, output, errors = process.wait(), "", ""
    if code:
        # Docker's own message is part of the output, which has been printed unless it was collected.
        reason = output.strip().splitlines()[-1] if output.strip() else errors.strip() or f"exit code {code}"
        step = f"{next_step.command('status', '-i', inventory)} shows the state of the service"
        raise connection.DesktopError(message(container, found=reason, expected="its log", next_step=step))
    return Log(service, container, output.splitlines())
