#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_info
short_description: Read a Synology NAS
description:
  - Reads what a NAS is and what it offers. The serial number tells one NAS from another.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: N/A
  idempotent:
    description: Only reads.
    support: full
options:
  gather:
    description: What to read. Accounts, permissions and snapshots cost several requests a group or share.
    type: list
    elements: str
    choices: [system, settings, volumes, shares, nfs, accounts, permissions, snapshots]
    default: [system, settings, volumes, shares, nfs]
"""

EXAMPLES = r"""
---
- name: Read which NAS this is
  tars.home.dsm_info:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    gather: [system, volumes]
  register: nas

- name: Refuse another NAS than the household's
  ansible.builtin.assert:
    that: nas.system.serial == '1530NXN000000'
"""

RETURN = r"""
system:
  description: The machine and its DSM.
  returned: when O(gather) has V(system)
  type: dict
  sample:
    model: DS1515+
    serial: 1530NXN000000
    version: DSM 7.1.1-42962 Update 9
    build: "42962"
    ram_mib: 2048
    temperature_c: 41
    uptime_s: 86400
settings:
  description: Its name, gateway, resolvers, clock, SSH and SFTP, in the words of M(tars.home.dsm_system).
  returned: when O(gather) has V(settings)
  type: dict
  sample:
    server_name: nas
    gateway: 192.168.1.1
    resolvers: []
    time_zone: Amsterdam
    ntp_servers: [time.google.com]
    ssh: false
    ssh_port: 22
    sftp: false
    sftp_port: 22
volumes:
  description: Its internal volumes.
  returned: when O(gather) has V(volumes)
  type: list
  elements: dict
  sample:
    - path: /volume1
      file_system: btrfs
      status: normal
      size_bytes: 5986140835840
      free_bytes: 5986000000000
shares:
  description: Its shared folders by name, in the words of M(tars.home.dsm_share).
  returned: when O(gather) has V(shares)
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
nfs:
  description: Its NFS service and the rules of every share, in the words of M(tars.home.dsm_nfs).
  returned: when O(gather) has V(nfs)
  type: dict
  sample:
    enabled: true
    nfsv4_minor: 1
    exports:
      LLM_docs: []
accounts:
  description: Its local users and groups, in the words of M(tars.home.dsm_account).
  returned: when O(gather) has V(accounts)
  type: dict
  sample:
    users:
      tars-admin:
        name: tars-admin
        description: ""
        email: ""
        enabled: true
        expires: ""
        groups: [administrators]
    groups:
      administrators:
        name: administrators
        description: System default admin group
permissions:
  description: Who may do what in every share, in the words of M(tars.home.dsm_permission).
  returned: when O(gather) has V(permissions)
  type: dict
  sample:
    LLM_docs:
      group administrators: rw
snapshots:
  description: Schedule, retention and snapshots of every share on btrfs, as M(tars.home.dsm_snapshot) says them.
  returned: when O(gather) has V(snapshots)
  type: dict
  sample:
    LLM_docs:
      schedule:
        enabled: true
        weekdays: [0, 1, 2, 3, 4, 5, 6]
        hour: 5
        minute: 0
        every_hours: 0
        every_minutes: 0
        last_hour: 5
      retention:
        newest: 0
        hourly: 0
        daily: 7
        weekly: 4
        monthly: 0
        yearly: 0
      taken:
        - name: GMT+01-2026.01.31-05.00.01
          description: ""
          locked: false
          scheduled: true
"""

from typing import Any

from ansible_collections.tars.home.plugins.module_utils import (
    dsm_account_plan,
    dsm_nas,
    dsm_nas_people,
    dsm_nas_snapshots,
    dsm_nas_system,
    dsm_nfs_plan,
    dsm_permission_plan,
    dsm_share_plan,
    dsm_snapshot_plan,
    dsm_system_plan,
)
from ansible_collections.tars.home.plugins.module_utils.dsm_client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm_module import Module, run_module

PARTS = ["system", "settings", "volumes", "shares", "nfs"]
DETAILS = ["accounts", "permissions", "snapshots"]


def gather(client: Client, module: Module) -> dict[str, Any]:
    parts = module.params["gather"]
    found: dict[str, Any] = {"changed": False}
    shares = dsm_nas.shares(client) if {"shares", "nfs", "permissions"} & set(parts) else {}
    if "system" in parts:
        found["system"] = dsm_nas.system(client)
    if "settings" in parts:
        found["settings"] = dsm_system_plan.to_dict(dsm_nas_system.settings(client))
    if "volumes" in parts:
        found["volumes"] = dsm_nas.volumes(client)
    if "shares" in parts:
        found["shares"] = {name: dsm_share_plan.to_dict(share) for name, share in shares.items()}
    if "nfs" in parts:
        found["nfs"] = dsm_nfs_plan.to_dict(dsm_nfs_plan.Nfs(dsm_nas.service(client), dsm_nas.rules(client, shares)))
    if "accounts" in parts:
        found["accounts"] = dsm_account_plan.to_dict(dsm_nas_people.directory(client))
    if "permissions" in parts:
        found["permissions"] = dsm_permission_plan.to_dict(dsm_nas_people.permissions(client, shares))
    if "snapshots" in parts:
        found["snapshots"] = snapshots(client)
    return found


def snapshots(client: Client) -> dict[str, Any]:
    settings = dsm_snapshot_plan.to_dict(dsm_nas_snapshots.nas(client, dsm_nas.shares(client)))
    return {share: {**found, "taken": dsm_nas_snapshots.taken(client, share)} for share, found in settings.items()}


def main() -> None:
    run_module(
        {
            "gather": {"type": "list", "elements": "str", "choices": PARTS + DETAILS, "default": PARTS},
        },
        gather,
    )


if __name__ == "__main__":
    main()
