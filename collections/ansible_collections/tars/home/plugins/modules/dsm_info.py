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
    description:
      - What to read; nothing else is asked for.
      - Accounts, permissions, snapshots and tasks cost a request or more for each group, share or task.
    type: list
    elements: str
    choices:
      - system
      - settings
      - volumes
      - shares
      - nfs
      - accounts
      - permissions
      - snapshots
      - interfaces
      - firewall
      - certificates
      - tasks
      - packages
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
interfaces:
  description: Its network interfaces by name, in the words of M(tars.home.dsm_address).
  returned: when O(gather) has V(interfaces)
  type: dict
  sample:
    eth0:
      use_dhcp: false
      ip: 192.168.1.20
      mask: 255.255.255.0
      gateway: 192.168.1.1
firewall:
  description: The firewall's profile that is chosen, in the words of M(tars.home.dsm_firewall).
  returned: when O(gather) has V(firewall)
  type: dict
  sample:
    enabled: true
    profile: default
    sections:
      global:
        policy: drop
        rules:
          - name: DSM for the controller
            enabled: true
            action: allow
            protocol: tcp
            ports: ["5001"]
            sources: [192.168.1.30]
certificates:
  description: Its certificates, and the SHA-256 of the one it shows, in the words of M(tars.home.dsm_certificate).
  returned: when O(gather) has V(certificates)
  type: dict
  sample:
    shown: 6d6f4b2a9f0c1e8d7a3b5c4f2e1d0c9b8a7f6e5d4c3b2a190817263544536271
    certificates:
      - description: household
        default: true
        desktop: true
tasks:
  description: Its scheduled scripts by name, in the words of M(tars.home.dsm_task). Tasks of other kinds are left out.
  returned: when O(gather) has V(tasks)
  type: dict
  sample:
    Disk report:
      name: Disk report
      owner: root
      enabled: true
      script: smartctl --scan | cut -d' ' -f1 | xargs -n1 smartctl --health
      schedule:
        frequency: weekly
        weekdays: [0]
        weeks: []
        hour: 4
        minute: 0
        every_hours: 0
        every_minutes: 0
        last_hour: 4
      notify_email: owner@home.arpa
      notify_only_on_error: true
packages:
  description: Its installed packages by DSM's own name, in the words of M(tars.home.dsm_package).
  returned: when O(gather) has V(packages)
  type: dict
  sample:
    SynoFinder:
      title: Universal Search
      version: 1.6.0-0374
      running: true
"""

import functools
from collections.abc import Callable
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import address as dsm_nas_address
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import certificate as dsm_nas_certificate
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import firewall as dsm_nas_firewall
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import packages as dsm_nas_packages
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import people as dsm_nas_people
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import snapshots as dsm_nas_snapshots
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import storage as dsm_nas
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import system as dsm_nas_system
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import tasks as dsm_nas_tasks
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import account as dsm_account_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import address as dsm_address_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import certificate as dsm_certificate_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import firewall as dsm_firewall_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import nfs as dsm_nfs_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import package as dsm_package_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import permission as dsm_permission_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import share as dsm_share_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import snapshot as dsm_snapshot_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import system as dsm_system_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import task as dsm_task_plan
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

Read = Callable[[Client], Any]
# Several parts begin with the list of shares; it is asked for once.
all_shares = functools.cache(dsm_nas.shares)


def shares(client: Client) -> dict[str, Any]:
    return {name: dsm_share_plan.to_dict(share) for name, share in all_shares(client).items()}


def nfs(client: Client) -> dict[str, Any]:
    return dsm_nfs_plan.to_dict(dsm_nas.nfs(client, all_shares(client)))


def snapshots(client: Client) -> dict[str, Any]:
    settings = dsm_snapshot_plan.to_dict(dsm_nas_snapshots.nas(client, all_shares(client)))
    return {share: {**found, "taken": dsm_nas_snapshots.taken(client, share)} for share, found in settings.items()}


PARTS: dict[str, Read] = {
    "system": dsm_nas_system.identity,
    "settings": lambda client: dsm_system_plan.to_dict(dsm_nas_system.settings(client)),
    "volumes": dsm_nas.volumes,
    "shares": shares,
    "nfs": nfs,
}
DETAILS: dict[str, Read] = {
    "accounts": lambda client: dsm_account_plan.to_dict(dsm_nas_people.directory(client)),
    "permissions": lambda client: dsm_permission_plan.to_dict(dsm_nas_people.permissions(client, all_shares(client))),
    "snapshots": snapshots,
    "interfaces": lambda client: dsm_address_plan.to_dict(dsm_nas_address.ports(client)),
    "firewall": lambda client: dsm_firewall_plan.to_dict(dsm_nas_firewall.chosen(client)),
    "certificates": lambda client: dsm_certificate_plan.to_dict(dsm_nas_certificate.certificates(client)),
    "tasks": lambda client: dsm_task_plan.to_dict(
        [task for task in dsm_nas_tasks.tasks(client) if task.kind == dsm_task_plan.SCRIPT]
    ),
    "packages": lambda client: dsm_package_plan.to_dict(dsm_nas_packages.packages(client)),
}


def gather(client: Client, module: Module) -> dict[str, Any]:
    read = {**PARTS, **DETAILS}
    return {"changed": False, **{part: read[part](client) for part in module.params["gather"]}}


TASK = nas_task(
    {
        "gather": {"type": "list", "elements": "str", "choices": [*PARTS, *DETAILS], "default": list(PARTS)},
    },
    gather,
)


def main() -> None:
    TASK.main()


if __name__ == "__main__":
    main()
