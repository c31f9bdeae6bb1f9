#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_info
short_description: Report whether containers can use the NVIDIA cards, and if not, why
description:
  - Reads the PCI bus, the driver, the kernel's log, the container toolkit and the description of the cards for
    containers (CDI), and reports each problem with the next step. Changes nothing.
attributes:
  check_mode:
    support: full
    description: Changes nothing at any time.
  diff_mode:
    support: none
    description: Reads only.
  idempotent:
    support: full
    description: Changes nothing at any time.
options:
  working:
    description: Whether a card that containers cannot use is an error.
    type: bool
    default: false
  required:
    description: With O(working), whether a machine without a card is an error.
    type: bool
    default: false
  minimum:
    description: The lowest sufficient branch of the driver.
    type: int
    default: 550
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Check that containers can use the card
  tars.home.nvidia_info:
    working: true
"""

RETURN = r"""
cards:
  description: The NVIDIA cards on the PCI bus, each with C(slot), C(device), C(generation) and C(driver).
  returned: always
  type: list
  elements: dict
  sample: [{slot: "0000:01:00.0", device: "2484", generation: Ampere, driver: nvidia}]
gpus:
  description: The cards that the driver lists, each with C(name), C(driver), C(power_limit_w) and C(memory_mib).
  returned: always
  type: list
  elements: dict
  sample: [{name: NVIDIA GeForce RTX 3070, driver: 580.95.05, power_limit_w: 220.0, memory_mib: 8192.0}]
usable:
  description: Whether containers can use the cards.
  returned: always
  type: bool
  sample: true
findings:
  description: The problems, the cause before its consequences, each with C(name), C(found) and C(fix).
  returned: always
  type: list
  elements: dict
  sample: [{name: version mismatch, found: "driver 580.95.05 is loaded, …", fix: reboot}]
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.nvidia import cards, diagnosis, facts
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module, ModuleTask
from ansible_collections.tars.home.plugins.module_utils.system.process import attempt


def problems(seen: facts.Facts, params: Mapping[str, Any]) -> list[str]:
    """Return the problems that are an error, each with its next step."""
    if not params["working"] or not (seen.cards or params["required"]):
        return []
    findings = diagnosis.findings(seen, params["minimum"])
    return [f"{finding.name}: {finding.problem}. Next: {finding.fix}" for finding in findings]


def result(seen: facts.Facts, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts as return values."""
    findings = diagnosis.findings(seen, params["minimum"])
    return {
        "changed": False,
        "cards": [
            {
                "slot": card.slot,
                "device": f"{card.device:04x}",
                "generation": cards.generation(card.device).name,
                "driver": card.driver,
            }
            for card in seen.cards
        ],
        "gpus": list(seen.gpus),
        "usable": not findings,
        "findings": [diagnosis.plain(finding) for finding in findings],
    }


def run(module: Module) -> dict[str, Any]:
    """Return the cards and the problems; fail for a problem if the cards have to work."""
    seen = facts.read(attempt)
    errors = problems(seen, module.params)
    if errors:
        module.fail_json(msg="\n".join(errors), **result(seen, module.params))
    return result(seen, module.params)


TASK = ModuleTask(
    {
        "working": {"type": "bool", "default": False},
        "required": {"type": "bool", "default": False},
        "minimum": {"type": "int", "default": 550},
    },
    run,
)


def main() -> None:
    """Run as a module."""
    TASK.main()


if __name__ == "__main__":
    main()
