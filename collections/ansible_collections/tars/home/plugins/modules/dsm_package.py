#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_package
short_description: Start and stop the packages of a Synology NAS
description:
  - Starts and stops installed packages, a whole list in one task, and waits until they have started or stopped.
  - Packages that are not in the list are left alone.
  - Packages are neither installed nor removed. A missing package is an error that names where to install it, because
    an installation through the Web API was never observed on DSM 7.1, and removing a package can delete its data.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  diff_mode:
    description: Shows the listed packages before and after.
    support: full
options:
  packages:
    description: The desired state of packages.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: DSM's own name of the package, such as V(SynoFinder) for Universal Search.
        type: str
        required: true
      state:
        description: V(present) only checks that it is installed.
        type: str
        choices: [present, started, stopped]
        default: started
  wait:
    description: Seconds to wait for each package to start or stop.
    type: int
    default: 120
notes:
  - None of these calls was tested with DSM 7.1; they were observed on DSM 7.3 and exist in 7.0.
"""

EXAMPLES = r"""
---
- name: Stop the indexing of documents, which needs much memory
  tars.home.dsm_package:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    packages:
      - name: SynoFinder
        state: stopped
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - stop package SynoFinder
packages:
  description: The listed packages afterwards, by name.
  returned: success
  type: dict
  sample:
    SynoFinder:
      title: Universal Search
      version: 1.6.0-0374
      running: false
"""

from functools import partial
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import ensure_on_nas, nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import packages as nas_packages
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.package import Package, plan, predict, to_dict
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

PACKAGE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "started", "stopped"], "default": "started"},
}


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Bring packages to their desired state, and return the result."""
    desired, wait = module.params["packages"], module.params["wait"]
    names = {item["name"] for item in desired}

    def listed(packages: dict[str, Package]) -> dict[str, Any]:
        return to_dict({name: packages[name] for name in names & set(packages)})

    outcome = ensure_on_nas(
        client,
        module,
        read=partial(nas_packages.settled, client, names, wait),
        plan=partial(plan, desired=desired),
        predict=predict,
        write=partial(nas_packages.change_package, client, wait),
        show=listed,
    )
    return outcome.result("packages")


TASK = nas_task(
    {
        "packages": {"type": "list", "elements": "dict", "required": True, "options": PACKAGE_OPTIONS},
        "wait": {"type": "int", "default": 120},
    },
    ensure,
)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
