# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut the branch: stop a change of the desktop's firewall at each of its steps, and see whether the machine answers.

    .venv/bin/python tests/bench/cut.py [--runs 100] > cut.json

Needs the lab, up and provisioned. Half of the changes are wrong ones: they close the port that the controller comes
through, in a way that the module cannot know beforehand, so that nothing but the rollback on the machine helps.
The exit code is 1 where a machine stayed out of reach or kept what nobody had confirmed.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tars_lab import cgroups, layout, machine

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SSH = "-i /var/lib/tars-lab/ssh/id_ed25519 -o UserKnownHostsFile=/var/lib/tars-lab/ssh/known_hosts -o BatchMode=yes"

NAME = "xps8950"
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
STEPS = ("begun", "armed", "loaded", "written")
"""`written` is reached by changes that are confirmed alone."""
CUTS = ("controller", "link", "reboot")


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


@dataclass(frozen=True)
class Result:
    """What became of one change: `seconds` from the cut to the first answer, `state` is old, new, or what it says."""

    change: str
    step: str
    cut: str
    seconds: float
    state: str


class Desktop:
    """The machine seen from outside: its files, its rules and its sshd, without the connection that is cut."""

    def __init__(self) -> None:
        self.lab = layout.recorded()
        self.machine = self.lab.machine(NAME)
        self.port = f"{self.lab.bridge}-{self.machine.address.rsplit('.', 1)[1]}"

    def rules(self) -> str:
        """The table in force; empty while the machine is off."""
        command = ["nsenter", f"--net=/run/netns/{self.lab.netns(NAME)}", "nft", "--stateless", "list", "table"]
        return subprocess.run([*command, "inet", "tars"], capture_output=True, text=True).stdout

    def armed(self) -> bool:
        """Whether a change waits for its confirmation."""
        leader = cgroups.init(self.lab, NAME)
        return leader is not None and Path(f"/proc/{leader}/root/run/tars-rollback/firewall/armed").exists()

    def saved(self) -> str:
        """The rules on disk."""
        path = self.lab.rootfs(NAME) / "etc/tars/firewall.nft"
        return path.read_text() if path.exists() else ""

    def answers(self, door: int = OTHER_DOOR) -> bool:
        """Whether a new ssh connection is let in."""
        options = ["-o", "ConnectTimeout=2", "-o", "ControlPath=none", "-p", str(door)]
        name = f"root@{self.machine.address}"
        alias = ["-o", f"HostKeyAlias={self.machine.address}"]
        return (
            subprocess.run(["ssh", *SSH.split(), *options, *alias, name, "true"], capture_output=True).returncode == 0
        )

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a program on the machine, past its network."""
        words = machine.enter(self.lab, self.machine, command)
        return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout

    def furnish(self) -> None:
        """Give the machine the owner's own rules, with the other door in them."""
        self.run("sh", "-c", "cat > /etc/nftables.conf", text=FOREIGN)
        self.run("systemctl", "enable", "nftables")
        self.run("systemctl", "restart", "nftables")


def playbook(wanted: list[dict[str, object]], folder: Path, deadline_s: int, *arguments: str) -> list[str]:
    """The command that brings the firewall to these services, coming through the other door."""
    role = {"role": "tars.home.host_firewall", "host_firewall_services": wanted}
    role |= {"host_firewall_interface": "eth0", "host_firewall_deadline_s": deadline_s}
    alias = f"-o HostKeyAlias=10.77.0.10 -o ControlPath={folder}/ssh"
    variables = {"ansible_port": OTHER_DOOR, "ansible_ssh_extra_args": alias}
    play = [{"hosts": "desktop", "gather_facts": False, "vars": variables, "roles": [role]}]
    path = folder / "firewall.yml"
    path.write_text(json.dumps(play))
    return [str(BIN / "ansible-playbook"), "-T", "3", "-i", "inventories/lab/tars.yml", str(path), *arguments]


def kill(controller: subprocess.Popen[str]) -> None:
    """End Ansible at once with all it has begun; its workers lead sessions of their own."""
    for process in [*psutil.Process(controller.pid).children(recursive=True), psutil.Process(controller.pid)]:
        process.kill()


