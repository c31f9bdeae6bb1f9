# SPDX-License-Identifier: GPL-3.0-or-later
"""What `tars-provision nas facts` sees, keeps, hides and replays.

Recordings lie in `recordings/`. One of a real DSM, put beside the others, is read by the same tests.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tars_lab.layout import Lab
from tars_provision.controller import web_api
from tars_provision.errors import ProvisionError
from tars_provision.nas_facts import recording, replay, run
from tars_provision.nas_facts.bridge import PARTS, Call, Client, connected
from tars_provision.nas_facts.recorder import COMPOUND, READS, Exchange, NotAReadError, Recorder

from ...conftest import tars

RECORDINGS = Path(__file__).parent / "recordings"
TWIN = RECORDINGS / "twin.json"
RULE = {"privilege": "rw", "root_squash": "root", "async": True, "insecure": True, "crossmnt": True}
FLAVOR = {"sys": True, "kerberos": False, "kerberos_integrity": False, "kerberos_privacy": False}
HOURS = {"hour": 5, "min": 0, "repeat_hour": 0, "repeat_min": 0, "last_work_hour": 5}
HIDDEN = {
    "accounts": ["tars-admin", "guest-user", "annabel", "annabel@example.com", "cousins", "A daughter"],
    "shares": ["Letters_1998", "What grandmother wrote"],
    "machines": ["10.11.12.13", "10.11.12.0", "annabels-laptop.example.com", "LAB0000001"],
    "firewall": ["annabel may come in"],
    "tasks": ["/usr/local/bin/lullaby --for annabel"],
}


def furnish(client: Client) -> None:
    """Give the NAS a household's things, so that there is something to hide and every reader has something to read."""
    share = {"name": "Letters_1998", "vol_path": "/volume1", "name_org": "", "desc": "What grandmother wrote"}
    client.write(
        Call("SYNO.Core.Share", "create", 1), {"name": share["name"], "shareinfo": {**share, "share_quota": 2048}}
    )
    client.write(
        Call("SYNO.Core.FileServ.NFS", "set", 2), {"enable_nfs": True, "enable_nfs_v4": True, "enabled_minor_ver": 1}
    )
    rules = [{**RULE, "client": name, "security_flavor": FLAVOR} for name in HIDDEN["machines"][:3:2]]
    client.write(Call("SYNO.Core.FileServ.NFS.SharePrivilege", "save", 1), {"share_name": share["name"], "rule": rules})
    user = {"name": "annabel", "password": "Sing4Supper!", "description": "A daughter", "email": "annabel@example.com"}
    client.write(Call("SYNO.Core.User", "create", 1), user)
    client.write(Call("SYNO.Core.Group", "create", 1), {"name": "cousins", "description": "Those of the coast"})
    client.write(Call("SYNO.Core.Group.Member", "add", 1), {"group": "cousins", "name": ["annabel"]})
    access = [{"name": "annabel", "is_readonly": True, "is_writable": False, "is_deny": False, "is_custom": False}]
    asked: dict[str, Any] = {"name": share["name"], "user_group_type": "local_user", "permissions": access}
    client.write(Call("SYNO.Core.Share.Permission", "set", 1), asked)
    schedule = {"date_type": 0, "week_name": "0,1,2,3,4,5,6", **HOURS}
    asked = {"name": share["name"], "task_id": -1, "enable_snapshot_schedule": True, "schedule": schedule}
    client.write(Call("SYNO.Core.Share.Snapshot", "set_schedule", 1), asked)
    letter = {"desc": "before the move", "lock": True}
    client.write(Call("SYNO.Core.Share.Snapshot", "create", 1), {"name": share["name"], "snapinfo": letter})
    rule = {
        "name": "annabel may come in",
        "enable": True,
        "log": False,
        "policy": "allow",
        "protocol": "tcp",
        "port_direction": "destination",
        "port_group": "custom",
        "ports": "443,8000-8100",
        "source_ip_group": "netmask",
        "source_ip": "10.11.12.0/24",
    }
    profile = {"name": "default", "global": {"policy": "none", "rules": [rule]}}
    asked = {"profile": profile, "profile_applying": False}
    client.write(Call("SYNO.Core.Security.Firewall.Profile", "set", 1), asked)


def options(twin: Any) -> dict[str, Any]:
    return {**twin.connection, "session_file": None}


