# SPDX-License-Identifier: GPL-3.0-or-later
"""How ssh reaches the desktop, by the spec: for Ansible, for commands in messages, and for this program itself."""

from __future__ import annotations

from pathlib import Path

from tars_provision.spec.model import Desktop


def host_key_options(host: Desktop, address: str) -> list[str]:
    """Return ssh's options by which the host key is found in the file of the spec, also at another address."""
    connect, options = host.connect, []
    if connect.known_hosts:
        known_hosts = str(Path(connect.known_hosts).expanduser())
        # ssh splits the value at spaces and expands % in it (ssh_config(5)).
        options += ["-o", 'UserKnownHostsFile="{}"'.format(known_hosts.replace("%", "%%"))]
    if connect.address and address != connect.address:
        # Its key was accepted under this name, and stays the same at its own address.
        options += ["-o", f"HostKeyAlias={key_name(host)}"]
    return options


def key_name(host: Desktop) -> str:
    """Return the name under which ssh records the desktop's host key."""
    address = host.connect.address or str(host.address)
    return address if host.connect.port == 22 else f"[{address}]:{host.connect.port}"


def command(host: Desktop, address: str = "") -> list[str]:
    """Return the call of ssh that logs in to the desktop, by default at its address before the first run."""
    connect, address = host.connect, address or host.connect.address or str(host.address)
    options = host_key_options(host, address)
    options += ["-i", str(Path(connect.private_key).expanduser())] if connect.private_key else []
    options += ["-p", str(connect.port)] if connect.port != 22 else []
    return ["ssh", *options, f"{connect.user}@{address}"]
