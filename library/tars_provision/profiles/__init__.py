# SPDX-License-Identifier: GPL-3.0-or-later
"""From the spec to the variables of the roles that set up one machine."""

from __future__ import annotations

from collections.abc import Mapping

from tars_provision.profiles import desktop, nas
from tars_provision.spec.model import Desktop, Site


def role_variables(site: Site, host: str) -> Mapping[str, object]:
    """Return the variables of all roles of the host named `host`, as plain data without secrets."""
    machine = site.hosts[host]
    if isinstance(machine, Desktop):
        return desktop.variables(site, host, machine)
    return nas.variables(site, host, machine)
