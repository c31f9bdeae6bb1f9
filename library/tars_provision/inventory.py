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

from tars_provision.controller import router
from tars_provision.controller.vault import device_file
from tars_provision.spec.model import Desktop, Nas, Site

GROUPS = {"xps8950": "desktop", "ds1515plus": "nas"}
"""Group of a host by its profile."""


def inventory(
    site: Site, fingerprints: Mapping[str, str], addresses: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the inventory of a site.

    `fingerprints` maps names of NAS hosts to the SHA-256 of their certificate, see
    :mod:`tars_provision.controller.trust`; `addresses` maps names of hosts to where they answer now, see :func:`found`.
    """
    groups: dict[str, Any] = {group: {"hosts": []} for group in GROUPS.values()}
    hostvars: dict[str, dict[str, Any]] = {}
    for name, host in site.hosts.items():
        groups[GROUPS[host.profile]]["hosts"].append(name)
        hostvars[name] = desktop_variables(host) if isinstance(host, Desktop) else nas_variables(host)
        if name in (addresses or {}):
            hostvars[name]["ansible_host"] = (addresses or {})[name]
        if name in fingerprints:
            hostvars[name]["dsm_fingerprint"] = fingerprints[name]
    variables = {"tars_site": as_data(site), "tars_router": router.advice(site)}
    return {**groups, "all": {"vars": variables}, "_meta": {"hostvars": hostvars}}


def as_data(site: Site) -> dict[str, Any]:
    """Return the spec as plain data; the firewall's sources as addresses and networks alone, and of each machine its
    names in full as well (`names`), which its certificate and the name service have in common.
    """
    data = site.model_dump(mode="json")
    for group in ("hosts", "machines"):
        for name, machine in data[group].items():
            machine["names"] = site.names_of(name)
    if site.firewall is not None:
        data["firewall"] |= {right: site.addresses(getattr(site.firewall, right)) for right in ("manage", "use")}
    return data


def desktop_variables(host: Desktop) -> dict[str, Any]:
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
    options = []
    if connect.known_hosts:
        known_hosts = str(Path(connect.known_hosts).expanduser())
        options.append(f"-o UserKnownHostsFile={shlex.quote(known_hosts)}")
    if connect.address:
        # Its key was accepted under this name, and stays the same at its own address.
        name = connect.address if connect.port == 22 else f"[{connect.address}]:{connect.port}"
        options.append(f"-o HostKeyAlias={name}")
    if options:
        variables["ansible_ssh_common_args"] = " ".join(options)
    return variables


def found(site: Site) -> dict[str, str]:
    """Return the desktop's own address under its name, where it answers there already.

    Only asks where the spec names another address for the first run, for at most a second. What answers there and is
    another machine is found out by its host key.
    """
    host = site.hosts[site.desktop]
    if not isinstance(host, Desktop) or host.connect.address in (None, str(host.address)):
        return {}
    with (
        contextlib.suppress(OSError),
        socket.create_connection((str(host.address), host.connect.port), timeout=1) as connection,
    ):
        if connection.recv(4) == b"SSH-":
            return {site.desktop: str(host.address)}
    return {}


def nas_variables(host: Nas) -> dict[str, Any]:
    """Return the variables of the NAS: its modules run on the controller and talk to it over HTTPS."""
    return {
        "ansible_host": str(host.address),
        "ansible_connection": "local",
        # The interpreter that runs Ansible, not one that discovery finds: modules need what is installed beside it.
        "ansible_python_interpreter": sys.executable,
        "dsm_device_file": str(device_file(str(host.address))),
    }
