# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of its own: the NAS as elsewhere, and as the desktop a machine in QEMU, with a kernel that can mount."""

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

# Where the processor is emulated and others want it as well, a boot takes minutes.
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
        """Run a shell script on the NAS, past its network."""
        done = machine.execute(self.lab, self.lab.machine(NAS), ["bash", "-ec", script])
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def nas_off(self) -> None:
        """Switch the NAS off as its power button would."""
        machine.power_off(self.lab, NAS)

    def nas_on(self) -> None:
        """Switch the NAS on, with the disk it has."""
        machine.boot(self.lab, self.lab.machine(NAS))
        machine.wait(self.lab, self.lab.machine(NAS))

    def wait(self, *, after: str = "") -> str:
        """Wait until the desktop runs with nothing failed, and return the id of that boot."""
        return virtual.wait(self.lab, self.desktop, BOOT_SECONDS, after=after)

    def site(self, *arguments: str) -> str:
        """Run the playbook that provisions a household, and return what it printed."""
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
    """The lab's spec on a network of its own, with a share that the desktop may write to beside the documents."""
    text = INVENTORY.read_text()
    for born, own in (("10.77.0.110", "10.77.0.10"), ("10.77.0.120", "10.77.0.20"), ("10.77.0.", "10.78.0.")):
        text = text.replace(born, own)
    data = YAML().load(text.replace("/var/lib/tars-lab/", "/var/lib/tars-lab8/"))
    writer = {DESKTOP: {"access": "rw", "mount": "/srv/tars/work"}}
    data["shares"]["work"] = {"volume": "/volume1", "clients": writer}
    YAML().dump(data, folder / "tars.yml")
    return folder


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A provisioned NAS, and a bare desktop that has booted its own kernel."""
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
        jobs = [pool.submit(desktop), pool.submit(both.site, "--limit", NAS)]
    for job in jobs:
        job.result()
    yield both
    removed = lifecycle.down(lab=lab)
    assert {f"machine {DESKTOP}", "bridge tars8"} <= set(removed)
