#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_cdi
short_description: Describe the NVIDIA cards to containers, also after an upgrade of the driver
description:
  - Ensures that the cards are described by the container device interface (CDI), so that Docker can give them to
    containers as C(nvidia.com/gpu=all), and that the description is written again when the driver changes.
  - Uses the units C(nvidia-cdi-refresh) of the container toolkit where it has them (from 1.18 on), else units of its
    own with the file C(/etc/cdi/nvidia.yaml).
  - Containers that Docker could not start at boot because the description was missing are started once it exists, by
    the unit C(tars-gpu-containers.service).
  - While the driver does not answer, the units are installed and nothing is described.
attributes:
  check_mode:
    support: full
    description: Reports what would change.
  diff_mode:
    support: full
    description: Shows the units before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  minimum:
    description: The lowest sufficient branch of the driver.
    type: int
    default: 550
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Describe the cards to containers
  tars.home.nvidia_cdi:
  register: nvidia_containers
"""

RETURN = r"""
changes:
  description: What was, or in check mode would be, done.
  returned: success
  type: list
  elements: str
  sample: [describe the cards]
usable:
  description: Whether containers can use the cards now.
  returned: success
  type: bool
  sample: true
spec:
  description: The file that describes the cards; empty without one.
  returned: success
  type: str
  sample: /var/run/cdi/nvidia.yaml
findings:
  description: The problems, each with C(name), C(found) and C(fix).
  returned: success
  type: list
  elements: dict
  sample: []
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.nvidia.cdi import Cdi, State
from ansible_collections.tars.home.plugins.module_utils.resource.change import Change
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import managing


def resource(params: Mapping[str, Any]) -> Resource[State, Change]:
    """Return the description of the cards as a resource."""
    return Cdi(params["minimum"]).resource()


TASK = managing({"minimum": {"type": "int", "default": 550}}, resource)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
