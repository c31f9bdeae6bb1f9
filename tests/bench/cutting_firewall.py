# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of the desktop's firewall.

A wrong one closes the port that the controller comes through, in a way that the module cannot know beforehand: another
port is redirected to sshd by rules of the owner's.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from .cutting_desktop import NAME, OWN, PATIENCE_S, ROOT, Desktop, environment, wait

OTHER_DOOR = 2222
"""A port that the machine redirects to its sshd. Who comes in through it is seen on port 22."""

FOREIGN = f"""\
#!/usr/sbin/nft -f
flush ruleset
table inet foreign {{
	chain door {{
		type nat hook prerouting priority dstnat; policy accept;
		tcp dport {OTHER_DOOR} redirect to :22
	}}
}}
"""
"""An /etc/nftables.conf of the owner's."""

HOUSEHOLD = ["10.77.0.0/24", "link6"]
RULES = "/etc/tars/firewall.nft"


def services(ssh_ports: list[int], https_sources: list[str]) -> list[dict[str, object]]:
    """The services as the role takes them."""
    return [
        {"name": "ssh", "ports": ssh_ports, "sources": HOUSEHOLD},
        {"name": "https", "ports": [443], "sources": https_sources},
    ]


BEFORE = services([22, OTHER_DOOR], HOUSEHOLD)
CHANGES = {
    "wrong": services([22], HOUSEHOLD),
    "right": services([22, OTHER_DOOR], [*HOUSEHOLD, "203.0.113.0/24"]),
}


class Firewall(Desktop):
    """The desktop whose firewall is changed; it has its own address."""

    of = "firewall"
    steps: ClassVar = {
        "wrong": ("begun", "armed", "loaded", "undoing"),
        "right": ("begun", "armed", "loaded", "back", "written", "kept"),
    }

    def __init__(self) -> None:
        super().__init__()
        self.before = self.state()
        self.stale = self.first = self.connections()

    def furnish(self) -> None:
        """Give the machine the owner's own rules, with the other door in them."""
        self.run("sh", "-c", "cat > /etc/nftables.conf", text=FOREIGN)
        self.run("systemctl", "enable", "nftables")
        self.run("systemctl", "restart", "nftables")

    def prepare(self) -> None:
        """Bring the machine where it never was to what every change starts from."""
        with tempfile.TemporaryDirectory(prefix="cut-") as folder:
            command = self.firewall(BEFORE, Path(folder), 60, "-e", "ansible_port=22")
            done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        self.furnish()
        self.before = self.state()
        assert self.answers()

    def settle(self) -> None:
        table, rules = self.before
        if self.state() != self.before:
            self.run("sh", "-c", f"cat > {RULES}", text=rules)
            self.run("nft", "-f", RULES)
        assert wait(lambda: self.rules() == table and self.answers(), PATIENCE_S), self.rules()
        self.stale = self.first = self.connections()

    def firewall(self, wanted: list[dict[str, object]], folder: Path, deadline_s: int, *arguments: str) -> list[str]:
        """The command that brings the firewall to these services, coming through the other door."""
        role: dict[str, object] = {"role": "tars.home.host_firewall", "host_firewall_services": wanted}
        role |= {"host_firewall_interface": "eth0", "host_firewall_deadline_s": deadline_s}
        return self.playbook(role, folder, f"-o HostKeyAlias={OWN}", *arguments, ansible_port=OTHER_DOOR)

    def command(self, change: str, folder: Path, deadline_s: int) -> list[str]:
        return self.firewall(CHANGES[change], folder, deadline_s)

    def reached(self, step: str) -> bool:
        if step == "begun":
            self.first = self.connections()
            return bool(self.first - self.stale)
        if step == "armed":
            return self.armed()
        if step == "loaded":
            return self.rules() not in ("", self.before[0])
        if step == "undoing":
            return self.rules() == self.before[0]
        if step == "back":
            return bool(self.connections() - self.first - self.stale)
        return self.saved() != self.before[1] and (step == "written" or not self.armed())

    def rules(self) -> str:
        """The table in force; empty while the machine is off."""
        enter = ["nsenter", f"--net=/run/netns/{self.lab.netns(NAME)}"]
        listing = ["nft", "--stateless", "list", "table", "inet", "tars"]
        return subprocess.run([*enter, *listing], capture_output=True, text=True).stdout

    def saved(self) -> str:
        """The rules on disk."""
        path = self.lab.rootfs(self.machine.name) / RULES.lstrip("/")
        return path.read_text() if path.exists() else ""

    def state(self) -> tuple[str, str]:
        """The rules in force and on disk."""
        return self.rules(), self.saved()

    def in_force(self) -> str:
        found = self.rules()
        return "nothing" if not found else "old" if found == self.before[0] else "new"

    def on_disk(self) -> str:
        return "old" if self.saved() == self.before[1] else "new"

    def doors(self) -> list[tuple[str, int]]:
        return [(OWN, OTHER_DOOR)]
