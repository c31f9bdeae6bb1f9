# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to the NAS from other machines, and snapshots that the desktop cannot delete.

Checked with nfs-ls, nmap and openssl on ``client``, and with mount and the shell on the desktop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.calls import Call
from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import CONNECTION, connect

from tars_provision.assistant import client
from tars_provision.controller import vault
from tars_provision.spec.load import load

from ..conftest import INVENTORY, tars
from .conftest import ADDRESSES, AUTHORITY, Run, eventually, host

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

NAS = ADDRESSES["ds1515plus"]
BACKUPS = "/volume1/tars_backup"


def on(machine: str, command: str) -> str:
    """Run a command that must succeed; return its output."""
    done = host(machine).run(command)
    assert done.rc == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return str(done.stdout)


def test_check_mode_on_a_new_nas_shows_the_whole_plan(planned: Run) -> None:
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


def test_only_its_clients_can_mount_a_share() -> None:
    on("client", f"nfs-ls nfs://{NAS}/volume1/LLM_docs")
    refused = host("client").run(f"nfs-ls nfs://{NAS}{BACKUPS}")
    assert refused.rc != 0 and "ACCES" in refused.stderr, refused


def test_the_firewall_allows_only_the_listed_sources() -> None:
    scan = on("client", f"nmap -Pn -n -sT -p 22,80,111,139,443,445,892,2049,5000,5001 -oG - {NAS}")
    states = {int(port): state for port, state in re.findall(r"(\d+)/(open|closed|filtered)/", scan)}
    assert {port for port, state in states.items() if state == "open"} == {22, 111, 892, 2049, 5001}, scan
    # The web server listens on this port as well; the firewall drops the packets.
    assert states[5000] == "filtered" and ":5000 " in on("ds1515plus", "ss -Hltn")
    reached = {port: host("xps8950").run(connection_command(port)).rc == 0 for port in (22, 2049, 5001)}
    assert reached == {22: False, 2049: True, 5001: False}


def connection_command(port: int) -> str:
    return f"timeout 5 bash -c '</dev/tcp/{NAS}/{port}'"


def test_the_certificate_is_signed_by_the_authority() -> None:
    on("client", f"cat > /root/household.pem <<'END'\n{AUTHORITY.read_text()}\nEND")
    request = f"openssl s_client -connect {NAS}:5001 -verify_return_error </dev/null"
    on("client", f"{request} -CAfile /root/household.pem -verify_ip {NAS}")
    on("client", f"{request} -CAfile /root/household.pem -verify_hostname nas.home.arpa")
    assert host("client").run(request).rc != 0, "a device without the authority must reject it"


@pytest.fixture
def mounted() -> Iterator[str]:
    """Mount the backup share on the desktop and yield the mount point."""
    on("xps8950", f"mkdir -p /mnt/backups && mount -t nfs4 {NAS}:{BACKUPS} /mnt/backups")
    yield "/mnt/backups"
    on("xps8950", "umount /mnt/backups")


@pytest.fixture
def dsm() -> Iterator[Client]:
    """Yield a session with the NAS, with the account of its administrator."""
    options = {name: option.get("default") for name, option in CONNECTION.items()}
    options |= {
        "host": NAS,
        "account": "tars-admin",
        "password": vault.read(INVENTORY.parent)["dsm_password"],
        "ca_path": str(AUTHORITY),
    }
    with connect(options) as client:
        yield client


