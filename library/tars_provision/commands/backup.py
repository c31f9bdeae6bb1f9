# SPDX-License-Identifier: GPL-3.0-or-later
"""`backup` and `restore`: run a command of tars-backup on the desktop, by the project's playbooks.

The playbooks know the way to the desktop (address, account, sudo, host key), send the site's files along, and support
check mode. So there is no second way over ssh.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision import next_step
from tars_provision.ansible import report
from tars_provision.ansible.events import Result
from tars_provision.commands.outcome import line
from tars_provision.commands.play import run
from tars_provision.controller import setup
from tars_provision.errors import ProvisionError, message
from tars_provision.project import SPEC


class NoBackupError(ProvisionError):
    """The site has no backups."""


@dataclass(frozen=True)
class Answer:
    """Result of the playbook, and the object that tars-backup printed if it ran."""

    result: Result
    document: Mapping[str, Any] | None

    @property
    def exit_code(self) -> int:
        """0 done, 1 failed or attention needed, 3 changes pending (in check mode), 130 cancelled."""
        attention = bool(self.document and self.document.get("attention"))
        return self.result.exit_code or int(attention)

    def as_data(self) -> dict[str, Any]:
        """Return the object of tars-backup, or the failed run without one."""
        return report.as_json(self.result) if self.document is None else dict(self.document)

    def show(self, console: Console) -> None:
        """Print what tars-backup printed for people; of a failed run its messages."""
        if self.document and self.document["ok"]:
            line(console, self.document.get("text") or json.dumps(self.document, indent=1))
        if self.result.status != "done":
            report.summarise(self.result, console)


def on_desktop(
    inventory: Path,
    console: Console,
    arguments: Sequence[str],
    *,
    playbook: str = "backup",
    check: str = "",
    stdin: str = "",
    verbosity: int = 0,
) -> Answer:
    """Run tars-backup with these arguments, and `stdin` as its input, on the desktop of a site that is ready for a run.

    With `check`, the option of tars-backup that lets it change nothing, the playbook runs in check mode.
    """
    site = setup.ready(inventory)
    if site.backup is None:
        step = f"Add the section to it, then run {next_step.command('site', '-i', inventory)}"
        raise NoBackupError(message(inventory / SPEC, found="no section backup", expected="one", next_step=step))
    variables = {"backup_arguments": list(arguments), "backup_check_option": check}
    result = run(
        playbook,
        site,
        inventory,
        console,
        check=bool(check),
        limit=site.desktop,
        keep=["backup"],
        variables=variables,
        secrets={"backup_input": stdin} if stdin else None,
        verbosity=verbosity,
    )
    documents = [data["backup"] for _, data in result.results]
    return Answer(result, documents[-1] if documents else None)