def settle(desktop: Desktop) -> None:
    """Bring the machine to where every change starts from."""
    with tempfile.TemporaryDirectory(prefix="cut-") as folder:
        command = playbook(BEFORE, Path(folder), 60, "-e", "ansible_port=22")
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and desktop.answers(), done.stdout + done.stderr


def wait(question: Callable[[], bool], seconds: float) -> bool:
    """Ask often until the answer is yes; no once the time is over."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


def cut(desktop: Desktop, change: str, step: str, how: str, deadline_s: int = 5) -> Result:
    """Begin a change from a settled machine, cut at the step, and see what the machine comes to."""
    rules, saved = desktop.rules(), desktop.saved()
    reached = {
        "begun": lambda: True,
        "armed": desktop.armed,
        "loaded": lambda: desktop.rules() not in ("", rules),
        "written": lambda: desktop.saved() != saved,
    }[step]
    with tempfile.TemporaryDirectory(prefix="cut-") as folder:
        controller = subprocess.Popen(
            playbook(CHANGES[change], Path(folder), deadline_s),
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if not wait(reached, 60):
            kill(controller)
            raise SystemExit(f"{change}: the step {step} was not reached:\n{controller.communicate()[0]}")
        began = time.monotonic()
        if how == "link":
            subprocess.run(["ip", "link", "set", desktop.port, "down"], check=True)
            time.sleep(deadline_s)
            subprocess.run(["ip", "link", "set", desktop.port, "up"], check=True)
        else:
            kill(controller)
            if how == "reboot":
                leader = cgroups.init(desktop.lab, NAME)
                desktop.run("systemd-run", "--quiet", "systemctl", "reboot", "--force", "--force")
                wait(lambda: cgroups.init(desktop.lab, NAME) not in (None, leader), 60)
        answered = wait(desktop.answers, 90)
        seconds = round(time.monotonic() - began, 1)
        controller.communicate()
    wait(lambda: not desktop.armed(), 60)
    return Result(change, step, how, seconds, judge(desktop, rules, saved) if answered else "out of reach")


def judge(desktop: Desktop, rules: str, saved: str) -> str:
    """Which of both states the machine is in, in force and on disk, once nothing waits for a confirmation."""
    if desktop.armed():
        return "still armed"
    wait(lambda: desktop.rules() != "", 60)
    in_force = "old" if desktop.rules() == rules else "new"
    on_disk = "old" if desktop.saved() == saved else "new"
    return in_force if in_force == on_disk else f"{in_force} in force, {on_disk} on disk"


def good(result: Result) -> bool:
    """Whether the machine answers, and keeps nothing that was not confirmed."""
    return result.state == "old" or (result.change == "right" and result.state == "new")


def series() -> Iterator[tuple[str, str, str]]:
    """Every change, step and cut that go together, again and again."""
    every = itertools.product(CHANGES, STEPS, CUTS)
    return itertools.cycle(
        [(change, step, how) for change, step, how in every if (change, step) != ("wrong", "written")]
    )


def main() -> None:
    """Run the cuts and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    os.environ["PATH"] = f"{BIN}:{os.environ['PATH']}"
    desktop = Desktop()
    with tempfile.TemporaryDirectory(prefix="cut-") as folder:
        first = playbook(BEFORE, Path(folder), 60, "-e", "ansible_port=22")
        subprocess.run(first, cwd=ROOT, check=True, stdout=sys.stderr)
    desktop.furnish()
    results = []
    for change, step, how in itertools.islice(series(), options.runs):
        settle(desktop)
        results.append(cut(desktop, change, step, how))
        print(results[-1], file=sys.stderr, flush=True)
    bad = [asdict(result) for result in results if not good(result)]
    slowest = {how: max((r.seconds for r in results if r.cut == how), default=None) for how in CUTS}
    summary = {"runs": len(results), "bad": bad, "slowest_answer_s": slowest}
    print(json.dumps({**summary, "results": [asdict(result) for result in results]}, indent=1))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
