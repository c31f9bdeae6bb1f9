# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups: errors, storage, logins, and the accounts of the machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tars_lab.dsm_twin.effects import DirectoryEffects
from tars_lab.dsm_twin.principals import commands_for

USER, GROUP, MEMBER = "SYNO.Core.User", "SYNO.Core.Group", "SYNO.Core.Group.Member"
EXTRA = ["description", "email", "expired", "groups"]
GOOD = "correct horse"


def make(dsm: Any, name: str, /, **fields: Any) -> int:
    return int(dsm.code(USER, "create", **({"name": name, "password": GOOD} | fields)))


def names(dsm: Any) -> list[str]:
    return [user["name"] for user in dsm.data(USER, "list", type="local")["users"]]


def test_a_new_nas_has_its_own_users_and_groups(dsm: Any) -> None:
    assert {"admin", "guest", "tars-admin", "child"} <= set(names(dsm))
    (admin,) = dsm.data(USER, "get", name="admin", additional=EXTRA)["users"]
    assert admin == {"name": "admin", "description": "", "email": "", "expired": "now"}
    groups = [group["name"] for group in dsm.data(GROUP, "list")["groups"]]
    assert groups == ["administrators", "http", "users"]
    inside = [user["name"] for user in dsm.data(MEMBER, "list", group="administrators", ingroup=True)["users"]]
    assert "tars-admin" in inside and "child" not in inside
    assert dsm.data(MEMBER, "list", group="administrators", ingroup=False)["total"] == len(names(dsm)) - len(inside)
    assert dsm.data(MEMBER, "list", group="users")["total"] == len(names(dsm))


def test_created_users_and_groups_exist_on_the_machine(dsm: Any, tmp_path: Path) -> None:
    assert make(dsm, "reader", description="Reads") == 0
    assert dsm.code(GROUP, "create", name="readers", description="All of them") == 0
    assert dsm.code(MEMBER, "add", group="readers", name=["reader", "tars-admin"]) == 0
    assert json.loads((tmp_path / "principals.json").read_text()) == {
        "users": ["reader"],
        "groups": {"readers": ["reader"]},
    }
    assert dsm.code(USER, "set", name="reader", new_name="librarian") == 0
    assert dsm.code(GROUP, "set", name="readers", new_name="library") == 0
    assert [user["name"] for user in dsm.data(MEMBER, "list", group="library")["users"]] == ["librarian", "tars-admin"]
    assert dsm.data(GROUP, "get", name="library")["groups"] == [{"name": "library", "description": "All of them"}]
    assert dsm.code(MEMBER, "remove", group="library", name="librarian") == 0
    assert dsm.code(USER, "delete", name=["librarian"]) == dsm.code(GROUP, "delete", name=["library"]) == 0
    assert json.loads((tmp_path / "principals.json").read_text()) == {"users": [], "groups": {}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": None}, 3103),
        ({"password": ""}, 3121),
        ({"password": "short"}, 3123),
        ({"password": "my-Reader-word"}, 3123),
        ({"expired": "soon"}, 3103),
        ({"expired": "2030/1/31"}, 0),
        ({"cannot_chg_passwd": "yes"}, 3103),
        ({"name": "two words"}, 3103),
        ({"name": "../root"}, 3103),
        ({"name": "TARS-admin"}, 3107),
        ({"disabled": True}, 0),
    ],
)
def test_create_errors(dsm: Any, change: dict[str, Any], code: int) -> None:
    fields = {"name": "reader", "password": GOOD} | change
    sent = {key: value for key, value in fields.items() if value is not None}
    assert dsm.code(USER, "create", **sent) == code
    assert ("reader" in names(dsm)) is (code == 0)


