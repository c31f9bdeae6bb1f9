# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab of the story: three machines that know nothing, brought up once, taken down at the end.

Nothing here asserts on the lab's own word: the machines are asked over ssh, and the host is asked by ip, mount and ps.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import testinfra
from testinfra.host import Host

ROOT = Path(__file__).parents[2]
INVENTORY = ROOT / "inventories/lab/tars.yml"
RECORDED = INVENTORY.parent / "recorded"
BIN = Path(sys.executable).parent
ADDRESSES = {"xps8950": "10.77.0.10", "ds1515plus": "10.77.0.20", "client": "10.77.0.30"}
SSH = "-i /var/lib/tars-lab/ssh/id_ed25519 -o UserKnownHostsFile=/var/lib/tars-lab/ssh/known_hosts -o BatchMode=yes"


@dataclass(frozen=True)
class Run:
    """A finished playbook: its exit code, everything it printed, and the recap of each host."""

    code: int
    output: str

    def recap(self, host: str) -> dict[str, int]:
        """Return the counters (ok, changed, failed, …) that Ansible printed for the host."""
        line = next(line for line in reversed(self.output.splitlines()) if line.startswith(f"{host} "))
        return {key: int(value) for key, value in (field.split("=") for field in line.split(":", 1)[1].split())}


def tars(*arguments: str, check: bool = True, timeout: float = 1500) -> subprocess.CompletedProcess[str]:
    """Run ``tars-provision`` the way ``./tars`` does."""
    command = [BIN / "tars-provision", *arguments]
    finished = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=timeout)
    assert not check or finished.returncode == 0, f"{arguments}: {finished.stdout}\n{finished.stderr}"
    return finished


def environment() -> dict[str, str]:
    """Return this environment with the interpreter's own programs in front, and the lab as the site to work on."""
    path = f"{BIN}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "ANSIBLE_FORCE_COLOR": "0", "TARS_INVENTORY": str(INVENTORY)}


def playbook(name: str, *arguments: str) -> Run:
    """Run a playbook with plain ``ansible-playbook``, exactly as the README says it can be."""
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
    """Return a fresh testinfra connection to a machine of the lab."""
    return testinfra.get_host(f"ssh://root@{ADDRESSES[name]}", ssh_extra_args=SSH)


def eventually(question: Callable[[], object], *, seconds: float = 60) -> object:
    """Ask until the answer is true, or fail with the last answer after the given time."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(1)
    return answer


def traces() -> dict[str, set[str]]:
    """What a lab could leave on this machine: namespaces, links, mounts, packet filter tables and processes."""

    def lines(*command: str) -> set[str]:
        return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())

    names = ("systemd-nspawn", "docker-registry", "registry", "dnsmasq", "ganesha")
    return {
        "namespaces": lines("ip", "netns"),
        "links": {link["ifname"] for link in json.loads("".join(lines("ip", "-j", "link")))},
        "addresses": lines("ip", "-br", "address"),
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "tables": lines("nft", "list", "tables"),
        "processes": {name for name in (p.name() for p in psutil.process_iter()) if name.startswith(names)},
        "forwarding": {Path("/proc/sys/net/ipv4/ip_forward").read_text()},
    }


@pytest.fixture(scope="session")
def before() -> dict[str, set[str]]:
    """The host before the lab, once whatever an interrupted run left has been taken away."""
    if os.geteuid() != 0:
        pytest.fail("The whole story needs machines of its own, and those need root: run ./tars test as root.")
    tars("lab", "down")
    return traces()


@pytest.fixture(scope="session")
def lab(before: dict[str, set[str]]) -> Iterator[None]:
    """Three bare machines."""
    tars("lab", "up")
    yield
    tars("lab", "down")
