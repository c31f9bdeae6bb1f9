# SPDX-License-Identifier: GPL-3.0-or-later
"""The real NFS exports of the lab's NAS, checked from another machine with libnfs."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest

from tars_lab import machine
from tars_lab.layout import Lab, Machine
from tars_provision.controller import vault

pytestmark = pytest.mark.lab

SHARE = "twin-check"
SYS = {"sys": True, "kerberos": False, "kerberos_integrity": False, "kerberos_privacy": False}
SERVICE = "SYNO.Core.FileServ.NFS"
VERSIONS = ("3", "4")


def member(lab: Lab, kind: str) -> Machine:
    return next(each for each in lab.machines if each.kind == kind)


class Nas:
    """A session of an administrator with the lab's NAS."""

    def __init__(self, lab: Lab) -> None:
        wanted = member(lab, "ds1515plus")
        self.account = wanted.dsm_account
        self.password = vault.ensure(Path(lab.inventory))["dsm_password"]
        trusted = ssl.create_default_context(cafile=lab.rootfs(wanted.name) / "etc/dsm-twin/cert.pem")
        trusted.check_hostname = False  # the certificate itself is the trust anchor, and names no address
        self.http = httpx.Client(base_url=f"https://{wanted.address}:5001", verify=trusted, timeout=60)
        self.session: dict[str, str] = {}
        self.login()

    def login(self) -> None:
        self.session = {}
        data = self("SYNO.API.Auth", "login", 7, raw={"account": self.account, "passwd": self.password})
        self.session = {"_sid": data["sid"]}

    def __call__(
        self, api: str, method: str, version: int = 1, raw: dict[str, str] | None = None, **fields: Any
    ) -> Any:
        form = {"api": api, "method": method, "version": str(version)} | self.session | (raw or {})
        form |= {name: json.dumps(value) for name, value in fields.items()}
        answer = self.http.post("/webapi/entry.cgi", data=form).raise_for_status().json()
        assert answer["success"], (api, method, answer)
        return answer.get("data")

    def save(self, *rules: dict[str, Any]) -> None:
        self(f"{SERVICE}.SharePrivilege", "save", share_name=SHARE, rule=list(rules))


@pytest.fixture(scope="module")
def nas(lab: Lab) -> Iterator[Nas]:
    """Yield the NAS with NFS enabled and one share; restore it at the end."""
    nas = Nas(lab)
    keys = ("enable_nfs", "enable_nfs_v4", "enabled_minor_ver")
    before = {key: nas(SERVICE, "get", 2)[key] for key in keys}
    nas(SERVICE, "set", 2, enable_nfs=True, enable_nfs_v4=True, enabled_minor_ver=1)
    info = {"name": SHARE, "vol_path": "/volume1", "name_org": ""}
    nas("SYNO.Core.Share", "create", name=SHARE, shareinfo=info)
    yield nas
    nas("SYNO.Core.Share", "delete", name=[SHARE])
    nas(SERVICE, "set", 2, **before)
    nas("SYNO.API.Auth", "logout", 7)
    nas.http.close()


@pytest.fixture(scope="module")
def shell(lab: Lab) -> Callable[[str, str], CompletedProcess[str]]:
    """Return a function that runs a shell command on a machine of the lab, by its kind."""

    def run(kind: str, command: str) -> CompletedProcess[str]:
        return machine.execute(lab, member(lab, kind), ["sh", "-c", command])

    return run


@pytest.fixture(scope="module")
def url(lab: Lab) -> Callable[[str, str], str]:
    def of(path: str, version: str) -> str:
        return f"'nfs://{member(lab, 'ds1515plus').address}/volume1/{SHARE}/{path}?version={version}'"

    return of


def rule(client: str, **changes: Any) -> dict[str, Any]:
    common = {"privilege": "rw", "root_squash": "all_admin", "async": True, "insecure": True, "crossmnt": True}
    return {"client": client, "security_flavor": SYS} | common | changes


@pytest.mark.parametrize("version", VERSIONS)
def test_a_writer_writes_as_the_mapped_user(lab: Lab, nas: Nas, shell: Any, url: Any, version: str) -> None:
    nas.save(rule(member(lab, "client").address))
    copied = shell("client", f"echo 'over v{version}' >/tmp/file; nfs-cp /tmp/file {url(f'new{version}', version)}")
    assert copied.returncode == 0, copied.stderr
    written = shell("ds1515plus", f"stat -c %u:%g /volume1/{SHARE}/new{version}; cat /volume1/{SHARE}/new{version}")
    assert written.stdout.split("\n") == ["1024:100", f"over v{version}", ""]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_reader_reads_and_cannot_write(lab: Lab, nas: Nas, shell: Any, url: Any, version: str) -> None:
    nas.save(rule(str(lab.network), privilege="ro"))
    shell("ds1515plus", f"echo kept >/volume1/{SHARE}/read; chmod 644 /volume1/{SHARE}/read")
    assert shell("client", f"nfs-cat {url('read', version)}").stdout == "kept\n"
    refused = shell("client", f"nfs-cp /etc/hostname {url('written', version)}")
    assert "ROFS" in refused.stdout + refused.stderr
    assert shell("ds1515plus", f"test -e /volume1/{SHARE}/written").returncode == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_machine_without_a_rule_cannot_mount(lab: Lab, nas: Nas, shell: Any, url: Any, version: str) -> None:
    nas.save(rule(member(lab, "xps8950").address))
    assert shell("client", f"nfs-ls {url('', version)}").returncode != 0
    nas.save(rule(member(lab, "client").address))
    assert shell("client", f"nfs-ls {url('', version)}").returncode == 0
    nas.save()
    assert shell("client", f"nfs-ls {url('', version)}").returncode != 0


def test_only_the_rule_root_keeps_root(lab: Lab, nas: Nas, shell: Any, url: Any) -> None:
    for root_squash, owner in (("root", "0"), ("admin", "1024"), ("guest", "1025")):
        nas.save(rule(member(lab, "client").address, root_squash=root_squash))
        shell("client", f"nfs-cp /etc/hostname {url(f'as-{root_squash}', '4')}")
        assert shell("ds1515plus", f"stat -c %u /volume1/{SHARE}/as-{root_squash}").stdout.strip() == owner


def test_rules_stay_after_a_restart_of_the_web_api(lab: Lab, nas: Nas, shell: Any, url: Any) -> None:
    nas.save(rule(member(lab, "client").address))
    server = shell("ds1515plus", "systemctl show -p MainPID --value nfs-ganesha").stdout
    assert shell("ds1515plus", "systemctl restart dsm-twin").returncode == 0
    assert shell("client", f"nfs-ls {url('', '4')}").returncode == 0
    assert shell("ds1515plus", "systemctl show -p MainPID --value nfs-ganesha").stdout == server, "no client is cut"
    nas.login()  # the restart ended the session
    assert [rule["client"] for rule in nas(f"{SERVICE}.SharePrivilege", "load", share_name=SHARE)["rule"]]


def test_switching_the_service_off_closes_its_port(lab: Lab, nas: Nas, shell: Any, url: Any) -> None:
    nas.save(rule(member(lab, "client").address))
    nas(SERVICE, "set", 2, enable_nfs=False, enable_nfs_v4=True, enabled_minor_ver=1)
    probe = f"nc -z -w 2 {member(lab, 'ds1515plus').address} 2049"
    assert shell("client", probe).returncode != 0
    nas(SERVICE, "set", 2, enable_nfs=True, enable_nfs_v4=True, enabled_minor_ver=1)
    assert shell("client", probe).returncode == 0
    assert shell("client", f"nfs-ls {url('', '4')}").returncode == 0
