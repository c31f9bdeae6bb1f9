# SPDX-License-Identifier: GPL-3.0-or-later
"""The network interfaces of a machine."""

from __future__ import annotations

import re
import socket

from ..resource.errors import ResourceError

_VIRTUAL = re.compile(r"lo|veth|br-|docker|virbr")
"""Interfaces that belong to this machine alone or to its containers; a container engine creates them by the dozen."""


class InterfaceError(ResourceError):
    """The machine does not have the interface."""


def require(name: str) -> None:
    """Raise InterfaceError if the machine has no interface of this name."""
    names = [interface for _, interface in socket.if_nameindex()]
    if name in names:
        return
    others = [interface for interface in names if not _VIRTUAL.match(interface)]
    raise InterfaceError(
        f"interface {name}: the machine has no such interface; it has {', '.join(others) or 'none'}. Next: give the "
        "name of one of these; `ip -brief address` lists their addresses."
    )
