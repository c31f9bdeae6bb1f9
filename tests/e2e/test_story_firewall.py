# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of the desktop, scanned by nmap from inside and outside the local network; interrupted changes."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..bench import cutting_firewall
from ..bench.cutting import Case, attempt
from ..bench.cutting_firewall import Firewall
from ..conftest import ROOT, environment
from .conftest import eventually, host, playbook

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

ADDRESSES = ["10.77.0.10", "fd77:7a52::10"]
OPEN = [{22, 443}, {22, 443}]
"""Open ports at each address, from inside the local network."""
PORTS = "22,53,80,111,139,443,445,2222,2375,2376,5000,5353,5432,6379,8000,8080,8081,8443,9000,11434"
"""Ports of the desktop's programs and containers, and other common ports."""

# A network behind `client`, to which the desktop has a route and which is not in the spec.
STRANGER = """
set -e
ip netns add stranger
ip link add to-stranger type veth peer name eth0 netns stranger
ip address add 198.51.100.1/24 dev to-stranger
ip address add 2001:db8:77::1/64 dev to-stranger nodad
ip link set to-stranger up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
nsenter --net=/run/netns/stranger sh -e <<'END'
ip address add 198.51.100.2/24 dev eth0
ip address add 2001:db8:77::2/64 dev eth0 nodad
ip link set eth0 up
ip route add default via 198.51.100.1
ip route add default via 2001:db8:77::1
END
"""
WAY_BACK = "ip route replace 198.51.100.0/24 via 10.77.0.30; ip route replace 2001:db8:77::/64 via fd77:7a52::30"


@pytest.fixture
def stranger() -> Iterator[None]:
    client = host("client")
    made = client.run(STRANGER)
    assert made.rc == 0, made.stderr
    assert host("xps8950").run(WAY_BACK).rc == 0
    yield
    client.run("ip netns delete stranger; ip link delete to-stranger")
    host("xps8950").run("ip route delete 198.51.100.0/24; ip route delete 2001:db8:77::/64")


def scan(address: str, inside: str = "", ports: str = PORTS) -> set[int]:
    """Return the open ports, scanned from ``client`` or from a network namespace on it."""
    family = "-6" if ":" in address else ""
    enter = f"nsenter --net=/run/netns/{inside}" if inside else ""
    done = host("client").run(f"{enter} nmap {family} -Pn -n -sT -T4 --max-retries 2 -p {ports} -oG - {address}")
    assert done.rc == 0 and "Ports:" in done.stdout, done.stdout + done.stderr
    ports_field = done.stdout.split("Ports:")[1].split("\t")[0].split(",")
    return {int(port.split("/")[0]) for port in ports_field if "/open/" in port}


def resolves(inside: str = "") -> bool:
    """Return whether the desktop answers a DNS query over UDP."""
    enter = f"nsenter --net=/run/netns/{inside}" if inside else ""
    done = host("client").run(f"{enter} dig +short +time=2 +tries=2 @10.77.0.10 tars.home.arpa")
    return "10.77.0.10" in done.stdout.splitlines()


def test_only_the_local_network_reaches_the_services(stranger: None) -> None:
    desktop = host("xps8950")
    assert desktop.run("systemctl stop tars-firewall").rc == 0
    try:
        without = [scan(address, "stranger") for address in ADDRESSES]
        assert [ports & {22, 53, 443} for ports in without] == [{22, 53, 443}, {22, 443}], "precondition"
        assert resolves("stranger"), "precondition: dnsmasq itself answers other networks"
    finally:
        assert desktop.run("systemctl start tars-firewall").rc == 0
    assert [scan(address, "stranger") for address in ADDRESSES] == [set(), set()]
    assert [scan(address) for address in ADDRESSES] == OPEN
    assert (resolves("stranger"), resolves()) == (False, True)

    assert desktop.run("systemctl restart docker").rc == 0
    eventually(lambda: [scan(address, ports="443") for address in ADDRESSES] == [{443}, {443}])
    assert [scan(address, "stranger") for address in ADDRESSES] == [set(), set()]
    assert [scan(address) for address in ADDRESSES] == OPEN


