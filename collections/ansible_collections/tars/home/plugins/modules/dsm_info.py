#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_info
short_description: Read the state of a Synology NAS
description:
  - Reads identity, settings and resources of a NAS. The serial number identifies it.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Only reads.
    support: N/A
  idempotent:
    description: Only reads.
    support: full
options:
  gather:
    description:
      - What to read.
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

- name: Expect the household's NAS
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
  description: Its name, gateway, resolvers, clock, SSH and SFTP, as returned by M(tars.home.dsm_system).
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
  description: Its shared folders by name, as returned by M(tars.home.dsm_share).
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
  description: Its NFS service and the rules of every share, as returned by M(tars.home.dsm_nfs).
  returned: when O(gather) has V(nfs)
  type: dict
  sample:
    enabled: true
    nfsv4_minor: 1
    exports:
      LLM_docs: []
accounts:
  description: Its local users and groups, as returned by M(tars.home.dsm_account).
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
  description: Access of users and groups to every share, as returned by M(tars.home.dsm_permission).
  returned: when O(gather) has V(permissions)
  type: dict
  sample:
    LLM_docs:
      group administrators: rw
snapshots:
  description: Schedule, retention and snapshots of every share on btrfs, as returned by M(tars.home.dsm_snapshot).
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
  description: Its network interfaces by name, as returned by M(tars.home.dsm_address).
  returned: when O(gather) has V(interfaces)
  type: dict
  sample:
    eth0:
      use_dhcp: false
      ip: 192.168.1.20
      mask: 255.255.255.0
      gateway: 192.168.1.1
firewall:
  description: The chosen profile of the firewall, as returned by M(tars.home.dsm_firewall).
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
  description: Its certificates, and the SHA-256 of the one it shows, as returned by M(tars.home.dsm_certificate).
  returned: when O(gather) has V(certificates)
  type: dict
  sample:
    shown: 6d6f4b2a9f0c1e8d7a3b5c4f2e1d0c9b8a7f6e5d4c3b2a190817263544536271
    certificates:
      - description: household
        default: true
        desktop: true
tasks:
  description: Its scheduled scripts by name, as returned by M(tars.home.dsm_task). Tasks of other kinds are left out.
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
  description: Its installed packages by DSM's own name, as returned by M(tars.home.dsm_package).
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
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import address as nas_address
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import certificate as nas_certificate
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import firewall as nas_firewall
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import packages as nas_packages
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import people as nas_people
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import snapshots as nas_snapshots
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import storage as nas_storage
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import system as nas_system
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import tasks as nas_tasks
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import account as account_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import address as address_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import certificate as certificate_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import firewall as firewall_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import nfs as nfs_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import package as package_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import permission as permission_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import share as share_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import snapshot as snapshot_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import system as system_plan
from ansible_collections.tars.home.plugins.module_utils.dsm.plans import task as task_plan
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

Reader = Callable[[Client], Any]
# Several parts need the list of shares; it is read once.
all_shares = functools.cache(nas_storage.shares)


def shares(client: Client) -> dict[str, Any]:
    """Return every share, by name."""
    return {name: share_plan.to_dict(share) for name, share in all_shares(client).items()}


def nfs(client: Client) -> dict[str, Any]:
    """Return the NFS service and the rules of every share."""
    return nfs_plan.to_dict(nas_storage.nfs(client, all_shares(client)))


def snapshots(client: Client) -> dict[str, Any]:
    """Return schedule, retention and snapshots of every share on btrfs."""
    settings = snapshot_plan.to_dict(nas_snapshots.nas(client, all_shares(client)))
    return {share: {**setting, "taken": nas_snapshots.taken(client, share)} for share, setting in settings.items()}


PARTS: dict[str, Reader] = {
    "system": nas_system.identity,
    "settings": lambda client: system_plan.to_dict(nas_system.settings(client)),
    "volumes": nas_storage.volumes,
    "shares": shares,
    "nfs": nfs,
}
DETAILS: dict[str, Reader] = {
    "accounts": lambda client: account_plan.to_dict(nas_people.directory(client)),
    "permissions": lambda client: permission_plan.to_dict(nas_people.permissions(client, all_shares(client))),
    "snapshots": snapshots,
    "interfaces": lambda client: address_plan.to_dict(nas_address.ports(client)),
    "firewall": lambda client: firewall_plan.to_dict(nas_firewall.chosen(client)),
    "certificates": lambda client: certificate_plan.to_dict(nas_certificate.certificates(client)),
    "tasks": lambda client: task_plan.to_dict(
        [task for task in nas_tasks.tasks(client) if task.kind == task_plan.SCRIPT]
    ),
    "packages": lambda client: package_plan.to_dict(nas_packages.packages(client)),
}


def gather(client: Client, module: Module) -> dict[str, Any]:
    """Return the requested parts."""
    read = {**PARTS, **DETAILS}
    return {"changed": False, **{part: read[part](client) for part in module.params["gather"]}}


TASK = nas_task(
    {
        "gather": {"type": "list", "elements": "str", "choices": [*PARTS, *DETAILS], "default": list(PARTS)},
    },
    gather,
)


def main() -> None:
    """Run the module."""
    TASK.main()


if __name__ == "__main__":
    main()
