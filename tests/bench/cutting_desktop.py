# SPDX-License-Identifier: GPL-3.0-or-later
"""The desktop seen from outside while a change of it is cut."""

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
NAME, BORN, OWN = "xps8950", "10.77.0.110", "10.77.0.10"

ESTABLISHED = "01"
"""As /proc/net/tcp numbers the state of a connection."""
PATIENCE_S = 120
"""A machine that has not answered for so long, boot included, counts as out of reach."""


class Desktop(ABC):
    """The machine seen from outside: its files, its kernel's state and its sshd, past the connection that is cut."""

    of: ClassVar[str]
    steps: ClassVar[dict[str, Sequence[str]]]
    """The steps of each change in their order."""

    def __init__(self) -> None:
        self.lab = layout.recorded()
        self.machine = self.lab.machine(NAME)
        self.port = f"{self.lab.bridge}-{self.machine.address.rsplit('.', 1)[1]}"
        self.leader: int | None = None

    @abstractmethod
    def settle(self) -> None:
        """Bring the machine to where every change starts from."""

    @abstractmethod
    def command(self, change: str, folder: Path, deadline_s: int) -> list[str]:
        """The command that begins the change."""

    @abstractmethod
    def reached(self, step: str) -> bool:
        """Whether the change has come to this step, given that it was at those before."""

    @abstractmethod
    def in_force(self) -> str:
        """`old`, `new`, or what else is in force."""

    @abstractmethod
    def on_disk(self) -> str:
        """`old` or `new`: what a boot brings."""

    @abstractmethod
    def doors(self) -> list[tuple[str, int]]:
        """Addresses and ports of which one has to let a new ssh connection in."""

    def answers(self) -> bool:
        """Whether a new ssh connection is let in, at the old or at the new address."""
        return lets_in(*self.doors())

    def playbook(
        self, role: dict[str, object], folder: Path, ssh: str, *arguments: str, **variables: object
    ) -> list[str]:
        """The command that applies a role to the desktop, over connections that this run alone has."""
        # Not %C, which is 40 characters long: a socket's path may have 107, and folders of tests are deep.
        extra = f"{ssh} -o ControlPath={folder}/%h-%p"
        play = [{"hosts": "desktop", "gather_facts": False, "vars": {**variables, "ansible_ssh_extra_args": extra}}]
        path = folder / "play.yml"
        path.write_text(json.dumps([{**play[0], "roles": [role]}]))
        return [str(BIN / "ansible-playbook"), "-T", "5", "-i", "inventories/lab/tars.yml", str(path), *arguments]

    def process(self, name: str) -> Path:
        """Something that /proc tells of the machine's first process; it does not exist while the machine is off."""
        if self.leader is None or not Path(f"/proc/{self.leader}/root/run").exists():
            self.leader = cgroups.init(self.lab, NAME)
        return Path(f"/proc/{self.leader or 'off'}/{name}")

    def path(self, name: str) -> Path:
        """A file on the machine, whatever is mounted there."""
        return self.process(f"root{name}")

    def armed(self) -> bool:
        """Whether a change waits for its confirmation."""
        return self.path(f"/run/tars-rollback/{self.of}/armed").exists()

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a program on the machine, past its network."""
        words = machine.enter(self.lab, self.machine, command)
        return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout

    def connections(self) -> set[str]:
        """The ssh connections by IPv4, each as the machine's own address and the other side's port.

        Read from /proc, since this is asked many times a second.
        """
        found = set()
        for line in self.network("tcp"):
            _, here, there, state, *_ = line.split()
            address, _, port = here.partition(":")
            if state == ESTABLISHED and int(port, 16) == 22:
                own = ipaddress.ip_address(bytes.fromhex(address)[::-1])
                found.add(f"{own} {int(there.partition(':')[2], 16)}")
        return found

    def network(self, name: str) -> list[str]:
        """The lines of a table below /proc/net, without its head; none while the machine is off."""
        with contextlib.suppress(OSError):
            return self.process(f"net/{name}").read_text().splitlines()[1:]
        return []

    def sessions(self) -> list[psutil.Process]:
        """What runs on the machine for those who came by ssh."""
        found = []
        for pid in cgroups.pids(self.lab, NAME):
            try:
                if "SSH_CONNECTION" in psutil.Process(pid).environ():
                    found.append(psutil.Process(pid))
            except (psutil.Error, OSError):
                continue
        return found

    def reboot(self) -> None:
        """Switch the machine off at its plug, and on again.

        The kernel is the host's and keeps what was written to files, also what a power cut would lose.
        """
        leader = cgroups.init(self.lab, NAME)
        assert leader is not None, "the machine is off"
        os.kill(leader, signal.SIGKILL)
        assert cgroups.wait_empty(self.lab, NAME, PATIENCE_S), "the machine cannot be switched off"
        cgroups.remove(self.lab, NAME)
        self.leader = None
        machine.boot(self.lab, self.machine)


def lets_in(*doors: tuple[str, int]) -> bool:
    """Whether a new ssh connection gets to the desktop by one of these addresses and ports.

    It logs in, since an sshd of today shuts out for a while who comes often and does not.
    """
    options = ["-o", "ConnectTimeout=2", "-o", "ControlPath=none", "-o", f"HostKeyAlias={OWN}"]
    knocks = [
        subprocess.Popen(
            ["ssh", *SSH.split(), *options, "-p", str(port), f"root@{address}", "true"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for address, port in doors
    ]
    # One that has logged in at an address that goes away then would hang.
    wait(lambda: 0 in [knock.poll() for knock in knocks] or None not in [knock.poll() for knock in knocks], 10)
    for knock in knocks:
        knock.kill()
    return 0 in [knock.wait() for knock in knocks]


def wait(question: Callable[[], object], seconds: float, every_s: float = 0.05) -> bool:
    """Ask often until the answer is yes; no once the time is over."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return bool(answer)


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_FORCE_COLOR": "0"}
