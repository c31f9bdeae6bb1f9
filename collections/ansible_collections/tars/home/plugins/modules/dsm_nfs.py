#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_nfs
short_description: Manage the NFS service and exports of a Synology NAS
description:
  - Turns DSM's NFS service on or off, sets the highest NFSv4 version and the rules of shares.
  - The list of rules of a share replaces all its rules, including those made by hand. Shares not listed keep theirs.
  - Reads the result back, and fails if DSM reported success but changed nothing.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  check_mode:
    details: A share that does not exist yet is assumed to be created by an earlier task, without rules, and named
      in a warning.
  diff_mode:
    description: Shows the service and the rules of the listed shares before and after.
    support: full
  idempotent:
    details: The order of rules is not compared.
options:
  enabled:
    description: Whether the service runs. Rules can be saved only while it does; it is turned on before and off after.
    type: bool
  nfsv4_minor:
    description:
      - Highest minor version of NFSv4 that is offered; NFSv4 is turned on with it.
      - DSM 7.1 supports V(0) or V(1), depending on the model.
    type: int
  exports:
    description: Shares with all their rules.
    type: list
    elements: dict
    default: []
    suboptions:
      share:
        description: Name of an existing share.
        type: str
        required: true
      rules:
        description: The clients that may mount it. An empty list ends the export.
        type: list
        elements: dict
        required: true
        suboptions:
          client:
            description: Address, network (V(192.168.1.0/24)), host name or V(*), as the NAS sees the client.
            type: str
            required: true
          access:
            description: Read only, or read and write.
            type: str
            choices: [ro, rw]
            default: ro
          squash:
            description:
              - The account as which a client's users act on the NAS. NFS trusts the client's user numbers. If all users
                are mapped to one account, each of them can read what another wrote.
              - V(no_mapping) leaves root as root. V(root_to_admin) and V(root_to_guest) map root, V(all_to_admin) and
                V(all_to_guest) all users.
            type: str
            choices: [no_mapping, root_to_admin, root_to_guest, all_to_admin, all_to_guest]
            default: root_to_guest
          async:
            description: Whether the NAS answers before data is on disk. Faster; a power cut loses the last writes.
            type: bool
            default: false
          insecure:
            description: Whether clients may use ports above 1023, as user-space clients and NAT do.
            type: bool
            default: false
          crossmnt:
            description: Whether clients see what is mounted inside the share.
            type: bool
            default: false
          security:
            description: Security flavours offered.
            type: list
            elements: str
            choices: [sys, krb5, krb5i, krb5p]
            default: [sys]
"""

EXAMPLES = r"""
---
- name: Export the documents to one machine read-only and to another for writing
  tars.home.dsm_nfs:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    enabled: true
    nfsv4_minor: 1
    exports:
      - share: LLM_docs
        rules:
          - client: 192.168.1.10
            access: ro
            squash: all_to_admin
          - client: 192.168.1.30
            access: rw
            squash: all_to_admin
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - turn NFS on up to NFSv4.1
    - export share LLM_docs to 192.168.1.10 ro, 192.168.1.30 rw
nfs:
  description: The service and the rules of the listed shares afterwards.
  returned: success
  type: dict
  sample:
    enabled: true
    nfsv4_minor: 1
    exports:
      LLM_docs:
        - client: 192.168.1.10
          access: ro
          squash: all_to_admin
          async: false
          insecure: false
          crossmnt: false
          security: [sys]
"""

from functools import partial
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import ensure_on_nas, nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import storage
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.nfs import (
    SECURITY,
    SQUASH,
    assume_created,
    plan,
    predict,
    rule_from_options,
    to_dict,
)
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

RULE_OPTIONS = {
    "client": {"type": "str", "required": True},
    "access": {"type": "str", "choices": ["ro", "rw"], "default": "ro"},
    "squash": {"type": "str", "choices": list(SQUASH), "default": "root_to_guest"},
    "async": {"type": "bool", "default": False},
    "insecure": {"type": "bool", "default": False},
    "crossmnt": {"type": "bool", "default": False},
    "security": {"type": "list", "elements": "str", "choices": list(SECURITY), "default": ["sys"]},
}
EXPORT_OPTIONS = {
    "share": {"type": "str", "required": True},
    "rules": {"type": "list", "elements": "dict", "required": True, "options": RULE_OPTIONS},
}


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Bring service and exports to their desired state, and return the result."""
    params = module.params
    exports = [(export["share"], [rule_from_options(rule) for rule in export["rules"]]) for export in params["exports"]]
    existing = storage.shares(client) if exports else {}
    names = [share for share, _rules in exports]

    outcome = ensure_on_nas(
        client,
        module,
        read=partial(storage.nfs, client, [share for share in dict.fromkeys(names) if share in existing]),
        plan=partial(plan, exports=exports, enabled=params["enabled"], minor=params["nfsv4_minor"]),
        predict=predict,
        write=partial(storage.change_nfs, client),
        assume_created=partial(assume_created, shares=names),
        show=to_dict,
    )
    return outcome.result("nfs")


TASK = nas_task(
    {
        "enabled": {"type": "bool"},
        "nfsv4_minor": {"type": "int"},
        "exports": {"type": "list", "elements": "dict", "default": [], "options": EXPORT_OPTIONS},
    },
    ensure,
)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
