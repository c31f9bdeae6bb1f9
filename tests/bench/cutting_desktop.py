# SPDX-License-Identifier: GPL-3.0-or-later
"""The desktop as it is observed from outside while a change of it is interrupted."""

import contextlib
import ipaddress
import json
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import psutil

from tars_lab import cgroups, layout, machine

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SSH = "-i /var/lib/tars-lab/ssh/id_ed25519 -o UserKnownHostsFile=/var/lib/tars-lab/ssh/known_hosts -o BatchMode=yes"
NAME, DHCP_ADDRESS, OWN = "xps8950", "10.77.0.110", "10.77.0.10"

ESTABLISHED = "01"
"""The state of an established connection in /proc/net/tcp."""
PATIENCE_S = 120
"""Seconds without an answer, boot included, after which a machine counts as unreachable."""


class Desktop(ABC):
    """The machine from outside: its files, its kernel's state and its sshd, without the interrupted connection."""

    of: ClassVar[str]
    steps: ClassVar[dict[str, Sequence[str]]]
    """The steps of each change in order."""

    def __init__(self) -> None:
        self.lab = layout.recorded()
        self.machine = self.lab.machine(NAME)
        self.port = f"{self.lab.bridge}-{self.machine.address.rsplit('.', 1)[1]}"
        self.leader: int | None = None

    @abstractmethod
    def settle(self) -> None:
        """Restore the initial state, from which every change starts."""

    @abstractmethod
    def command(self, change: str, folder: Path, deadline_s: int) -> list[str]:
        """Return the command that starts the change."""

    @abstractmethod
    def reached(self, step: str) -> bool:
        """Return whether the change has reached this step, if it has reached the steps before."""

    @abstractmethod
    def in_force(self) -> str:
        """Return `old`, `new`, or a description of another state in force."""

    @abstractmethod
    def on_disk(self) -> str:
        """Return `old` or `new`, the state after a boot."""

    @abstractmethod
    def endpoints(self) -> list[tuple[str, int]]:
        """Return addresses and ports, one of which must accept a new ssh connection."""

    def answers(self) -> bool:
        """Return whether the machine accepts a new ssh connection, at the old or at the new address."""
        return accepts_ssh(*self.endpoints())

    def playbook(
        self, role: dict[str, object], folder: Path, ssh: str, *arguments: str, **variables: object
    ) -> list[str]:
        """Return the command that runs a role on the desktop, with its own ssh connections."""
        # Not %C, which has 40 characters: the path of a socket has at most 107, and folders of tests are deep.
        extra = f"{ssh} -o ControlPath={folder}/%h-%p"
        play = [{"hosts": "desktop", "gather_facts": False, "vars": {**variables, "ansible_ssh_extra_args": extra}}]
        path = folder / "play.yml"
        path.write_text(json.dumps([{**play[0], "roles": [role]}]))
        return [str(BIN / "ansible-playbook"), "-T", "5", "-i", "inventories/lab/tars.yml", str(path), *arguments]

    def process(self, name: str) -> Path:
        """Return the path of a file in /proc of the machine's first process; without one, it does not exist."""
        if self.leader is None or not Path(f"/proc/{self.leader}/root/run").exists():
            self.leader = cgroups.init(self.lab, NAME)
        return Path(f"/proc/{self.leader or 'off'}/{name}")

    def path(self, name: str) -> Path:
        """Return the path of a file as the machine sees it, with its mounts."""
        return self.process(f"root{name}")

    def armed(self) -> bool:
        """Return whether a change waits for its confirmation."""
        return self.path(f"/run/tars-rollback/{self.of}/armed").exists()

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a program on the machine without its network; return its output."""
        words = machine.enter(self.lab, self.machine, command)
        return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout

    def connections(self) -> set[str]:
        """Return the ssh connections over IPv4, each as the machine's address and the port of the other side.

        They are read from /proc, because this is called many times a second.
        """
        connections = set()
        for line in self.network("tcp"):
            _, local, remote, state, *_ = line.split()
            address, _, port = local.partition(":")
            if state == ESTABLISHED and int(port, 16) == 22:
                own = ipaddress.ip_address(bytes.fromhex(address)[::-1])
                connections.add(f"{own} {int(remote.partition(':')[2], 16)}")
        return connections

    def network(self, name: str) -> list[str]:
        """Return the lines of a table below /proc/net without the header; none while the machine is off."""
        with contextlib.suppress(OSError):
            return self.process(f"net/{name}").read_text().splitlines()[1:]
        return []

    def sessions(self) -> list[psutil.Process]:
        """Return the processes of ssh sessions on the machine."""
        processes = []
        for pid in cgroups.pids(self.lab, NAME):
            try:
                if "SSH_CONNECTION" in psutil.Process(pid).environ():
                    processes.append(psutil.Process(pid))
            except (psutil.Error, OSError):
                continue
        return processes

    def reboot(self) -> None:
        """Switch the machine off without a shutdown, and on again.

        The host's kernel keeps all written files, also those that would be lost in a power failure.
        """
        leader = cgroups.init(self.lab, NAME)
        assert leader is not None, "the machine is off"
        os.kill(leader, signal.SIGKILL)
        assert cgroups.wait_empty(self.lab, NAME, PATIENCE_S), "the machine cannot be switched off"
        cgroups.remove(self.lab, NAME)
        self.leader = None
        machine.boot(self.lab, self.machine)


def accepts_ssh(*endpoints: tuple[str, int]) -> bool:
    """Return whether the desktop accepts a new ssh connection on one of these addresses and ports.

    It logs in, because a current sshd blocks clients that connect often without doing so.
    """
    options = ["-o", "ConnectTimeout=2", "-o", "ControlPath=none", "-o", f"HostKeyAlias={OWN}"]
    attempts = [
        subprocess.Popen(
            ["ssh", *SSH.split(), *options, "-p", str(port), f"root@{address}", "true"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for address, port in endpoints
    ]
    # A client would hang if the address is removed after its login.
    wait(lambda: 0 in [client.poll() for client in attempts] or None not in [client.poll() for client in attempts], 10)
    for client in attempts:
        client.kill()
    return 0 in [client.wait() for client in attempts]


def wait(question: Callable[[], object], seconds: float, every_s: float = 0.05) -> bool:
    """Call `question` often until its result is true; return whether it was before the time was over."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return bool(answer)


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_FORCE_COLOR": "0"}
