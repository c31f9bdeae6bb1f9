#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_driver
short_description: Install and load the NVIDIA driver
description:
  - Searches for NVIDIA cards on the PCI bus. Without one nothing is done; O(required) makes that an error.
  - Chooses a branch of the driver that apt offers and that supports the cards, keeps apt on it with a preference, keeps
    nouveau away from the cards, and loads the driver unless another one is bound to them.
  - A driver that answers is kept, however it was installed, unless it is below O(minimum).
  - An entry of the owner in apt's sources is used as it is. If apt refuses the added entries, they are removed again.
  - The work with packages is the systemd unit C(tars-apt.service). It continues if the connection breaks; the next run
    finds it.
  - Never reboots. If only a reboot is missing, a warning and RV(reboot_required) report that.
attributes:
  check_mode:
    support: partial
    description: Reports what would be done.
    details:
      - What apt will offer once a source is added is not known.
  diff_mode:
    support: full
    description: Shows files and packages before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  required:
    description: Whether a machine without a card, or with one that cannot be used for another reason than a missing
      reboot, is an error. Otherwise the latter is a warning.
    type: bool
    default: false
  branch:
    description: The branch to install, such as V(580). By default the installed one, the one that NVIDIA maintains
      longest, or the newest.
    type: int
  minimum:
    description: The lowest sufficient branch. The generation of the cards may need a higher one.
    type: int
    default: 550
  components:
    description: Components that the distribution's archives need, such as V(non-free). They are added in a file of this
      module.
    type: list
    elements: str
    default: []
  repositories:
    description: Flat repositories that apt's sources need. One that is among them is used as it is.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Part of the name of its key's file., type: str, required: true}
      uri: {description: Its address., type: str, required: true}
      key: {description: Address of its key., type: str, required: true}
  packages:
    description: Further packages to install together with the driver.
    type: list
    elements: str
    default: [nvidia-container-toolkit]
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Use the NVIDIA card, if there is one
  tars.home.nvidia_driver:
    components: [contrib, non-free, non-free-firmware]
    repositories:
      - name: nvidia-container-toolkit
        uri: https://nvidia.github.io/libnvidia-container/stable/deb/amd64
        key: https://nvidia.github.io/libnvidia-container/gpgkey
  register: nvidia
"""

RETURN = r"""
cards:
  description: The NVIDIA cards on the PCI bus, each with C(slot), C(device) (its PCI number) and C(driver).
  returned: success
  type: list
  elements: dict
  sample: [{slot: "0000:01:00.0", device: "2484", driver: nvidia}]
generation:
  description: The generation of the cards' chips.
  returned: success
  type: str
  sample: Ampere
driver:
  description: The version of the driver that answers; empty if none does.
  returned: success
  type: str
  sample: 580.95.05
changes:
  description: What was, or in check mode would be, done.
  returned: success
  type: list
  elements: str
  sample: [install nvidia-driver, load nvidia]
reboot_required:
  description: Whether only a reboot is missing.
  returned: success
  type: bool
  sample: false
finding:
  description: Why the driver does not answer, with C(name), C(found) and C(fix); empty if it does.
  returned: success
  type: dict
  sample: {}
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.nvidia.apt_sources import Repository
from ansible_collections.tars.home.plugins.module_utils.nvidia.diagnosis import plain
from ansible_collections.tars.home.plugins.module_utils.nvidia.driver import CardError, Driver, Goal
from ansible_collections.tars.home.plugins.module_utils.nvidia.facts import TOOLKIT
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask


def goal(params: Mapping[str, Any]) -> Goal:
    """Return the desired driver."""
    repositories = [Repository(item["name"], item["uri"], item["key"]) for item in params["repositories"]]
    return Goal(
        params["required"],
        params["branch"],
        params["minimum"],
        params["components"],
        repositories,
        params["packages"],
    )


def run(module: Module) -> dict[str, Any]:
    """Install and load the driver."""
    try:
        return Driver(goal(module.params)).ensure(module.check_mode)
    except CardError as error:
        module.fail_json(msg=str(error), finding=plain(error.finding))


TASK = ModuleTask(
    {
        "required": {"type": "bool", "default": False},
        "branch": {"type": "int"},
        "minimum": {"type": "int", "default": 550},
        "components": {"type": "list", "elements": "str", "default": []},
        "repositories": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "uri": {"type": "str", "required": True},
                "key": {"type": "str", "required": True, "no_log": False},
            },
        },
        "packages": {"type": "list", "elements": "str", "default": [TOOLKIT]},
    },
    run,
    resource=lambda params: Driver(goal(params)).resource(),
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
