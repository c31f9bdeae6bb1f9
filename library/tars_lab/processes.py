# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that outlive the command that started them."""

import os
import subprocess
from collections.abc import Sequence

from tars_lab import cgroups
from tars_lab.layout import Lab

# Waits until it has been put into its control group. systemd-nspawn ends with 133 when the machine asked for a reboot.
_SUPERVISOR = 'read -r go && exec </dev/null || exit; while :; do "$@"; [ $? -eq 133 ] || exit; done'


def launch(lab: Lab, name: str, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    """Start a process that outlives this one, in the control group of that name; it writes to the log of that name."""
    groups = cgroups.create(lab, name)
    lab.log(name).parent.mkdir(parents=True, exist_ok=True)
    with lab.log(name).open("ab") as log:
        supervisor = subprocess.Popen(
            ["/bin/sh", "-c", _SUPERVISOR, f"tars-lab {name}", *command],
            env=environment or {"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            text=True,
        )
    for group in groups:
        group.write_text(str(supervisor.pid))
    assert supervisor.stdin is not None
    with supervisor.stdin as gate:
        gate.write("go\n")
