# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: site
short_description: Read the machines of a household from its spec
description:
  - Reads and checks a C(tars.yml), and returns the desktop in group C(desktop) and the NAS in group C(nas), with the
    variables of their connections and of their roles (C(nas_shares), C(stack_images) and so on).
  - C(tars_profile) is the role that sets up the host. A file host_vars/HOST.yml beside the spec overrides variables.
  - Secrets are not part of the inventory; they are in the vault group_vars/all/secrets.yml beside the spec.
  - The keys of the file are described in docs/spec.md. All mistakes in it are reported at once, with file, line and
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

import gc
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

try:
    from tars_provision.controller import trust
    from tars_provision.inventory import answering
    from tars_provision.inventory import inventory as site_inventory
    from tars_provision.spec import load
except ImportError as error:
    LIBRARY_ERROR: ImportError | None = error
else:
    LIBRARY_ERROR = None


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]  # Ansible has no annotations
    """Hand the inventory that the provisioning library makes of a spec to Ansible."""

    NAME = "tars.home.site"

    def verify_file(self, path: str) -> bool:
        """Return whether the file has the name of a spec."""
        return super().verify_file(path) and Path(path).name in ("tars.yml", "tars.yaml")

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add the groups, hosts and variables of the spec at `path`; raise AnsibleParserError with all its mistakes."""
        super().parse(inventory, loader, path, cache)
        if LIBRARY_ERROR is not None:
            raise AnsibleParserError(
                f"{path}: this Ansible ({sys.executable}) cannot import the provisioning library: {LIBRARY_ERROR}. "
                "Run the ansible-playbook that is installed beside tars-provision; in a checkout that is the one in "
                ".venv/bin, which ./tars creates."
            ) from LIBRARY_ERROR
        try:
            site = load.load(Path(path))
            contents = site_inventory(site, trust.recorded(Path(path).parent), answering(site))
        except (load.SpecError, trust.TrustError) as error:
            raise AnsibleParserError(str(error)) from error
        hostvars = contents.pop("_meta")["hostvars"]
        for group, body in contents.items():
            self.inventory.add_group(group)
            for host in body["hosts"]:
                self.inventory.add_host(host, group=group)
        for host, variables in hostvars.items():
            for name, value in variables.items():
                self.inventory.set_variable(host, name, value)
        # Ansible forks a process for each task. Its garbage collector would visit, and so copy, all that was imported
        # and read until now: 6 % of a run that changes nothing.
        gc.freeze()
