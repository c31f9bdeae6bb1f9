# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of the desktop's firewall.

A wrong one closes the port that the controller uses, in a way that the module cannot detect beforehand: the owner's
rules redirect another port to sshd.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from .cutting_desktop import NAME, OWN, PATIENCE_S, ROOT, Desktop, environment, wait

OTHER_PORT = 2222
"""A port that the machine redirects to its sshd. The machine sees its connections on port 22."""

FOREIGN = f"""\
#!/usr/sbin/nft -f
flush ruleset
table inet foreign {{
	chain redirect_ssh {{
		type nat hook prerouting priority dstnat; policy accept;
		tcp dport {OTHER_PORT} redirect to :22
	}}
}}
"""
"""The owner's /etc/nftables.conf."""

HOUSEHOLD = ["10.77.0.0/24", "link6"]
RULES = "/etc/tars/firewall.nft"


def services(ssh_ports: list[int], https_sources: list[str]) -> list[dict[str, object]]:
    """Return the services in the format of the role's variable."""
    return [
        {"name": "ssh", "ports": ssh_ports, "sources": HOUSEHOLD},
        {"name": "https", "ports": [443], "sources": https_sources},
    ]


BEFORE = services([22, OTHER_PORT], HOUSEHOLD)
CHANGES = {
    "wrong": services([22], HOUSEHOLD),
    "right": services([22, OTHER_PORT], [*HOUSEHOLD, "203.0.113.0/24"]),
}


class Firewall(Desktop):
    """The desktop with its static address, and changes of its firewall."""

    of = "firewall"
    steps: ClassVar = {
        "wrong": ("begun", "armed", "loaded", "undoing"),
        "right": ("begun", "armed", "loaded", "back", "written", "kept"),
    }

    def __init__(self) -> None:
        super().__init__()
        self.before = self.state()
        self.stale = self.first = self.connections()

    def install_foreign_rules(self) -> None:
        """Install the owner's own rules, with the other port in them."""
        self.run("sh", "-c", "cat > /etc/nftables.conf", text=FOREIGN)
        self.run("systemctl", "enable", "nftables")
        self.run("systemctl", "restart", "nftables")

    def prepare(self) -> None:
        """Configure the firewall from which every change starts, on a machine without one."""
        with tempfile.TemporaryDirectory(prefix="cut-") as folder:
            command = self.firewall(BEFORE, Path(folder), 60, "-e", "ansible_port=22")
            done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        self.install_foreign_rules()
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
        """Return the command that configures the firewall for these services, over the other port."""
        role: dict[str, object] = {"role": "tars.home.host_firewall", "host_firewall_services": wanted}
        role |= {"host_firewall_interface": "eth0", "host_firewall_deadline_s": deadline_s}
        return self.playbook(role, folder, f"-o HostKeyAlias={OWN}", *arguments, ansible_port=OTHER_PORT)

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
        """Return the table in force; "" while the machine is off."""
        enter = ["nsenter", f"--net=/run/netns/{self.lab.netns(NAME)}"]
        listing = ["nft", "--stateless", "list", "table", "inet", "tars"]
        return subprocess.run([*enter, *listing], capture_output=True, text=True).stdout

    def saved(self) -> str:
        """Return the rules on disk."""
        path = self.lab.rootfs(self.machine.name) / RULES.lstrip("/")
        return path.read_text() if path.exists() else ""

    def state(self) -> tuple[str, str]:
        """Return the rules in force and on disk."""
        return self.rules(), self.saved()

    def in_force(self) -> str:
        rules = self.rules()
        return "nothing" if not rules else "old" if rules == self.before[0] else "new"

    def on_disk(self) -> str:
        return "old" if self.saved() == self.before[1] else "new"

    def endpoints(self) -> list[tuple[str, int]]:
        return [(OWN, OTHER_PORT)]
