# SPDX-License-Identifier: GPL-3.0-or-later
"""nfs-ganesha: the configuration made from the NAS's export rules, and the running service."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tars_lab.dsm_twin.state import replace

log = logging.getLogger(__name__)

ADMIN_UID, GUEST_UID, USERS_GID = 1024, 1025, 100
"""Ids of DSM's admin, guest and users, as in its exports file."""

SQUASH = {
    "root": ("No_Root_Squash", GUEST_UID),
    "admin": ("Root_Squash", ADMIN_UID),
    "guest": ("Root_Squash", GUEST_UID),
    "all_admin": ("All_Squash", ADMIN_UID),
    "all_guest": ("All_Squash", GUEST_UID),
}
SECURITY = {"sys": "sys", "kerberos": "krb5", "kerberos_integrity": "krb5i", "kerberos_privacy": "krb5p"}

CONFIG = Path("/etc/ganesha/ganesha.conf")
UNIT = "nfs-ganesha.service"
START_DEADLINE_S = 30


@dataclass(frozen=True)
class Rule:
    """One client of an export, in DSM's terms."""

    client: str
    writable: bool
    root_squash: str
    insecure: bool
    security: tuple[str, ...]

    @classmethod
    def from_state(cls, rule: dict[str, Any]) -> Rule:
        """Return the rule of an entry in the state document."""
        security = tuple(flavor for flavor in SECURITY if rule["security_flavor"][flavor])
        return cls(rule["client"], rule["privilege"] == "rw", rule["root_squash"], rule["insecure"], security)


@dataclass(frozen=True)
class Export:
    """A folder and the clients that can mount it. `id` never changes, because file handles contain it."""

    id: int
    path: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Service:
    """The NFS service: whether it runs, whether with NFSv4, and up to which minor version."""

    enabled: bool
    v4: bool
    minor: int


def resolve_client(client: str) -> str | None:
    """Return a rule's client in ganesha's notation; None for a name without an address, which breaks the export."""
    if client.startswith("@") or re.search(r"[*?]", client):
        return client
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_network(client, strict=False)) if "/" in client else str(ipaddress.ip_address(client))
    with contextlib.suppress(OSError):
        socket.getaddrinfo(client, None)
        return client
    return None


def render_service(service: Service) -> str:
    """Return the configuration before the exports: protocols, DSM's fixed ports (mountd: 892), no grace period."""
    minors = ", ".join(str(minor) for minor in range(service.minor + 1))
    return f"""\
# Written by the NAS from its shared folders; edits are lost.
NFS_CORE_PARAM {{
    Protocols = {"3, 4" if service.v4 else "3"};
    NFS_Port = 2049;
    MNT_Port = 892;
    Enable_UDP = false;
    Enable_NLM = false;
    Enable_RQUOTA = false;
    # A machine without CAP_SYS_RESOURCE cannot set it, and works without it.
    allow_set_io_flusher_fail = true;
}}
NFSV4 {{
    Graceless = true;
    Minor_Versions = {minors};
    Only_Numeric_Owners = true;
}}
"""


def render_export(export: Export, service: Service, resolve: Callable[[str], str | None] = resolve_client) -> str:
    """Return the EXPORT block of a folder, with the same path for NFSv3 and NFSv4; omit clients without an address."""
    lines = [
        "EXPORT {",
        f"    Export_Id = {export.id};",
        f'    Path = "{export.path}";',
        f'    Pseudo = "{export.path}";',
        f"    Protocols = {'3, 4' if service.v4 else '3'};",
        "    Transports = TCP;",
        "    Access_Type = None;",
        # Seconds. The default, 60, hides changes made on the volume itself; DSM's kernel server has no such cache.
        "    Attr_Expiration_Time = 1;",
        "    FSAL { Name = VFS; }",
    ]
    for rule in export.rules:
        client = resolve(rule.client)
        if client is None:
            log.warning("export %s: client %s has no address; its rule has no effect", export.path, rule.client)
            continue
        squash, anonymous = SQUASH[rule.root_squash]
        lines += [
            "    CLIENT {",
            f"        Clients = {client};",
            f"        Access_Type = {'RW' if rule.writable else 'RO'};",
            f"        Squash = {squash};",
            f"        Anonymous_Uid = {anonymous};",
            f"        Anonymous_Gid = {USERS_GID};",
            f"        SecType = {', '.join(SECURITY[flavor] for flavor in rule.security)};",
            f"        PrivilegedPort = {'false' if rule.insecure else 'true'};",
            "    }",
        ]
    return "\n".join([*lines, "}", ""])


class Ganesha:
    """The running service. Changed exports are sent over D-Bus and affect no other client; other changes restart it."""

    def __init__(self, config: Path = CONFIG) -> None:
        self._config = config

    def write(self, service: Service, exports: list[Export]) -> None:
        """Configure the service and its exports. Raises CalledProcessError or TimeoutError."""
        blocks = {export.id: render_export(export, service) for export in exports}
        before = self._config.read_text(encoding="utf-8") if self._config.exists() else ""
        header = render_service(service)
        after = header + "".join(blocks[number] for number in sorted(blocks))
        if after != before:
            replace(self._config, after, 0o644)
        try:
            if not service.enabled:
                # Disabled, because at boot the Web API starts the service.
                _run("systemctl", "disable", "--now", "--quiet", UNIT)
            elif not before.startswith(header) or not _active():
                _run("systemctl", "restart", UNIT)
                self._await_start()
            elif after != before:
                self._change_exports(_blocks(before), blocks)
        except Exception:
            # Without the file, the next call does not assume that these exports are in force.
            self._config.unlink()
            raise

    def _change_exports(self, before: dict[int, str], after: dict[int, str]) -> None:
        for number in before.keys() - after.keys():
            _export_manager("RemoveExport", "q", str(number))
        for number, block in sorted(after.items()):
            if before.get(number) != block:
                verb = "UpdateExport" if number in before else "AddExport"
                _export_manager(verb, "ss", str(self._config), f"EXPORT(Export_Id={number})")

    def _await_start(self) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", 2049), timeout=1).close()
                _export_manager("ShowExports")
                return
            except (OSError, subprocess.CalledProcessError) as error:
                if time.monotonic() > deadline or not _active():
                    raise TimeoutError(f"{UNIT} does not answer on port 2049 and D-Bus: {error}") from error
                time.sleep(0.1)


def _blocks(config: str) -> dict[int, str]:
    blocks = re.finditer(r"^EXPORT \{\n    Export_Id = (\d+);\n.*?^\}\n", config, re.M | re.S)
    return {int(block[1]): block[0] for block in blocks}


def _active() -> bool:
    return subprocess.run(["systemctl", "is-active", "--quiet", UNIT], check=False).returncode == 0


def _export_manager(method: str, *arguments: str) -> None:
    target = ["org.ganesha.nfsd", "/org/ganesha/nfsd/ExportMgr", "org.ganesha.nfsd.exportmgr"]
    _run("busctl", "--system", "--quiet", "call", *target, method, *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        log.error("%s ended with %d: %s", " ".join(command), done.returncode, done.stderr.strip())
    done.check_returncode()
