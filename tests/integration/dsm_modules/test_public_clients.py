# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clients written for real NASes, unmodified: they read what the modules wrote, and the modules what they wrote.

Where a client has a method for something, that method is used; else its own call of any API. What a client calls in a
way that DSM 7.1 is not known to take is refused, and noted in docs/tested-against.md.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from synology_api.base_api import BaseApi
from synology_api.core_certificate import Certificate
from synology_api.core_group import Group
from synology_api.core_package import Package
from synology_api.core_service_apps import CoreServiceApps
from synology_api.core_share import Share, SharePermission
from synology_api.core_sys_info import SysInfo
from synology_api.core_user import User
from synology_api.exceptions import CoreError, HTTPError
from synology_api.snapshot import Snapshot
from synology_api.task_scheduler import TaskScheduler
from synology_dsm import SynologyDSM

from tars_lab.dsm_twin.install import make_certificate

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py
Made = Callable[[type[Any]], Any]

DOCS = "LLM_docs"
RULE = {"client": "10.77.0.10", "access": "ro", "squash": "all_to_admin", "async": True, "insecure": True}
REPORT: dict[str, Any] = {
    "name": "Disk report",
    "owner": "root",
    "script": "smartctl --scan",
    "schedule": {"frequency": "monthly", "weekdays": [0], "weeks": ["first"], "hour": 4},
    "notify_email": "owner@home.arpa",
}
DESIRED_STATES: dict[str, dict[str, Any]] = {
    "dsm_share": {"shares": [{"name": DOCS, "volume": "/volume1", "description": "Documents", "recycle_bin": True}]},
    "dsm_nfs": {"enabled": True, "nfsv4_minor": 1, "exports": [{"share": DOCS, "rules": [RULE]}]},
    "dsm_account": {
        "groups": [{"name": "readers", "description": "May read"}],
        "users": [{"name": "reader", "password": "correct horse", "description": "Reads", "groups": ["readers"]}],
    },
    "dsm_permission": {"shares": [{"share": DOCS, "permissions": [{"group": "readers", "access": "ro"}]}]},
    "dsm_snapshot": {"shares": [{"share": DOCS, "schedule": {"hour": 5}, "retention": {"daily": 7}}]},
    "dsm_system": {"server_name": "nas", "time_zone": "London", "ntp_servers": ["a.example"]},
    "dsm_task": {"tasks": [REPORT, {"name": "Sweep", "script": "rm -f /tmp/x"}]},
    "dsm_package": {"packages": [{"name": "SynoFinder", "state": "stopped"}]},
}


