#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: nfs_mounts
short_description: NFS mounts as systemd mount and automount units
description:
  - Brings the NFS mounts of the machine to the list given. A mount made earlier and no longer in the list is removed.
  - Each is mounted at the first access, and unmounted after the idle time. The machine boots whether the server is
    there or not.
  - While the server is away, an access to a mount that is only read ends with an error, and one to a mount that is
    written to waits until the server is back, so that nothing written is lost.
  - A unit file written by someone else is never touched.
  - Needs no NFS client before the first access. Called before one is installed, it keeps what comes with that from
    starting, see O(masked_units).
attributes:
  check_mode:
    support: full
    description: Reports what would change.
  diff_mode:
    support: full
    description: Shows the unit files and the states of the units before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  mounts:
    description: All the mounts.
    type: list
    elements: dict
    required: true
    suboptions:
      source: {description: "Export to mount, as server:/path.", type: str, required: true}
      path: {description: Where to mount it. Is created., type: path, required: true}
      read_only: {description: Whether to mount it read-only., type: bool, default: true}
      options: {description: "Further mount options, see nfs(5).", type: list, elements: str, default: []}
  mount_timeout_s:
    description: Seconds a mount may take.
    type: int
    default: 15
  idle_timeout_s:
    description: Seconds without access after which it is unmounted; 0 is never.
    type: int
    default: 600
  timeout_s:
    description: Seconds to wait for an answer of the server before asking again.
    type: int
    default: 5
  retries:
    description: How many times to ask again before an access ends with an error.
    type: int
    default: 2
  masked_units:
    description:
      - Units that are masked and stopped, before anything else. They need not be there yet.
      - One that is taken out of the list stays masked.
    type: list
    elements: str
    default: []
  unit_folder:
    description: Where the unit files lie.
    type: path
    default: /etc/systemd/system
author:
  - The T.A.R.S. authors (!UNKNOWN)
"""

EXAMPLES = r"""
---
- name: Mount the documents
  tars.home.nfs_mounts:
    mounts:
      - {source: "192.168.1.20:/volume1/LLM_docs", path: /srv/tars/documents/LLM_docs}
    # The port mapper, which NFSv4 does without.
    masked_units: [rpcbind.socket, rpcbind.service]
"""

RETURN = r"""
units:
  description: The automount units of the mounts.
  returned: success
  type: list
  elements: str
  sample: [srv-tars-documents-LLM_docs.automount]
"""

import glob
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.home.plugins.module_utils.system import files as file_set
from ansible_collections.tars.home.plugins.module_utils.system import nfs_units


def wanted(module: AnsibleModule) -> list:
    """The mounts out of the parameters, with the names systemd requires for their paths."""
    items = module.params["mounts"]
    if not items:
        return []
    paths = [item["path"] for item in items]
    names = module.run_command(["systemd-escape", "--path", *paths], check_rc=True)[1].split()
    timeouts = (module.params["mount_timeout_s"], module.params["idle_timeout_s"])
    return [
        nfs_units.Mount(name, item["source"], item["path"], options(module, item), *timeouts)
        for name, item in zip(names, items)  # noqa: B905  # Python 3.9 knows no strict
    ]


def options(module: AnsibleModule, item: dict) -> tuple:
    return nfs_units.options(item["read_only"], module.params["timeout_s"], module.params["retries"], item["options"])


def read(module: AnsibleModule, mounts: list) -> nfs_units.Present:
    """The unit files of these mounts and all of ours, and what systemd says of them and of those to be masked."""
    folder = module.params["unit_folder"]
    named = {f"{mount.name}{suffix}" for mount in mounts for suffix in (".mount", ".automount")}
    files = {}
    for path in glob.glob(os.path.join(folder, "*.mount")) + glob.glob(os.path.join(folder, "*.automount")):
        if os.path.islink(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if os.path.basename(path) in named or text.startswith(nfs_units.MARKER):
            files[os.path.basename(path)] = text
    units = sorted({*named, *files, *module.params["masked_units"]})
    if not units:
        return nfs_units.Present(files, frozenset(), frozenset())
    show = module.run_command(["systemctl", "show", "--property=Id,ActiveState,UnitFileState", *units], check_rc=True)[
        1
    ]
    return nfs_units.Present(files, *nfs_units.parse_states(show))


def systemctl(module: AnsibleModule, action: str, units: tuple) -> None:
    rc, _, err = module.run_command(["systemctl", *action.split(), *units])
    if rc != 0:
        module.fail_json(
            msg=f"systemctl {action} {' '.join(units)} failed: {err.strip()}. Next: systemctl status {' '.join(units)}"
        )


def apply(module: AnsibleModule, plan: nfs_units.Plan) -> None:
    folder = module.params["unit_folder"]
    if plan.mask:
        systemctl(module, "mask --now", plan.mask)
    if plan.stop:
        systemctl(module, "stop", plan.stop)
    removed = tuple(name for name in plan.delete if name.endswith(".automount"))
    if removed:
        systemctl(module, "disable", removed)
    for name in plan.delete:
        os.unlink(os.path.join(folder, name))
    for name, text in plan.write:
        file_set.write_file(os.path.join(folder, name), text)
    if plan.write or plan.delete:
        systemctl(module, "daemon-reload", ())
    if plan.start:
        systemctl(module, "enable", plan.start)
        systemctl(module, "start", plan.start)


def refuse_rest(now: nfs_units.Present, mounts: list, masked: list) -> None:
    """Fail where a plan would have something left to do."""
    left = nfs_units.plan(now, mounts, masked)
    if left:
        units = dict.fromkeys((*left.mask, *left.start, *dict(left.write), *left.delete))
        said = "; ".join(f"{unit} is {now.state(unit)}" for unit in units)
        raise nfs_units.NfsUnitError(
            f"After the change systemd still differs: {said}. Wanted: automounts enabled and active, "
            f"{', '.join(masked) or 'nothing'} masked and not active. Next: systemctl status {' '.join(units)}"
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "mounts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "source": {"type": "str", "required": True},
                    "path": {"type": "path", "required": True},
                    "read_only": {"type": "bool", "default": True},
                    "options": {"type": "list", "elements": "str", "default": []},
                },
            },
            "mount_timeout_s": {"type": "int", "default": 15},
            "idle_timeout_s": {"type": "int", "default": 600},
            "timeout_s": {"type": "int", "default": 5},
            "retries": {"type": "int", "default": 2},
            "masked_units": {"type": "list", "elements": "str", "default": []},
            "unit_folder": {"type": "path", "default": "/etc/systemd/system"},
        },
        supports_check_mode=True,
    )
    mounts, masked = wanted(module), module.params["masked_units"]
    try:
        nfs_units.refuse_contradictions(mounts)
        present = read(module, mounts)
        plan = nfs_units.plan(present, mounts, masked)
        if plan and not module.check_mode:
            apply(module, plan)
            refuse_rest(read(module, mounts), mounts, masked)
    except nfs_units.NfsUnitError as error:
        module.fail_json(msg=str(error))
    texts = dict(plan.write)
    diff = [
        {"before_header": n, "after_header": n, "before": present.files.get(n, ""), "after": texts.get(n, "")}
        for n in [*texts, *plan.delete]
    ]
    before, after = ("".join(f"{u}: {said}\n" for u, said in one.items()) for one in nfs_units.states(present, plan))
    if after:
        diff.append({"before_header": "systemd", "after_header": "systemd", "before": before, "after": after})
    module.exit_json(changed=bool(plan), units=[f"{mount.name}.automount" for mount in mounts], diff=diff)


if __name__ == "__main__":
    main()
