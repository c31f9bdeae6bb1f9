# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that outlive the command that started them."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tars_lab import cgroups
from tars_lab.commands import run
from tars_lab.layout import Lab

# Waits for a line of input, which comes when it is in its control group. systemd-nspawn exits with 133 for a reboot.
_SUPERVISOR = 'read -r go && exec </dev/null || exit; while :; do "$@"; [ $? -eq 133 ] || exit; done'
# Joins the groups before the double dash, then runs the command after it.
_MEMBER = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit; shift; done; shift; exec "$@"'
BUILD = "build"


def build(lab: Lab, command: Sequence[str | Path], log: Path, what: str) -> None:
    """Run a step of a build to its end, in a control group in which `clear` finds it if this process is killed."""
    groups = cgroups.create(lab, BUILD)
    run(["/bin/sh", "-c", _MEMBER, "tars-lab", *groups, "--", *command], shown=command, log=log, what=what)


def clear(lab: Lab) -> bool:
    """Kill the processes of an interrupted build; return whether there were any."""
    interrupted = bool(cgroups.pids(lab, BUILD))
    cgroups.kill(lab, BUILD)
    cgroups.remove(lab, BUILD)
    return interrupted


def launch(lab: Lab, name: str, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    """Start a process that outlives this one, in the control group `name`; its output goes to the log `name`."""
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
    if supervisor.stdin is not None:  # It is a pipe; the condition is for the type checker.
        with supervisor.stdin as gate:
            gate.write("go\n")
