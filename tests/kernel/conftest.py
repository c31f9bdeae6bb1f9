# SPDX-License-Identifier: GPL-3.0-or-later
"""A separate lab: the usual NAS, and a desktop in QEMU whose own kernel has an NFS client."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tars_lab import layout, lifecycle, machine, virtual
from tars_lab.layout import Lab, Machine

from ..conftest import BIN, INVENTORY, ROOT, environment

# With an emulated processor on a busy computer, a boot takes minutes.
BOOT_SECONDS = 600
DESKTOP, NAS = "xps8950", "ds1515plus"


@dataclass(frozen=True)
class Pair:
    """Both machines of the lab."""

    lab: Lab

    @property
    def desktop(self) -> Machine:
        return self.lab.machine(DESKTOP)

    def on_desktop(self, script: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a shell script on the desktop, over ssh."""
        done = virtual.execute(self.lab, self.desktop, ["bash", "-ec", script])
        assert done.returncode == 0 or not check, f"{script}: {done.stdout}{done.stderr}"
        return done

    def on_nas(self, script: str) -> str:
        """Run a shell script on the NAS without its network; return its output."""
        done = machine.execute(self.lab, self.lab.machine(NAS), ["bash", "-ec", script])
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def nas_off(self) -> None:
        """Switch the NAS off as its power button would."""
        machine.power_off(self.lab, NAS)

    def nas_on(self) -> None:
        """Switch the NAS on, with its present disk."""
        machine.boot(self.lab, self.lab.machine(NAS))
        machine.wait(self.lab, self.lab.machine(NAS))

    def wait(self, *, after: str = "") -> str:
        """Wait until the desktop runs without a failed unit; return the id of that boot."""
        return virtual.wait(self.lab, self.desktop, BOOT_SECONDS, after=after)

    def site(self, *arguments: str) -> str:
        """Run site.yml; return its output."""
        finished = subprocess.run(
            [BIN / "ansible-playbook", "-i", f"{self.lab.inventory}/tars.yml", "playbooks/site.yml", *arguments],
            cwd=ROOT,
            env={**environment(), "TARS_INVENTORY": f"{self.lab.inventory}/tars.yml"},
            capture_output=True,
            text=True,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout


def spec(folder: Path) -> Path:
    """Write the spec of the lab with another network and an additional share that the desktop can write to."""
    text = INVENTORY.read_text()
    for lease, static in (("10.77.0.110", "10.77.0.10"), ("10.77.0.120", "10.77.0.20"), ("10.77.0.", "10.78.0.")):
        text = text.replace(lease, static)
    data = YAML().load(text.replace("/var/lib/tars-lab/", "/var/lib/tars-lab8/"))
    writer = {DESKTOP: {"access": "rw", "mount": "/srv/tars/work"}}
    data["shares"]["work"] = {"volume": "/volume1", "clients": writer}
    YAML().dump(data, folder / "tars.yml")
    return folder


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Yield a provisioned NAS, and a new desktop that has booted its own kernel."""
    if missing := virtual.missing_packages():
        subprocess.run(["apt-get", "update", "-q=2"], check=True)
        subprocess.run(["apt-get", "install", "-q=2", "-y", "--no-install-recommends", *missing], check=True)
    inventory = spec(tmp_path_factory.mktemp("inventory"))
    lab = layout.load(inventory, state=Path("/var/lib/tars-lab8"), bridge="tars8", prefix6="fd77:7a52:0:8::/64")
    lab = replace(lab, images={}, machines=tuple(lab.machine(name) for name in (NAS, DESKTOP)))
    lifecycle.down(lab=lab)
    lifecycle.up(inventory, lab=replace(lab, machines=(lab.machine(NAS),)))
    both = Pair(lab)

    def desktop() -> None:
        virtual.create(lab, both.desktop, print)
        virtual.boot(lab, both.desktop)
        both.wait()

    with ThreadPoolExecutor() as pool:
        booting, provisioning = pool.submit(desktop), pool.submit(both.site, "--limit", NAS)
    booting.result()
    provisioning.result()
    yield both
    removed = lifecycle.down(lab=lab)
    assert {f"machine {DESKTOP}", "bridge tars8"} <= set(removed)
