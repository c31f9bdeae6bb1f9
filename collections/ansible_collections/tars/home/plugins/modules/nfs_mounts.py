#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: nfs_mounts
short_description: Manage NFS mounts as systemd units
description:
  - Ensures the NFS mounts of the list, and removes those that this module created earlier and that are not listed any
    more.
  - Each is mounted at the first access, and unmounted after the idle time. The machine boots whether the server answers
    or not.
  - While the server is away, an access to a read-only mount ends with an error, and an access to a writable mount waits
    until the server is back, so that nothing written is lost.
  - A unit file that this module did not write is never changed.
  - Needs no NFS client before the first access. If called before C(nfs-common) is installed, it masks the units that
    the package would start, see O(masked_units).
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
    description: All NFS mounts of the machine.
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
    description: Seconds to wait for an answer of the server before a request is repeated.
    type: int
    default: 5
  retries:
    description: Number of repetitions before an access ends with an error.
    type: int
    default: 2
  masked_units:
    description:
      - Units that are masked and stopped, before anything else. They need not exist yet.
      - One that is taken out of the list stays masked.
    type: list
    elements: str
    default: []
  unit_folder:
    description: Folder of the unit files.
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
    # The port mapper, which NFSv4 does not need.
    masked_units: [rpcbind.socket, rpcbind.service]
"""

RETURN = r"""
changes:
  description: What differed, and was or would be changed.
  returned: success
  type: list
  elements: str
  sample: [write srv-tars-documents-LLM_docs.mount, start srv-tars-documents-LLM_docs.automount]
units:
  description: The automount units of the mounts.
  returned: success
  type: list
  elements: str
  sample: [srv-tars-documents-LLM_docs.automount]
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.resource.converge import Resource
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import managing
from ansible_collections.tars.home.plugins.module_utils.system import nfs_units

ARGUMENTS: dict[str, Any] = {
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
}


def resource(params: Mapping[str, Any]) -> Resource[nfs_units.Units, nfs_units.Change]:
    """Return the mounts as a resource."""
    return nfs_units.resource(nfs_units.mounts_of(params), params["masked_units"], params["unit_folder"])


TASK = managing(ARGUMENTS, resource)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
