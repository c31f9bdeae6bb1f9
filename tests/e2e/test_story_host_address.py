# SPDX-License-Identifier: GPL-3.0-or-later
"""The desktop started with a DHCP address and has a static one; failed changes of it are undone."""

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tars_lab import cgroups, layout, machine

from ..bench.cutting import Case, attempt, kill
from ..bench.cutting_address import Address
from ..conftest import BIN, ROOT, environment
from .conftest import SSH, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

NAME, DHCP_ADDRESS, OWN, NOWHERE = "xps8950", "10.77.0.110", "10.77.0.10", "192.0.2.5"
DROP_IN = "systemd/network/10-eth0.network.d/zz-tars.conf"


def on_desktop(*command: str) -> str:
    """Run a program on the desktop without its network; return its output."""
    lab = layout.recorded()
    words = machine.enter(lab, lab.machine(NAME), command)
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def addresses() -> set[str]:
    """Return the desktop's IPv4 addresses, as ip reports them."""
    interfaces = json.loads(on_desktop("ip", "-json", "-4", "address", "show", "dev", "eth0"))
    return {entry["local"] for row in interfaces for entry in row["addr_info"]}


def answers(address: str) -> bool:
    """Return whether the desktop accepts a new ssh connection at the address."""
    options = ["-o", "ConnectTimeout=2", "-o", "ControlPath=none"]
    return (
        subprocess.run(["ssh", *SSH.split(), *options, f"root@{address}", "true"], capture_output=True).returncode == 0
    )


def move(address: str, folder: Path, *options: str, **variables: object) -> subprocess.Popen[str]:
    """Start to change the desktop's address."""
    network = address.rpartition(".")[0]
    role = {"role": "tars.home.host_address", "host_address_interface": "eth0", "host_address_deadline_s": 5}
    role |= {"host_address_address": address, "host_address_network": f"{network}.0/24"}
    role |= {"host_address_gateway": f"{network}.1", **variables}
    path = folder / "move.yml"
    path.write_text(json.dumps([{"hosts": "desktop", "gather_facts": False, "roles": [role]}]))
    command: list[str | Path] = [BIN / "ansible-playbook", "-T", "3", "-i", "inventories/lab/tars.yml", path, *options]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(), start_new_session=True, text=True, stdout=-1, stderr=subprocess.STDOUT
    )


def moved(address: str, folder: Path, *options: str, **variables: object) -> str:
    """Change the desktop's address, wait for the end, and return the output in one line."""
    return " ".join(move(address, folder, *options, **variables).communicate(timeout=240)[0].split())


@contextmanager
def observed(address: str) -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether the desktop has had the address meanwhile, even for a moment."""
    unit = "--unit=observed", "--collect", "--quiet", "--property=StandardOutput=file:/run/observed"
    on_desktop("touch", "/run/observed")
    on_desktop("systemd-run", *unit, "ip", "-4", "-oneline", "monitor", "address")
    try:
        yield lambda: f"{address}/" in on_desktop("cat", "/run/observed")
    finally:
        on_desktop("systemctl", "stop", "observed")
        on_desktop("rm", "/run/observed")


@dataclass(frozen=True)
class NetworkManager:
    """A network manager other than networkd alone.

    Its packages, the file of its owner with its content, our own file, and the commands that start and stop it.
    """

    packages: str
    file: str
    text: str
    ours: str
    begin: str
    end: str = ":"


YAML = {
    "dhcp4": True,
    "addresses": ["fd77:7a52::10/64"],
    "nameservers": {"search": ["example.org"]},
    "accept-ra": False,
}
ROUTE = {"to": "198.51.100.0/24", "via": "10.77.0.1"}
PROFILE = """\
# The owner's.
[connection]
id=lan
uuid=6f7a0b6e-0000-4000-8000-000000000001
type=ethernet
interface-name=eth0

[ipv4]
method=auto
route1=198.51.100.0/24,10.77.0.1

