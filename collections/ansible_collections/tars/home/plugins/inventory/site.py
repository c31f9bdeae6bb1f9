# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: site
short_description: Read a household's machines from its spec
description:
  - Reads a C(tars.yml), checks it, and gives Ansible the desktop in group C(desktop) and the NAS in group C(nas), with
    the variables needed to reach them.
  - Every host gets the whole checked spec as C(tars_site), and the NAS the fingerprint of its certificate as
    C(dsm_fingerprint) once C(tars-provision init) has recorded it.
  - The keys of the file are described in docs/spec.md; all mistakes in it are reported at once, with file, line and
    field.
requirements:
  - tars_provision, the project's provisioning library, importable by the Python that runs Ansible
author:
  - The T.A.R.S. authors (!UNKNOWN)
options:
  plugin:
    description: Names this plugin.
    type: str
    required: true
    choices: [tars.home.site]
"""

EXAMPLES = r"""
# ansible-inventory -i inventories/lab/tars.yml --list
plugin: tars.home.site
domain: home.arpa
network: {cidr: 192.168.1.0/24, gateway: 192.168.1.1}
hosts:
  xps8950: {profile: xps8950, address: 192.168.1.10, interface: enp4s0}
  ds1515plus: {profile: ds1515plus, address: 192.168.1.20}
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

try:
    from tars_provision.controller import trust
    from tars_provision.inventory import found
    from tars_provision.inventory import inventory as site_inventory
    from tars_provision.spec import load
except ImportError as error:
    LIBRARY_ERROR: ImportError | None = error
else:
    LIBRARY_ERROR = None


class InventoryModule(BaseInventoryPlugin):
    """Ansible's view of a spec. All work is done by the library."""

    NAME = "tars.home.site"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and Path(path).name in ("tars.yml", "tars.yaml")

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        if LIBRARY_ERROR is not None:
            raise AnsibleParserError(
                f"{path}: the provisioning library is not importable by this Ansible ({LIBRARY_ERROR}). "
                "Run the Ansible of the project's virtual environment (.venv/bin/ansible-playbook), which ./tars makes."
            ) from LIBRARY_ERROR
        try:
            site = load.load(Path(path))
            contents = site_inventory(site, trust.recorded(Path(path).parent), found(site))
        except (load.SpecError, trust.TrustError) as error:
            raise AnsibleParserError(str(error)) from error
        hostvars = contents.pop("_meta")["hostvars"]
        for group, body in contents.items():
            self.inventory.add_group(group)
            for host in body.get("hosts", []):
                self.inventory.add_host(host, group=group)
            for name, value in body.get("vars", {}).items():
                self.inventory.set_variable(group, name, value)
        for host, variables in hostvars.items():
            for name, value in variables.items():
                self.inventory.set_variable(host, name, value)
