#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_permission
short_description: Manage the access to shared folders of a Synology NAS
description:
  - Gives local users and groups access to shared folders, a whole list in one task.
  - Shares that are not in the list are left alone.
  - Applies to accounts that log in over SMB, SFTP or DSM. The access of NFS clients is set with M(tars.home.dsm_nfs).
  - Reads the result back, and fails if DSM reported success but changed nothing.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  check_mode:
    details: A share, user or group that does not exist yet is assumed to be created by an earlier task, without
      access, and named in a warning.
  diff_mode:
    description: Shows all entries of the listed shares before and after.
    support: full
options:
  shares:
    description: The shares and their desired access.
    type: list
    elements: dict
    required: true
    suboptions:
      share:
        description: Name of an existing share.
        type: str
        required: true
      permissions:
        description: Entries of the share.
        type: list
        elements: dict
        default: []
        suboptions:
          user:
            description: Name of a local user. Either this or O(shares[].permissions[].group).
            type: str
          group:
            description: Name of a local group. Either this or O(shares[].permissions[].user).
            type: str
          access:
            description:
              - Read and write, read only, or refused, which overrides the access of the user's groups.
              - V(unset) removes the entry; then the access of the user's groups applies, or none.
            type: str
            choices: [rw, ro, none, unset]
            required: true
      exclusive:
        description:
          - Whether to remove the entries of all local users and groups that are not listed.
          - DSM's group C(administrators) keeps its access in either case.
        type: bool
        default: false
"""

EXAMPLES = r"""
---
- name: Restrict the backups to the backup account
  tars.home.dsm_permission:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    shares:
      - share: tars_backup
        exclusive: true
        permissions:
          - user: tars-backup
            access: rw
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - "set access to share tars_backup: user tars-backup rw"
permissions:
  description: All entries of the listed shares afterwards.
  returned: success
  type: dict
  sample:
    tars_backup:
      group administrators: rw
      user tars-backup: rw
"""

from functools import partial
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import ensure_on_nas, nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import people, storage
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.permission import (
    assume_created,
    plan,
    predict,
    to_dict,
)
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

GRANT_OPTIONS = {
    "user": {"type": "str"},
    "group": {"type": "str"},
    "access": {"type": "str", "choices": ["rw", "ro", "none", "unset"], "required": True},
}
SHARE_OPTIONS = {
    "share": {"type": "str", "required": True},
    "permissions": {"type": "list", "elements": "dict", "default": [], "options": GRANT_OPTIONS},
    "exclusive": {"type": "bool", "default": False},
}


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Bring the access to shares to its desired state, and return the result."""
    desired = module.params["shares"]
    existing = storage.shares(client)
    names = [item["share"] for item in desired if item["share"] in existing]

    outcome = ensure_on_nas(
        client,
        module,
        read=partial(people.permissions, client, dict.fromkeys(names)),
        plan=partial(plan, desired=desired),
        predict=predict,
        write=partial(people.change_permissions, client),
        assume_created=partial(assume_created, desired=desired),
        show=to_dict,
    )
    return outcome.result("permissions")


TASK = nas_task(
    {
        "shares": {"type": "list", "elements": "dict", "required": True, "options": SHARE_OPTIONS},
    },
    ensure,
)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
