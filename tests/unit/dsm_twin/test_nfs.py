# SPDX-License-Identifier: GPL-3.0-or-later
"""The NFS service, the rules, and the exports made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tars_lab.dsm_twin.ganesha import Export, Rule, Service, render_export, render_service, resolve_client

SERVICE = "SYNO.Core.FileServ.NFS"
API = "SYNO.Core.FileServ.NFS.SharePrivilege"
SYS = {"sys": True, "kerberos": False, "kerberos_integrity": False, "kerberos_privacy": False}
RULE = {
    "client": "10.77.0.10",
    "privilege": "ro",
    "root_squash": "all_admin",
    "async": True,
    "insecure": True,
    "crossmnt": False,
    "security_flavor": SYS,
}


@pytest.fixture
def docs(dsm: Any) -> Any:
    """Return a caller of a NAS with NFS enabled and a share `docs`."""
    dsm.enable_nfs()
    assert dsm.create("docs") == 0
    return dsm


def save(dsm: Any, *rules: dict[str, Any], share: str = "docs") -> int:
    return int(dsm.code(API, "save", share_name=share, rule=list(rules)))


def test_service(dsm: Any) -> None:
    before = dsm.data(SERVICE, "get", 2)
    assert before["enable_nfs"] is False and before["support_major_ver"] == 4 and before["support_minor_ver"] == 1
    dsm.enable_nfs()
    after = dsm.data(SERVICE, "get", 2)
    assert (after["enable_nfs"], after["enable_nfs_v4"], after["enabled_minor_ver"]) == (True, True, 1)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"enable_nfs": True}, 120),
        ({"enable_nfs": True, "enable_nfs_v4": True, "enabled_minor_ver": 2}, 2301),
        ({"enable_nfs": "true", "enable_nfs_v4": True, "enabled_minor_ver": 1}, 120),
        ({"enable_nfs": 1, "enable_nfs_v4": True, "enabled_minor_ver": 1}, 120),
    ],
)
def test_service_errors(dsm: Any, fields: dict[str, Any], code: int) -> None:
    assert dsm.code(SERVICE, "set", 2, **fields) == code
    assert dsm.data(SERVICE, "get", 2)["enable_nfs"] is False


def test_rules_are_returned_with_numbers_for_booleans(docs: Any) -> None:
    assert docs.data(API, "load", share_name="docs") == {"rule": []}
    assert save(docs, RULE, RULE | {"client": "10.77.0.0/24", "id": ""}) == 0
    first, second = docs.data(API, "load", share_name="docs")["rule"]
    assert first == RULE | {"async": 1, "insecure": 1, "crossmnt": 0, "id": "10.77.0.10"}
    assert second["client"] == "10.77.0.0/24"
    assert save(docs, RULE | {"client": "*"}) == 0
    assert [rule["client"] for rule in docs.data(API, "load", share_name="docs")["rule"]] == ["*"], "save replaces"


@pytest.mark.parametrize(
    "broken",
    [
        *[{key: value for key, value in RULE.items() if key != missing} for missing in RULE],
        RULE | {"root_squash": "no_root_squash"},
        RULE | {"privilege": "rx"},
        RULE | {"security_flavor": "sys"},
        RULE | {"security_flavor": ["sys"]},
        RULE | {"security_flavor": {"sys": True}},
        RULE | {"security_flavor": SYS | {"sys": False}},
        RULE | {"async": 1},
        RULE | {"client": ""},
        RULE | {"client": "10.77.0.10; } EXPORT {"},
        RULE | {"client": 7},
        RULE | {"id": 1},
        RULE | {"unknown": True},
        "text",
    ],
)
def test_after_a_malformed_rule_the_old_ones_stay(docs: Any, tmp_path: Path, broken: Any) -> None:
    assert save(docs, RULE) == 0
    config = (tmp_path / "ganesha.conf").read_text()
    assert save(docs, RULE | {"client": "10.77.0.30"}, broken) == 2301
    assert [rule["client"] for rule in docs.data(API, "load", share_name="docs")["rule"]] == ["10.77.0.10"]
    assert (tmp_path / "ganesha.conf").read_text() == config


def test_rule_errors(docs: Any) -> None:
    assert docs.code(API, "load", share_name="absent") == 2370
    assert save(docs, RULE, share="absent") == 2370
    assert docs.code(API, "load", name="docs") == 2301
    assert docs.code(API, "save", share_name="docs", rules=[RULE]) == 2301
    assert docs.code(API, "save", share_name="docs", rule=RULE) == 2301
    assert docs.code(API, "load", raw={"share_name": "docs"}) == 120
    docs.enable_nfs(False)
    assert save(docs, RULE) == 2301
    assert docs.code(API, "load", share_name="docs") == 0


def test_a_new_share_can_be_rejected(nas: Any, docs: Any) -> None:
    nas.faults.add("nfs_2370_after_create", 2)
    assert [save(docs, RULE) for _ in range(3)] == [2370, 2370, 0]


def test_an_older_share_is_accepted(nas: Any, docs: Any) -> None:
    with nas.state.change() as data:
        data["shares"]["docs"]["created"] -= 120
    nas.faults.add("nfs_2370_after_create")
    assert save(docs, RULE) == 0


def test_exports_follow_rules_service_and_shares(docs: Any, tmp_path: Path) -> None:
    config = tmp_path / "ganesha.conf"
    save(docs, RULE)
    assert 'Path = "/volume1/docs";' in config.read_text()
    docs.enable_nfs(False)
    assert not config.exists()
    docs.enable_nfs()
    assert 'Path = "/volume1/docs";' in config.read_text(), "rules outlive the service being off"
    shareinfo = {"name": "papers", "name_org": "docs", "vol_path": "/volume1"}
    assert docs.code("SYNO.Core.Share", "set", name="docs", shareinfo=shareinfo) == 0
    assert 'Pseudo = "/volume1/papers";' in config.read_text() and "docs" not in config.read_text()
    assert docs.code("SYNO.Core.Share", "delete", name=["papers"]) == 0
    assert "EXPORT {" not in config.read_text()


def test_a_new_share_with_the_same_name_has_no_rules(docs: Any) -> None:
    save(docs, RULE)
    docs.data("SYNO.Core.Share", "delete", name=["docs"])
    docs.create("docs")
    assert docs.data(API, "load", share_name="docs") == {"rule": []}


def test_an_export_number_is_never_used_again(docs: Any, nas: Any) -> None:
    first = nas.state.data["shares"]["docs"]["export_id"]
    docs.data("SYNO.Core.Share", "delete", name=["docs"])
    docs.create("docs")
    assert nas.state.data["shares"]["docs"]["export_id"] > first


def test_rules_survive_a_restart(docs: Any, start: Any, caller_at: Any) -> None:
    save(docs, RULE)
    again = caller_at(start())
    again.login()
    assert again.data(SERVICE, "get", 2)["enable_nfs"] is True
    assert again.data(API, "load", share_name="docs") == docs.data(API, "load", share_name="docs")


@pytest.mark.parametrize(
    ("root_squash", "squash", "anonymous"),
    [
        ("root", "No_Root_Squash", 1025),
        ("admin", "Root_Squash", 1024),
        ("guest", "Root_Squash", 1025),
        ("all_admin", "All_Squash", 1024),
        ("all_guest", "All_Squash", 1025),
    ],
)
def test_squash_of_an_export(root_squash: str, squash: str, anonymous: int) -> None:
    rule = Rule("10.77.0.10", True, root_squash, False, ("sys", "kerberos"))
    text = render_export(Export(3, "/volume1/docs", (rule,)), Service(True, True, 1))
    for line in (
        "Export_Id = 3;",
        "Access_Type = RW;",
        f"Squash = {squash};",
        f"Anonymous_Uid = {anonymous};",
        "SecType = sys, krb5;",
        "PrivilegedPort = true;",
        "Protocols = 3, 4;",
    ):
        assert line in text


def test_a_client_without_an_address_is_omitted() -> None:
    rules = tuple(Rule(client, False, "root", True, ("sys",)) for client in ("nowhere.invalid", "*", "@group", "::1"))
    text = render_export(
        Export(1, "/volume1/docs", rules), Service(True, True, 0), lambda client: None if "." in client else client
    )
    assert [line.strip() for line in text.splitlines() if "Clients" in line] == [
        "Clients = *;",
        "Clients = @group;",
        "Clients = ::1;",
    ]


@pytest.mark.parametrize(
    ("client", "resolved"),
    [
        ("10.77.0.10", "10.77.0.10"),
        ("10.77.0.10/24", "10.77.0.0/24"),
        ("10.77.0.0/255.255.255.0", "10.77.0.0/24"),
        ("fd77:7a52::/64", "fd77:7a52::/64"),
        ("*.home.arpa", "*.home.arpa"),
        ("@group", "@group"),
        ("localhost", "localhost"),
        ("10.77.0.0/99", None),
    ],
)
def test_clients_in_the_servers_notation(client: str, resolved: str | None) -> None:
    assert resolve_client(client) == resolved


def test_protocol_versions() -> None:
    assert "Protocols = 3;" in render_service(Service(True, False, 0))
    assert "Minor_Versions = 0, 1;" in render_service(Service(True, True, 1))
