#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_share
short_description: Manage the shared folders of a Synology NAS
description:
  - Creates, changes and deletes shared folders, a whole list in one task.
  - Shares that are not in the list are left alone, and so is every option that is not given.
  - Reads the result back, and fails if DSM reported success but changed nothing.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  diff_mode:
    description: Shows the shares in the list before and after.
    support: full
options:
  shares:
    description: The desired shares.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the share, as clients see it.
        type: str
        required: true
      state:
        description: Whether the share exists.
        type: str
        choices: [present, absent]
        default: present
      volume:
        description:
          - Path of the volume, for example V(/volume1). Needed to create the share.
          - A share on another volume is an error; data is not moved.
        type: str
      description:
        description: Text shown beside the name, at most 64 characters.
        type: str
      hidden:
        description: Whether Windows hides it in the network.
        type: bool
      recycle_bin:
        description: Whether deleted files go to C(#recycle) first.
        type: bool
      recycle_bin_admin_only:
        description: Whether only administrators may open C(#recycle). Needs O(shares[].recycle_bin).
        type: bool
      quota_mib:
        description: Largest size of the share in MiB, V(0) for no limit. Needs a btrfs volume.
        type: int
      cow:
        description: Whether btrfs keeps checksums. Set only when the share is created; a later difference is an error.
        type: bool
      compress:
        description: Whether btrfs compresses. Needs O(shares[].cow), and is set only when the share is created.
        type: bool
      delete_data:
        description: Must be V(true) to delete a share, because DSM deletes its files with it.
        type: bool
        default: false
"""

EXAMPLES = r"""
---
- name: Create the share of the documents
  tars.home.dsm_share:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    shares:
      - name: LLM_docs
        volume: /volume1
        description: Documents T.A.R.S. answers from
        recycle_bin: true

- name: Delete a share with all its files
  tars.home.dsm_share:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    shares:
      - name: scratch
        state: absent
        delete_data: true
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - create share /volume1/LLM_docs
shares:
  description: The listed shares that exist afterwards, by name.
  returned: success
  type: dict
  sample:
    LLM_docs:
      name: LLM_docs
      volume: /volume1
      path: /volume1/LLM_docs
      description: Documents T.A.R.S. answers from
      hidden: false
      recycle_bin: true
      recycle_bin_admin_only: false
      quota_mib: 0
      compress: false
      cow: false
"""

from functools import partial
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import ensure_on_nas, nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import storage as nas_storage
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.share import Storage, plan, predict, to_dict
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

SHARE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "volume": {"type": "str"},
    "description": {"type": "str"},
    "hidden": {"type": "bool"},
    "recycle_bin": {"type": "bool"},
    "recycle_bin_admin_only": {"type": "bool"},
    "quota_mib": {"type": "int"},
    "cow": {"type": "bool"},
    "compress": {"type": "bool"},
    "delete_data": {"type": "bool", "default": False},
}


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Bring shares to their desired state, and return the result."""
    desired = module.params["shares"]
    outcome = ensure_on_nas(
        client,
        module,
        read=partial(nas_storage.storage, client),
        plan=partial(plan, desired=desired),
        predict=predict,
        write=partial(nas_storage.change_share, client),
        show=partial(listed, names=[item["name"] for item in desired]),
    )
    return outcome.result("shares")


def listed(storage: Storage, names: list[str]) -> dict[str, Any]:
    """Return the named shares that exist."""
    return {name: to_dict(storage.shares[name]) for name in names if name in storage.shares}


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
