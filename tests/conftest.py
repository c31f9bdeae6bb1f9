# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for all tests: the project's command line, and the lab.

The lab is started once, for the first test that needs it, and removed at the end. What it leaves on this computer is
read from ip, nft, the mounts and the process table, not from its own report.
"""

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tars_lab import layout
from tars_lab.layout import Lab

# ONNX Runtime reports its use to its maker otherwise, here and in programs that tests start.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

ROOT = Path(__file__).parents[1]
INVENTORY = ROOT / "inventories/lab/tars.yml"
BIN = Path(sys.executable).parent

EXAMPLES = os.environ.get("TARS_EXAMPLES")
"""Number of examples of each property test; without it, the same few in every run, so that none fails by chance."""

# How long an example takes depends more on the computer than on the code.
settings.register_profile(
    "tars",
    deadline=None,
    derandomize=not EXAMPLES,
    max_examples=int(EXAMPLES or 100),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tars")


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]  # xdist carries no annotations
    """Keep the tests that need the lab in one process and in order; other files can run in any process."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return "lab" if needs_lab(ROOT / file) else file


def pytest_configure() -> None:
    """End like Ctrl-C on SIGTERM, as from `timeout`: fixtures stop their servers and unmount what they mounted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SideBySide:
    """Return the scheduler for tests in several processes."""
    return SideBySide(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes, start with the tests of the lab, which take longest; end with the quick ones.

    Those of the backup come before others: they fork often, which takes longer the more memory a process has by then.
    """
    if hasattr(config, "workerinput"):
        parts = ("/integration/backup/", "/integration/")
        items.sort(key=lambda item: (not needs_lab(item.path), *(part not in str(item.path) for part in parts)))


@functools.cache
def needs_lab(file: Path) -> bool:
    """Return whether tests of a file have the marker `lab`; pytest knows this only in the processes that run them."""
    return "pytest.mark.lab" in file.read_text()


@pytest.fixture(scope="module", autouse=True)
def priority(request: pytest.FixtureRequest) -> None:
    """In several processes, let the tests of the lab have the processors first: they are one row, and the longest."""
    if hasattr(request.config, "workerinput") and os.geteuid() == 0:
        os.setpriority(os.PRIO_PROCESS, 0, 0 if needs_lab(request.path) else 5)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the top folder of the checkout."""
    return ROOT


@pytest.fixture
def own_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a home folder with a vault password: beside the vault of a lab in the checkout, none would be created.

    Its path is short, since ssh's control socket below it may have 107 bytes.
    """
    with tempfile.TemporaryDirectory(prefix="home-") as folder:
        home = Path(folder)
        monkeypatch.setenv("HOME", str(home))
        password = home / ".config/tars/vault-password"
        password.parent.mkdir(parents=True)
        password.write_text("x\n")
        yield home


def tars(*arguments: str, check: bool = True, timeout: float = 1500) -> subprocess.CompletedProcess[str]:
    """Run ``tars-provision`` the way ``./tars`` does."""
    command = [str(BIN / "tars-provision"), *arguments]
    finished = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=timeout)
    assert not check or finished.returncode == 0, f"{arguments}: {finished.stdout}\n{finished.stderr}"
    return finished


def environment() -> dict[str, str]:
    """Return this environment with the interpreter's own programs in front, and the lab as the site to work on."""
    path = f"{BIN}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "ANSIBLE_FORCE_COLOR": "0", "TARS_INVENTORY": str(INVENTORY)}


LAB_NAMES = ("tars", "table ip tars_lab")
"""First words of the names that labs give to network namespaces, links and nftables tables of this computer."""

LAB_FOLDERS = (layout.STATE, layout.CACHE, Path("/run/netns/tars"))
"""Prefixes of the paths below which labs mount."""


def traces() -> dict[str, set[str]]:
    """Return what labs have left on this computer: only what carries their names or lies below their folders."""

    def lines(*command: str) -> set[str]:
        return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())

    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    links = {link["ifname"] for link in json.loads("".join(lines("ip", "-j", "link")))}
    return {
        "namespaces": {name for name in lines("ip", "netns") if name.startswith(LAB_NAMES)},
        "links": {name for name in links if name.startswith(LAB_NAMES)},
        "mounts": {place for place in mounts if place.startswith(tuple(map(str, LAB_FOLDERS)))},
        "tables": {table for table in lines("nft", "list", "tables") if table.startswith(LAB_NAMES)},
        "processes": {f"{process.pid} {process.name()}" for process in psutil.process_iter() if of_a_lab(process)},
        "forwarding": {Path("/proc/sys/net/ipv4/ip_forward").read_text()},
    }


def of_a_lab(process: psutil.Process) -> bool:
    """Return whether a process belongs to a lab: by its control group, or by the folder of its state.

    What runs inside a machine cannot outlive the machine's first process, which both criteria find. The ssh clients of
    Ansible name the folder of the keys, and stay for a minute after a run: they are not the lab's. Nor is what other
    tests run with files of the cache.
    """
    try:
        if "/tars-lab." in Path(f"/proc/{process.pid}/cgroup").read_text():
            return True
        command = " ".join(process.cmdline())
        return process.name() != "ssh" and str(layout.STATE) in command
    except (OSError, psutil.Error):
        # It has ended in the meantime.
        return False


@pytest.fixture(scope="session")
def before() -> dict[str, set[str]]:
    """Remove what an interrupted run has left; return the traces of labs on this computer after that."""
    if os.geteuid() != 0:
        pytest.fail("user: the lab needs root to create machines; run ./tars test as root.")
    tars("lab", "down")
    return traces()


@pytest.fixture(scope="session")
def new_lab(before: dict[str, set[str]]) -> Iterator[Lab]:
    """Start the lab and return it; its NAS can still have its DHCP address."""
    tars("lab", "up")
    yield layout.recorded()
    tars("lab", "down")


@pytest.fixture(scope="session")
def lab(new_lab: Lab) -> Lab:
    """Return the running lab with its NAS at the address of the spec; the profile sets it unless a test has done so."""
    nas = next(machine for machine in new_lab.machines if machine.dsm_account)
    with socket.socket() as probe:
        probe.settimeout(5)
        if probe.connect_ex((nas.address, 5001)):
            command: list[str | Path] = [BIN / "ansible-playbook", "-i", INVENTORY, ROOT / "playbooks/site.yml"]
            subprocess.run(
                [*command, "--limit", nas.name, "--tags", "address"], cwd=ROOT, env=environment(), check=True
            )
    return new_lab
