# SPDX-License-Identifier: GPL-3.0-or-later
"""The spec as Ansible's inventory: groups, and variables of hosts, in the form of `ansible-inventory --list`."""

from __future__ import annotations

import contextlib
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tars_provision import __version__, ssh
from tars_provision.controller import router
from tars_provision.controller.vault import device_file
from tars_provision.profiles import role_variables
from tars_provision.project import APP_SOURCES, BACKUP_PROGRAM
from tars_provision.spec.model import Desktop, Nas, Site

GROUPS = {"xps8950": "desktop", "ds1515plus": "nas"}
"""Group of a host by its profile."""
GREETING_S = 10.0
"""How long an ssh server that was reached may take for its greeting."""


def inventory(
    site: Site, fingerprints: Mapping[str, str], addresses: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the inventory of a site: of each host its profile, its connection and the variables of its roles.

    `fingerprints` maps names of NAS hosts to the SHA-256 of their certificate, see
    :mod:`tars_provision.controller.trust`; `addresses` maps names of hosts to the address they answer on now, see
    :func:`answering`.
    """
    groups: dict[str, Any] = {group: {"hosts": []} for group in GROUPS.values()}
    hostvars: dict[str, dict[str, Any]] = {}
    for name, host in site.hosts.items():
        groups[GROUPS[host.profile]]["hosts"].append(name)
        hostvars[name] = {"tars_profile": host.profile, **role_variables(site, name)}
        if isinstance(host, Desktop):
            hostvars[name] |= desktop_connection(host)
            hostvars[name] |= {"stack_app_sources": str(APP_SOURCES), "stack_version": __version__}
            if site.backup:
                hostvars[name]["backup_package"] = str(BACKUP_PROGRAM)
            hostvars[name]["tars_router_instructions"] = router.advice(site)
        else:
            hostvars[name] |= nas_connection(host, fingerprints.get(name, ""))
        if name in (addresses or {}):
            hostvars[name]["ansible_host"] = (addresses or {})[name]
    return {**groups, "_meta": {"hostvars": hostvars}}


def desktop_connection(host: Desktop) -> dict[str, Any]:
    """Return the variables that let Ansible reach the desktop over ssh."""
    connect = host.connect
    variables: dict[str, Any] = {
        "ansible_host": connect.address or str(host.address),
        "ansible_user": connect.user,
        "ansible_port": connect.port,
    }
    if connect.user != "root":
        variables["ansible_become"] = True
    if connect.private_key:
        variables["ansible_ssh_private_key_file"] = str(Path(connect.private_key).expanduser())
    # Ansible splits the options like a shell. They hold for both addresses, because it may find the machine at either.
    if options := ssh.host_key_options(host, str(host.address)):
        variables["ansible_ssh_common_args"] = shlex.join(options)
    return variables


def answering(site: Site) -> dict[str, str]:
    """Return the desktop's own address under its name, if it answers there already; otherwise nothing.

    Connects only if the spec names another address for the first run. Waits at most a second for a connection, since
    before the first run nothing has the address, and longer for the greeting, which takes a busy desktop its time. That
    another machine answers there shows later, by its host key.
    """
    host = site.hosts[site.desktop]
    if not isinstance(host, Desktop) or host.connect.address in (None, str(host.address)):
        return {}
    with (
        contextlib.suppress(OSError),
        socket.create_connection((str(host.address), host.connect.port), timeout=1) as connection,
    ):
        connection.settimeout(GREETING_S)
        if connection.recv(4) == b"SSH-":
            return {site.desktop: str(host.address)}
    return {}


def nas_connection(host: Nas, fingerprint: str) -> dict[str, Any]:
    """Return the variables by which modules on the controller reach the NAS over HTTPS.

    `fingerprint` is the recorded SHA-256 of its certificate, empty before the first contact.
    """
    return {
        "ansible_host": str(host.address),
        "ansible_connection": "local",
        # The interpreter that runs Ansible, not one that discovery finds: modules need what is installed beside it.
        "ansible_python_interpreter": sys.executable,
        "nas_device_file": str(device_file(str(host.address))),
        "nas_fingerprint": fingerprint,
    }
