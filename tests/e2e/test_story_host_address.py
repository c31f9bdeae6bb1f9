# SPDX-License-Identifier: GPL-3.0-or-later
"""The desktop of the story came with an address from DHCP and has its own; moves that fail undo themselves."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tars_lab import cgroups, layout, machine

from ..bench.cut import kill
from ..conftest import ROOT, environment
from .conftest import BIN, SSH, eventually, playbook

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

NAME, BORN, OWN, NOWHERE = "xps8950", "10.77.0.110", "10.77.0.10", "192.0.2.5"
DROP_IN = "systemd/network/10-eth0.network.d/zz-tars.conf"


def on_desktop(*command: str) -> str:
    """Run a program on the desktop, past its network."""
    lab = layout.recorded()
    words = machine.enter(lab, lab.machine(NAME), command)
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def addresses() -> set[str]:
    """The desktop's IPv4 addresses, as ip tells them."""
    shown = json.loads(on_desktop("ip", "-json", "-4", "address", "show", "dev", "eth0"))
    return {entry["local"] for row in shown for entry in row["addr_info"]}


def answers(address: str) -> bool:
    """Whether a new ssh connection gets to the desktop at the address."""
    options = ["-o", "ConnectTimeout=2", "-o", "ControlPath=none"]
    return (
        subprocess.run(["ssh", *SSH.split(), *options, f"root@{address}", "true"], capture_output=True).returncode == 0
    )


@pytest.fixture
def born() -> Iterator[None]:
    """The desktop as it came, with the address of its lease; it gets its own back."""
    on_desktop("rm", f"/etc/{DROP_IN}")
    on_desktop("networkctl", "reload")
    on_desktop("networkctl", "reconfigure", "eth0")
    eventually(lambda: addresses() == {BORN} and answers(BORN))
    yield
    run = playbook("site", "--limit", NAME, "--tags", "host_address")
    assert run.code == 0, run.output
    assert answers(OWN) and addresses() == {OWN} and "/24" in on_desktop("cat", f"/etc/{DROP_IN}")


def move(address: str, folder: Path, *, deadline_s: int = 8) -> subprocess.Popen[str]:
    """Begin to move the desktop."""
    role: dict[str, object] = {"role": "tars.home.host_address", "host_address_interface": "eth0"}
    network = address.rpartition(".")[0]
    role |= {"host_address_address": address, "host_address_network": f"{network}.0/24"}
    role |= {"host_address_gateway": f"{network}.1", "host_address_deadline_s": deadline_s}
    path = folder / "move.yml"
    path.write_text(json.dumps([{"hosts": "desktop", "gather_facts": False, "roles": [role]}]))
    command = [BIN / "ansible-playbook", "-T", "3", "-i", "inventories/lab/tars.yml", path]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(), start_new_session=True, text=True, stdout=-1, stderr=subprocess.STDOUT
    )


def test_the_desktop_has_its_own_address_and_no_lease() -> None:
    assert addresses() == {OWN} and answers(OWN) and not answers(BORN)
    assert "/24" in on_desktop("cat", f"/etc/{DROP_IN}")


def test_an_address_that_another_machine_has_is_refused(born: None, tmp_path: Path) -> None:
    said = " ".join(move("10.77.0.30", tmp_path).communicate(timeout=120)[0].split())
    assert "10.77.0.30/24 is taken" in said, said
    assert answers(BORN)


def test_a_move_to_where_nobody_can_follow_is_undone(born: None, tmp_path: Path) -> None:
    said = " ".join(move(NOWHERE, tmp_path).communicate(timeout=240)[0].split())
    assert "failed=1" in said and "undoes an unconfirmed change by itself" in said, said
    assert addresses() == {BORN} and answers(BORN)

    controller = move(NOWHERE, tmp_path)
    eventually(lambda: NOWHERE in addresses(), seconds=120)
    kill(controller)
    eventually(lambda: answers(BORN))
    assert addresses() == {BORN}

    controller = move(NOWHERE, tmp_path, deadline_s=300)
    eventually(lambda: NOWHERE in addresses(), seconds=120)
    leader = cgroups.init(layout.recorded(), NAME)
    on_desktop("systemd-run", "--quiet", "systemctl", "reboot", "--force", "--force")
    kill(controller)
    while cgroups.init(layout.recorded(), NAME) in (None, leader):
        time.sleep(0.5)
    eventually(lambda: answers(BORN), seconds=120)