def test_the_desktop_cannot_delete_snapshots_of_its_backups(mounted: str, dsm: Client) -> None:
    # In a folder of its own: later tests need the backups.
    on("xps8950", f"mkdir {mounted}/kept && echo kept > {mounted}/kept/proof")
    assert on("ds1515plus", f"stat -c %u {BACKUPS}/kept/proof") == "1024\n", "written as the NAS's admin"
    # As the schedule does at 5:00.
    taken = dsm.write(
        Call("SYNO.Core.Share.Snapshot", "create", 1), {"name": "tars_backup", "snapinfo": {"desc": "proof"}}
    )
    on("xps8950", f"rm -r {mounted}/kept")
    assert host("ds1515plus").run(f"test -e {BACKUPS}/kept").rc == 1
    assert on("ds1515plus", f"cat /volume1/@sharesnap/tars_backup/{taken}/kept/proof") == "kept\n"

    listed = json.loads(tars("nas", "snapshots", "--json").stdout)["shares"]
    assert [row["name"] for row in listed["tars_backup"] if row["description"] == "proof"] == [taken]
    assert listed["LLM_docs"] == []
    cloned = json.loads(tars("nas", "clone", "tars_backup", str(taken), "tars_proof", "--json").stdout)
    assert cloned == {"share": "tars_proof", "of": "tars_backup", "snapshot": taken}
    assert on("ds1515plus", "cat /volume1/tars_proof/kept/proof") == "kept\n"
    # Over NFSv3, for which a user without privileges on the NAS resolves the paths of the exports.
    on("client", f"nfs-ls 'nfs://{NAS}/volume1/LLM_docs?version=3'")
    dsm.write(Call("SYNO.Core.Share", "delete", 1), {"name": ["tars_proof"]})


def test_versions_from_before_the_first_scan_come_from_snapshots_over_nfs(dsm: Client) -> None:
    """The NAS shows a snapshot in the share, the desktop reads it over NFS, and a question about then is answered."""
    endpoint = client.endpoint(load(INVENTORY), INVENTORY.parent)
    share, view = "/volume1/LLM_docs", "/srv/tars/documents/LLM_docs/#snapshot"
    on(
        "ds1515plus",
        f"cd {share} && echo 'The water tariff is 31 euros.' > tariff.txt && touch -d 2025-02-01 tariff.txt",
    )
    taken = dsm.write(Call("SYNO.Core.Share.Snapshot", "create", 1), {"name": "LLM_docs", "snapinfo": {"desc": ""}})
    eventually(
        lambda: host("xps8950").run(f"cat '{view}/{taken}/tariff.txt'").stdout == "The water tariff is 31 euros.\n"
    )
    as_client = "setpriv --reuid 1024 --regid 100 --clear-groups"
    assert host("ds1515plus").run(f"cd '{share}/#snapshot/{taken}' && {as_client} rm -f tariff.txt").rc != 0, (
        "read only"
    )
    on("ds1515plus", f"cd {share} && sed -i s/31/35/ tariff.txt")
    # A snapshot of now adds nothing. Under an older name, and without files of now, it is one of before the first scan.
    old = "GMT+00-2025.03.01-05.00.00"
    on(
        "ds1515plus",
        f"cd '{share}/#snapshot' && find {taken} -mindepth 1 ! -name tariff.txt -delete && mv {taken} {old}",
    )

    def states() -> dict[str, str]:
        return {row["name"]: row["state"] for row in client.query(endpoint, "/api/snapshots")["snapshots"]}

    eventually(lambda: states().get(old) == "imported")
    versions = eventually(
        lambda: [
            version
            for version in client.query(endpoint, "/api/history", document="LLM_docs/tariff.txt")["versions"]
            if version["snapshot"] == old and version["kept"]
        ]
    )
    assert isinstance(versions, list) and versions[0]["observed"] == "2025-03-01T05:00:00Z"
    then = client.query(endpoint, "/api/search", q="water tariff", as_of="2025-03-02")["results"]
    assert [result["text"] for result in then if result["path"] == "tariff.txt"] == ["The water tariff is 31 euros."]
    eventually(lambda: "35 euros" in str(client.query(endpoint, "/api/search", q="water tariff")["results"]))
    with pytest.raises(client.RefusedError, match="There is no history before 2025-03-01"):
        client.query(endpoint, "/api/search", q="water tariff", as_of="2025-02-28")
    on("ds1515plus", f"cd {share} && rm -r tariff.txt '#snapshot/{old}'")
    dsm.write(Call("SYNO.Core.Share.Snapshot", "delete", 1), {"name": "LLM_docs", "snapshots": [taken]})


def test_a_clone_of_a_snapshot_that_does_not_exist_names_the_command_that_lists_them() -> None:
    refused = tars("nas", "clone", "tars_backup", "GMT+00-2026.01.01-00.00.00", "tars_proof", check=False)
    assert refused.returncode == 1 and "nas snapshots tars_backup" in refused.stderr, refused.stderr
    assert host("ds1515plus").run("test -e /volume1/tars_proof").rc != 0