[ipv6]
method=manual
address1=fd77:7a52::10/64
"""
# NetworkManager would not manage what networkd has configured, and would store that decision.
NETWORK_MANAGER = (
    "systemctl stop NetworkManager; systemctl enable -q NetworkManager; "
    "systemctl disable -q --now systemd-networkd.socket systemd-networkd; "
    "rm -r /run/NetworkManager; ip link set eth0 down; ip address flush dev eth0"
)
NETWORKD = "systemctl disable -q --now NetworkManager; systemctl enable -q --now systemd-networkd"
PROGRAMS = {
    "netplan": NetworkManager(
        packages="netplan.io",
        file="/etc/netplan/50-cloud-init.yaml",
        text=json.dumps({"network": {"version": 2, "ethernets": {"eth0": {**YAML, "routes": [ROUTE]}}}}),
        ours="/etc/netplan/zz-tars-eth0.yaml",
        begin="netplan generate; networkctl reload; networkctl reconfigure eth0",
    ),
    "NetworkManager": NetworkManager(
        packages="network-manager",
        file="/etc/NetworkManager/system-connections/lan.nmconnection",
        text=PROFILE,
        ours="/etc/NetworkManager/system-connections/tars-eth0.nmconnection",
        begin=f"{NETWORK_MANAGER}; systemctl start NetworkManager",
        end=NETWORKD,
    ),
    "netplan with NetworkManager": NetworkManager(
        packages="netplan.io network-manager",
        file="/etc/netplan/50-cloud-init.yaml",
        text=json.dumps(
            {
                "network": {
                    "version": 2,
                    "renderer": "NetworkManager",
                    "ethernets": {"eth0": {**YAML, "routes": [ROUTE]}},
                }
            }
        ),
        ours="/etc/netplan/zz-tars-eth0.yaml",
        begin=f"{NETWORK_MANAGER}; netplan generate; systemctl start NetworkManager",
        end=NETWORKD,
    ),
}

MARK = pytest.mark.network_manager


@pytest.fixture(params=["netplan", *(pytest.param(name, marks=MARK) for name in PROGRAMS if name != "netplan")])
def manager(request: pytest.FixtureRequest) -> Iterator[NetworkManager]:
    """Configure the desktop with another network manager and a DHCP lease; restore it at the end."""
    chosen = PROGRAMS[request.param]
    apt = "export DEBIAN_FRONTEND=noninteractive; apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300"
    on_desktop("sh", "-ec", f"{apt} install --no-install-recommends {chosen.packages} >/dev/null")
    write = f"umask 077; mkdir -p $(dirname {chosen.file}); echo {shlex.quote(chosen.text)} > {chosen.file}"
    aside = "mkdir -p /root/away; mv /etc/systemd/network/10-eth0.network* /root/away"
    back = "mv /root/away/* /etc/systemd/network; networkctl reload; networkctl reconfigure eth0"
    made = f"{chosen.file} {chosen.ours} /run/systemd/network/10-netplan-*"
    try:
        on_desktop("sh", "-ec", f"{write}; {aside}; {chosen.begin}")
        eventually(lambda: addresses() == {DHCP_ADDRESS} and answers(DHCP_ADDRESS))
        yield chosen
    finally:
        on_desktop("sh", "-ec", f"rm -f {made}; {chosen.end}; {back}")
        eventually(lambda: addresses() == {OWN} and answers(OWN))
        on_desktop("sh", "-ec", f"{apt} purge {chosen.packages} >/dev/null")


def test_the_desktop_has_its_static_address_and_no_lease() -> None:
    assert addresses() == {OWN} and answers(OWN) and not answers(DHCP_ADDRESS)
    assert "/24" in on_desktop("cat", f"/etc/{DROP_IN}")


def test_an_address_of_another_machine_is_rejected(tmp_path: Path) -> None:
    output = moved("10.77.0.30", tmp_path)
    assert "10.77.0.30/24 is taken" in output, output
    assert addresses() == {OWN}


def test_a_change_to_an_unreachable_address_is_undone(tmp_path: Path) -> None:
    before = on_desktop("cat", f"/etc/{DROP_IN}")
    output = moved(NOWHERE, tmp_path)
    assert "failed=1" in output and "the machine has undone it and is as before" in output, output
    assert addresses() == {OWN} and answers(OWN)
    assert on_desktop("cat", f"/etc/{DROP_IN}") == before


def test_other_network_managers_are_configured_and_foreign_files_stay(manager: NetworkManager, tmp_path: Path) -> None:
    output = moved(OWN, tmp_path, host_address_method="reservation")
    assert "reserve 10.77.0.10 for xps8950 (02:00:5e:00:00:0a) in the router" in output, output
    assert "failed=1" in output and addresses() == {DHCP_ADDRESS}
    output = moved(OWN, tmp_path, "--check", "--diff")
    assert "-10.77.0.110/24 +10.77.0.10/24" in output and "failed=0" in output and addresses() == {DHCP_ADDRESS}, output

    with observed(NOWHERE) as was_set:
        controller = move(NOWHERE, tmp_path)
        eventually(was_set)
    kill(controller)
    eventually(lambda: answers(DHCP_ADDRESS))
    assert addresses() == {DHCP_ADDRESS}

    controller = move(NOWHERE, tmp_path, host_address_deadline_s=300)
    eventually(lambda: NOWHERE in addresses())
    leader = cgroups.init(layout.recorded(), NAME)
    on_desktop("systemd-run", "--quiet", "systemctl", "reboot", "--force", "--force")
    kill(controller)
    while cgroups.init(layout.recorded(), NAME) in (None, leader):
        time.sleep(0.5)
    eventually(lambda: answers(DHCP_ADDRESS))

    output = moved(OWN, tmp_path, host_address_deadline_s=60)
    assert "changed=1" in output and "failed=0" in output, output
    assert addresses() == {OWN} and answers(OWN) and not answers(DHCP_ADDRESS)
    assert "198.51.100.0/24 via 10.77.0.1" in on_desktop("ip", "-4", "route", "show")
    assert "fd77:7a52::10/64" in on_desktop("ip", "-6", "address", "show", "dev", "eth0")
    assert on_desktop("cat", manager.file) == f"{manager.text}\n"
    assert on_desktop("stat", "--format=%a %U", manager.ours) == "600 root\n"
    output = moved(OWN, tmp_path)
    assert "changed=0" in output and "failed=0" in output, output


# More by `python -m tests.bench.cut`.
CUTS = [
    Case("address", "wrong", "applied", "module", deadline_s=8),
    Case("address", "right", "back", "module", deadline_s=24),  # without the confirmation, undone after this
    # Uninterrupted, back to the address of the spec.
    Case("address", "right", "begun", "none", deadline_s=60),
]


def test_after_an_interrupted_change_the_machine_is_reachable() -> None:
    desktop = Address()
    results = [attempt(desktop, case) for case in CUTS]
    assert all(result.good for result in results), results
    assert addresses() == {OWN} and "/24" in on_desktop("cat", f"/etc/{DROP_IN}")