@pytest.fixture
def furnished(twin: Any) -> Any:
    with connected(**options(twin)) as client:
        furnish(client)
    task = {"name": "Rest", "script": HIDDEN["tasks"][0], "schedule": {"frequency": "daily", "hour": 3}}
    assert twin.run("dsm_task", tasks=[{**task, "owner": "tars-admin"}])["changed"]
    twin.calls.clear()
    return twin


def test_twelve_checks_change_nothing_and_keep_nothing_of_the_household(furnished: Any, tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    facts, calls = run.ask(options(furnished), silent, live=True)
    assert len(facts) == 12
    assert {fact.name: fact.verdict for fact in facts} == dict.fromkeys((fact.name for fact in facts), "as assumed")
    assert furnished.count("SYNO.API.Auth.login") == furnished.count("SYNO.API.Auth.logout") == 1
    assert {call.rpartition(".")[2] for call in furnished.calls} <= READS | {"request"}
    assert {call.method for call in calls if call.api != COMPOUND} <= READS, "each part of a request with several"

    recording.save(path, calls)
    assert path.stat().st_mode & 0o077 == 0
    text = path.read_text()
    secrets = [furnished.connection["password"], furnished.fingerprint, "Sing4Supper!"]
    sessions = [data[name] for data in logins(calls) for name in ("sid", "synotoken")]
    assert len(sessions) == 2
    machine = {entry.address for entries in psutil.net_if_addrs().values() for entry in entries}
    words = [word for words in HIDDEN.values() for word in words]
    for item in [*secrets, *sessions, *words, *machine - {"127.0.0.1", "::1", "00:00:00:00:00:00"}]:
        assert item not in text, item

    if os.environ.get("TARS_RECORD"):
        shutil.copyfile(path, TWIN)
        TWIN.chmod(0o644)
    assert asked(TWIN) == asked(path), "run this test with TARS_RECORD=1, and review the changes of twin.json"


def test_dsm_is_recognised_without_a_login(twin: Any) -> None:
    assert web_api.login_version("127.0.0.1", twin.port) >= 6
    assert twin.calls == ["SYNO.API.Info.query"]


def test_a_write_is_never_sent(twin: Any) -> None:
    with connected(**options(twin)) as client:
        Recorder(client)
        client.read(Call("SYNO.DSM.Info", "getinfo", 2))
        with pytest.raises(NotAReadError):
            client.write(Call("SYNO.Core.FileServ.NFS", "set", 2), {})
        several = [{"api": "SYNO.Core.FileServ.NFS", "method": "set", "version": 2}]
        with pytest.raises(NotAReadError):
            client.read(Call(COMPOUND, "request", 1), {"mode": "sequential", "compound": several})
        with pytest.raises(NotAReadError):
            client.upload(Call("SYNO.Core.Certificate", "import", 1), {"key": b""}, {}, "x")
    assert not [call for call in twin.calls if call.endswith((".set", ".import", ".request"))]


def test_a_wrong_password_is_tried_once(twin: Any) -> None:
    with pytest.raises(ProvisionError, match=r"password is wrong.*no second attempt"):
        run.ask({**options(twin), "password": "guessed"}, silent, live=True)
    assert twin.count("SYNO.API.Auth.login") == 1


def test_what_belongs_together_still_does() -> None:
    """The same value has the same stand-in, types stay, and DSM's own values are kept."""
    calls = recording.load(TWIN)
    shown = {(call.api, call.method): call for call in calls}
    [login] = logins(calls)
    assert login["sid"] and login["synotoken"]
    [share] = shown["SYNO.Core.Share", "list"].answer["data"]["shares"]
    assert (share["name"], share["vol_path"], share["quota_value"]) == ("share-1", "/volume1", 2048)
    rules = shown["SYNO.Core.FileServ.NFS.SharePrivilege", "load"]
    assert rules.params == {"share_name": "share-1"}
    address, name = (rule["client"] for rule in rules.answer["data"]["rule"])
    rule = shown["SYNO.Core.Security.Firewall.Profile", "get"].answer["data"]["global"]["rules"][0]
    network, ports, policy = rule["source_ip"], rule["ports"], rule["policy"]
    assert network.endswith(".0/24") and (ports, policy) == ("443,8000-8100", "allow")
    assert address == network.replace(".0/24", ".13") and name.startswith("host-")
    users = {row["name"]: row["email"] for row in shown["SYNO.Core.User", "list"].answer["data"]["users"]}
    member = next(call for call in calls if call.api.endswith("Member") and call.params["group"].startswith("group-"))
    [row] = member.answer["data"]["users"]
    assert users[row["name"]] == "person-1@example.net"


@pytest.fixture(params=sorted(RECORDINGS.glob("*.json")), ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_the_modules_read_what_was_recorded(recorded: Path, module: Any) -> None:
    """`dsm_info`, as Ansible runs it, reads every field of the NAS that answered the recording."""
    with replay.served(recording.load(recorded)) as place:
        connection = {"host": "127.0.0.1", "port": place.port, "fingerprint": place.fingerprint}
        shown = module("dsm_info", {**connection, "account": "a", "password": "b", "gather": list(PARTS)})
    assert not shown.get("failed"), shown
    assert not place.missing
    assert shown.keys() >= set(PARTS)
    assert shown["system"]["model"].startswith("DS") and shown["volumes"][0]["path"].startswith("/volume")


def test_the_doctor_sees_the_same_in_a_recording(recorded: Path) -> None:
    facts = run.of_recording(recorded, silent)
    assert len(facts) == 12
    if recorded == TWIN:
        assert {fact.verdict for fact in facts} == {"as assumed"}


BENT: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "APIs": ("SYNO.API.Info", "query", lambda data: data.get("SYNO.Core.Package", {}).update(maxVersion=1)),
    "session": ("SYNO.Core.CurrentConnection", "list", lambda data: data["items"].clear()),
    "machine": ("SYNO.DSM.Info", "getinfo", lambda data: data.update(version_string="DSM 7.3-81168")),
    "shares": ("SYNO.Core.Share", "list", lambda data: data["shares"][0].update(quota_value=2)),
    "NFS": ("SYNO.Core.FileServ.NFS.SharePrivilege", "load", lambda data: data["rule"][0].update(root_squash="no")),
    "accounts": ("SYNO.Core.User", "list", lambda data: data["users"][0].pop("expired")),
    "permissions": ("SYNO.Core.Share.Permission", "list", lambda data: data["items"][0].update(is_deny="maybe")),
    "snapshots": ("SYNO.Core.Share.Snapshot", "get_schedule", lambda data: data["schedule"].update(hour="five")),
    "firewall": ("SYNO.Core.Security.Firewall.Profile", "get", lambda data: data["global"]["rules"][0].pop("log")),
    "certificates": ("SYNO.Core.Certificate.CRT", "list", lambda data: data["certificates"][0]["services"].clear()),
    "settings": ("SYNO.Core.Network", "get", lambda data: data.pop("arp_ignore")),
    "tasks": ("SYNO.Core.TaskScheduler", "list", lambda data: data["tasks"][0].update(enable="maybe")),
}


@pytest.mark.parametrize("name", BENT)
def test_each_check_detects_its_own_difference(name: str, tmp_path: Path) -> None:
    """An answer that differs from the assumption is reported by its own check only."""
    calls = recording.load(TWIN)
    api, method, bend = BENT[name]
    for call in calls:
        if (call.api, call.method) == (api, method):
            bend(call.answer["data"])
    recording.save(tmp_path / "bent.json", calls)
    facts = run.of_recording(tmp_path / "bent.json", silent)
    assert {fact.name for fact in facts if fact.verdict == "differs"} == {name}
    assert [fact.name for fact in facts] == list(BENT)


@pytest.mark.lab
def test_the_doctor_finds_the_lab_in_order(lab: Lab) -> None:
    shown = json.loads(tars("doctor", "--json").stdout)
    assert {check["name"] for check in shown["checks"] if check["ok"]} >= {"spec", "vault", "NAS", "desktop"}
    facts = json.loads(tars("nas", "facts", "--json").stdout)["facts"]
    assert len(facts) == 12 and not [fact for fact in facts if fact["differs"]]


def silent(number: int, check: object) -> None:
    """Say nothing about progress."""


def logins(calls: Iterable[Exchange]) -> list[dict[str, str]]:
    return [call.answer["data"] for call in calls if (call.api, call.method) == ("SYNO.API.Auth", "login")]


def asked(path: Path) -> set[tuple[str, str, int]]:
    return {(call.api, call.method, call.version) for call in recording.load(path)}