def test_neighbours_cannot_reach_containers_by_their_own_addresses() -> None:
    desktop, client = host("xps8950"), host("client")
    find = "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' tars-caddy-1"
    address = desktop.run(find).stdout.split()[0]
    client.run(f"ip route replace {address} via 10.77.0.10")
    try:
        assert desktop.run("systemctl stop tars-firewall").rc == 0
        assert scan(address, ports="8443") == {8443}, "precondition: Docker itself accepts neighbours"
        assert desktop.run("systemctl start tars-firewall").rc == 0
        assert scan(address, ports="8443,8081") == set()
    finally:
        assert desktop.run("systemctl start tars-firewall").rc == 0
        client.run(f"ip route delete {address}")


def test_containers_can_open_connections() -> None:
    response = host("xps8950").run("docker exec tars-caddy-1 wget -q -O- http://10.77.0.1:5000/v2/_catalog")
    assert response.rc == 0 and "repositories" in response.stdout, response.stderr


def test_foreign_tables_of_nftables_stay() -> None:
    desktop = Firewall()
    desktop.install_foreign_rules()
    desktop.run("nft", "add table ip by_hand")
    run = playbook("site", "--limit", "xps8950", "--tags", "host_firewall")
    assert run.code == 0 and run.recap("xps8950")["changed"] == 0, run.output
    assert desktop.run("cat", "/etc/nftables.conf") == cutting_firewall.FOREIGN
    tables = desktop.run("nft", "list", "tables").splitlines()
    assert {"table inet foreign", "table ip by_hand", "table inet tars"} <= set(tables)
    desktop.run("systemctl", "reload", "nftables")
    assert {"table inet foreign", "table inet tars"} <= set(desktop.run("nft", "list", "tables").splitlines())


def firewall(folder: Path, services: list[dict[str, object]], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Configure the firewall for these services."""
    command = Firewall().firewall(services, folder, 60, *arguments)
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)


def test_rules_that_would_lock_the_controller_out_are_rejected(tmp_path: Path) -> None:
    desktop = Firewall()
    run = firewall(tmp_path, [{"name": "ssh", "ports": [22], "sources": ["10.77.0.30"]}], "-e", "ansible_port=22")
    output = " ".join(run.stdout.split())
    assert run.returncode != 0 and "would shut this controller (10.77.0.1) out of port 22" in output, run.stdout
    assert desktop.state() == desktop.before


# More by `python -m tests.bench.cut`.
CASES = [
    Case("firewall", "wrong", "begun", "none", deadline_s=5),
    Case("firewall", "wrong", "loaded", "module", deadline_s=5),
    Case("firewall", "wrong", "loaded", "link", deadline_s=5, link_s=5),
    Case("firewall", "right", "back", "module", deadline_s=20),  # without the confirmation, undone after this
    Case("firewall", "wrong", "loaded", "reboot", deadline_s=5),
]


def test_after_an_interrupted_change_the_machine_is_reachable() -> None:
    desktop = Firewall()
    desktop.prepare()
    results = [attempt(desktop, case) for case in CASES]
    assert all(result.good for result in results), results


def test_the_rules_of_the_spec_are_restored_and_stay() -> None:
    run = playbook("site", "--limit", "xps8950", "--tags", "host_firewall")
    assert run.code == 0 and run.recap("xps8950")["changed"] == 1, run.output
    ruleset = json.loads(Firewall().run("nft", "-j", "list", "ruleset"))
    chains = [e["chain"] for e in ruleset["nftables"] if "chain" in e]
    assert [c["policy"] for c in chains if (c["table"], c["name"]) == ("tars", "input")] == ["drop"]
    eventually(lambda: [scan(address) for address in ADDRESSES] == OPEN)
