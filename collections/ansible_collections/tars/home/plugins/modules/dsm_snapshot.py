#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dsm_snapshot
short_description: Manage snapshot schedules, retention and visibility of a Synology NAS
description:
  - Sets when DSM takes snapshots of shared folders and which of them it keeps, a whole list in one task.
  - Sets whether clients see the snapshots of a share in its folder C(#snapshot), where they can read them.
  - Clients of a share can neither change nor delete its snapshots, so they survive a client that deletes everything.
  - Shares that are not in the list are left alone. Snapshots themselves are neither taken nor deleted.
  - Reads the result back, and fails if DSM reported success but changed nothing.
version_added: 0.1.0
author:
  - The T.A.R.S. authors (!UNKNOWN)
extends_documentation_fragment:
  - tars.home.dsm
  - tars.home.dsm.attributes
attributes:
  check_mode:
    details: A share that does not exist yet is assumed to be created by an earlier task on btrfs, and named in a
      warning.
  diff_mode:
    description: Shows schedule, retention and managed visibility of the listed shares before and after.
    support: full
options:
  shares:
    description: The shares, their schedules, their retention, and whether clients see their snapshots.
    type: list
    elements: dict
    required: true
    suboptions:
      share:
        description: Name of an existing share on a btrfs volume.
        type: str
        required: true
      schedule:
        description: When snapshots are taken. Replaces the whole schedule; without it the schedule stays as it is.
        type: dict
        suboptions:
          enabled:
            description: Whether it runs.
            type: bool
            default: true
          weekdays:
            description: Days, V(0) is Sunday. Every day unless given.
            type: list
            elements: int
          hour:
            description: Hour of the first snapshot of a day, on the NAS's clock.
            type: int
            default: 0
          minute:
            description: Minute of the first snapshot.
            type: int
            default: 0
          every_hours:
            description: Repeat after so many hours. DSM supports 1, 2, 3, 4, 6, 8 and 12.
            type: int
            choices: [1, 2, 3, 4, 6, 8, 12]
          every_minutes:
            description: Repeat after so many minutes; needs O(shares[].schedule.minute=0). DSM supports 5, 15 and 30.
            type: int
            choices: [5, 15, 30]
          last_hour:
            description: Hour after which it does not repeat until the next day.
            type: int
            default: 23
      retention:
        description:
          - Which snapshots are kept. Replaces the whole retention; without it the retention stays as it is.
          - Either O(shares[].retention.newest) or numbers by period. All V(0) keeps everything.
        type: dict
        suboptions:
          newest:
            description: Number of newest snapshots.
            type: int
            default: 0
          hourly:
            description: Number of hours of which one snapshot each is kept.
            type: int
            default: 0
          daily:
            description: Number of days of which one snapshot each is kept.
            type: int
            default: 0
          weekly:
            description: Number of weeks of which one snapshot each is kept.
            type: int
            default: 0
          monthly:
            description: Number of months of which one snapshot each is kept.
            type: int
            default: 0
          yearly:
            description: Number of years of which one snapshot each is kept.
            type: int
            default: 0
      visible:
        description:
          - Whether clients see the snapshots, read only, in the folder C(#snapshot) of the share. Without it that stays
            as it is.
          - DSM's manual promises this for its file services. That NFS is among them was not tested.
        type: bool
notes:
  - None of these calls was tested with DSM 7.1; they were observed on DSM 7.3 and exist in 7.0.
"""

EXAMPLES = r"""
---
- name: Keep snapshots of a month, which the desktop cannot delete
  tars.home.dsm_snapshot:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    shares:
      - share: tars_backup
        schedule:
          hour: 5
        retention:
          daily: 7
          weekly: 4

- name: Show the snapshots of the documents to clients
  tars.home.dsm_snapshot:
    host: nas.home.arpa
    account: tars-admin
    password: "{{ tars_secrets.dsm_password }}"
    fingerprint: "{{ dsm_fingerprint }}"
    shares:
      - share: LLM_docs
        visible: true
"""

RETURN = r"""
changes:
  description: What was done (in check mode, what would be done), one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - "keep snapshots of share tars_backup: 7 daily, 4 weekly"
    - "schedule snapshots of share tars_backup: daily at 05:00"
snapshots:
  description: Schedule and retention of the listed shares afterwards; their visibility where it is managed.
  returned: success
  type: dict
  sample:
    tars_backup:
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
"""

from functools import partial
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import ensure_on_nas, nas_task
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import snapshots
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.snapshot import (
    EVERY_HOURS,
    EVERY_MINUTES,
    PERIODS,
    assume_created,
    plan,
    predict,
    to_dict,
)
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import Module

SCHEDULE_OPTIONS = {
    "enabled": {"type": "bool", "default": True},
    "weekdays": {"type": "list", "elements": "int"},
    "hour": {"type": "int", "default": 0},
    "minute": {"type": "int", "default": 0},
    "every_hours": {"type": "int", "choices": list(EVERY_HOURS)},
    "every_minutes": {"type": "int", "choices": list(EVERY_MINUTES)},
    "last_hour": {"type": "int", "default": 23},
}
RETENTION_OPTIONS = {name: {"type": "int", "default": 0} for name in ("newest", *PERIODS)}
SHARE_OPTIONS = {
    "share": {"type": "str", "required": True},
    "schedule": {"type": "dict", "options": SCHEDULE_OPTIONS},
    "retention": {"type": "dict", "options": RETENTION_OPTIONS},
    "visible": {"type": "bool"},
}


def ensure(client: Client, module: Module) -> dict[str, Any]:
    """Bring schedules, retention and visibility to their desired state, and return the result."""
    desired = module.params["shares"]
    with_visibility = {item["share"] for item in desired if item["visible"] is not None}
    outcome = ensure_on_nas(
        client,
        module,
        read=partial(snapshots.nas, client, [item["share"] for item in desired], with_visibility),
        plan=partial(plan, desired=desired),
        predict=predict,
        write=partial(snapshots.change, client),
        assume_created=partial(assume_created, desired=desired),
        show=to_dict,
    )
    return outcome.result("snapshots")


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
