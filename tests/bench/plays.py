# SPDX-License-Identifier: GPL-3.0-or-later
"""Running playbooks, and commands on the lab's machines, by the clock."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
INVENTORY = "inventories/lab/tars.yml"
SSH = "-i /var/lib/tars-lab/ssh/id_ed25519 -o UserKnownHostsFile=/var/lib/tars-lab/ssh/known_hosts"
DESKTOP, NAS = "root@10.77.0.10", "root@10.77.0.20"


def timed(*command: str | Path, **environment: str) -> tuple[float, str]:
    """Run a command from the top of the checkout and return its wall time in seconds and what it printed."""
    print(f"… {' '.join(str(part) for part in command)}"[:200], file=sys.stderr, flush=True)
    variables = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_FORCE_COLOR": "0", **environment}
    started = time.monotonic()
    finished = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{command} ended with {finished.returncode}:\n{finished.stdout}\n{finished.stderr}")
    return round(time.monotonic() - started, 1), finished.stdout


def on(machine: str, command: str) -> str:
    """Run a shell command on a machine of the lab and return what it printed."""
    return timed("ssh", *SSH.split(), machine, command)[1]


def site(*arguments: str) -> tuple[float, str]:
    """Run site.yml with plain ansible-playbook."""
    return timed(BIN / "ansible-playbook", "-i", INVENTORY, "playbooks/site.yml", *arguments)


def tasks(output: str) -> int:
    """How many tasks a playbook printed."""
    return len(re.findall(r"^TASK \[", output, flags=re.MULTILINE))


def changed(output: str) -> int:
    """How many tasks changed something, on all machines together, by a playbook's recap."""
    return sum(map(int, re.findall(r" changed=(\d+) ", output)))