@pytest.mark.parametrize(
    ("api", "method", "fields", "code"),
    [
        (USER, "create", {"password": GOOD}, 3103),
        (USER, "get", {"name": "nobody"}, 3106),
        (USER, "set", {"name": "nobody", "description": "x"}, 3106),
        (USER, "set", {"name": "admin", "new_name": "root"}, 3103),
        (USER, "set", {"name": "child", "password": "short"}, 3123),
        (USER, "update", {"name": "child"}, 103),
        (USER, "delete", {"name": ["nobody"]}, 3106),
        (USER, "delete", {"name": ["guest"]}, 3103),
        (USER, "delete", {"name": ["tars-admin"]}, 3103),
        (USER, "delete", {"name": []}, 3103),
        (USER, "list", {"type": "ldap"}, 120),
        (GROUP, "get", {"name": "nowhere"}, 3204),
        (GROUP, "create", {"name": "Users"}, 3206),
        (GROUP, "create", {"name": "a:b"}, 3208),
        (GROUP, "delete", {"name": ["users"]}, 3103),
        (GROUP, "set", {"name": "http", "new_name": "www"}, 3103),
        (GROUP, "member_list", {"group": "users"}, 103),
        (MEMBER, "list", {"group": "nowhere"}, 3204),
        (MEMBER, "add", {"group": "http", "name": ["nobody"]}, 3106),
        (MEMBER, "remove", {"group": "users", "name": ["child"]}, 3103),
        (MEMBER, "change", {"group": "http", "add_member": ["child"]}, 103),
    ],
)
def test_errors(dsm: Any, api: str, method: str, fields: dict[str, Any], code: int) -> None:
    before = dsm.data(USER, "list", additional=EXTRA), dsm.data(GROUP, "list")
    assert dsm.code(api, method, **fields) == code
    assert (dsm.data(USER, "list", additional=EXTRA), dsm.data(GROUP, "list")) == before


def test_the_last_administrator_stays(dsm: Any, nas: Any) -> None:
    *others, last = [name for name in nas.state.data["groups"]["administrators"]["members"] if name != "admin"]
    assert dsm.code(MEMBER, "remove", group="administrators", name=others) == 0
    assert dsm.code(MEMBER, "remove", group="administrators", name=[last]) == 3210


def test_accounts_that_can_log_in(dsm: Any, caller_at: Any, nas: Any, start: Any) -> None:
    assert make(dsm, "reader") == 0
    other = caller_at(nas, "10.77.0.9")
    other.login(account="reader", passwd=GOOD)
    assert other.code(USER, "list") == 105
    assert dsm.code(MEMBER, "add", group="administrators", name=["reader"]) == 0
    other.login(account="reader", passwd=GOOD)
    assert other.code(USER, "list") == 0
    assert dsm.code(USER, "set", name="reader", password=GOOD) == 3122
    assert dsm.code(USER, "set", name="reader", password="another one") == 0
    assert other.login_code(account="reader", passwd=GOOD) == 400
    assert dsm.code(USER, "set", name="reader", expired="now") == 0
    assert other.login_code(account="reader", passwd="another one") == 401
    again = caller_at(start(), "10.77.0.9")
    assert again.login_code(account="reader", passwd="another one") == 401, "accounts survive a restart"
    assert again.login_code(account="guest", passwd="") == 400


def test_no_password_is_stored_in_clear_text(dsm: Any, tmp_path: Path) -> None:
    make(dsm, "reader")
    assert GOOD not in (tmp_path / "state.json").read_text() + (tmp_path / "principals.json").read_text()


def test_names_of_the_machines_own_accounts_are_rejected(dsm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: Any) -> None:
        raise FileExistsError("backup")

    monkeypatch.setattr(DirectoryEffects, "write_principals", taken)
    assert make(dsm, "backup") == 3107
    assert dsm.code(GROUP, "create", name="backup") == 3206
    assert "backup" not in names(dsm)


PASSWD = (
    "root:x:0:0:root:/root:/bin/bash\nbackup:x:34:34::/:/sbin/nologin\nold:x:20000:100::/nonexistent:/sbin/nologin\n"
)
GROUPS = "root:x:0:\nusers:x:100:\nformer:x:20001:old\nreaders:x:20000:old,stay\n"


def test_commands_create_and_delete() -> None:
    commands = commands_for(PASSWD, GROUPS, ["reader"], {"readers": ["reader"], "writers": []})
    assert [command[0] for command in commands] == ["userdel", "groupdel", "groupadd", "useradd", "gpasswd"]
    assert commands[0] == ["userdel", "old"] and commands[1] == ["groupdel", "former"]
    assert commands[3][-1] == "reader" and "--shell=/usr/sbin/nologin" in commands[3]
    assert commands[4] == ["gpasswd", "--members", "reader", "readers"]


def test_no_commands_are_needed_when_everything_exists() -> None:
    assert commands_for(PASSWD, GROUPS, ["old"], {"former": ["old"], "readers": ["old", "stay"]}) == []
    with pytest.raises(FileExistsError, match="backup"):
        commands_for(PASSWD, GROUPS, ["backup"], {})
    with pytest.raises(FileExistsError, match="users"):
        commands_for(PASSWD, GROUPS, [], {"users": []})
