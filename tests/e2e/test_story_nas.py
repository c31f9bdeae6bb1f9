# SPDX-License-Identifier: GPL-3.0-or-later
"""The household's NAS as other machines meet it: who gets in, with what, and what stays when the desktop goes wild.

Judged by nfs-ls, nmap and openssl on ``client``, by mount and the shell on the desktop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import CONNECTION, connect

from tars_provision.controller import vault

from ..conftest import INVENTORY
from .conftest import ADDRESSES, AUTHORITY, Run, host

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

NAS = ADDRESSES["ds1515plus"]
BACKUPS = "/volume1/tars_backup"


def on(machine: str, command: str) -> str:
    """Run a command that must succeed, and return what it printed."""
    done = host(machine).run(command)
    assert done.rc == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return str(done.stdout)


def test_check_mode_on_the_factory_nas_shows_the_whole_plan(planned: Run) -> None:
    assert planned.code == 0, planned.output
    added = [
        "pool.ntp.org",
        "path: /volume1/LLM_docs",
        f"path: {BACKUPS}",
        "client: 10.77.0.30",
        "name: tars-backup",
        "user tars-backup: rw",
        "daily: 7",
        "policy: drop",
        "description: T.A.R.S.",
    ]
    missing = [line for line in added if not re.search(rf"(?m)^\+ *(- +)?{re.escape(line)}$", planned.output)]
    assert not missing, f"{missing} in {planned.output}"


def test_a_share_opens_to_its_clients_alone() -> None:
    on("client", f"nfs-ls nfs://{NAS}/volume1/LLM_docs")
    refused = host("client").run(f"nfs-ls nfs://{NAS}{BACKUPS}")
    assert refused.rc != 0 and "ACCES" in refused.stderr, refused


def test_the_firewall_lets_in_who_is_named() -> None:
    scan = on("client", f"nmap -Pn -n -sT -p 22,80,111,139,443,445,892,2049,5000,5001 -oG - {NAS}")
    states = {int(port): state for port, state in re.findall(r"(\d+)/(open|closed|filtered)/", scan)}
    assert {port for port, state in states.items() if state == "open"} == {22, 111, 892, 2049, 5001}, scan
    # Its web server answers there, too: it is the firewall that keeps it.
    assert states[5000] == "filtered" and ":5000 " in on("ds1515plus", "ss -Hltn")
    reached = {port: host("xps8950").run(knock(port)).rc == 0 for port in (22, 2049, 5001)}
    assert reached == {22: False, 2049: True, 5001: False}


def knock(port: int) -> str:
    return f"timeout 5 bash -c '</dev/tcp/{NAS}/{port}'"


def test_the_certificate_is_the_households() -> None:
    on("client", f"cat > /root/household.pem <<'END'\n{AUTHORITY.read_text()}\nEND")
    ask = f"openssl s_client -connect {NAS}:5001 -verify_return_error </dev/null"
    on("client", f"{ask} -CAfile /root/household.pem -verify_ip {NAS}")
    on("client", f"{ask} -CAfile /root/household.pem -verify_hostname nas.home.arpa")
    assert host("client").run(ask).rc != 0, "a device without the authority must refuse it"


@pytest.fixture
def mounted() -> Iterator[str]:
    """The backups as the desktop mounts them."""
    on("xps8950", f"mkdir -p /mnt/backups && mount -t nfs4 {NAS}:{BACKUPS} /mnt/backups")
    yield "/mnt/backups"
    on("xps8950", "umount /mnt/backups")


@pytest.fixture
def dsm() -> Iterator[Client]:
    """A session with the NAS, as its administrator has one."""
    options = {name: option.get("default") for name, option in CONNECTION.items()}
    options |= {
        "host": NAS,
        "account": "tars-admin",
        "password": vault.read(INVENTORY.parent)["dsm_password"],
        "ca_path": str(AUTHORITY),
    }
    with connect(options) as client:
        yield client


def test_a_desktop_that_deletes_its_backups_leaves_the_snapshot(mounted: str, dsm: Client) -> None:
    on("xps8950", f"echo kept > {mounted}/proof")
    assert on("ds1515plus", f"stat -c %u {BACKUPS}/proof") == "1024\n", "written as the NAS's admin"
    # What its schedule does at five o'clock.
    taken = dsm.write("SYNO.Core.Share.Snapshot", "create", 1, {"name": "tars_backup", "snapinfo": {"desc": "proof"}})
    on("xps8950", f"find {mounted} -mindepth 1 -delete")
    assert on("ds1515plus", f"ls -A {BACKUPS}") == ""
    assert on("ds1515plus", f"cat /volume1/@sharesnap/tars_backup/{taken}/proof") == "kept\n"