@pytest.fixture
def synology_api(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> Made:
    """A class of synology-api as an object; all objects share one login, as the package has it.

    Nobody logs out: its own way to do so does not say which session it means.
    """
    monkeypatch.setattr(BaseApi, "shared_session", None)

    def made(kind: type[Any]) -> Any:
        # Its way to log in to 7 wants a key exchange whose other side nobody has published.
        how = {"secure": True, "cert_verify": False, "dsm_version": 6, "debug": False}
        return kind("127.0.0.1", str(twin.port), "tars-admin", twin.connection["password"], **how)

    return made


@asynccontextmanager
async def home_assistant(twin: Twin) -> AsyncIterator[SynologyDSM]:
    """py-synologydsm-api, which Home Assistant uses, logged in."""
    trusted = ssl.create_default_context(cafile=twin.root / "cert.pem")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session:
        password = twin.connection["password"]
        client = SynologyDSM(session, "127.0.0.1", twin.port, "tars-admin", password, use_https=True)
        assert await client.login()
        yield client


def post(client: Any, api: str, method: str, version: int, **params: Any) -> Any:
    """synology-api's own call of any API."""
    path = client.gen_list[api]["path"]
    return client.session.request_webapi_data(api, path, {"method": method, "version": version, **params})


def data(answer: dict[str, Any], name: str) -> Any:
    assert answer["success"], answer
    return answer["data"][name]


def run(twin: Twin, module: str, check: bool = False, **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = twin.run(module, check=check, **options)
    assert not result.get("failed"), result
    return result


async def test_the_clients_read_what_the_modules_wrote(twin: Twin, synology_api: Made) -> None:
    for module, desired in DESIRED_STATES.items():
        assert run(twin, module, **desired)["changed"]

    async with home_assistant(twin) as home:
        await home.share.update()
        await home.system.update()
        rules: Any = await home.post("SYNO.Core.FileServ.NFS.SharePrivilege", "load", {"share_name": f'"{DOCS}"'})
    assert [(share["name"], share["vol_path"]) for share in home.share.shares] == [(DOCS, "/volume1")]
    assert (home.system.time_zone, home.system.ntp_server, home.system.enabled_ntp) == ("London", "a.example", True)
    (rule,) = data(rules, "rule")
    assert (rule["client"], rule["privilege"], rule["root_squash"]) == ("10.77.0.10", "ro", "all_admin")

    (share,) = data(synology_api(Share).list_folders(additional=["recyclebin"]), "shares")
    assert (share["name"], share["desc"], share["enable_recycle_bin"]) == (DOCS, "Documents", True)
    users = data(synology_api(User).user_list(additional=["description", "expired"]), "users")
    assert {"name": "reader", "description": "Reads", "expired": "normal"} in users
    group = synology_api(Group)
    assert {"name": "readers", "description": "May read"} in data(group.get_groups(), "groups")
    assert [user["name"] for user in data(group.get_users("readers"), "users")] == ["reader"]
    granted = data(synology_api(SharePermission).get_folder_permissions(DOCS, user_group_type="local_group"), "items")
    assert [row["name"] for row in granted if row["is_readonly"]] == ["readers"]
    network = synology_api(SysInfo)
    assert network.network_status()["data"]["server_name"] == "nas"
    ours = run(twin, "dsm_info", gather=["interfaces"])["interfaces"]
    theirs = network.network_ethernet()["data"]
    assert {row["ifname"]: row["ip"] for row in theirs} == {name: row["ip"] for name, row in ours.items()}
    scheduler = synology_api(TaskScheduler)
    shown = {task["name"]: task for task in data(scheduler.get_task_list(), "tasks")}
    assert {name: task["owner"] for name, task in shown.items()} == {"Disk report": "root", "Sweep": "tars-admin"}
    report = scheduler.get_task_config(shown["Disk report"]["id"], "root")["data"]
    assert report["extra"]["script"] == "smartctl --scan" and report["schedule"]["monthly_week"] == ["first"]
    packages = data(synology_api(Package).list_installed(additional=["status"]), "packages")
    assert {"SynoFinder": "stop", "SMBService": "running"}.items() <= {
        row["id"]: row["additional"]["status"] for row in packages
    }.items()
    assert data(synology_api(Snapshot).list_snapshots(DOCS), "snapshots") == []


async def test_the_modules_read_what_the_clients_wrote(twin: Twin, synology_api: Made) -> None:
    synology_api(Share).create_folder(DOCS, "/volume1", "Documents", recycle_bin_admin_only=False)
    synology_api(User).user_create("reader", "correct horse", "Reads", expire="normal")
    client = synology_api(TaskScheduler)
    client.create_script_task(
        "Disk report",
        "root",
        REPORT["script"],
        run_days="0",
        repeat="monthly",
        monthly_week=["first"],
        start_time_h=4,
        notify_email="owner@home.arpa",
    )
    client.create_script_task("Swept", "tars-admin", "rm -f /tmp/x", enable=False)
    client.modify_script_task(2, "Sweep", "tars-admin", "tars-admin", "rm -f /tmp/x", enable=False)
    client.task_set_enable(2, "tars-admin", True)
    client.task_run(2, "tars-admin")
    post(client, "SYNO.Core.Group", "create", 1, name="readers", description="May read")
    post(client, "SYNO.Core.Group.Member", "add", 1, group="readers", name=["reader"])
    grant = {"name": "readers", "is_readonly": True, "is_writable": False, "is_deny": False, "is_custom": False}
    post(client, "SYNO.Core.Share.Permission", "set", 1, name=DOCS, user_group_type="local_group", permissions=[grant])
    post(client, "SYNO.Core.Package.Control", "stop", 1, id="SynoFinder")
    taken = post(client, "SYNO.Core.Share.Snapshot", "create", 1, name=DOCS, snapinfo={"desc": "by hand"})["data"]
    timing = {"date_type": 0, "week_name": "0,1,2,3,4,5,6", "hour": 5, "min": 0, "repeat_hour": 0, "repeat_min": 0}
    schedule = {"task_id": -1, "enable_snapshot_schedule": True, "schedule": {**timing, "last_work_hour": 5}}
    post(client, "SYNO.Core.Share.Snapshot", "set_schedule", 1, name=DOCS, **schedule)
    record = post(client, "SYNO.DisasterRecovery.Retention", "get", 1, type="Share", name=DOCS)["data"]
    kept = {**record, "type": "Share", "name": DOCS, "policyType": 128, "advDaily": 7}
    post(client, "SYNO.DisasterRecovery.Retention", "set", 1, **kept)

    rule = {"client": RULE["client"], "privilege": "ro", "root_squash": "all_admin", "async": True, "insecure": True}
    flavor = {"sys": True, "kerberos": False, "kerberos_integrity": False, "kerberos_privacy": False}
    rule |= {"crossmnt": False, "security_flavor": flavor}
    network = {"arp_ignore": True, "ipv4_first": False, "multi_gateway": False, "enable_ip_conflict_detect": True}
    async with home_assistant(twin) as home:

        async def write(api: str, method: str, version: int, **fields: Any) -> None:
            form = {name: json.dumps(value) for name, value in fields.items()}
            answer: Any = await home.post(api, method, form, max_version=version)
            assert answer["success"], answer

        await write("SYNO.Core.FileServ.NFS", "set", 2, enable_nfs=True, enable_nfs_v4=True, enabled_minor_ver=1)
        await write("SYNO.Core.FileServ.NFS.SharePrivilege", "save", 1, share_name=DOCS, rule=[rule])
        await write("SYNO.Core.Network", "set", 2, server_name="nas", **network)
        await write("SYNO.Core.Region.NTP", "set", 1, timezone="London", enable_ntp="ntp", server="a.example")

    for module, desired in DESIRED_STATES.items():
        result = run(twin, module, check=True, **desired)
        assert (result["changed"], result["changes"]) == (False, []), module
    shown = run(twin, "dsm_info", gather=["accounts", "nfs", "settings", "snapshots", "tasks"])
    assert shown["tasks"]["Disk report"]["schedule"]["weeks"] == ["first"]
    assert shown["nfs"]["exports"][DOCS][0]["client"] == RULE["client"]
    assert [entry["name"] for entry in shown["snapshots"][DOCS]["taken"]] == [taken]
    client.task_delete(2, "tars-admin")
    assert list(run(twin, "dsm_info", gather=["tasks"])["tasks"]) == ["Disk report"]


def test_both_sides_know_the_same_certificates(twin: Twin, synology_api: Made, tmp_path: Path) -> None:
    files = {}
    for name in ("theirs", "ours"):
        make_certificate(tmp_path / f"{name}.crt", tmp_path / f"{name}.key", f"{name}.home.arpa", ["127.0.0.1"])
        files[name] = (str(tmp_path / f"{name}.key"), str(tmp_path / f"{name}.crt"))
    client = synology_api(Certificate)
    assert client.upload_cert(*files["theirs"], set_as_default=False, desc="theirs")[1]["success"]
    shown = run(twin, "dsm_info", gather=["certificates"])["certificates"]
    assert {row["description"]: row["default"] for row in shown["certificates"]} == {"": True, "theirs": False}
    assert shown["shown"] == twin.fingerprint

    key, certificate = files["ours"]
    desired: dict[str, Any] = {"description": "household", "certificate_path": certificate, "private_key_path": key}
    assert run(twin, "dsm_certificate", **desired)["changed"]
    rows = {row["desc"]: row for row in data(client.list_cert(), "certificates")}
    assert rows["household"]["is_default"] and rows["household"]["subject"]["common_name"] == "ours.home.arpa"


def test_calls_that_dsm_is_not_known_to_take_are_refused(twin: Twin, synology_api: Made) -> None:
    run(twin, "dsm_share", **DESIRED_STATES["dsm_share"])
    grant = [{"name": "users", "is_writable": True}]
    by_get: list[Callable[[], Any]] = [
        lambda: synology_api(Share).delete_folders(DOCS),
        lambda: synology_api(User).user_delete("guest-user"),
        lambda: synology_api(Group).create("readers"),
        lambda: synology_api(SharePermission).set_folder_permissions(DOCS, "local_group", grant),
        lambda: synology_api(Snapshot).create_snapshot(DOCS),
        lambda: synology_api(Certificate).set_default_cert("abcdef"),
    ]
    for call in by_get:
        with pytest.raises(HTTPError, match="503"):
            call()
    otherwise: list[tuple[Callable[[], Any], int]] = [
        (lambda: synology_api(Group).add_users("users", ["guest-user"]), 103),
        (lambda: synology_api(SysInfo).fileserv_nfs(), 103),
        (lambda: synology_api(CoreServiceApps).fileserv_nfs_share_privilege_get(), 103),
        (lambda: synology_api(Package).get_package("SynoFinder"), 120),
    ]
    for call, code in otherwise:
        with pytest.raises(CoreError) as refused:
            call()
        assert refused.value.error_code == code
    assert list(twin.state["shares"]) == [DOCS] and "guest-user" in twin.state["users"]
