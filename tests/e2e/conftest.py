# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to the machines of the story: ssh, playbooks as the README runs them, and waiting."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import testinfra
from testinfra.host import Host

from tars_lab.layout import Lab

from ..conftest import BIN, INVENTORY, ROOT, environment, tars
from ..waiting import PATIENCE_S, wait_for

AUTHORITY = INVENTORY.parent / "authority" / "root.pem"
ADDRESSES = {"xps8950": "10.77.0.10", "ds1515plus": "10.77.0.20", "client": "10.77.0.30"}
SSH = "-i /var/lib/tars-lab/ssh/id_ed25519 -o UserKnownHostsFile=/var/lib/tars-lab/ssh/known_hosts -o BatchMode=yes"
SHARED = f"-o ControlMaster=auto -o ControlPersist=60s -o ControlPath={tempfile.gettempdir()}/tars-e2e-{os.getpid()}-%h"
"""For a machine that never boots again: its commands share a connection, since a login takes longer than most."""


@dataclass(frozen=True)
class Run:
    """A finished playbook: its exit code, everything it printed, and the recap of each host."""

    code: int
    output: str

    def recap(self, host: str) -> dict[str, int]:
        """Return the counters (ok, changed, failed, …) that Ansible printed for the host."""
        line = next(line for line in reversed(self.output.splitlines()) if line.startswith(f"{host} "))
        return {key: int(value) for key, value in (field.split("=") for field in line.split(":", 1)[1].split())}


def playbook(name: str, *arguments: str) -> Run:
    """Run a playbook with plain ``ansible-playbook``, as the README describes."""
    finished = subprocess.run(
        [BIN / "ansible-playbook", "-i", "inventories/lab/tars.yml", f"playbooks/{name}.yml", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=1500,
    )
    return Run(finished.returncode, finished.stdout + finished.stderr)


def host(name: str) -> Host:
    """Return a testinfra connection to a machine of the lab, a fresh one except for ``client``."""
    arguments = f"{SSH} {SHARED}" if name == "client" else SSH
    return testinfra.get_host(f"ssh://root@{ADDRESSES[name]}", ssh_extra_args=arguments)


def eventually(question: Callable[[], object], *, seconds: float = PATIENCE_S) -> object:
    """Repeat a call until its result is true and return it; fail with the last result or error after so long."""
    return wait_for(question, "a machine", seconds, pause_s=0.5)


def keep_timer_away() -> None:
    """Let no hourly backup of the new desktop come between tests that count backups: its timer elapses in 2100."""
    folder = "/etc/systemd/system/tars-backup.timer.d"
    script = f"mkdir -p {folder}; printf '[Timer]\\nOnCalendar=\\nOnCalendar=2100-01-01\\n' >{folder}/later.conf"
    tars("lab", "shell", "xps8950", "sh", "-ec", script)


@pytest.fixture(scope="session")
def bare(new_lab: Lab) -> None:
    """Create the desktop and the NAS again, without the changes of earlier tests."""
    for name in ("xps8950", "ds1515plus"):
        tars("lab", "destroy", name)
    tars("lab", "up")
    keep_timer_away()


@pytest.fixture(scope="session")
def planned(bare: None) -> Run:
    """Run site.yml in check mode on new machines, and check that it changed nothing; return the run."""
    lease = tars("lab", "shell", "xps8950", "ip", "-4", "address", "show", "dev", "eth0").stdout
    assert "10.77.0.110/" in lease and " dynamic " in lease, f"expected the DHCP address of the desktop, found: {lease}"
    run = playbook("site", "--check", "--diff")
    shell = tars("lab", "shell", "xps8950", "sh", "-c", "command -v docker", check=False)
    assert shell.returncode != 0 and not shell.stdout, "check mode installed something"
    # Not over the network: the NAS still has its DHCP address.
    assert tars("lab", "shell", "ds1515plus", "ls", "-A", "/volume1").stdout == "", "check mode created a share"
    return run


@pytest.fixture(scope="session")
def provisioned(planned: Run) -> Run:
    """Run site.yml on the new machines; return the run."""
    return playbook("site")


@pytest.fixture(scope="session")
def repeated(provisioned: Run) -> Run:
    """Run site.yml a second time; return the run."""
    return playbook("site")
