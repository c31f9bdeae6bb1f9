#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_account
short_description: Manage the users and groups of a Synology NAS
description:
  - Creates, changes and deletes local users and groups, whole lists in one task.
  - Users and groups that are not in the lists are left alone, and so is every option that is not given.
  - The account that the module logs in with is never changed; listing it is an error.
  - Reads the result back, and fails if DSM reported success but changed nothing.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  diff_mode:
    description: Shows the listed users and groups before and after. Passwords are never shown, nor that one differs.
    support: full
  idempotent:
    description: A second run with the same options changes nothing, except with O(users[].update_password=always),
      because passwords cannot be read back.
    support: partial
options:
  users:
    description: The desired users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the account.
        type: str
        required: true
      state:
        description: Whether the user exists. V(admin) and V(guest) cannot be deleted.
        type: str
        choices: [present, absent]
        default: present
      password:
        description: Password. Needed to create the user.
        type: str
      update_password:
        description:
          - When to send the password. V(on_create) leaves the password of an existing user alone.
          - V(always) sets it in every run and reports a change each time. DSM may refuse the present one.
        type: str
        choices: [on_create, always]
        default: on_create
      description:
        description: Text shown beside the name.
        type: str
      email:
        description: Address for DSM's messages.
        type: str
      enabled:
        description: Whether the account may be used.
        type: bool
      groups:
        description: All groups that the user belongs to, except V(users), to which everybody belongs.
        type: list
        elements: str
  groups:
    description: The desired groups. They are created before the users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the group.
        type: str
        required: true
      state:
        description: Whether the group exists. V(administrators), V(http) and V(users) cannot be deleted.
        type: str
        choices: [present, absent]
        default: present
      description:
        description: Text shown beside the name.
        type: str
"""

EXAMPLES = r"""
---
- name: Create an account that only writes backups
  tars.home.dsm_account:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    groups:
      - name: backup-writers
    users:
      - name: tars-backup
        password: "{{ tars_secrets.backup_account_password }}"
        description: Backups of T.A.R.S.
        groups: [backup-writers]

- name: Delete an account
  tars.home.dsm_account:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    users:
      - name: former
        state: absent
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - create group backup-writers
    - create user tars-backup
    - add user tars-backup to group backup-writers
users:
  description: The listed users that exist afterwards, by name.
  returned: success
  type: dict
  sample:
    tars-backup:
      name: tars-backup
      description: Backups of T.A.R.S.
      email: ""
      enabled: true
      expires: ""
      groups: [backup-writers]
groups:
  description: The listed groups that exist afterwards, by name.
  returned: success
  type: dict
  sample:
    backup-writers:
      name: backup-writers
      description: ""
"""

from functools import partial
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import ensure_on_nas, nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import people
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.account import (
    Change,
    Directory,
    UserChange,
    plan,
    predict,
    to_dict,
)
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

USER_OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "password": {"type": "str", "no_log": True},
    "update_password": {"type": "str", "choices": ["on_create", "always"], "default": "on_create", "no_log": False},
    "description": {"type": "str"},
    "email": {"type": "str"},
    "enabled": {"type": "bool"},
    "groups": {"type": "list", "elements": "str"},
}
GROUP_OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "description": {"type": "str"},
}


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Bring users and groups to their desired state, and return the result."""
    users, groups = module.params["users"], module.params["groups"]
    written: set[str] = set()

    def write(change: Change) -> None:
        people.change_account(client, change)
        if isinstance(change, UserChange):
            written.add(change.user.name)

    outcome = ensure_on_nas(
        client,
        module,
        read=partial(people.directory, client),
        plan=partial(plan, users=users, groups=groups, own_account=client.account, written=written),
        predict=predict,
        write=write,
        show=partial(listed, users=users, groups=groups),
    )
    return outcome.result()


def listed(directory: Directory, users: list[dict[str, Any]], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the listed users and groups that exist."""
    shown = to_dict(directory)
    user_names, group_names = ([item["name"] for item in items] for items in (users, groups))
    return {
        "users": {name: shown["users"][name] for name in user_names if name in shown["users"]},
        "groups": {name: shown["groups"][name] for name in group_names if name in shown["groups"]},
    }


TASK = nas_task(
    {
        "users": {"type": "list", "elements": "dict", "default": [], "options": USER_OPTIONS},
        "groups": {"type": "list", "elements": "dict", "default": [], "options": GROUP_OPTIONS},
    },
    ensure,
)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
