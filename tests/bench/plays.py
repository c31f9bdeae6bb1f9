# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks, and commands on the machines of the lab, and measure how long they take."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
INVENTORY = "inventories/lab/tars.yml"
SSH = "-i /var/lib/tars-lab/ssh/id_ed25519 -o UserKnownHostsFile=/var/lib/tars-lab/ssh/known_hosts"
DESKTOP, NAS = "root@10.77.0.10", "root@10.77.0.20"


def timed(*command: str | Path, checkout: Path = ROOT, **environment: str) -> tuple[float, str]:
    """Run a command in the top folder of a checkout; return its wall time in seconds and its standard output.

    The command imports the checkout's own library. Ends this program when the command fails.
    """
    print(f"… {' '.join(str(part) for part in command)}"[:200], file=sys.stderr, flush=True)
    variables = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(checkout / "library"),
        "ANSIBLE_FORCE_COLOR": "0",
        **environment,
    }
    started = time.monotonic()
    finished = subprocess.run(command, cwd=checkout, env=variables, capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{command} ended with {finished.returncode}:\n{finished.stdout}\n{finished.stderr}")
    return round(time.monotonic() - started, 1), finished.stdout


def on(machine: str, command: str) -> str:
    """Run a shell command on a machine of the lab and return its standard output."""
    return timed("ssh", *SSH.split(), machine, command)[1]


def site(*arguments: str, checkout: Path = ROOT) -> tuple[float, str]:
    """Run a checkout's site.yml with plain ansible-playbook; return its wall time in seconds and its output."""
    return timed(BIN / "ansible-playbook", "-i", INVENTORY, "playbooks/site.yml", *arguments, checkout=checkout)


def tasks(output: str) -> int:
    """Return how many tasks a playbook ran, by its output."""
    return len(re.findall(r"^TASK \[", output, flags=re.MULTILINE))


def changed(output: str) -> int:
    """Return how many tasks changed something on all machines together, by the recap of a playbook."""
    return sum(map(int, re.findall(r" changed=(\d+) ", output)))


def unchanged(run: tuple[float, str]) -> float:
    """Return the seconds of a run that changed nothing; end this program if it changed something."""
    seconds, output = run
    if changed(output):
        sys.exit(f"expected a run that changes nothing, found:\n{output}")
    return seconds


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median of the first divided by the median of the second, to two decimal places."""
    return round(statistics.median(numerators) / statistics.median(denominators), 2)
