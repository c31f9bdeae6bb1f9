# SPDX-License-Identifier: GPL-3.0-or-later
"""A NAS with effects below a directory, and a client that sends requests in the format of the Web API."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tars_lab.dsm_twin.effects import DirectoryEffects
from tars_lab.dsm_twin.faults import Faults
from tars_lab.dsm_twin.install import factory_document
from tars_lab.dsm_twin.nas import Factory, Nas
from tars_lab.dsm_twin.server import application
from tars_lab.dsm_twin.session import Sessions
from tars_lab.dsm_twin.state import State

ACCOUNTS = [
    {"account": "off", "password": "p", "status": "disabled"},
    {"account": "unenrolled", "password": "p", "status": "otp_not_enrolled"},
    {"account": "fixed", "password": "p", "status": "password_expired_fixed"},
    {"account": "expired", "password": "p", "status": "password_expired"},
    {"account": "change", "password": "p", "status": "password_must_change"},
    {"account": "locked", "password": "p", "status": "locked"},
    {"account": "files", "password": "p", "applications": ["FileStation"]},
    {"account": "guarded", "password": "p", "otp_secret": "JBSWY3DPEHPK3PXP"},
    {"account": "child", "password": "p", "administrator": False},
]
FACTORY = {
    "model": "DS1515+",
    "serial": "LAB0000001",
    "hostname": "ds1515plus",
    "account": "tars-admin",
    "password": "right",
    "volumes": ["/volume1", {"path": "/volume2", "fs_type": "ext4"}],
    "accounts": ACCOUNTS,
    "auto_block": {"attempts": 3},
}


@pytest.fixture(scope="session")
def factory() -> Factory:
    return Factory.from_json(factory_document(FACTORY))


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(tmp_path: Path, factory: Factory, clock: Clock) -> Callable[[], Nas]:
    """Return a function that starts the NAS on its directory; a second call restarts it."""
    for volume in factory.volumes:
        (tmp_path / volume.path.lstrip("/")).mkdir()

    def started() -> Nas:
        state, faults = State(tmp_path / "state.json"), Faults(tmp_path / "faults.json")
        nas = Nas.create(factory, state, DirectoryEffects(tmp_path), faults)
        nas = dataclasses.replace(nas, sessions=Sessions(clock=clock))
        nas.codes.clock = nas.auto_block.clock = clock
        return nas

    return started


@pytest.fixture
def nas(start: Callable[[], Nas]) -> Nas:
    return start()


class Caller:
    """Sends forms. Keyword arguments are encoded as JSON, except for SYNO.API.Auth; `raw` fields are sent unchanged."""

    def __init__(self, nas: Nas, address: str = "10.77.0.1") -> None:
        self.http = TestClient(application(nas), base_url="https://nas", client=(address, 40000))
        self.session: dict[str, str] = {}

    def __call__(
        self, api: str, method: str, version: int = 1, raw: dict[str, str] | None = None, **fields: Any
    ) -> dict[str, Any]:
        form = {"api": api, "method": method, "version": str(version)} | self.session | (raw or {})
        for name, value in fields.items():
            form[name] = value if api == "SYNO.API.Auth" else json.dumps(value)
        answer = self.http.post("/webapi/entry.cgi", data=form)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def code(self, *arguments: Any, **fields: Any) -> int:
        """Return the error code of a call, 0 for success."""
        answer = self(*arguments, **fields)
        return 0 if answer["success"] else int(answer["error"]["code"])

    def data(self, *arguments: Any, **fields: Any) -> Any:
        answer = self(*arguments, **fields)
        assert answer["success"], answer
        return answer.get("data")

    def login(self, version: int = 7, account: str = "tars-admin", passwd: str = "right", **fields: str) -> Any:
        data = self.data("SYNO.API.Auth", "login", version, account=account, passwd=passwd, **fields)
        self.session = {"_sid": data["sid"]}
        if "synotoken" in data:
            self.session["SynoToken"] = data["synotoken"]
        return data

    def login_code(self, **fields: str) -> int:
        return self.code("SYNO.API.Auth", "login", 7, **({"account": "tars-admin", "passwd": "right"} | fields))

    def create(self, name: str, /, **info: Any) -> int:
        shareinfo = {"name": name, "vol_path": "/volume1", "name_org": ""} | info
        return self.code("SYNO.Core.Share", "create", name=name, shareinfo=shareinfo)

    def enable_nfs(self, enable: bool = True) -> None:
        self.data("SYNO.Core.FileServ.NFS", "set", 2, enable_nfs=enable, enable_nfs_v4=True, enabled_minor_ver=1)


@pytest.fixture
def stranger(nas: Nas) -> Caller:
    """Return a caller that has not logged in."""
    return Caller(nas)


@pytest.fixture
def dsm(nas: Nas) -> Caller:
    """Return a caller with an administrator's session."""
    caller = Caller(nas)
    # Opened without a login, because hashing a password is slow by design.
    session = nas.sessions.open("tars-admin", True, "10.77.0.1", with_token=True)
    caller.session = {"_sid": session.sid, "SynoToken": session.token}
    return caller


@pytest.fixture
def caller_at() -> type[Caller]:
    return Caller
