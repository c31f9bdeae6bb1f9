#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_info
short_description: Say whether containers can use a machine's NVIDIA cards, and if not, why
description:
  - Looks at the PCI bus, the driver, the kernel's log, the container toolkit and the description of the cards to
    containers (CDI), and names what stands in the way together with the next step. Changes nothing.
attributes:
  check_mode:
    support: full
    description: Changes nothing at any time.
  diff_mode:
    support: none
    description: There is nothing to differ.
  idempotent:
    support: full
    description: Changes nothing at any time.
options:
  working:
    description: Whether it is an error when there is a card that containers cannot use.
    type: bool
    default: false
  required:
    description: With O(working), whether it is an error when there is no card.
    type: bool
    default: false
  minimum:
    description: The lowest branch of the driver that will do.
    type: int
    default: 550
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: See whether containers can use the card
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
  description: What stands in the way, the cause before its consequences, each with C(name), C(found) and C(fix).
  returned: always
  type: list
  elements: dict
  sample: [{name: version mismatch, found: "driver 580.95.05 is loaded, …", fix: reboot}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.nvidia import cards as nvidia_cards
from ansible_collections.tars.home.plugins.module_utils.nvidia import diagnosis as nvidia_findings
from ansible_collections.tars.home.plugins.module_utils.nvidia import driver as nvidia_machine


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "working": {"type": "bool", "default": False},
            "required": {"type": "bool", "default": False},
            "minimum": {"type": "int", "default": 550},
        },
        supports_check_mode=True,
    )
    facts = nvidia_machine.read(module.run_command)
    found = nvidia_findings.findings(facts, module.params["minimum"])
    result = {
        "cards": [
            {
                "slot": card.slot,
                "device": f"{card.device:04x}",
                "generation": nvidia_cards.generation(card.device).name,
                "driver": card.driver,
            }
            for card in facts.cards
        ],
        "gpus": list(facts.gpus),
        "usable": not found,
        "findings": [nvidia_findings.plain(finding) for finding in found],
    }
    wanted = module.params["working"] and (bool(facts.cards) or module.params["required"])
    if found and wanted:
        module.fail_json(msg="\n".join(f"{one.name}: {one.found}. Next: {one.fix}" for one in found), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
