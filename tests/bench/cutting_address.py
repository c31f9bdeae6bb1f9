# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves of the desktop from the address of its DHCP lease: a right one, and a wrong one to where nobody can follow."""

import itertools
from pathlib import Path
from typing import ClassVar

from .cutting_desktop import BORN, OWN, PATIENCE_S, Desktop, lets_in, wait

NOWHERE = "192.0.2.5"
TARGETS = {"right": OWN, "wrong": NOWHERE}
NETWORKS = {address.rpartition(".")[0] for address in (BORN, *TARGETS.values())}
DROP_IN = "systemd/network/10-eth0.network.d/zz-tars.conf"


class Address(Desktop):
    """The desktop whose address is changed."""

    of = "address"
    steps: ClassVar = {
        "wrong": ("begun", "armed", "placed", "applied", "undoing"),
        "right": ("begun", "armed", "placed", "applied", "back", "written", "kept"),
    }

    def __init__(self) -> None:
        super().__init__()
        self.target = OWN
        self.stale = self.connections()

    def settle(self) -> None:
        if self.in_force() != "old" or self.on_disk() != "old" or self.placed():
            self.run("rm", "--force", f"/etc/{DROP_IN}", f"/run/{DROP_IN}")
            self.run("networkctl", "reload")
            self.run("networkctl", "reconfigure", "eth0")
        assert wait(lambda: self.in_force() == "old" and lets_in((BORN, 22)), PATIENCE_S), self.addresses()
        self.stale = self.connections()

    def command(self, change: str, folder: Path, deadline_s: int) -> list[str]:
        self.target = TARGETS[change]
        return self.move(self.target, folder, deadline_s)

    def move(self, target: str, folder: Path, deadline_s: int) -> list[str]:
        """The command that moves the desktop."""
        role: dict[str, object] = {"role": "tars.home.host_address", "host_address_interface": "eth0"}
        network = target.rpartition(".")[0]
        role |= {"host_address_address": target, "host_address_network": f"{network}.0/24"}
        role |= {"host_address_gateway": f"{network}.1", "host_address_deadline_s": deadline_s}
        return self.playbook(role, folder, "")

    def reached(self, step: str) -> bool:
        if step == "begun":
            return bool(self.connections() - self.stale)
        if step == "armed":
            return self.armed()
        if step == "placed":
            return self.placed()
        if step == "applied":
            return self.target in self.addresses()
        if step == "undoing":
            return not self.placed()
        if step == "back":
            return any(connection.startswith(f"{OWN} ") for connection in self.connections() - self.stale)
        return self.on_disk() == "new" and (step == "written" or not self.armed())

    def placed(self) -> bool:
        """Whether the change is where a reboot loses it."""
        return self.path(f"/run/{DROP_IN}").exists()

    def addresses(self) -> set[str]:
        """The IPv4 addresses in the networks of the moves, as the kernel tells them; none while the machine is off.

        The stack's containers have networks of their own.
        """
        lines = self.network("fib_trie")
        local = {before.split()[-1] for before, line in itertools.pairwise(lines) if line.strip() == "/32 host LOCAL"}
        return {address for address in local if address.rpartition(".")[0] in NETWORKS}

    def in_force(self) -> str:
        found = self.addresses()
        if self.placed():
            return "what a reboot loses"
        return {BORN: "old", OWN: "new"}.get(" ".join(found), str(found or "nothing"))

    def on_disk(self) -> str:
        return "new" if (self.lab.rootfs(self.machine.name) / "etc" / DROP_IN).exists() else "old"

    def doors(self) -> list[tuple[str, int]]:
        return [(BORN, 22), (OWN, 22)]
