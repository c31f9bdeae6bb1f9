#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_cdi
short_description: Have a machine's NVIDIA cards described to containers, also after an upgrade of the driver
description:
  - Sees that the cards are described by the container device interface (CDI), so that Docker can give them to
    containers as C(nvidia.com/gpu=all), and that the description is made anew when the driver changes.
  - Uses the units C(nvidia-cdi-refresh) of the container toolkit where it has them (from 1.18 on), else units of its
    own with the file C(/etc/cdi/nvidia.yaml).
  - Containers that Docker could not start at boot for want of the description are started once it is there, by the unit
    C(tars-gpu-containers.service).
  - While the driver does not answer, everything is prepared and nothing described.
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
    description: The lowest branch of the driver that will do.
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
usable:
  description: Whether a container can be given the cards now.
  returned: success
  type: bool
  sample: true
spec:
  description: The file that describes the cards; empty where there is none.
  returned: success
  type: str
  sample: /var/run/cdi/nvidia.yaml
findings:
  description: What stands in the way, each with C(name), C(found) and C(fix).
  returned: success
  type: list
  elements: dict
  sample: []
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.nvidia import diagnosis as nvidia_findings
from ansible_collections.tars.home.plugins.module_utils.nvidia import driver as nvidia_machine
from ansible_collections.tars.home.plugins.module_utils.nvidia import units as nvidia_units
from ansible_collections.tars.home.plugins.module_utils.system import files as file_set

UNIT_FOLDERS = ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")


def systemctl(module: AnsibleModule, *arguments: str) -> None:
    rc, _, err = module.run_command(["systemctl", *arguments])
    if rc != 0:
        module.fail_json(
            msg=f"systemctl {' '.join(arguments)} failed: {err.strip()}. Next: journalctl --unit={arguments[-1]}"
        )


def theirs() -> bool:
    """Whether the toolkit brings units of its own."""
    return any(os.path.exists(f"{folder}/{nvidia_units.THEIRS}.service") for folder in UNIT_FOLDERS)


def present(path: str) -> str:
    entry = file_set.read(path)
    return "" if entry is None or entry.content is None else entry.content.decode("utf-8", "replace")


def outdated(files: dict) -> list:
    """The paths of files that are not as they are to be."""
    found = []
    for path, (mode, text) in files.items():
        entry = file_set.read(path)
        if (entry is not None) if not text else (entry is None or present(path) != text or entry.mode != mode):
            found.append(path)
    return found


def disabled(module: AnsibleModule, units: list) -> list:
    """Units that would not be there at the next boot, in the order given."""
    answers = module.run_command(["systemctl", "is-enabled", *units])[1].split()
    states = answers if len(answers) == len(units) else [""] * len(units)
    return [unit for unit, state in zip(units, states) if state != "enabled"]  # Python 3.9 knows no strict


def prepare(module: AnsibleModule, files: dict, stale: list, units: list) -> None:
    """Bring files and units to what they are to be."""
    for path in stale:
        mode, text = files[path]
        if text:
            file_set.write_file(path, text, mode)
        else:
            systemctl(module, "disable", "--now", os.path.basename(path))
            os.unlink(path)
    if stale:
        systemctl(module, "daemon-reload")
    for unit in units:
        systemctl(module, "enable", unit)
        if unit.endswith(".path"):
            systemctl(module, "start", unit)


def describe(module: AnsibleModule, unit: str) -> None:
    """Have the description written."""
    module.run_command(["systemctl", "restart", f"{unit}.service"])
    if not good(nvidia_machine.find_spec()):
        log = module.run_command(["journalctl", f"--unit={unit}.service", "--lines=5", "--output=cat", "--no-pager"])[1]
        module.fail_json(msg=f"{unit} did not describe the cards: {log.strip()}. Next: journalctl --unit={unit}")


def good(spec: object) -> bool:
    return spec is not None and not spec.missing


def main() -> None:
    module = AnsibleModule(
        argument_spec={"minimum": {"type": "int", "default": 550}},
        supports_check_mode=True,
    )
    facts = nvidia_machine.read(module.run_command)
    answers = nvidia_findings.driver_finding(facts, module.params["minimum"]) is None
    own = not theirs()
    files = nvidia_units.files(not own)
    stale = outdated(files)
    units = disabled(module, nvidia_units.units(not own))
    write = answers and not good(facts.spec) and nvidia_machine.TOOLKIT in facts.packages
    diff = [
        {"before_header": path, "after_header": path, "before": present(path), "after": files[path][1]}
        for path in stale
    ]
    changed = bool(stale or units or write)
    if not module.check_mode:
        prepare(module, files, stale, units)
        if write:
            describe(module, nvidia_units.refresher(not own))
            facts = nvidia_machine.read(module.run_command)
    found = nvidia_findings.findings(facts, module.params["minimum"])
    module.exit_json(
        changed=changed,
        usable=not found,
        spec=facts.spec.path if facts.spec else "",
        findings=[nvidia_findings.plain(finding) for finding in found],
        diff=diff,
    )


if __name__ == "__main__":
    main()
