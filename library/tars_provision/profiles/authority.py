# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the household's certificate authority, from the spec."""

from __future__ import annotations

from tars_provision.profiles import roles
from tars_provision.spec.model import Site


def variables(site: Site, certificates: list[roles.Certificate]) -> roles.Authority:
    """Return the variables of the role authority; `certificates` are those whose keys stay on the controller."""
    return {
        "authority_zones": [site.domain],
        "authority_networks": [str(site.network.cidr)],
        "authority_certificates": certificates,
    }


def certificate(site: Site, name: str) -> roles.Certificate:
    """Return the server certificate of the host named `name`: all its names, and its address."""
    return {"name": name, "names": site.names_of(name), "addresses": [str(site.hosts[name].address)]}
