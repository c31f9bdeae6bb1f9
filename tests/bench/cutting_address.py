# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves of the desktop from its DHCP address: to the right one, and to a wrong one that the controller cannot reach."""

import itertools
from pathlib import Path
from typing import ClassVar

from .cutting_desktop import DHCP_ADDRESS, OWN, PATIENCE_S, Desktop, accepts_ssh, wait

NOWHERE = "192.0.2.5"
TARGETS = {"right": OWN, "wrong": NOWHERE}
NETWORKS = {address.rpartition(".")[0] for address in (DHCP_ADDRESS, *TARGETS.values())}
DROP_IN = "systemd/network/10-eth0.network.d/zz-tars.conf"


class Address(Desktop):
    """The desktop, with changes of its address."""

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
        assert wait(lambda: self.in_force() == "old" and accepts_ssh((DHCP_ADDRESS, 22)), PATIENCE_S), self.addresses()
        self.stale = self.connections()

    def command(self, change: str, folder: Path, deadline_s: int) -> list[str]:
        self.target = TARGETS[change]
        return self.move(self.target, folder, deadline_s)

    def move(self, target: str, folder: Path, deadline_s: int) -> list[str]:
        """Return the command that moves the desktop to an address."""
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
        """Return whether the change is in /run, where a reboot discards it."""
        return self.path(f"/run/{DROP_IN}").exists()

    def addresses(self) -> set[str]:
        """Return the kernel's IPv4 addresses in the networks of the moves; none while the machine is off.

        This excludes the networks of the stack's containers.
        """
        lines = self.network("fib_trie")
        local = {before.split()[-1] for before, line in itertools.pairwise(lines) if line.strip() == "/32 host LOCAL"}
        return {address for address in local if address.rpartition(".")[0] in NETWORKS}

    def in_force(self) -> str:
        addresses = self.addresses()
        if self.placed():
            return "a change that a reboot discards"
        return {DHCP_ADDRESS: "old", OWN: "new"}.get(" ".join(addresses), str(addresses or "nothing"))

    def on_disk(self) -> str:
        return "new" if (self.lab.rootfs(self.machine.name) / "etc" / DROP_IN).exists() else "old"

    def endpoints(self) -> list[tuple[str, int]]:
        return [(DHCP_ADDRESS, 22), (OWN, 22)]
